"""LinUCB that begins with preferences and asks for more reward per cost the more of a bin's budget is used: PILOT."""

from __future__ import annotations

import math

import numpy as np

from policies.bandits.contexts import Context
from policies.bandits.preferences import directions, preferred
from policies.bandits.ridge import RidgeArms
from policies.parts.load import candidates
from policies.parts.paying import can_pay, pays_or_waits
from policies.parts.ranked import best_first
from sim.assignment.rows import account_of
from sim.errors import check_number
from sim.interface import Decision, Estimates, Feedback, FloatArray, Policy, Query, Setting, State


class Pilot(Policy):
    """The best upper bound u_i = theta_i . x + alpha sqrt(x' A_i^-1 x) among those with u_i >= Psi(z) cost_hat_i.

    PILOT (arXiv 2508.21141). x is the context at length 1. Arm i begins with A_i = weight I and b_i = weight theta,
    where theta is the model's vector of preferences (``policies.bandits.preferences``), and every answer adds x x' to
    A_i and score x to b_i; theta_i = A_i^-1 b_i. What a budget asks is the threshold of the multiple-choice knapsack,
    by Zhou, Chakrabarty and Lukose 2008,

        Psi(z) = (U e / L)^z (L / e),

    where z is the share that is spent of a bin's budget. Everything is supposed to be worth at least L per cost, so
    that nothing is refused before Psi(z) exceeds L, and models that nobody knows are tried. The horizon is cut into
    bins of ``bin_size`` queries, each with its share of the budget and what those before it have left (or overspent).

    What is inferred, as no code was found: the upper bound stands for the reward in the threshold too; a query for
    which nothing is worth its cost is declined, as an item of a knapsack is; L and U are, among the deployments of an
    account, the least mean score per mean cost and the greatest 1 / mean cost of the history. The paper's expected
    reward is the cosine of two vectors, in a space that is learned from preferences. Here theta_i is not scaled to
    length 1, as a regression of scores would then forget how good a model is, and the space is that of the context.
    Several budgets have a threshold each; the paper has one.

    Parameters
    ----------
    context : Context
    alpha : float
        Weight of the uncertainty.
    weight : float
        How many answers the preferences count for, above 0.
    bin_size : int
        Queries of a bin; a run of fewer has one bin.
    lowest, highest : float or None
        L and U in quality per unit of cost; both None: from the history.

    Raises
    ------
    ValueError
        If a parameter is out of range, or one of L and U alone is given.
    """

    paces = True

    def __init__(
        self,
        context: Context,
        alpha: float = 0.1,
        weight: float = 10.0,
        bin_size: int = 50,
        lowest: float | None = None,
        highest: float | None = None,
    ) -> None:
        check_number("alpha", alpha, least=0)
        check_number("weight", weight, above=0)
        check_number("bin_size", bin_size, least=1)
        if (lowest is None) != (highest is None):
            raise ValueError(f"lowest is {lowest} and highest {highest}; give both, or null for both")
        if lowest is not None and highest is not None:
            check_number("lowest", lowest, above=0)
            check_number("highest", highest, least=lowest)
        self._context = context
        self._alpha = alpha
        self._weight = weight
        self._bin_size = bin_size
        self._lowest = lowest
        self._highest = highest

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Learn preferences from the history, and what a budget may ask."""
        history, n_arms = setting.history, len(setting.fleet)
        self._fitted = self._context.fit(history)
        contexts = directions(self._fitted.of(history.features.embeddings))
        theta = preferred(contexts, history)
        self._arms = RidgeArms(np.tile(self._weight * np.eye(theta.shape[1]), (n_arms, 1, 1)), self._weight * theta)
        self._refused = setting.refused
        self._bins = Bins(setting.budgets, setting.horizon, self._bin_size)
        if self._lowest is not None and self._highest is not None:
            lowest, highest = np.full(n_arms, self._lowest), np.full(n_arms, self._highest)
        else:
            lowest, highest = densities(setting)
        self._lowest_known = np.where(np.isfinite(setting.budgets), lowest, 0.0)
        self._growth = np.array([1.0 + math.log(one) for one in (highest / lowest).tolist()])

    def decide(self, query: Query, state: State) -> Decision:
        """Return the best that is worth its cost, with the others as next choices, or decline."""
        x = directions(self._fitted.of(query.embedding[None, :]))[0]
        bound = self._arms.bounds(x, self._alpha)
        used = self._bins.used(query.id, state.remaining).tolist()
        rise = np.array([math.exp(share * growth) for share, growth in zip(used, self._growth.tolist(), strict=True)])
        worth = np.maximum(bound, self._lowest_known * query.cost_hat)
        useful = worth >= self._lowest_known / math.e * rise * query.cost_hat
        there = np.zeros(len(useful), dtype=np.bool_)
        there[candidates(state)] = True
        return best_first(bound, pays_or_waits(useful & there, can_pay(query, state), self._refused))

    def believes(self, query: Query) -> Estimates:
        """Return theta . x as quality, and the costs of the estimator's."""
        x = directions(self._fitted.of(query.embedding[None, :]))[0]
        return Estimates(np.clip(self._arms.means(x), 0.0, 1.0), query.cost_hat)

    def learn(self, feedback: Feedback) -> None:
        """Take in an answer, if it has a score."""
        if not math.isnan(feedback.quality):
            self.learn_score(feedback)

    def learn_score(self, feedback: Feedback) -> None:
        """Take in an answer whose score has come."""
        x = directions(self._fitted.of(feedback.query.embedding[None, :]))[0]
        self._arms.learn(feedback.deployment, x, feedback.quality)


class Bins:
    """Budgets in equal bins of queries, with what a bin leaves handed on to the next.

    Parameters
    ----------
    budgets : array (n_deployments,)
    horizon : int
    bin_size : int
    """

    def __init__(self, budgets: FloatArray, horizon: int, bin_size: int) -> None:
        self._budgets = budgets
        self._bin_size = bin_size
        self._n_bins = max(1, math.ceil(horizon / bin_size))
        self._bin = 0
        self._spent_before = np.zeros(len(budgets))

    def used(self, number: int, remaining: FloatArray) -> FloatArray:
        """Return the share (n_deployments,) that is spent of the bin that a query falls in, in [0, 1].

        0 without a limit, 1 where nothing is left for the bin.

        Examples
        --------
        >>> bins = Bins(np.array([8.0]), horizon=20, bin_size=10)
        >>> float(bins.used(0, np.array([8.0]))[0]), float(bins.used(9, np.array([7.0]))[0])
        (0.0, 0.25)
        >>> float(bins.used(10, np.array([6.0]))[0]), float(bins.used(19, np.array([3.0]))[0])  # 4 and 2 left
        (0.0, 0.5)
        """
        limited = np.isfinite(self._budgets)
        spent = np.where(limited, np.maximum(np.where(limited, self._budgets, 0.0) - remaining, 0.0), 0.0)
        if number // self._bin_size != self._bin:
            self._bin = number // self._bin_size
            self._spent_before = spent
        promised = np.where(limited, self._budgets, 0.0) * min(self._bin + 1, self._n_bins) / self._n_bins
        available = promised - self._spent_before
        has_some = available > 0
        share = np.divide(spent - self._spent_before, available, out=np.ones(len(spent)), where=has_some)
        return np.where(limited, np.clip(share, 0.0, 1.0), 0.0)


def densities(setting: Setting) -> tuple[FloatArray, FloatArray]:
    """Return L and U (n_deployments,), the same for all deployments of an account; 1 where nothing costs anything."""
    quality, cost = setting.history.means()
    account, first = account_of(len(cost), setting.accounts)
    lowest, highest = np.full(len(first), np.inf), np.zeros(len(first))
    for k in np.flatnonzero((cost > 0) & (quality > 0)).tolist():
        lowest[account[k]] = min(lowest[account[k]], quality[k] / cost[k])
        highest[account[k]] = max(highest[account[k]], 1.0 / cost[k])
    is_known = highest > 0
    return np.where(is_known, lowest, 1.0)[account], np.where(is_known, highest, 1.0)[account]
