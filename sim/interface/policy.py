"""What a router is made of: an estimator that predicts, and a policy that decides."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from sim.interface.arrays import FloatArray
from sim.interface.queries import Answer, Combine, Decision, Feedback, Gate, Hit, Keep, Query, State
from sim.interface.setting import Features, History, Setting


class Estimates(NamedTuple):
    """Predicted quality and cost, each (n, n_deployments)."""

    quality: FloatArray
    cost: FloatArray


class Reasons(NamedTuple):
    """Why a rule is about to decide as it does, where it says so (``Policy.reasons``).

    Parameters
    ----------
    prices : array (n_deployments,) or None
        What it takes a unit of each budget to be worth, in quality; None for a rule without prices.
    scores : array (n_deployments,) or None
        What it compares deployments by, of which the highest is best; None for a rule without such.
    words : str
        The rest in a few words that go on after "as", such as ``it is one of the first 3 queries, which go anywhere``.
    """

    prices: FloatArray | None = None
    scores: FloatArray | None = None
    words: str = ""


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

    def lacks(self, setting: Setting) -> str | None:
        """Return in words what a setting has not that the rule decides by, such as ``the workload has no tasks``.

        None, as by default, where it has everything. Without it the policy must decide all the same; the answer tells a
        comparison that it says nothing of the rule there (``unfit=skip``).
        """
        return None

    @abstractmethod
    def decide(self, query: Query, state: State) -> Decision:
        """Choose a deployment for one query."""

    def decide_batch(self, queries: Sequence[Query], state: State) -> list[Decision]:
        """Choose for all queries of a gate at once, in their order; by default one by one."""
        return [self.decide(query, state) for query in queries]

    def review(self, query: Query, answers: Sequence[Answer], state: State) -> Decision | Keep | Combine:
        """Say what becomes of a query whose round of calls has ended: ask again, keep an answer, or give up.

        It is asked after every round, with the answers of all rounds in the order in which they were asked for; those
        that never came are among them (``Answer.fate``). A ``Decision`` asks elsewhere, in one more round;
        ``Decision(None)`` gives the query up, and what its calls have cost is spent. By default the answer that came
        first is kept, and a query without an answer is given up.
        """
        came = [(answer.latency_s, index) for index, answer in enumerate(answers) if answer.came]
        return Keep(min(came)[1]) if came else Decision(None)

    def believes(self, query: Query) -> Estimates:
        """Return the quality and cost (n_deployments,) that the rule would now decide by; it must change nothing.

        By default what the estimator said. A policy that corrects estimates by feedback says so here, so that
        ``explain`` plans with what it knew; no run asks.
        """
        return Estimates(query.quality_hat, query.cost_hat)

    def reasons(self, query: Query, state: State) -> Reasons | None:
        """Return why the rule will decide on a query as it is about to; it must change nothing and draw nothing.

        Whoever tells a run step by step asks this right before ``decide`` (``explain DIR --query``, ``story``,
        ``trace=events``); no other run asks, and decisions are the same. None, as by default: the decision is then
        explained by what went into it.
        """
        return None

    def learn(self, feedback: Feedback) -> None:  # noqa: B027 - optional, so not abstract
        """Take note of an outcome; by default ignore it. Its score may be missing (NaN), or come later."""

    def learn_score(self, feedback: Feedback) -> None:  # noqa: B027 - optional, so not abstract
        """Take note of a score that came after ``learn`` heard of the rest of an outcome; by default ignore it."""

    def learn_hit(self, hit: Hit) -> None:  # noqa: B027 - optional, so not abstract
        """Take note of a query that a cache has answered, of which nothing else is heard; by default ignore it."""

    def learn_price(self, deployment: int, factor: float) -> None:  # noqa: B027 - optional, so not abstract
        """Take note that queries now cost ``factor`` times what they did when the run began; by default ignore it.

        It is of costs in USD, and of the deployment's announced price, at the moment when it changes.
        """


def reviews(policy: Policy) -> bool:
    """Return whether a policy looks at answers, by a ``review`` of its own."""
    return getattr(policy.review, "__func__", None) is not Policy.review
