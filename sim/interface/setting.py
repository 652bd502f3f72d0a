"""What is known before the first arrival: the fleet, the budgets and the history."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sim.interface.arrays import EmbeddingArray, FloatArray, IntArray


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
