"""How full key-value caches are over time: by hand, and against every moment of a run."""

import math

import numpy as np
import pytest

from scenarios.arrivals import Poisson
from scenarios.budgets import Unlimited
from scenarios.fleets import OnePerModel
from scenarios.orders import given
from scenarios.workloads.synthetic import synthetic
from sim.deployment import Service
from sim.scenario import Scenario
from sim.show.drawings.clock import in_use
from sim.study.experiment import Run, runs
from sim.study.oracles import Oracle
from sim.study.record.series import even_edges, over_time
from sim.world.services.batching import Batching
from sim.world.services.disaggregated import Disaggregated
from sim.world.services.paged import PagedBatching
from tests.configured import configured_policy
from tests.records import fleet, record, served


def share(holds: str, reserved: float = math.nan) -> list[float]:
    """The shares of 100 tokens at deployment a, in two bins of 4 s, of one query of 10 + 20 tokens from 0 to 8 s.

    Its first token comes at 4 s.
    """
    of_fleet = fleet(kv_tokens=[100.0, math.inf], kv_holds=[holds, None], reserved_output_tokens=[reserved, math.nan])
    rows = over_time(record(served(0, 0, 0, 4, 8, tokens=20)), of_fleet, np.array([0.0, 4.0, 8.0]))
    assert rows.loc[rows["deployment"] == "b", "kv_share"].isna().all()  # any number of tokens
    return rows.loc[rows["deployment"] == "a", "kv_share"].astype(float).tolist()


def test_what_a_query_holds_is_reserved_or_grows_or_is_there_while_decoding_only() -> None:
    assert share("reserved") == pytest.approx([0.3, 0.3])  # 10 + 20 of 100, from its start on
    assert share("reserved", reserved=50) == pytest.approx([0.6, 0.6])
    assert share("grows") == pytest.approx([0.1, 0.2])  # 10, then from 10 to 30
    assert share("decoding") == pytest.approx([0.0, 0.3])


def test_a_fleet_table_of_an_earlier_version_has_no_key_value_memory() -> None:
    rows = over_time(record(served(0, 0, 0, 4, 8)), fleet(), np.array([0.0, 8.0]))
    assert rows["kv_share"].isna().all()


BATCHING = Batching(slots=50, iteration_base_s=0.02, iteration_per_sequence_s=0.001, kv_tokens=2000)
PAGED = PagedBatching(slots=50, iteration_base_s=0.02, iteration_per_sequence_s=0.001, kv_tokens=2000)


def ran(service: Service, replicas: int = 1) -> Run:
    """60 queries to one deployment, fast enough to queue for the cache."""
    workload = synthetic(n_queries=60, n_history=20, n_models=1, dim=4)
    scenario = Scenario(workload, OnePerModel(service, replicas=replicas), Unlimited(), Poisson(4.0), given)
    [run] = runs(scenario, {"random": configured_policy("random")}, 0, 1, Oracle(()), {})
    return run


def test_the_fleet_table_says_how_much_room_there_is_and_how_it_is_held() -> None:
    found = ran(BATCHING, replicas=3).fleet.iloc[0]
    assert (found["kv_tokens"], found["kv_holds"]) == (6000.0, "reserved")
    assert math.isnan(found["reserved_output_tokens"])
    assert ran(PAGED).fleet["kv_holds"].tolist() == ["grows"]
    split = Disaggregated(1, 2, 0.001, 100.0, None, 8, 0.02, 0.0, kv_tokens=4000)
    assert ran(split).fleet[["kv_tokens", "kv_holds"]].to_numpy().tolist() == [[8000.0, "decoding"]]


def test_the_share_is_what_watching_every_query_would_show_and_never_more_than_all() -> None:
    run = ran(BATCHING)
    requests, edges = run.requests, even_edges(run.requests, 9)
    rows = over_time(requests, run.fleet, edges)
    tokens = (requests["input_tokens"] + requests["output_tokens"]).to_numpy(dtype=float)
    starts, ends = (requests[name].to_numpy(dtype=float) for name in ("started_at_s", "ended_at_s"))
    for begin, end, found in zip(edges[:-1], edges[1:], rows["kv_share"], strict=True):
        seconds = np.clip(np.minimum(ends, end) - np.maximum(starts, begin), 0, None)
        assert found == pytest.approx((tokens * seconds).sum() / (end - begin) / 2000, rel=1e-9)
    assert 0.5 < rows["kv_share"].max() <= 1 + 1e-9
    assert rows["queued"].max() > 0 > rows["utilisation"].max() - 0.5  # few slots are in use, and yet queries wait


def test_the_busy_figure_has_a_row_for_slots_and_one_for_key_value_memory_where_each_is_limited() -> None:
    edges = np.array([0.0, 4.0, 8.0])
    of_fleet = fleet(kv_tokens=[100.0, math.inf], kv_holds=["reserved", None], reserved_output_tokens=[math.nan] * 2)
    series = {"p": over_time(record(served(0, 0, 0, 4, 8, tokens=20)), of_fleet, edges)}
    rows, busy = in_use(series, ["a", "b"])
    assert rows == [("a", "slots"), ("a", "KV cache")]  # b has no limit
    assert busy["p"].tolist() == [[50.0, 50.0], pytest.approx([30.0, 30.0])]
    rows, _ = in_use({"p": series["p"].assign(kv_share=math.nan)}, ["a", "b"])
    assert rows == [("a", "")]
