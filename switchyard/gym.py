"""A Gymnasium environment: an agent routes the queries of a scenario, in the simulated world. It needs the extra gym.

An episode is a replication of a scenario. Each step is one query; an action sends it to a deployment or refuses it, and
the world goes on to the next arrival. docs/live.md has an example that learns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

try:
    import gymnasium
except ImportError as error:
    raise ImportError("switchyard.gym needs Gymnasium: pip install 'llm-switchyard[gym]'") from error
import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.cli import api
from sim.errors import check_number
from sim.instance import realise
from sim.interface import Estimator, affords
from sim.scenario import Scenario
from sim.study.oracles import EstimateCache
from sim.world.record import frame
from sim.world.stepped.world import SteppedWorld

ID = "switchyard/Routing-v0"
Observation = dict[str, npt.NDArray[np.float32]]


class RoutingEnv(gymnasium.Env[Observation, np.int64]):
    """Route queries one by one.

    The observation is of the query that waits and of the fleet as a policy may see it, float32 each:

    ======================= ================== =======================================================================
    ``embedding``           (dim,)             of the query
    ``input_tokens``        (1,)
    ``quality_hat``         (n_deployments,)   predicted score
    ``cost_hat``            (n_deployments,)   predicted cost, in the unit of the budgets
    ``budget_left``         (n_deployments,)   share that is left of each budget; 1 without one
    ``affords``             (n_deployments,)   1 where that pays for the predicted cost, else 0
    ``queued``, ``in_flight``  (n_deployments,)
    ``available``           (n_deployments,)   1 or 0
    ``time_s``              (1,)               since the first arrival
    ``progress``            (1,)               share of the queries that have come
    ======================= ================== =======================================================================

    Action k sends the query to deployment k, and ``n_deployments`` refuses it. The reward of a step is the sum, over
    the queries that were answered in it, of score - cost_weight x cost in USD; the last step gets all that is still to
    come, so that an episode's return is total quality - cost_weight x total token cost. Nothing is paid for a query
    that is lost. After the last query the episode is truncated: its observation then has zeros in the place of a query.
    ``info["ended"]`` names the answered queries (``sim.world.stepped.world.Ended``), for credit by decision.

    Parameters
    ----------
    words : sequence of str
        A scenario, as ``switchyard run`` takes it, such as ``fleet=slots`` and ``n_queries=500``.
    estimator : str or None
        Of ``conf/estimator``; None for the means of the history.
    cost_weight : float
        What a dollar takes off the reward, at least 0.
    scenario : Scenario or None
        One that is made already, in the place of the words.

    Notes
    -----
    ``reset(seed=s)`` begins replication 0 of that seed, each ``reset()`` after it the next replication: the same seed
    gives the same episodes, whatever the agent does in them.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - as Gymnasium declares it

    def __init__(
        self,
        words: Sequence[str] = ("n_queries=500",),
        estimator: str | None = "exact",
        cost_weight: float = 100.0,
        scenario: Scenario | None = None,
    ) -> None:
        check_number("cost_weight", cost_weight, least=0)
        self._scenario = api.scenario(*words) if scenario is None else scenario
        self._estimator = None if estimator is None else estimator_named(estimator)
        self._weight = cost_weight
        self._estimates = EstimateCache()
        self._seed, self._replication = 0, -1
        self._world: SteppedWorld | None = None
        first = realise(self._scenario, 0, 0)
        self.names = [info.name for info in first.setting.fleet]
        n, dim = len(self.names), first.features.embeddings.shape[1]
        self.action_space = gymnasium.spaces.Discrete(n + 1)  # type: ignore[assignment]  # of whole numbers
        most = float(np.finfo(np.float32).max)
        free = {"embedding": dim, "quality_hat": n, "cost_hat": n, "budget_left": n}
        at_least_0 = {"input_tokens": 1, "queued": n, "in_flight": n, "available": n, "affords": n}
        at_least_0 |= {"time_s": 1, "progress": 1}
        spaces: dict[str, gymnasium.spaces.Space[Any]] = {
            name: gymnasium.spaces.Box(-most, most, (size,), np.float32) for name, size in free.items()
        }
        for name, size in at_least_0.items():
            spaces[name] = gymnasium.spaces.Box(0.0, most, (size,), np.float32)
        self.observation_space = gymnasium.spaces.Dict(spaces)  # type: ignore[assignment]  # of arrays

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode; see the notes above for the seed."""
        super().reset(seed=seed)
        if seed is not None:
            self._seed, self._replication = seed, -1
        self._replication += 1
        instance = realise(self._scenario, self._seed, self._replication)
        if len(instance.fleet) != len(self.names):
            raise ValueError(f"this replication has {len(instance.fleet)} deployments, the first {len(self.names)}")
        self._instance = instance
        self._world = SteppedWorld(instance, self._estimates.get(self._estimator, instance))
        return self._observed(), {"ended": [], "replication": self._replication}

    def step(self, action: np.int64) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Send the query that waits to a deployment, or refuse it."""
        if self._world is None or self._world.query is None:
            raise RuntimeError("the episode is over, or has not begun: call reset")
        if not self.action_space.contains(action):
            raise ValueError(f"action is {action!r}; it must be a whole number from 0 to {len(self.names)}")
        ended = self._world.decide(None if int(action) == len(self.names) else int(action))
        reward = sum(one.quality - self._weight * one.cost_usd for one in ended)
        return self._observed(), float(reward), False, self._world.query is None, {"ended": ended}

    def requests(self) -> pd.DataFrame:
        """Return the request table of the episode, as ``requests.parquet`` has it, once it is over."""
        if self._world is None:
            raise RuntimeError("no episode has begun: call reset")
        return frame(self._world.record(), self._instance)

    def _observed(self) -> Observation:
        assert self._world is not None
        world, setting, n = self._world, self._instance.setting, len(self.names)
        state, query = world.state, world.query
        left = np.ones(n)
        limited = np.isfinite(setting.budgets) & (setting.budgets > 0)
        left[limited] = state.remaining[limited] / setting.budgets[limited]
        left[setting.budgets == 0] = 0.0
        n_queries = len(self._instance.rows)
        parts: dict[str, Any] = {
            "embedding": np.zeros(self._instance.features.embeddings.shape[1]) if query is None else query.embedding,
            "input_tokens": [0 if query is None else query.input_tokens],
            "quality_hat": np.zeros(n) if query is None else query.quality_hat,
            "cost_hat": np.zeros(n) if query is None else query.cost_hat,
            "budget_left": left,
            "affords": np.ones(n) if query is None else affords(state.remaining, query.cost_hat),
            "queued": state.queued,
            "in_flight": state.in_flight,
            "available": state.available,
            "time_s": [state.now_s],
            "progress": [1.0 if query is None else query.id / n_queries],
        }
        return {name: np.array(part, dtype=np.float32) for name, part in parts.items()}


def estimator_named(name: str) -> Estimator:
    """Return an estimator of ``conf/estimator``."""
    found = api.policies("greedy_perf", f"estimator={name}")["greedy_perf"].estimator
    assert found is not None  # as greedy_perf has one
    return found


if ID not in gymnasium.registry:
    gymnasium.register(ID, entry_point="switchyard.gym:RoutingEnv")
