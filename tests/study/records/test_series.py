"""A run over time, reconstructed from starts and ends."""

import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from scenarios.arrivals import Poisson
from scenarios.budgets import Unlimited
from scenarios.fleets import OnePerModel
from scenarios.orders import given
from scenarios.workloads.synthetic import synthetic
from sim.scenario import Scenario
from sim.study.experiment import Run, runs
from sim.study.oracles import Oracle
from sim.study.record.series import average_number, even_edges, over_time
from sim.world.services.slots import Slots
from tests.configured import configured_policy
from tests.records import fleet, record, refused, served


def average(stays: list[tuple[float, float]], edges: list[float]) -> list[float]:
    """The time average of stays of one row."""
    starts, ends = np.array(stays, dtype=float).T
    rows = np.zeros(len(stays), dtype=np.int64)
    found: list[float] = average_number(starts, ends, rows, 1, np.array(edges, dtype=float))[0].tolist()
    return found


def test_a_stay_counts_for_the_part_of_each_bin_that_it_covers() -> None:
    assert average([(1, 3)], [0, 2, 4]) == [0.5, 0.5]
    assert average([(1, 3), (2, 4)], [0, 2, 3, 4]) == [0.5, 2.0, 1.0]
    assert average([(0, 8)], [0, 1, 8]) == [1.0, 1.0]  # bins may differ in width
    assert average([(2, 2)], [0, 2, 4]) == [0.0, 0.0]  # no time passes in it


def test_stays_outside_the_bins_do_not_count() -> None:
    assert average([(-5, -1), (-1, 1), (3, 9), (9, 10)], [0, 2, 4]) == [0.5, 0.5]


def test_late_on_the_clock_no_digits_are_lost() -> None:
    late = 2.0**30  # about 34 years
    assert average([(late + 1, late + 3)], [late, late + 2, late + 4]) == [0.5, 0.5]


def column(rows: pd.DataFrame, deployment: str, name: str) -> list[float]:
    """One figure of one deployment over time."""
    return rows.loc[rows["deployment"] == deployment, name].astype(float).tolist()


def test_queue_service_and_utilisation_of_three_queries_in_two_places() -> None:
    requests = record(
        served(0, 0, 0, 0, 4), served(1, 0, 0, 0, 8, cost_usd=0.5), served(2, 2, 4, 4, 8), refused(3, 3, "rejected")
    )
    rows = over_time(requests, fleet(), np.array([0.0, 4.0, 8.0]))
    assert column(rows, "a", "in_service") == [2.0, 2.0]
    assert column(rows, "a", "queued") == [0.5, 0.0]  # query 2 for 2 of 4 seconds; the rejected one never
    assert column(rows, "a", "utilisation") == [1.0, 1.0]
    assert column(rows, "a", "arrivals_per_s") == [1.0, 0.0]
    assert column(rows, "a", "spent_usd") == pytest.approx([0.0, 0.502])  # an end on an edge is in the bin after it
    assert column(rows, "b", "in_service") == [0.0, 0.0]
    assert np.isnan(column(rows, "b", "utilisation")).all()  # any number of slots


def test_a_query_that_gives_up_has_queued_until_then() -> None:
    requests = record(
        served(0, 0, 0, 0, 4), refused(1, 0, "abandoned", ended=3), refused(2, 0, "declined", deployment=None)
    )
    rows = over_time(requests, fleet(), np.array([0.0, 4.0]))
    assert rows["queued"].tolist() == [0.75, 0.0]
    assert rows["arrivals_per_s"].tolist() == [0.5, 0.0]  # the declined one went nowhere


def test_a_query_that_fails_in_service_has_been_there_until_then() -> None:
    failed = served(0, 0, 1, math.nan, math.nan) | {"fate": "failed", "ended_at_s": 3.0}
    rows = over_time(record(failed, refused(1, 4, "declined")), fleet(), np.array([0.0, 4.0]))
    assert rows["in_service"].tolist() == [0.5, 0.0]
    assert rows["queued"].tolist() == [0.25, 0.0]


def test_edges_go_from_the_first_arrival_to_the_last_end() -> None:
    requests = record(served(0, 1, 1, 1, 3), refused(1, 2, "abandoned", ended=5))
    assert even_edges(requests, 2).tolist() == [1.0, 3.0, 5.0]


def test_a_record_in_no_time_has_no_series() -> None:
    with pytest.raises(ValueError, match=r"ends at 0\.0 s and begins at 0\.0 s; a series needs time between them"):
        even_edges(record(served(0, 0, 0, 0, 0)), 4)


@pytest.fixture(scope="module")
def busy_run() -> Run:
    """300 queries to three deployments of two slots each, with queues."""
    workload = synthetic(n_queries=300, n_history=60, n_models=3, dim=4)
    service = Slots(slots=2, time_to_first_token_s=0.1, time_per_output_token_s=0.01)
    scenario = Scenario(workload, OnePerModel(service), Unlimited(), Poisson(2.5), given)
    [run] = runs(scenario, {"random": configured_policy("random")}, 0, 1, Oracle(()), {})
    return run


def test_the_number_in_service_is_what_watching_every_event_would_show(busy_run: Run) -> None:
    requests = busy_run.requests
    edges = even_edges(requests, 7)
    rows = over_time(requests, busy_run.fleet, edges)
    assert rows["queued"].max() > 0
    for name, of_one in rows.groupby("deployment", sort=False):
        here = requests[requests["deployment"] == name]
        watched = np.zeros(7)
        moments = np.unique([*edges, *here["started_at_s"], *here["finished_at_s"]])
        for now, after in pairwise(moments):
            if edges[0] <= now < edges[-1]:
                number = ((here["started_at_s"] <= now) & (here["finished_at_s"] > now)).sum()
                watched[np.searchsorted(edges, now, side="right") - 1] += number * (after - now)
        np.testing.assert_allclose(of_one["in_service"], watched / np.diff(edges), rtol=1e-12, atol=1e-12)


def test_littles_law_holds_for_the_queue_and_the_utilisation_law_for_the_places(busy_run: Run) -> None:
    requests = busy_run.requests
    edges = even_edges(requests, 13)
    span_s = edges[-1] - edges[0]
    rows = over_time(requests, busy_run.fleet, edges)
    for name, of_one in rows.groupby("deployment", sort=False):
        here = requests[requests["deployment"] == name]
        rate = len(here) / span_s
        wait_s = (here["started_at_s"] - here["decided_at_s"]).mean()
        service_s = (here["finished_at_s"] - here["started_at_s"]).mean()
        assert of_one["queued"].mean() == pytest.approx(rate * wait_s, rel=1e-9)
        assert of_one["utilisation"].mean() == pytest.approx(rate * service_s / 2, rel=1e-9)
