"""Tables of tasks: which columns they have, what stands in for those that are missing, and what is refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scenarios.fleets import Listed
from scenarios.workloads.table import table
from sim.deployment import Deployment
from sim.errors import Note
from sim.instance import realise
from sim.workload import Rows, Workload
from sim.workload.tasks import Steps, step_fault
from sim.world.services.slots import Instant
from tests.tasks.tiny import scenario


def frame(**columns: object) -> pd.DataFrame:
    """Tasks x (3 steps) and y (1) of the history, z (2) of the test."""
    written = {
        "task": ["x", "x", "x", "y", "z", "z"],
        "step": [1, 2, 3, 1, 1, 2],
        "split": ["history"] * 4 + ["test"] * 2,
        "input_tokens": [100, 250, 200, 50, 80, 120],
        "a": [1.0, 0.0, 1.0, 1.0, 1.0, 1.0],
        "a|total_cost": [0.4, 0.8, 0.6, 0.2, 0.3, 0.5],
    }
    return pd.DataFrame(written | columns)


def read(folder: Path, table_: pd.DataFrame, **settings: object) -> Workload:
    path = folder / "tasks.csv"
    table_.to_csv(path, index=False)
    return table(str(path), **settings)  # type: ignore[arg-type]


def test_rows_of_a_task_may_stand_anywhere_in_any_order(tmp_path: Path) -> None:
    workload = read(tmp_path, frame().iloc[[2, 5, 0, 3, 1, 4]])
    assert workload.history.steps is not None
    found = zip(workload.history.steps.task, workload.history.steps.step, strict=True)
    assert sorted(found) == [("x", 1), ("x", 2), ("x", 3), ("y", 1)]


def test_without_further_columns_the_whole_step_before_is_held_and_charged_in_full(tmp_path: Path) -> None:
    steps = read(tmp_path, frame()).history.steps
    assert steps is not None
    assert steps.cached_tokens.tolist() == [0, 100, 200, 0]  # at most the row's own input
    assert steps.tool_s.tolist() == [0.0] * 4
    assert steps.cached_cost_usd is not None
    assert steps.cached_cost_usd[:, 0].tolist() == [0.4, 0.8, 0.6, 0.2]


def test_columns_say_how_much_is_held_what_it_costs_and_how_long_tools_take(tmp_path: Path) -> None:
    more = {
        "tool_s": [9, 1, 2, 9, 9, 3],
        "cached_tokens": [7, 90, 200, 7, 7, 80],
        "a|cached_cost": [9, 0.5, 0.1, 9, 9, 0],
    }
    steps = read(tmp_path, frame(**more)).history.steps
    assert steps is not None
    assert steps.tool_s.tolist() == [9.0, 1.0, 2.0, 9.0]
    assert steps.cached_tokens.tolist() == [0, 90, 200, 0]  # those of first steps are not read
    assert steps.cached_cost_usd is not None
    assert steps.cached_cost_usd[:, 0].tolist() == [0.4, 0.5, 0.1, 0.2]


def test_a_draw_of_test_rows_keeps_tasks_whole(tmp_path: Path) -> None:
    workload = read(tmp_path, frame().drop(columns="split"), n_queries=2, split_seed=3)
    assert workload.test.steps is not None
    assert workload.history.steps is not None
    assert set(workload.test.steps.task) | set(workload.history.steps.task) == {"x", "y", "z"}
    assert set(workload.test.steps.task).isdisjoint(workload.history.steps.task)


def test_a_number_of_queries_is_one_of_tasks(tmp_path: Path) -> None:
    workload = read(tmp_path, frame(), n_history=1)
    assert workload.history.steps is not None
    assert workload.history.steps.task.tolist() == ["x", "x", "x"]


WRONG: list[tuple[dict[str, object], str]] = [
    ({"step": [1, 2, 4, 1, 1, 2]}, "task 'x' has step 4 and no step 3; steps are numbered from 1 without a gap"),
    ({"step": [1, 2, 2, 1, 1, 2]}, "task 'x' has step 2 twice; each step is one row"),
    ({"step": [1, 2, 3, 0, 1, 2]}, "task 'y' has step 0 and no step 1"),
    ({"step": [1, 2, 3, 1.5, 1, 2]}, "'step' is 1.5 in row 3 of the table; it must be a whole number"),
    ({"tool_s": [0, -1, 0, 0, 0, 0]}, "tool_s is -1.0 in row 1 of the table"),
    ({"cached_tokens": [0, 251, 0, 0, 0, 0]}, "cached_tokens is 251 in row 1 of the table"),
    ({"a|cached_cost": [0, 0.9, 0, 0, 0, 0]}, "the cached cost of model 'a' is 0.9 in row 1 of the table"),
    (
        {"split": ["history", "test", "test", "history", "test", "test"]},
        "task 'x' has steps in the history and in the test",
    ),
]


@pytest.mark.parametrize(("columns", "message"), WRONG)
def test_a_table_whose_steps_cannot_be_is_refused_in_one_line(
    columns: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r".+") as refused:
        read(tmp_path, frame(**columns))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_task_without_steps_is_a_column_that_is_not_read(tmp_path: Path) -> None:
    with pytest.warns(Note, match="column 'task' is not read without a column 'step', as tasks need both"):
        assert read(tmp_path, frame().drop(columns="step")).test.steps is None


def test_a_workload_in_python_is_held_to_the_same_rules() -> None:
    assert step_fault(np.array(["p", "p"], dtype=object), np.array([1, 3])) is not None
    rows = Rows(
        embeddings=np.zeros((1, 2), dtype=np.float32),
        input_tokens=np.array([5]),
        quality=np.array([[1.0]]),
        cost_usd=np.array([[1.0]]),
        steps=Steps(np.array(["p"], dtype=object), np.array([2]), np.zeros(1), np.zeros(1, dtype=np.int64)),
    )
    with pytest.raises(ValueError, match=r"task 'p' has step 2 and no step 1"):
        Workload(("a",), rows, rows)


def test_a_deployment_with_prices_charges_what_it_holds_at_the_price_of_cached_input() -> None:
    fleet = [
        Deployment(
            name,
            name,
            Instant(),
            price_input_usd_per_million=2.0,
            price_output_usd_per_million=12.0,
            price_cached_input_usd_per_million=cached,
        )
        for name, cached in (("a", 0.2), ("b", None))
    ]
    tasks = realise(scenario(fleet=Listed(fleet)), 0, 0).tasks
    assert tasks is not None
    third_step = [(20 * 2.0 + 30 * 0.2 + 100 * 12.0) / 1e6, (50 * 2.0 + 100 * 12.0) / 1e6]
    assert tasks.cached_cost_usd[3].tolist() == pytest.approx(third_step)


@pytest.mark.parametrize(
    ("prices", "message"),
    [
        ({"price_cached_input_usd_per_million": 0.2}, "give the price of input tokens too"),
        (
            {
                "price_input_usd_per_million": 0.1,
                "price_output_usd_per_million": 1.0,
                "price_cached_input_usd_per_million": 0.2,
            },
            "price_cached_input_usd_per_million of 'a' is 0.2; at most that of input, 0.1",
        ),
    ],
)
def test_a_price_of_cached_input_belongs_to_one_of_input_and_is_no_higher(
    prices: dict[str, float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Deployment("a", "a", Instant(), **prices)  # type: ignore[arg-type]
