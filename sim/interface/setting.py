"""What is known before the first arrival: the fleet, the budgets and the history."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from sim.interface.arrays import BoolArray, EmbeddingArray, FloatArray, IntArray


@dataclass(frozen=True)
class Features:
    """What may be used to predict the outcomes of n queries: embeddings (n, dim) and input_tokens (n,)."""

    embeddings: EmbeddingArray
    input_tokens: IntArray


@dataclass(frozen=True)
class Capped:
    """What the answers of a history would have been worth, and cost, if they had been cut at so many output tokens.

    Parameters
    ----------
    caps : int array (n_caps,)
        At least 1, ascending. Between them, a score lies on the straight line between the two nearest.
    quality, cost : arrays (n_history, n_deployments, n_caps)
        As in ``History``, of each answer cut at each cap; those of the whole answer where it is no longer than the cap.
    """

    caps: IntArray
    quality: FloatArray
    cost: FloatArray


@dataclass(frozen=True, eq=False)
class History:
    """Queries answered before the first arrival: by every deployment, unless a model is new.

    Parameters
    ----------
    features : Features
        Of the n_history rows.
    quality, cost : arrays (n_history, n_deployments)
        Score in [0, 1]; cost in the unit of each deployment's budget. Both are NaN where ``known`` is false.
    units : tuple of str
        The unit of each deployment's cost; empty where all have the same.
    capped : Capped or None
        Of answers that are cut; None where nobody knows, and then a decision must not have a cap.
    """

    features: Features
    quality: FloatArray
    cost: FloatArray
    units: tuple[str, ...] = ()
    capped: Capped | None = None

    def at_cap(self, number: int) -> History:
        """Return the history whose answers were cut at a cap, by its number: what an estimator of such answers learns.

        Raises
        ------
        ValueError
            If the history has no answers that are cut.
        """
        if self.capped is None:
            raise ValueError("the history has no quality by cap (History.capped is None)")
        quality, cost = self.capped.quality[..., number], self.capped.cost[..., number]
        return replace(self, quality=quality, cost=cost, capped=None)

    @property
    def known(self) -> BoolArray:
        """Which deployments are known on which rows (n_history, n_deployments)."""
        known: BoolArray = ~np.isnan(self.quality)
        return known

    def means(self) -> tuple[FloatArray, FloatArray]:
        """Return mean quality and cost (n_deployments,) over the rows that each is known on, completed."""
        known = self.known
        if known.all():
            return self.quality.mean(axis=0), self.cost.mean(axis=0)

        def of_known(outcome: FloatArray) -> FloatArray:
            columns = zip(outcome.T, known.T, strict=True)
            return np.array([column[rows].mean() if rows.any() else np.nan for column, rows in columns])

        return self.completed(of_known(self.quality), of_known(self.cost))

    def completed(self, quality: FloatArray, cost: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return quality and cost (..., n_deployments) in which one that is known on no row is an average one.

        It gets the mean over the deployments that are known, of cost over those with its unit: what nobody has seen is
        neither free nor the best.

        Raises
        ------
        ValueError
            If none is known, or none with its unit.
        """
        seen: BoolArray = np.logical_or.reduce(self.known, axis=0)
        units = np.array(self.units or ("",) * len(seen))
        quality, cost = quality.copy(), cost.copy()
        for k in np.flatnonzero(~seen):
            for outcome, others in ((quality, seen), (cost, seen & (units == units[k]))):
                if not others.any():
                    raise ValueError(no_prior(units[k]))
                columns = [outcome[..., other] for other in np.flatnonzero(others)]
                outcome[..., k] = sum(columns) / len(columns)  # one order, so that a row's mean depends on no other
        return quality, cost


def no_prior(unit: str) -> str:
    """Return the message for a history that says nothing of any deployment with this unit."""
    whose = f"deployment whose budget is in {unit}" if unit else "deployment"
    return (
        f"the history has no row of any {whose}, so nothing says what a query costs there; leave it one that is known"
    )


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
    context_tokens : float
        The most input and output tokens of one query, which it refuses if it is longer; ``inf`` for no limit.
    """

    name: str
    model: str
    unit: str
    slots: float = math.inf
    account: str = ""
    context_tokens: float = math.inf


@dataclass(frozen=True)
class Signals:
    """What comes with the queries and answers of a run, besides what every workload has.

    Parameters
    ----------
    tasks : bool
        Whether queries are steps of tasks (``Query.task``).
    confidences : bool
        Whether some answers come with a confidence (``Answer.confidence``).
    repeats : bool
        Whether a prompt may come more than once.
    prefixes, sessions : bool
        Whether queries come with prefix blocks (``Query.prefix_blocks``), and with the session that they belong to.
    """

    tasks: bool = False
    confidences: bool = False
    repeats: bool = False
    prefixes: bool = False
    sessions: bool = False


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
        Number of queries that will arrive. Of tasks, how many their steps would be if they had as many as those of the
        history on average; there may be more, or fewer.
    history : History
    accounts : array (n_deployments,) or None
        Number of the account that each deployment pays from, from 0; None where each has its own budget.
    refused : str
        How a query goes on whose choice cannot take it: ``lost``; ``fallback``, to the decision's next choices;
        ``wait``, to these, and then it waits for the next budget window.
    max_calls : int
        How many calls a query may take in all of its rounds.
    combines : bool
        Whether the workload says what several answers are worth together, so that a policy may ``Combine`` them.
    signals : Signals
        What comes with queries and answers.
    """

    fleet: tuple[DeploymentInfo, ...]
    budgets: FloatArray
    horizon: int
    history: History
    accounts: IntArray | None = None
    refused: str = "fallback"
    max_calls: int = 8
    combines: bool = False
    signals: Signals = Signals()
