"""Runs of many queries: what is made in parts is what it is in one piece, and a query takes little memory."""

import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from policies.balancing.least_loaded import LeastLoaded
from policies.budgeted.sampled_dual import SampledDual
from policies.estimators.neighbours import ExactNeighbours
from policies.greedy.best_predicted import BestPredicted
from scenarios.arrivals import Deterministic
from scenarios.budgets import Weighted
from scenarios.fleets import OnePerModel
from scenarios.orders import shuffled
from scenarios.workloads.synthetic import synthetic
from sim.interface import Estimates, Features, History, Policy
from sim.scenario import Scenario
from sim.study.experiment import Record, replicate
from sim.study.oracles import BoundCache, EstimateCache, Oracle
from sim.study.output.archive import Archive
from sim.study.output.records import read_requests
from sim.workload import Workload
from sim.world.arriving import BLOCK
from sim.world.record.frames import LONG
from sim.world.services.slots import Slots

SERVICE = Slots(slots=4, time_to_first_token_s=0.1, time_per_output_token_s=0.001)
SIZES: list[int] = []


class Noting:
    """An estimator that predicts half of everything, and notes in ``SIZES`` of how many queries at a time."""

    def fit(self, history: History) -> "Noting":
        self.n_deployments = history.quality.shape[1]
        return self

    def predict(self, features: Features) -> Estimates:
        SIZES.append(len(features.input_tokens))
        half = np.full((len(features.input_tokens), self.n_deployments), 0.5)
        return Estimates(half, half)


def scenario(workload: Workload) -> Scenario:
    return Scenario(workload, OnePerModel(SERVICE), Weighted(), Deterministic(20.0), shuffled)


def records(of: Scenario, estimates: EstimateCache, **policies: Policy) -> list[Record]:
    return [
        run.record for run in replicate(of, policies, 0, 0, Oracle(()), {}, estimates=estimates, bounds=BoundCache())
    ]


def test_predictions_that_are_made_as_queries_come_are_those_of_all_at_once() -> None:
    of = scenario(synthetic(n_queries=BLOCK + 100, n_history=200, n_models=3, dim=4, seed=1))
    policy = SampledDual(ExactNeighbours(k=3), fallback=True)
    [whole], [in_parts] = (records(of, EstimateCache(most_kept=most), one=policy) for most in (10**6, 0))
    pd.testing.assert_frame_equal(whole.requests, in_parts.requests)


def test_predictions_of_many_queries_are_made_for_some_at_a_time_and_of_few_at_once() -> None:
    of = scenario(synthetic(n_queries=2 * BLOCK + 1, n_history=5, n_models=2, dim=2))
    for most, sizes in ((0, [BLOCK, BLOCK, 1]), (10**6, [2 * BLOCK + 1])):
        SIZES.clear()
        records(of, EstimateCache(most_kept=most), one=BestPredicted(Noting()))
        assert sizes == SIZES


def test_policies_that_share_an_estimator_share_its_predictions_of_however_many() -> None:
    of, estimator = scenario(synthetic(n_queries=BLOCK + 1, n_history=5, n_models=2, dim=2)), Noting()
    SIZES.clear()
    records(of, EstimateCache(most_kept=0), one=BestPredicted(estimator), other=BestPredicted(estimator))
    assert [BLOCK + 1] == SIZES


def test_without_confidences_and_expected_outcomes_a_made_up_workload_is_the_same() -> None:
    whole = synthetic(n_queries=50, n_history=20, n_models=3, dim=4)
    bare = synthetic(n_queries=50, n_history=20, n_models=3, dim=4, separation=None, expectations=False)
    for rows, others in ((whole.history, bare.history), (whole.test, bare.test)):
        assert others.confidence is others.expected_quality is others.expected_cost_usd is None
        for name in ("embeddings", "input_tokens", "quality", "cost_usd", "output_tokens", "source"):
            np.testing.assert_array_equal(getattr(rows, name), getattr(others, name))


def test_made_up_queries_have_expected_outcomes_unless_they_are_very_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scenarios.workloads.synthetic.MANY", 20)
    few, many = (synthetic(n_queries=n, n_history=20, n_models=3, dim=4) for n in (20, 21))
    assert few.test.expected_quality is not None
    assert many.test.expected_quality is None
    assert synthetic(n_queries=21, n_history=20, n_models=3, dim=4, expectations=True).test.expected_quality is not None


def test_a_replication_is_read_back_without_the_others_and_with_the_columns_that_are_asked_for(tmp_path: Path) -> None:
    of = scenario(synthetic(n_queries=30, n_history=5, n_models=2, dim=2))
    with Archive(tmp_path) as archive:
        for replication in range(2):
            for run in replicate(
                *(of, {"one": LeastLoaded(), "other": LeastLoaded()}, 0, replication, Oracle(()), {}),
                estimates=EstimateCache(),
                bounds=BoundCache(),
            ):
                archive.add(run)
        archive.finish()
    every = pq.read_table(tmp_path / "requests.parquet").to_pandas()
    of_second = every[every["replication"] == 1].reset_index(drop=True)
    pd.testing.assert_frame_equal(read_requests(tmp_path, 1), of_second)
    pd.testing.assert_frame_equal(read_requests(tmp_path, 1, ["fate", "id", "missing"]), of_second[["id", "fate"]])
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    pq.write_table(pq.read_table(tmp_path / "requests.parquet"), mixed / "requests.parquet")  # in one row group
    pd.testing.assert_frame_equal(read_requests(mixed, 1), of_second)


@pytest.mark.lengthy
def test_a_query_of_a_long_run_takes_less_than_three_hundred_bytes_beside_its_outcomes() -> None:
    workload = synthetic(n := LONG + 1, n_history=10, n_models=2, dim=2, separation=None, expectations=False)
    tracemalloc.start()
    records(scenario(workload), EstimateCache(most_kept=0), one=BestPredicted(Noting()))
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most_bytes < 300 * n
