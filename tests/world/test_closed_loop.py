"""Users who wait for their answers."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from scenarios.arrivals.closed import ClosedLoop
from scenarios.events import Outage
from sim.deployment import Deployment
from sim.interface import Decision, FloatArray, Gate, Query, State
from sim.world.services.job import Finish, Server
from sim.world.services.slots import Slots, SlotsServer
from tests.scripted import Scripted, run

ONE_AT_A_TIME = Slots(1, 0.0, 0.01)  # 100 output tokens take 1 s


def test_a_user_asks_again_when_the_answer_has_come() -> None:
    requests = run(Scripted([0] * 3), ClosedLoop(users=1, mean_think_s=0), n_queries=3, service=ONE_AT_A_TIME)
    assert requests["arrived_at_s"].tolist() == [0, 1, 2]


def test_two_users_share_one_server() -> None:
    requests = run(Scripted([0] * 4), ClosedLoop(users=2, mean_think_s=0), n_queries=4, service=ONE_AT_A_TIME)
    assert requests["arrived_at_s"].tolist() == [0, 0, 1, 2]
    assert requests["finished_at_s"].tolist() == [1, 2, 3, 4]


def test_a_refused_user_asks_again_too() -> None:
    requests = run(Scripted([None, 0]), ClosedLoop(users=1, mean_think_s=0), n_queries=2)
    assert requests["fate"].tolist() == ["declined", "served"]


def test_a_lost_query_frees_its_user() -> None:
    users = ClosedLoop(users=1, mean_think_s=0)
    requests = run(Scripted([0] * 2), users, n_queries=2, service=Slots(1, 5.0, 0), events=[Outage(2.0, 1.0)])
    assert requests["arrived_at_s"].tolist() == [0, 2]
    assert requests["fate"].tolist() == ["failed", "failed"]  # it asks at once, while the deployment is down


def test_a_gate_larger_than_the_users_closes_when_all_of_them_wait_in_it() -> None:
    users = ClosedLoop(users=2, mean_think_s=1)
    requests = run(Scripted([0] * 6, gate=Gate(size=3)), users, n_queries=6, service=ONE_AT_A_TIME)
    assert requests["fate"].tolist() == ["served"] * 6
    decided, arrived = requests["decided_at_s"].tolist(), requests["arrived_at_s"].tolist()
    assert decided[0] == decided[1] == arrived[1]  # the first waits for the second


def test_a_gate_waits_for_the_user_whose_query_is_in_service() -> None:
    # Two users and a gate of two: each asks again at once, so batches are of both, decided when the second has ended.
    users = ClosedLoop(users=2, mean_think_s=0)
    requests = run(Scripted([0] * 4, gate=Gate(size=9)), users, n_queries=4, service=ONE_AT_A_TIME)
    assert requests["decided_at_s"].tolist() == [0, 0, 2, 2]


@dataclass(frozen=True)
class ExponentialSlots:
    """One server with exponential service of mean 1 s."""

    needs_output_tokens = False
    context_tokens: int | None = None

    def draw(self, n_queries: int, rng: np.random.Generator) -> FloatArray | None:
        return rng.exponential(1.0, (n_queries, 1))

    def open(self, env: object, finish: Finish) -> Server:
        return SlotsServer(1, lambda job: (0.0, float(job.draws[0])), env, finish)  # type: ignore[index, arg-type]


def test_throughput_is_that_of_the_machine_repairman() -> None:
    # N = 4 users, mean think 3 s, mean service 1 s: p0 = 1 / sum_n N!/(N-n)! (1/3)^n and throughput 1 - p0
    # (Kleinrock 1975, section 3.8).
    p0 = 1 / sum(np.prod(np.arange(4, 4 - n, -1)) / 3**n for n in range(5))
    n = 20_000
    single = [Deployment("a", "a", ExponentialSlots())]
    requests = run(Always(), ClosedLoop(users=4, mean_think_s=3), n_queries=n, deployments=single)
    assert n / requests["finished_at_s"].max() == pytest.approx(1 - p0, rel=0.02)  # about three standard errors


@dataclass
class Always(Scripted):
    """Always the first deployment."""

    script: list[object] = field(default_factory=list)

    def decide(self, query: Query, state: State) -> Decision:
        return Decision(0)
