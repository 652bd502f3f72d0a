"""The environment is the world: it passes Gymnasium's checker, and an agent gets the record of a policy like it."""

import numpy as np
import pandas as pd
import pytest

from sim.cli import api
from sim.interface import Decision, Policy, Query, State
from sim.study.experiment import replicate
from sim.study.oracles import BoundCache, EstimateCache, Oracle

gymnasium = pytest.importorskip("gymnasium", reason="gymnasium is not installed: pip install 'llm-switchyard[gym]'")

from gymnasium.utils.env_checker import check_env  # noqa: E402 - they need it

from switchyard.gym import RoutingEnv, estimator_named  # noqa: E402

SMALL = ("workload.n_queries=60", "workload.n_history=40", "workload.n_models=3", "workload.dim=4")
BUSY = (*SMALL, "fleet=slots", "fleet.service.slots=1", "fleet.queue_capacity=2", "arrivals.rate_per_s=5")


class ByRule(Policy):
    """Sends a query to the deployment with most budget left, among those with fewest queries; refuses every tenth."""

    def decide(self, query: Query, state: State) -> Decision:
        load = state.queued + state.in_flight
        return Decision(None if query.id % 10 == 9 else int(np.argmin(load)))


def test_gymnasiums_checker_finds_no_fault() -> None:
    check_env(RoutingEnv(SMALL), skip_render_check=True)
    made = gymnasium.make("switchyard/Routing-v0", words=SMALL)
    assert made.action_space.n == 4


WORLDS = [(), ("window=minute", "window.length_s=2"), ("events=outage", "events.outage.at_s=2")]


@pytest.mark.parametrize("more", WORLDS)
def test_an_agent_that_decides_as_a_policy_does_gets_its_record(more: tuple[str, ...]) -> None:
    words = (*BUSY, *more)
    env = RoutingEnv(words, estimator="exact", cost_weight=10.0)
    observed, _ = env.reset(seed=3)
    total, number, is_over = 0.0, 0, False
    while not is_over:
        load = observed["queued"] + observed["in_flight"]
        action = 3 if number % 10 == 9 else int(np.argmin(load))
        observed, reward, terminated, is_over, _ = env.step(np.int64(action))
        assert not terminated
        total, number = total + reward, number + 1
    policy = ByRule()
    policy.estimator = estimator_named("exact")
    [run] = replicate(
        api.scenario(*words), {"rule": policy}, 3, 0, Oracle(()), {}, estimates=EstimateCache(), bounds=BoundCache()
    )
    pd.testing.assert_frame_equal(env.requests(), run.requests)
    assert number == 60
    assert total == pytest.approx(run.requests["quality"].sum() - 10.0 * run.requests["cost_usd"].sum())


def test_a_seed_gives_the_same_episodes_one_after_another_whatever_is_done_in_them() -> None:
    env = RoutingEnv(SMALL)
    first = [env.reset(seed=1)[0], env.reset()[0]]
    env.reset(seed=2)
    env.step(np.int64(0))
    again = [env.reset(seed=1)[0], env.reset()[0]]
    for one, other in zip(first, again, strict=True):
        assert all(np.array_equal(one[name], other[name]) for name in one)
    assert not np.array_equal(first[0]["embedding"], first[1]["embedding"])


def test_what_an_agent_cannot_do_is_refused_in_one_line() -> None:
    env = RoutingEnv(SMALL)
    with pytest.raises(RuntimeError, match="call reset"):
        env.step(np.int64(0))
    env.reset(seed=0)
    with pytest.raises(ValueError, match="from 0 to 3"):
        env.step(np.int64(4))
    with pytest.raises(RuntimeError, match="a query waits"):
        env.requests()
    with pytest.raises(ValueError, match="takes no time"):
        RoutingEnv((*SMALL, "decision_s=0.1")).reset(seed=0)
    with pytest.raises(ValueError, match="steps of tasks"):
        RoutingEnv(("workload=agent_tasks", "workload.n_queries=5", "workload.n_history=5")).reset(seed=0)
    with pytest.raises(ValueError, match="cost_weight is -1"):
        RoutingEnv(SMALL, cost_weight=-1)
