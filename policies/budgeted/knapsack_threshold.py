"""Ask for more quality per cost the more of a budget is used up."""

from __future__ import annotations

import math

import numpy as np

from policies.parts.held_out import HeldOutEstimates
from policies.parts.paying import can_pay, pays_or_waits, used_share
from policies.parts.ranked import best_first
from sim.assignment.rows import account_of
from sim.errors import check_number
from sim.interface import Decision, Estimator, History, Policy, Query, Reasons, Setting, State

TINY = float(np.finfo(np.float64).tiny)


class KnapsackThreshold(Policy):
    """The best quality_hat_i among those that can pay with quality_hat_i / cost_hat_i >= Psi(used share of budget i).

        Psi(z) = (U e / L)^z (L / e)

    where every quality per cost lies in [L, U]: Psi is below L until z = 1 / (ln(U / L) + 1), so everything is taken,
    and U at z = 1. The next choices named are the other ones above their thresholds, best first; without any the query
    is declined. Ties go to the lowest index. A deployment without a budget has no threshold.

    Zhou, Chakrabarty and Lukose, "Budget constrained bidding in keyword auctions and online knapsack problems", WINE
    2008; used for LLM routing by PILOT (arXiv 2508.21141).

    *Theorem*: at least 1 / (ln(U / L) + 1) of the hindsight optimum of a knapsack, for any queries in any order;
    1 / (ln(U / L) + 2) of one with several choices for each query (the latter constant as quoted in secondary sources).
    *Condition*: L and U are right, estimates are the truth, and every cost is small beside the budget. With a true
    density above U the loss is without bound. The theorem has one budget; several budgets, each with its own threshold,
    are this project's reading.

    Parameters
    ----------
    estimator : Estimator
    lowest, highest : float or None
        L and U in quality per unit of cost, for every deployment; both None: from the history, one by one.
    tail : float
        L and U from the history are its ``tail`` and 1 - ``tail`` quantiles of positive quality_hat / cost_hat, in
        [0, 0.5). These are estimates of each history row by a fit without it, as those of arriving queries are by a
        fit without them; realised densities lie elsewhere, as a score of 0 or 1 and a cost vary more than their means.

    Raises
    ------
    ValueError
        If a parameter is out of range, U is below L, or only one of them is given.
    """

    paces = True

    def __init__(
        self, estimator: Estimator, lowest: float | None = None, highest: float | None = None, tail: float = 0.0
    ) -> None:
        if (lowest is None) != (highest is None):
            raise ValueError(f"lowest is {lowest} and highest {highest}; give both, or null for both")
        if lowest is not None and highest is not None and not 0 < lowest <= highest < math.inf:
            raise ValueError(f"lowest is {lowest} and highest {highest}; it must be 0 < lowest <= highest < inf")
        check_number("tail", tail, least=0, below=0.5)
        self.estimator = estimator
        self._lowest = lowest
        self._highest = highest
        self._tail = tail
        self._held_out = HeldOutEstimates(estimator)

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Find L and U of every budget."""
        self._budgets = setting.budgets
        self._refused = setting.refused
        bounds = np.array([self._bounds(setting.history, k) for k in range(len(setting.fleet))])
        account, first = account_of(len(setting.fleet), setting.accounts)
        lowest, highest = np.full(len(first), np.inf), np.zeros(len(first))  # of all that an account may pay for
        np.minimum.at(lowest, account, bounds[:, 0])
        np.maximum.at(highest, account, bounds[:, 1])
        self._lowest_known = np.where(np.isfinite(setting.budgets), lowest[account], 0.0)
        self._growth = 1.0 + np.log(highest / lowest)[account]

    def _bounds(self, history: History, k: int) -> tuple[float, float]:
        """Return L and U of one deployment; where no density is known, bounds that refuse next to nothing."""
        if self._lowest is not None and self._highest is not None:
            return self._lowest, self._highest
        estimates = self._held_out.of(history)
        quality, cost = estimates.quality[:, k], estimates.cost[:, k]
        known = (quality > 0) & (cost > 0)
        if not known.any():
            return TINY, TINY
        low, high = np.quantile(quality[known] / cost[known], [self._tail, 1 - self._tail]).tolist()
        return low, high

    def reasons(self, query: Query, state: State) -> Reasons:
        """Show the quality that each budget asks for a unit of it, and what is left above that."""
        threshold = self._lowest_known * np.exp(used_share(self._budgets, state) * self._growth - 1.0)
        return Reasons(threshold, words="the best must bring its budget's threshold of quality for its cost")

    def decide(self, query: Query, state: State) -> Decision:
        """Return the best above its threshold, or decline."""
        threshold = self._lowest_known * np.exp(used_share(self._budgets, state) * self._growth - 1.0)
        is_worth = (query.quality_hat > 0) & (query.quality_hat >= threshold * query.cost_hat)
        return best_first(query.quality_hat, pays_or_waits(is_worth, can_pay(query, state), self._refused))
