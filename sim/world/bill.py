"""Says what a query takes from a deployment's budget, and what it costs in USD: the truth, at the prices of the moment.

It knows no budget and no policy.
"""

from __future__ import annotations

from collections.abc import Sequence

from sim.instance import Instance
from sim.interface import Query
from sim.world.controls import Prices


class Bill:
    """The costs of one run.

    Parameters
    ----------
    instance : Instance
    prices : Prices
        What costs are multiplied by at present.

    Attributes
    ----------
    is_plain : bool
        Whether every query costs what the instance says, and that is committed, so that nobody need ask.
    """

    def __init__(self, instance: Instance, prices: Prices) -> None:
        scenario = instance.scenario
        self._cost = instance.cost.data
        self._cost_usd = instance.cost_usd.data
        tasks = instance.tasks
        self._cached_cost_usd = None if tasks is None else tasks.cached_cost_usd.data
        self._cached_tokens = None if tasks is None else tasks.steps.cached_tokens.data
        self._factor: Sequence[float] = prices.factor
        self._is_charged_usd = [info.unit == "usd" for info in instance.setting.fleet]
        self._reserves_estimate = scenario.reserve == "estimate"
        may_change = bool(scenario.events)  # of prices
        self.is_plain = not self._reserves_estimate and not may_change and tasks is None

    def costs(self, query: Query, row: int, deployment: int) -> tuple[float, float]:
        """Return what a query of a test row takes from the budget, and its cost in USD.

        A change of price changes no number of tokens, and neither does a prefix that is held.
        """
        cost: float = self._cost_usd[row, deployment]
        if self._cached_cost_usd is not None and holds_prefix(query, deployment):
            cost = self._cached_cost_usd[row, deployment]
        cost_usd = cost * self._factor[deployment]
        return (cost_usd if self._is_charged_usd[deployment] else self._cost[row, deployment]), cost_usd

    def held_tokens(self, query: Query, row: int, deployment: int) -> int:
        """Return how much of the input of a query a deployment holds, because it answered the step before."""
        if self._cached_tokens is None or not holds_prefix(query, deployment):
            return 0
        return int(self._cached_tokens[row])

    def committed(self, query: Query, deployment: int, cost: float) -> float:
        """Return what is committed for a query: its cost, or the estimate of it, at least 0 whatever a fit says."""
        return max(float(query.cost_hat[deployment]), 0.0) if self._reserves_estimate else cost


def holds_prefix(query: Query, deployment: int) -> bool:
    """Return whether a deployment answered the step before, and so holds what has been said."""
    return query.task is not None and query.task.last_deployment == deployment
