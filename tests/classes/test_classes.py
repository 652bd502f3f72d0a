"""Queries have a class and a tenant, drawn by shares or read, and a class says what its queries are like."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scenarios.fleets import OnePerModel
from scenarios.orders import given
from scenarios.workloads.agent_tasks import agent_tasks
from scenarios.workloads.table import table
from scenarios.workloads.trace import trace
from sim.instance import realise
from sim.interface import Estimates
from sim.study.metrics.groups.classes import OfClass, deadline_met_share
from sim.study.metrics.latency import mean_latency_s
from sim.study.oracles import EstimateCache
from sim.workload import Workload
from sim.workload.classes import TrafficClass, class_names, classified, read_classes
from sim.world.services.slots import Slots
from tests.worlds import tiny_rows, tiny_scenario, tiny_workload

N = 4000
BOTH = {"interactive": TrafficClass(0.7, 0, 2.0), "batch": TrafficClass(0.3, 1, None, 0.5)}


def many(n: int = N) -> Workload:
    return tiny_workload(tiny_rows([[1.0, 0.5]] * n, [[1.0, 2.0]] * n, [[100, 100]] * n))


def drawn(workload: Workload, seed: int = 0, tenants: dict[str, float] | None = None) -> Workload:
    return classified(workload, BOTH, tenants or {}, np.random.default_rng(seed))


def estimates_of(workload: Workload) -> Estimates:
    return EstimateCache().get(None, realise(tiny_scenario(workload), 0, 0))


def test_each_query_is_of_a_class_by_its_share_and_has_what_that_says() -> None:
    test = drawn(many()).test
    assert test.class_name is not None
    assert test.priority is not None
    assert test.due_s is not None
    is_batch = test.class_name == "batch"
    assert is_batch.mean() == pytest.approx(0.3, abs=4 * np.sqrt(0.3 * 0.7 / N))
    assert test.priority.tolist() == is_batch.astype(int).tolist()
    assert test.due_s.tolist() == np.where(is_batch, np.inf, 2.0).tolist()
    assert class_names(test) == ["batch", "interactive"]


def test_classes_do_not_depend_on_tenants_nor_tenants_on_classes() -> None:
    alone, both = drawn(many()).test, drawn(many(), tenants={"acme": 0.5, "zenith": 0.5}).test
    assert alone.class_name is not None
    assert both.tenant is not None
    assert (alone.class_name == both.class_name).all()
    is_acme, is_batch = both.tenant == "acme", both.class_name == "batch"
    assert abs(is_acme[is_batch].mean() - is_acme[~is_batch].mean()) < 0.07


def test_a_price_multiplies_what_queries_cost_and_what_is_expected_of_them_and_nothing_else() -> None:
    workload = many(50)
    priced = drawn(workload)
    factor = np.where(priced.test.class_name == "batch", 0.5, 1.0)[:, None]
    one, other = (realise(tiny_scenario(each), 0, 0) for each in (workload, priced))
    assert (other.cost_usd == one.cost_usd * factor).all()
    assert (other.cost == one.cost * factor).all()
    assert (other.setting.history.cost == one.setting.history.cost).all()
    usual, known = estimates_of(workload), estimates_of(priced)
    assert (known.cost == usual.cost * factor).all()
    assert (known.quality == usual.quality).all()


def test_all_steps_of_a_task_are_of_one_class() -> None:
    test = drawn(agent_tasks(n_queries=30, n_history=5, dim=4, mean_steps=3)).test
    assert test.steps is not None
    classes = pd.DataFrame({"task": test.steps.task, "class": test.class_name}).groupby("task")["class"].nunique()
    assert (classes == 1).all()
    assert set(class_names(test)) == {"batch", "interactive"}


def rows_of(path: Path, classes: str) -> Path:
    frame = pd.DataFrame({"prompt": ["a", "b", "c", "d"], "split": ["history", "test", "test", "test"]})
    frame = frame.assign(m=1.0, tenant=["x", "x", "y", "y"])
    frame["class"] = classes.split(",")
    frame["m|total_cost"] = 0.1
    frame.to_csv(path, index=False)
    return path


def test_a_table_may_have_both_columns_and_classes_then_say_what_they_are_like(tmp_path: Path) -> None:
    path = rows_of(tmp_path / "t.csv", "chat,chat,batch,other")
    workload = table(str(path), embeddings="hashing")
    assert class_names(workload.test) == ["batch", "chat", "other"]
    assert workload.test.tenant is not None
    assert workload.test.tenant.tolist() == ["x", "y", "y"]
    described = classified(
        workload, {"batch": TrafficClass(priority=3), "chat": TrafficClass(due_s=1.0)}, {}, np.random.default_rng(0)
    ).test
    assert described.priority is not None
    assert described.due_s is not None
    assert described.priority.tolist() == [0, 3, 0]
    assert described.due_s.tolist() == [1.0, np.inf, np.inf]


def test_a_class_that_is_empty_somewhere_is_refused(tmp_path: Path) -> None:
    path = rows_of(tmp_path / "t.csv", "chat,chat,,batch")
    with pytest.raises(ValueError, match=r"'class' is empty in row 2 of the table; give every query one"):
        table(str(path), embeddings="hashing")
    path = rows_of(tmp_path / "t.csv", "chat,chat,a[b],batch")
    with pytest.raises(ValueError, match=r"a class is named 'a\[b\]'"):
        table(str(path), embeddings="hashing")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"a": {"share": 0.5}, "b": {}},
            "classes.b.share has no value; every class has a share, and together they are 1",
        ),
        (
            {"a": {"share": 0.5}, "b": {"share": 0.4}},
            r"shares of classes sum to 0.9 \(0.5 \+ 0.4\); they must sum to 1",
        ),
        ({"a": {"share": 1.5}}, "classes.a.share is 1.5; it must be above 0 and at most 1"),
        ({"a": {"share": 1, "priorty": 1}}, "unknown key 'classes.a.priorty'; did you mean 'classes.a.priority'"),
        ({"a": {"share": 1, "priority": -1}}, "classes.a.priority is -1; it must be at least 0"),
        ({"a": {"share": 1, "priority": 0.5}}, "classes.a.priority is 0.5; it must be a whole number"),
        ({"a": {"share": 1, "price": -1}}, "classes.a.price is -1; it must be from 0 to 1e"),
        ({"a[": {"share": 1}}, "a class is named 'a\\['"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(given: dict[str, dict[str, float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        classified(many(3), read_classes(given), {}, np.random.default_rng(0))


def test_shares_are_not_drawn_where_the_workload_has_classes_or_tenants() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="the workload has a column 'class', which says what the shares of classes"):
        classified(drawn(many(9)), BOTH, {}, rng)
    with pytest.raises(ValueError, match="the workload has a column 'tenant', which says what tenants would draw"):
        classified(drawn(many(9), tenants={"x": 1.0}), {}, {"x": 1.0}, rng)
    with pytest.raises(ValueError, match="unknown class of the workload 'bach'; did you mean 'batch'"):
        classified(drawn(many(9)), {"bach": TrafficClass()}, {}, rng)
    with pytest.raises(ValueError, match=r"tenants.x is 2; it must be above 0 and at most 1"):
        classified(many(9), {}, {"x": 2}, rng)


REQUESTS = pd.DataFrame(
    {
        "class": pd.Categorical(["chat", "chat", "batch", "chat"]),
        "fate": ["served", "rejected", "served", "cached"],
        "arrived_at_s": [0.0, 0.0, 0.0, 1.0],
        "finished_at_s": [2.0, np.nan, 9.0, np.nan],
        "ended_at_s": [2.0, 0.0, 9.0, 1.5],
        "due_s": [2.0, 2.0, np.inf, 0.4],
    }
)


def test_a_figure_of_a_class_is_that_of_its_queries_alone() -> None:
    assert OfClass(mean_latency_s, "chat")(REQUESTS) == 2
    assert OfClass(mean_latency_s, "batch")(REQUESTS) == 9
    assert np.isnan(OfClass(mean_latency_s, "nobody")(REQUESTS))


def test_a_deadline_is_met_by_an_answer_that_is_there_by_then() -> None:
    # The first in the last moment, the second never, the third has no deadline, the fourth a tenth too late.
    assert deadline_met_share(REQUESTS) == pytest.approx(1 / 3)
    assert np.isnan(deadline_met_share(REQUESTS[2:3]))


def test_the_record_says_class_tenant_and_deadline() -> None:
    from tests.caching.repeated import Notes, run

    workload = drawn(many(20), tenants={"acme": 1.0})
    scenario = replace(tiny_scenario(workload), fleet=OnePerModel(Slots(1, 0.1, 0.0)), order=given)
    requests = run(Notes(), realise(scenario, 0, 0))
    assert requests["class"].tolist() == list(workload.test.class_name)  # type: ignore[arg-type]
    assert set(requests["tenant"]) == {"acme"}
    assert requests["due_s"].tolist() == workload.test.due_s.tolist()  # type: ignore[union-attr]


def test_a_trace_may_have_the_columns_too(tmp_path: Path) -> None:
    head = "input_tokens,output_tokens,class,tenant,priority,due_s"
    (tmp_path / "t.csv").write_text(f"{head}\n9,9,chat,a,0,2\n9,9,batch,b,1,60\n")
    test = trace(str(tmp_path / "t.csv"), n_queries=3, loop=True, n_history=4, dim=4).test
    assert test.class_name is not None
    assert test.tenant is not None
    assert test.priority is not None
    assert test.due_s is not None
    assert test.class_name.tolist() == ["chat", "batch", "chat"]
    assert test.tenant.tolist() == ["a", "b", "a"]
    assert (test.priority.tolist(), test.due_s.tolist()) == ([0, 1, 0], [2, 60, 2])
