"""A router over equal servers, against theory: blind, it makes M/M/1 queues; pooled, they are M/M/c; between, JSQ."""

from dataclasses import dataclass

import numpy as np
import pytest

from policies.balancing.uniform_random import UniformRandom
from scenarios.arrivals import Poisson
from scenarios.budgets import Unlimited
from scenarios.fleets import OnePerModel
from sim.distributions import Exponential
from sim.instance import realise, stream
from sim.interface import Decision, FloatArray, IntArray, Policy, Query, State
from sim.scenario import Scenario
from sim.study.oracles import EstimateCache
from sim.study.statistics import batch_means_interval, mser5, paired_difference
from sim.study.theory.markovian import mmc_mean_wait_s
from sim.study.theory.single import Renewal, serve
from sim.workload import Rows, Workload
from sim.world.record import frame
from sim.world.services.timed import Timed
from sim.world.world import simulate

N_CUSTOMERS = 60_000
RATE_PER_S = 1.5  # over two servers that take 1 s


@dataclass(frozen=True)
class SameEverywhere:
    """Exponential times with mean 1 that belong to the customer, whoever serves it."""

    mean_s = 1.0
    cv = 1.0

    def draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        return np.random.default_rng(11).exponential(1.0, n)


class ShortestQueue(Policy):
    """Join the deployment with the fewest queries, waiting and in service."""

    def decide(self, query: Query, state: State) -> Decision:
        return Decision(int(np.argmin(state.queued + state.in_flight)))


def waits_s(policy: Policy) -> FloatArray:
    """Waits at two single servers, in order of arrival, the warm-up left out."""
    rows = Rows(np.zeros((1, 1), dtype=np.float32), np.zeros(1, dtype=np.int64), np.ones((1, 2)), np.zeros((1, 2)))

    def order(_: Rows, __: np.random.Generator) -> IntArray:
        return np.zeros(N_CUSTOMERS, dtype=np.int64)

    fleet = OnePerModel(Timed(1, SameEverywhere()))
    scenario = Scenario(Workload(("a", "b"), rows, rows), fleet, Unlimited(), Poisson(RATE_PER_S), order)
    instance = realise(scenario, seed=3, replication=0)
    table = simulate("policy", policy, instance, EstimateCache().get(None, instance), stream(3, 0, "policy"))
    requests = frame(table, instance)
    return (requests["started_at_s"] - requests["arrived_at_s"]).to_numpy()


def test_a_blind_split_is_as_many_single_servers() -> None:
    waits = waits_s(UniformRandom())
    mean, half_width = batch_means_interval(waits[mser5(waits) :])
    theory = mmc_mean_wait_s(RATE_PER_S / 2, 1.0, 1)
    assert theory == pytest.approx(3)
    assert half_width < 0.4
    assert abs(mean - theory) <= 2 * half_width  # beyond 4.2 standard errors one in 2,000 right runs would be


def test_joining_the_shortest_queue_is_between_a_blind_split_and_one_queue_for_all() -> None:
    blind, shortest = waits_s(UniformRandom()), waits_s(ShortestQueue())
    requests = serve(Timed(2, SameEverywhere()), Renewal(Exponential(1 / RATE_PER_S)), N_CUSTOMERS, seed=3)
    pooled = (requests["started_at_s"] - requests["arrived_at_s"]).to_numpy()

    def batches(waits: FloatArray) -> FloatArray:
        means: FloatArray = waits.reshape(20, -1).mean(axis=1)
        return means

    for worse, better in ((blind, shortest), (shortest, pooled)):  # the same customers: pairs
        difference, half_width = paired_difference(batches(worse), batches(better))
        assert difference > half_width
    assert pooled.mean() == pytest.approx(mmc_mean_wait_s(RATE_PER_S, 1.0, 2), rel=0.1)
