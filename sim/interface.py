"""Defines all that a policy may see and do. It holds no outcome that has not been revealed.

Arrays are read-only. ``n_deployments`` is the size of the fleet, ``n_history`` the number of history rows, ``dim``
the embedding dimension; ``deployment`` is an index into ``Setting.fleet``.

A *cost* here is what a query takes from its deployment's budget, in that budget's unit (USD, or tokens).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
EmbeddingArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

TOLERANCE = 1e-9
"""Of a budget: by so much a sum of costs may exceed it, as three times 0.1 exceeds 0.3 in binary fractions."""


def affords(remaining: FloatArray, cost: FloatArray) -> BoolArray:
    """Return where what remains of budgets pays for costs, both of one shape, by the rule of the ledger.

    >>> affords(np.array([0.3 - 0.1 - 0.1]), np.array([0.1])).tolist()  # 0.09999999999999998 pays for 0.1
    [True]
    """
    return np.asarray(cost * (1 - TOLERANCE) <= remaining)


class Query(NamedTuple):
    """One arrival, as the router sees it; a named tuple, because a run makes one per arrival.

    Parameters
    ----------
    id : int
        Arrival order, from 0; never a row of a data set.
    arrived_at_s : float
        Simulated time of arrival.
    embedding : array (dim,)
    input_tokens : int
    quality_hat, cost_hat : arrays (n_deployments,)
        The policy's estimator's predictions; the means of the history if the policy has no estimator.
    priority : int
        Class of the query, 0 the most urgent; 0 for all where the workload has none.
    deadline_s : float
        When the answer is due; ``inf`` where the workload has no deadlines.
    """

    id: int
    arrived_at_s: float
    embedding: EmbeddingArray
    input_tokens: int
    quality_hat: FloatArray
    cost_hat: FloatArray
    priority: int = 0
    deadline_s: float = math.inf


class State(NamedTuple):
    """What a router can observe of the fleet at one moment; every array has shape (n_deployments,).

    The arrays are live views: read them while deciding, copy what must outlast the decision.

    Parameters
    ----------
    now_s : float
    queued : int array
        Queries waiting at each deployment.
    in_flight : int array
        Queries being served at each deployment.
    remaining : float array
        Budget less *settled* cost: the cost of a query shows only once it has finished. ``inf`` without a budget. Where
        deployments share an account, what is left of it stands at each of them.
    available : bool array
        Whether the deployment accepts queries.
    """

    now_s: float
    queued: IntArray
    in_flight: IntArray
    remaining: FloatArray
    available: BoolArray


class Decision(NamedTuple):
    """Where a query goes.

    Parameters
    ----------
    deployment : int or None
        Index of the chosen deployment; None declines the query.
    fallbacks : sequence of int
        Next choices, best first, tried in turn when the first cannot take the query (budget exhausted or queue full),
        unless the scenario loses such queries (``Setting.refused``).
    explores : bool
        Whether the query goes there to learn or to sample rather than because it is best; recorded, and nothing else.
    """

    deployment: int | None
    fallbacks: Sequence[int] = ()
    explores: bool = False


class Feedback(NamedTuple):
    """The outcome of one served query, at its completion and for the deployment that served it only.

    Parameters
    ----------
    query : Query
    deployment : int
    quality : float
        Score in [0, 1], with the errors of those who score; NaN if there is none, or none yet.
    cost : float
        In the unit of the deployment's budget.
    latency_s : float
        From arrival to the last token.
    """

    query: Query
    deployment: int
    quality: float
    cost: float
    latency_s: float


class Gate(NamedTuple):
    """How many queries a policy wants to see at once.

    The world hands over a batch when it holds ``size`` queries, when its first query has waited ``window_s`` seconds,
    or when the last query of the run has arrived, whichever comes first. Where users wait for answers before they ask
    again (a closed loop), a batch is also whole when every user waits in it.
    """

    size: int = 1
    window_s: float = math.inf


@dataclass(frozen=True)
class Features:
    """What may be used to predict the outcomes of n queries: embeddings (n, dim) and input_tokens (n,)."""

    embeddings: EmbeddingArray
    input_tokens: IntArray


@dataclass(frozen=True)
class History:
    """Queries answered by every deployment before the first arrival.

    Parameters
    ----------
    features : Features
        Of the n_history rows.
    quality, cost : arrays (n_history, n_deployments)
        Score in [0, 1]; cost in the unit of each deployment's budget.
    """

    features: Features
    quality: FloatArray
    cost: FloatArray


@dataclass(frozen=True)
class DeploymentInfo:
    """The public description of one deployment.

    Parameters
    ----------
    name, model : str
        The deployment and the model behind it.
    unit : str
        Of its budget: ``usd`` or ``tokens``.
    slots : float
        How many queries it serves at once; ``inf`` for no limit.
    account : str
        Name of the budget that it pays from, where it shares one; else empty.
    """

    name: str
    model: str
    unit: str
    slots: float = math.inf
    account: str = ""


@dataclass(frozen=True)
class Setting:
    """What is known before the first arrival.

    Parameters
    ----------
    fleet : tuple of DeploymentInfo
    budgets : array (n_deployments,)
        In each deployment's unit; ``inf`` without a budget. Deployments that share an account have one budget together,
        whose amount stands at each of them.
    horizon : int
        Number of queries that will arrive.
    history : History
    accounts : array (n_deployments,) or None
        Number of the account that each deployment pays from, from 0; None where each has its own budget.
    refused : str
        How a query goes on whose choice cannot take it: ``lost``; ``fallback``, to the decision's next choices;
        ``wait``, to these, and then it waits for the next budget window.
    """

    fleet: tuple[DeploymentInfo, ...]
    budgets: FloatArray
    horizon: int
    history: History
    accounts: IntArray | None = None
    refused: str = "fallback"


class Estimates(NamedTuple):
    """Predicted quality and cost, each (n, n_deployments)."""

    quality: FloatArray
    cost: FloatArray


class Predictor(Protocol):
    """A fitted estimator: a pure function of each row, so bulk and row by row give the same."""

    def predict(self, features: Features) -> Estimates:
        """Predict quality and cost of every query on every deployment."""
        ...


class Estimator(Protocol):
    """A way to predict outcomes: hyperparameters only, compared and hashed by value.

    A comparison fits equal estimators once and shares their predictions. The policy never holds the features of a
    query that has not arrived.
    """

    def fit(self, history: History) -> Predictor:
        """Learn from the history; raise ValueError if it is too small."""
        ...


class Policy(ABC):
    """A router. ``__init__`` takes hyperparameters only; ``reset`` begins every run from scratch.

    Attributes
    ----------
    estimator : Estimator or None
        What predicts ``quality_hat`` and ``cost_hat`` of each query.
    gate : Gate
        How many queries ``decide_batch`` gets at once; one by one unless a policy says otherwise.
    paces : bool
        Whether what a budget asks of a query moves within the run, by prices, thresholds or what is left, so that the
        money lasts; what such a rule loses against a plan is called pacing by ``explain``.
    """

    estimator: Estimator | None = None
    gate: Gate = Gate()
    paces: bool = False

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:  # noqa: B027 - optional, so not abstract
        """Begin a run: keep what the policy needs of the setting and drop all that an earlier run left."""

    @abstractmethod
    def decide(self, query: Query, state: State) -> Decision:
        """Choose a deployment for one query."""

    def decide_batch(self, queries: Sequence[Query], state: State) -> list[Decision]:
        """Choose for all queries of a gate at once, in their order; by default one by one."""
        return [self.decide(query, state) for query in queries]

    def believes(self, query: Query) -> Estimates:
        """Return the quality and cost (n_deployments,) that the rule would now decide by; it must change nothing.

        By default what the estimator said. A policy that corrects estimates by feedback says so here, so that
        ``explain`` plans with what it knew; no run asks.
        """
        return Estimates(query.quality_hat, query.cost_hat)

    def learn(self, feedback: Feedback) -> None:  # noqa: B027 - optional, so not abstract
        """Take note of an outcome; by default ignore it. Its score may be missing (NaN), or come later."""

    def learn_score(self, feedback: Feedback) -> None:  # noqa: B027 - optional, so not abstract
        """Take note of a score that came after ``learn`` heard of the rest of an outcome; by default ignore it."""
