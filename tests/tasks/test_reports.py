"""What a report counts where queries are steps of tasks: tasks, as a policy decides how many steps come."""

from dataclasses import replace

import numpy as np

from sim.study.metrics.sources import by_source
from tests.tasks.tiny import ByStep, run, scenario

A, B = 0, 1


def test_figures_of_a_source_are_of_its_tasks_as_policies_differ_in_the_steps_that_they_get_to() -> None:
    topics = np.array(["long", "short", "long", "long"], dtype=object)
    requests, tasks = run(ByStep([A, B, A]), scenario(change=lambda rows: replace(rows, source=topics)))
    found = by_source(requests, tasks).set_index("source")
    assert found["arrived"].to_dict() == {"long": 1, "short": 1}
    assert found["served"].to_dict() == {"long": 1, "short": 1}
    assert found["quality_per_query"].to_dict() == {"long": 1.0, "short": 1.0}  # not a third for the one of three steps
    assert found["cost_usd"].to_dict() == {"long": 4.0, "short": 1.0}  # 1 + 2 + 1
