"""Move prices by one subgradient of the dual per query; no program is solved."""

from __future__ import annotations

import math

import numpy as np

from policies.parts.priced import at_prices, best_worth, budget_per_query, cost_units, if_it_fits
from sim.assignment.rows import pooled
from sim.errors import check_number
from sim.interface import Decision, Estimator, Policy, Query, Reasons, Setting, State


class DualSubgradient(Policy):
    """argmax_i d_i - p_i g_i if positive; a price rises by what its budget is charged and falls by its share per query.

    Li, Sun and Ye, "Simple and fast algorithm for binary integer and online linear programming" (arXiv 2003.02513):

        p_1 = 0,    p_{t+1} = max(0, p_t + (step / sqrt(n)) (g_{t,i} e_i - B / n))

    over n queries, where i is the choice at p_t, if any. Here d and g are estimates, costs are in units of the mean
    cost of the history, and several deployments are choices of one query, as in the linear program of arXiv 2509.02718.
    As in the paper the prices do not look at what remains: a choice that does not fit is declined, and charged to the
    price all the same. What a query really cost is not used either; ``policies.budgeted.mirror_descent`` uses both.

    *Theorem.* With step = 1, regret O(m sqrt(n)) and violation O(m sqrt(n)) of the budgets for queries drawn
    independently, regret O((m + log n) sqrt(n)) in random order, with m budgets. Here budgets are hard, so that the
    violation too is lost quality.

    *Condition.* Independent queries or random order, bounded qualities and costs, estimates that are the truth,
    budgets that grow with n. In an order that an adversary chooses, the share of the hindsight optimum can fall to
    rho / g, a budget's amount per query over the cost of a query.

    Parameters
    ----------
    estimator : Estimator
    step : float
        Quality by which a charge of one mean cost raises a price, times sqrt(n); positive.

    Raises
    ------
    ValueError
        If the step is not positive and finite.
    """

    paces = True

    def __init__(self, estimator: Estimator, step: float = 1.0) -> None:
        check_number("step", step, above=0)
        self.estimator = estimator
        self._step = step

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Begin with prices of 0."""
        self._units = cost_units(setting)
        self._share = budget_per_query(setting, self._units)
        self._accounts = setting.accounts
        self._rate = self._step / math.sqrt(setting.horizon)
        self._prices = np.zeros(len(setting.fleet))
        self._refused = setting.refused

    def reasons(self, query: Query, state: State) -> Reasons:
        """Show the prices and what they leave."""
        return at_prices(query, self._prices / self._units)

    def decide(self, query: Query, state: State) -> Decision:
        """Take the best deployment that is worth its price, and move the prices."""
        choice = best_worth(query, self._prices / self._units)
        self._prices -= self._rate * self._share
        if choice is not None:
            charged = np.zeros(len(self._prices))
            charged[choice] = query.cost_hat[choice] / self._units[choice]
            self._prices += self._rate * pooled(charged, self._accounts)
        np.maximum(self._prices, 0.0, out=self._prices)
        return if_it_fits(query, choice, state, self._refused)
