"""Says what a query takes from a deployment's budget, what it costs in USD, and what an answer that is cut is worth.

It is the truth, at the prices of the moment. It knows no budget and no policy.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sim.deployment import Deployment
from sim.instance import Instance
from sim.interface import Query

if TYPE_CHECKING:
    from sim.world.controls import Factors


class Bill:
    """The costs of one run.

    Parameters
    ----------
    instance : Instance
    prices : Factors
        What costs are multiplied by at present.

    Attributes
    ----------
    is_plain : bool
        Whether every whole answer costs what the instance says, and that is committed, so that nobody need ask.
    """

    def __init__(self, instance: Instance, prices: Factors) -> None:
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
        self._savings_usd = [saving_usd(deployment) for deployment in instance.fleet]
        cheapens = any(self._savings_usd)
        self.is_plain = not self._reserves_estimate and not may_change and tasks is None and not cheapens
        self._input_tokens = instance.features.input_tokens.data
        self._output_tokens = None if instance.output_tokens is None else instance.output_tokens.data
        self._token_usd = None if instance.token_usd is None else instance.token_usd.data

    def costs(self, query: Query, row: int, deployment: int, cap: int | None = None) -> tuple[float, float]:
        """Return what a query of a test row takes from the budget, and its cost in USD, if it is cut at a cap.

        A change of price changes no number of tokens, and neither does a prefix that is held. A cut answer costs its
        input tokens and as many output tokens as the cap, and never more than the whole one.
        """
        cost: float = self._cost[row, deployment]
        whole_usd: float = self._cost_usd[row, deployment]
        cost_usd = whole_usd
        if cap is not None and self._output_tokens is not None and cap < self._output_tokens[row, deployment]:
            assert self._token_usd is not None  # or the cap would have been refused
            input_tokens, each_usd = self._input_tokens[row], self._token_usd
            cost = min(cost, float(input_tokens + cap))  # where it is charged in tokens
            cost_usd = min(cost_usd, input_tokens * each_usd[row, deployment, 0] + cap * each_usd[row, deployment, 1])
        if self._cached_cost_usd is not None and holds_prefix(query, deployment):
            held_usd: float = self._cached_cost_usd[row, deployment]
            cost_usd = held_usd if cost_usd == whole_usd else max(cost_usd - (whole_usd - held_usd), 0.0)
        cost_usd *= self._factor[deployment]
        return (cost_usd if self._is_charged_usd[deployment] else cost), cost_usd

    def held_tokens(self, query: Query, row: int, deployment: int) -> int:
        """Return how much of the input of a query a deployment holds, because it answered the step before."""
        if self._cached_tokens is None or not holds_prefix(query, deployment):
            return 0
        return int(self._cached_tokens[row])

    def saving(self, deployment: int) -> float:
        """Return by how much less a deployment charges in USD, now, for an input token that its prefix cache holds."""
        return self._savings_usd[deployment] * self._factor[deployment]

    def less(self, cost: float, cost_usd: float, deployment: int, saved_usd: float) -> tuple[float, float]:
        """Return what a query takes from the budget and its cost in USD, when so much of the latter is saved."""
        left_usd = max(cost_usd - saved_usd, 0.0)
        return (left_usd if self._is_charged_usd[deployment] else cost), left_usd

    def committed(self, query: Query, deployment: int, cost: float) -> float:
        """Return what is committed for a query: its cost, or the estimate of it, at least 0 whatever a fit says.

        The estimate is of a whole answer, also where it will be cut.
        """
        return max(float(query.cost_hat[deployment]), 0.0) if self._reserves_estimate else cost


class Worth:
    """What the answers of an instance are worth, and the energy that they take, where some of them are cut.

    Parameters
    ----------
    instance : Instance
        Of a workload with quality by cap.
    """

    def __init__(self, instance: Instance) -> None:
        assert instance.output_tokens is not None  # or the workload would have been refused
        assert instance.capped_quality is not None
        self._caps = instance.scenario.workload.caps
        self._output_tokens = instance.output_tokens.data
        self._quality = instance.quality.data
        self._capped = instance.capped_quality.data
        self._energy_j = None if instance.energy_j is None else instance.energy_j.data

    def quality(self, row: int, deployment: int, tokens: int) -> float:
        """Return the score of an answer of which so many output tokens came.

        Between caps it lies on the straight line between the two nearest; an answer of no token is worth nothing, and a
        whole one what it is worth.
        """
        whole: float = self._quality[row, deployment]
        n_whole: int = self._output_tokens[row, deployment]
        if tokens >= n_whole:
            return whole
        place, n_caps = bisect_left(self._caps, tokens), len(self._caps)
        upper = (n_whole, whole)
        if place < n_caps and self._caps[place] < n_whole:
            upper = (self._caps[place], self._capped[row, deployment, place])
        lower = (self._caps[place - 1], self._capped[row, deployment, place - 1]) if place else (0, 0.0)
        if upper[0] == tokens:
            return upper[1]
        return float(lower[1] + (upper[1] - lower[1]) * (tokens - lower[0]) / (upper[0] - lower[0]))

    def energy_j(self, row: int, deployment: int, tokens: int) -> float:
        """Return the energy of an answer of which so many output tokens came: in proportion to them; NaN if unknown."""
        if self._energy_j is None:
            return float("nan")
        whole: float = self._energy_j[row, deployment]
        n_whole: int = self._output_tokens[row, deployment]
        return whole if tokens >= n_whole else whole / n_whole * tokens


def score_of(instance: Instance) -> Callable[[int, int, int], float]:
    """Return what says, by its test row, its deployment and how many of its tokens came, what an answer is worth.

    That is by the workload alone, whatever events have changed.
    """
    if instance.scenario.workload.caps:
        return Worth(instance).quality
    quality = instance.quality.data

    def score(row: int, deployment: int, tokens: int) -> float:
        found: float = quality[row, deployment]
        return found

    return score


def saving_usd(deployment: Deployment) -> float:
    """Return by how much less a deployment charges for an input token that its prefix cache holds."""
    if not deployment.cheapens_prefixes:
        return 0.0
    whole, cached = deployment.price_input_usd_per_million, deployment.price_cached_input_usd_per_million
    return ((whole or 0.0) - (cached or 0.0)) / 1e6


def holds_prefix(query: Query, deployment: int) -> bool:
    """Return whether a deployment answered the step before, and so holds what has been said."""
    return query.task is not None and query.task.last_deployment == deployment
