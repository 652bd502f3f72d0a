"""Tasks that are longer than those of the history: more queries come than policies were told to expect."""

from dataclasses import replace

import pytest

from scenarios.arrivals.renewal import Poisson
from scenarios.budgets import Weighted
from scenarios.fleets import OnePerModel
from scenarios.orders.exchangeable import shuffled
from scenarios.workloads.agent_tasks import agent_tasks
from sim.interface import Gate
from sim.scenario import Scenario
from sim.study.experiment import compare
from sim.world.services.slots import Slots
from tests.configured import LONG, NAMES, configured_policy

FEW, MANY = (agent_tasks(n_queries=15, n_history=15, mean_steps=steps, dim=8) for steps in (2, 12))
LONGER = Scenario(
    replace(FEW, test=MANY.test),
    OnePerModel(Slots(4, 0.2, 0.01)),
    Weighted(total=1.0),
    Poisson(rate_per_s=1.0),
    shuffled,
)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in LONG | {"batch_split"}])  # these take long
def test_every_shipped_policy_goes_on(name: str) -> None:
    policy = configured_policy(name)
    if policy.gate.size > 1:
        policy.gate = Gate(5, policy.gate.window_s)  # several batches after the last query that was expected
    found = compare(LONGER, {name: policy})
    assert found["tasks"].tolist() == [15]
    assert found["arrived"].iloc[0] > 15
