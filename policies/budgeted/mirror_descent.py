"""Move prices by dual mirror descent on what queries really cost; no program is solved."""

from __future__ import annotations

import math
from abc import abstractmethod

import numpy as np

from policies.parts.paying import pays_or_waits
from policies.parts.priced import DECLINE, at_prices, budget_per_query, cost_units
from sim.assignment.rows import pooled
from sim.errors import check_number
from sim.interface import Decision, Estimator, Feedback, FloatArray, Policy, Query, Reasons, Setting, State, affords

LOWEST, HIGHEST = 1e-6, 1e6  # of an entropic price: so low changes no choice, so high buys nothing


class MirrorDescent(Policy):
    """What both forms of dual mirror descent share (Balseiro, Lu and Mirrokni, arXiv 2011.10124).

    A query goes to argmax_i d_i - p_i g_i over the deployments whose estimated cost g_i fits what remains, if that is
    positive; where refused queries wait and none fits, it waits for the argmax of all. Each query t gives a subgradient
    of the dual,

        s_t = rho - g_{t,i} e_i,    rho = B / T,    T the horizon, i the choice at p_t, if any,

    along which the prices move by a step eta = step / sqrt(T). Costs are in units of the mean cost of the history.

    The cost in s_t is the realised one, as far as it is known: a query is charged with its estimate when it is sent,
    and with realised less estimated cost when it settles, in the subgradient of the next query to come. Where service
    is instant every query settles before the next, and this is the published update. Where it is not, a price that
    waited for settlement would go on selling at the old price while the first answers are being written. What was sent
    and never served stays charged with its estimate, because a policy is not told of it.

    *Theorem.* Regret O(sqrt(T)) against the hindsight optimum for independent queries of one distribution, and for some
    that change; under an adversary at least a share 1 / alpha of the optimum less O(sqrt(T)), where alpha is the
    greatest cost of a query in units of rho, at least 1. (This form of alpha was not checked against the paper's text.)

    *Condition.* Bounded qualities and costs, rho fixed while T grows, estimates that are the truth.

    Parameters
    ----------
    estimator : Estimator
    step : float
        eta x sqrt(T), positive.
    start : float
        Prices of the first query: quality for a query of mean cost.

    Raises
    ------
    ValueError
        If the step is not positive and finite.
    """

    paces = True

    def __init__(self, estimator: Estimator, step: float, start: float) -> None:
        check_number("step", step, above=0)
        self.estimator = estimator
        self._step = step
        self._start = start

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Begin at the start prices."""
        self._units = cost_units(setting)
        self._share = budget_per_query(setting, self._units)
        self._accounts = setting.accounts
        self._rate = self._step / math.sqrt(setting.horizon)
        self._prices = np.full(len(setting.fleet), self._start)
        self._refused = setting.refused
        # What was charged since the query before. The first one finds a subgradient of 0.
        self._charged = self._share / pooled(np.ones(len(setting.fleet)), setting.accounts)

    def reasons(self, query: Query, state: State) -> Reasons:
        """Show the prices, moved by the query before, and what they leave."""
        moved = self._moved(self._prices, pooled(self._charged, self._accounts))
        return at_prices(query, moved / self._units)

    def decide(self, query: Query, state: State) -> Decision:
        """Move the prices by the query before, and take the best affordable deployment that is worth its price."""
        self._prices = self._moved(self._prices, pooled(self._charged, self._accounts))
        self._charged = np.zeros(len(self._prices))
        surplus = query.quality_hat - self._prices / self._units * query.cost_hat
        payable = affords(state.remaining, query.cost_hat)
        surplus[~pays_or_waits(surplus > 0, payable, self._refused)] = -np.inf
        best = int(surplus.argmax())
        if surplus[best] <= 0:
            return DECLINE
        self._charged[best] = query.cost_hat[best] / self._units[best]
        return Decision(best)

    def learn(self, feedback: Feedback) -> None:
        """Charge the realised cost in the place of the estimate."""
        chosen = feedback.deployment
        self._charged[chosen] += (feedback.cost - feedback.query.cost_hat[chosen]) / self._units[chosen]

    @abstractmethod
    def _moved(self, prices: FloatArray, charged: FloatArray) -> FloatArray:
        """Return prices (n_deployments,) one step on, where the query before was charged so much."""


class Euclidean(MirrorDescent):
    """Dual mirror descent with h(p) = p^2 / 2: projected subgradient steps, from prices of 0.

    p <- max(0, p - eta (rho - g e_i))

    See ``MirrorDescent`` for the rule, its theorem (arXiv 2011.10124) and the condition. It differs from
    ``DualSubgradient`` in what it charges: realised costs, of choices that were affordable.

    Parameters
    ----------
    estimator : Estimator
    step : float
        Quality by which a charge of one mean cost raises a price, times sqrt(T); positive.

    Raises
    ------
    ValueError
        If the step is not positive and finite.
    """

    def __init__(self, estimator: Estimator, step: float = 1.0) -> None:
        super().__init__(estimator, step, start=0.0)

    def _moved(self, prices: FloatArray, charged: FloatArray) -> FloatArray:
        return np.maximum(0.0, prices - self._rate * (self._share - charged))


class Entropic(MirrorDescent):
    """Dual mirror descent with h(p) = p ln p: multiplicative steps, from a price that is not 0.

    p <- p exp(-eta (rho - g e_i) / rho)

    The division by rho, budget by budget, makes the exponent free of units: a price falls by the factor exp(-eta) with
    every query that is not charged, and a query that costs as much as c shares of the budget raises it by exp(eta c).
    Prices stay within 1e-6 and 1e6 units of quality for a query of mean cost, from where they can return.

    *Theorem.* This is mirror descent with h(q) = sum_i q_i ln q_i on the rescaled problem whose prices are
    q_i = rho_i p_i, quality per query's share of budget i, and whose subgradients are 1 - (g / rho_i) e_i. So the
    theorem of ``MirrorDescent`` holds in these terms: with c the most shares that a query takes, q* the best fixed
    prices, Q the highest price that is met, and m budgets, the regret is at most

        D(q*, q_1) / eta + eta T Q ((c - 1)^2 + m - 1) exp(eta (c - 1)) / 2 + c,

    D the divergence of h. That is O(sqrt(T)) for any constant ``step``, with constants that depend on the shares c
    and not on the costs g. *Condition*, besides that of ``MirrorDescent``: eta (c - 1) is small, so that no query
    takes as many as sqrt(T) / step shares. The default ``step`` of 1 is not the one that makes this bound least, which
    would need D and Q beforehand; it is a heuristic.

    Parameters
    ----------
    estimator : Estimator
    step : float
        Relative change of a price over sqrt(T) queries that are charged nothing; positive.
    start : float
        Price of the first query: quality for a query of mean cost, positive.

    Raises
    ------
    ValueError
        If the step or the start is not positive and finite.
    """

    def __init__(self, estimator: Estimator, step: float = 1.0, start: float = 0.1) -> None:
        check_number("start", start, least=LOWEST, most=HIGHEST)
        super().__init__(estimator, step, start)

    def _moved(self, prices: FloatArray, charged: FloatArray) -> FloatArray:
        with np.errstate(over="ignore"):  # a budget of next to nothing: inf is a price of HIGHEST
            shares = np.divide(charged, self._share, out=np.zeros_like(charged), where=self._share > 0)
            factor = np.exp(self._rate * (shares - 1.0))
            return np.minimum(np.maximum(prices * factor, LOWEST), HIGHEST)
