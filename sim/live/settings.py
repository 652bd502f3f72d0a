"""Makes what a policy is told before a day begins, as a simulation of its record tells it. It knows no gateway."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sim.errors import check_number
from sim.interface import DeploymentInfo, Features, History, Setting
from sim.truth import frozen
from sim.workload import Rows


def setting(names: Sequence[str], budgets_usd: Sequence[float], history: Rows, expected_queries: int) -> Setting:
    """Return the setting of a day.

    Parameters
    ----------
    names : sequence of str
        Of the deployments.
    budgets_usd : sequence of float
        What each may spend; ``inf`` for no limit.
    history : Rows
        Its columns in the order of the deployments.
    expected_queries : int
        How many are likely to come; policies that pace a budget go by it.

    Raises
    ------
    ValueError
        If there is no deployment, two have one name, a budget is negative or missing, or fewer than one is expected.
    """
    if not names or len(set(names)) < len(names):
        raise ValueError(f"deployments are {', '.join(names)}; there must be at least one, with names that differ")
    if history.quality.shape[1] != len(names) or len(budgets_usd) != len(names):
        raise ValueError(
            f"there are {len(names)} deployments, {len(budgets_usd)} budgets and {history.quality.shape[1]} models in "
            "the history; there must be one each"
        )
    for name, amount in zip(names, budgets_usd, strict=True):
        if not amount >= 0:
            raise ValueError(f"the budget of {name!r} is {amount}; it must be at least 0, or inf")
    check_number("expected_queries", expected_queries, least=1)
    units = ("usd",) * len(names)
    return Setting(
        fleet=tuple(DeploymentInfo(name=name, model=name, unit="usd") for name in names),
        budgets=frozen(np.array(budgets_usd, dtype=np.float64)),
        horizon=expected_queries,
        history=History(Features(history.embeddings, history.input_tokens), history.quality, history.cost_usd, units),
    )
