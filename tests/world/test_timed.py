"""The service whose times are drawn: who gets which, and what stops or slows it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from sim.distributions import Constant, Exponential
from sim.interface import FloatArray, Query
from sim.study.theory.single import Arriving, serve
from sim.world.moment import Clock
from sim.world.services.job import Job
from sim.world.services.slots import Instant, Slots
from sim.world.services.timed import Timed


@dataclass(frozen=True)
class Given:
    """Service times as given, in the order of arrival."""

    values_s: tuple[float, ...]
    mean_s = 1.0
    cv = 0.0

    def draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        return np.array(self.values_s)


def job(number: int, drawn_s: float) -> Job:
    query = Query(number, 0.0, np.zeros(1, dtype=np.float32), 0, np.zeros(1), np.zeros(1))
    return Job(query, 0, 0.0, 0, (drawn_s,))


class Finished:
    """Notes who finishes when."""

    def __init__(self) -> None:
        self.when: list[tuple[int, float]] = []

    def __call__(self, job: Job, now_s: float) -> None:
        self.when.append((job.query.id, now_s))


def test_each_query_takes_the_time_that_was_drawn_for_it() -> None:
    # One place: the second waits for the first, the third comes to an empty deployment.
    requests = serve(Timed(1, Given((2.0, 1.0, 5.0))), Arriving(np.array([0.0, 1.0, 7.0])), 3)
    assert requests["started_at_s"].tolist() == [0, 2, 7]
    assert requests["finished_at_s"].tolist() == [2, 3, 12]
    assert requests["first_token_at_s"].tolist() == [2, 3, 12]


def test_a_short_job_overtakes_at_another_place() -> None:
    requests = serve(Timed(2, Given((5.0, 1.0, 1.0))), Arriving(np.array([0.0, 0.0, 0.0])), 3)
    assert requests["finished_at_s"].tolist() == [5, 1, 2]


def test_a_full_deployment_without_a_queue_loses_who_comes() -> None:
    requests = serve(Timed(1, Constant(2.0)), Arriving(np.array([0.0, 1.0, 2.5])), 3, queue_capacity=0)
    assert requests["fate"].tolist() == ["served", "rejected", "served"]


def test_times_depend_on_the_seed_and_on_the_name_of_the_deployment() -> None:
    def times_s(name: str, seed: int) -> list[float]:
        requests = serve(Timed(1, Exponential(1.0)), Arriving(np.array([0.0, 100.0, 200.0])), 3, name=name, seed=seed)
        return (requests["finished_at_s"] - requests["started_at_s"]).tolist()

    assert times_s("a", 0) == times_s("a", 0)
    assert times_s("a", 0) != times_s("b", 0)
    assert times_s("a", 0) != times_s("a", 1)


def test_the_drawn_times_are_a_column_with_one_row_per_arrival() -> None:
    drawn = Timed(1, Constant(2.0)).draw(3, np.random.default_rng(0))
    assert drawn is not None
    assert drawn.tolist() == [[2.0], [2.0], [2.0]]
    assert Slots(1, 0.0, 1.0).draw(3, np.random.default_rng(0)) is None
    assert Instant().draw(3, np.random.default_rng(0)) is None


def served(durations_s: Sequence[float], *, slow_at_s: float = 99.0, factor: float = 1.0) -> list[tuple[int, float]]:
    """When jobs that begin together at 0 finish, if the server slows down at a time."""
    env, finished = Clock(), Finished()
    server = Timed(9, Constant(1.0)).open(env, finished)
    for number, duration_s in enumerate(durations_s):
        server.begin(job(number, duration_s), 0.0)
    env.timeout(slow_at_s).callbacks.append(lambda _: server.slow_down(factor, env.now))
    env.run()
    return finished.when


def test_a_slower_server_stretches_what_remains() -> None:
    # At 2 s the second job has 2 s left, which take 4 s at half speed; the first has gone.
    assert served([1.0, 4.0], slow_at_s=2.0, factor=2.0) == [(0, 1.0), (1, 6.0)]


def test_a_factor_below_one_shrinks_what_remains() -> None:
    assert served([4.0], slow_at_s=2.0, factor=0.5) == [(0, 3.0)]


def test_a_slow_server_serves_slowly_whoever_begins_later_and_recovers() -> None:
    env, finished = Clock(), Finished()
    server = Timed(1, Constant(1.0)).open(env, finished)
    server.slow_down(3.0, 0.0)
    server.begin(job(0, 2.0), 0.0)  # 6 s at this speed
    env.timeout(3.0).callbacks.append(lambda _: server.slow_down(1.0, env.now))  # 3 s left, now 1 s
    env.run()
    assert finished.when == [(0, 4.0)]


def test_a_first_token_that_has_not_come_is_delayed_with_the_rest() -> None:
    env, finished = Clock(), Finished()
    server = Slots(2, 2.0, 0.5).open(env, finished)
    early, late = job(0, 0.0), job(1, 0.0)
    early.output_tokens = late.output_tokens = 4  # first token after 2 s, last after 4 s
    server.begin(early, 0.0)
    env.run(until=1.0)
    server.begin(late, 1.0)
    env.run(until=2.5)
    server.slow_down(2.0, 2.5)  # early: first token at 2, 1.5 s left; late: 0.5 s to its first token, 2.5 s left
    env.run()
    assert (early.first_token_at_s, late.first_token_at_s) == (2.0, 3.5)
    assert finished.when == [(0, 5.5), (1, 7.5)]


def test_a_cancelled_job_frees_its_place_and_never_finishes() -> None:
    env, finished = Clock(), Finished()
    server = Timed(1, Constant(1.0)).open(env, finished)
    first, second = job(0, 5.0), job(1, 1.0)
    server.begin(first, 0.0)
    assert not server.admits(second)
    env.run(until=2.0)
    server.cancel(first, 2.0)
    assert server.admits(second)
    server.begin(second, 2.0)
    env.run()
    assert finished.when == [(1, 3.0)]


def test_a_timed_service_needs_a_slot() -> None:
    with pytest.raises(ValueError, match=r"slots is 0; it must be at least 1"):
        Timed(0, Constant(1.0))
