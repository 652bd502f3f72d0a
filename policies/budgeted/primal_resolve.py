"""Solve the linear program of all that has arrived again and again, and draw each query's place from its solution."""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_array, vstack

from policies.parts.paying import can_pay
from sim.errors import check_number
from sim.interface import Decision, Estimator, FloatArray, Policy, Query, Setting, State


class PrimalResolve(Policy):
    """Route arrival l as the optimum of the first l queries, with l / n of every budget, would.

    The first ceil(eps x horizon) queries are watched and declined. At arrival l after them, with x the solution of

        max sum_ij quality_hat_ij x_ij  s.t.  sum_j cost_hat_ij x_ij <= (l / n) B_i,  sum_i x_ij <= 1,  j <= l,

    the query goes to deployment i with probability x_il, if that can pay, and is declined otherwise.

    Kesselheim, Radke, Toennis and Voecking, "Primal beats dual on online packing LPs in the random-order model", STOC
    2014, arXiv 1311.2578.

    *Theorem*: 1 - O(sqrt(log d / k)) of the hindsight optimum, with k = min_i B_i / max_j cost_ij and d the number of
    budgets that one choice takes from, here 1. *Condition*: a uniformly random order, the number of queries known, and
    estimates that are right. In an order that gets better or worse the past says nothing of what is to come.

    Two things differ from the paper, for speed. The program is solved anew only when ``growth`` times as many queries
    have arrived as at the last time. Queries with the same estimates are one kind with one variable per deployment,
    which changes no optimum (the mean of an optimal solution over equal columns is optimal). A query of a kind that was
    in the last program takes its kind's x; another one goes to argmax_i quality_hat_i - p_i cost_hat_i, if positive,
    at that program's prices p, which is its x but for at most n_deployments queries.

    Parameters
    ----------
    estimator : Estimator
    eps : float
        Share of queries to watch, in (0, 1).
    growth : float
        At least 1; 1 solves at every arrival, as published.

    Raises
    ------
    ValueError
        If eps or growth is out of range.
    """

    def __init__(self, estimator: Estimator, eps: float = 0.025, growth: float = 1.25) -> None:
        check_number("eps", eps, above=0, below=1)
        check_number("growth", growth, least=1)
        self.estimator = estimator
        self._eps = eps
        self._growth = growth

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Forget all queries."""
        self._budgets = setting.budgets
        self._horizon = setting.horizon
        self._rng = rng
        self._n_watched = math.ceil(self._eps * setting.horizon)
        self._n_arrived = 0
        self._due = 0.0  # the number of arrivals at which to solve
        self._kinds: dict[bytes, int] = {}
        self._quality: list[FloatArray] = []  # of each kind
        self._cost: list[FloatArray] = []
        self._count: list[int] = []

    def decide(self, query: Query, state: State) -> Decision:
        """Draw from the solution, or decline."""
        kind = self._note(query)
        if self._n_arrived <= self._n_watched:
            return Decision(None)
        if self._n_arrived >= self._due:
            self._due = self._growth * self._n_arrived
            scale = self._n_arrived / self._horizon
            quality, cost, count = np.array(self._quality), np.array(self._cost), np.array(self._count)
            self._share, self._prices = solve(quality, cost, count, scale * self._budgets)
        chosen = self._draw(kind, query)
        return Decision(chosen if chosen is not None and can_pay(query, state)[chosen] else None)

    def _note(self, query: Query) -> int:
        """Count the query and return its kind."""
        self._n_arrived += 1
        kind = self._kinds.setdefault(query.quality_hat.tobytes() + query.cost_hat.tobytes(), len(self._kinds))
        if kind == len(self._count):
            self._quality.append(query.quality_hat)
            self._cost.append(query.cost_hat)
            self._count.append(0)
        self._count[kind] += 1
        return kind

    def _draw(self, kind: int, query: Query) -> int | None:
        """Return the deployment with the probabilities of the last solution."""
        if kind < len(self._share):
            drawn = int(np.searchsorted(self._share[kind].cumsum(), self._rng.random(), side="right"))
            return drawn if drawn < len(self._budgets) else None
        surplus = query.quality_hat - self._prices * query.cost_hat
        best = int(surplus.argmax())
        return best if surplus[best] > 0 else None


def solve(
    quality: FloatArray, cost: FloatArray, count: FloatArray, budgets: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Solve the assignment of counted kinds of queries by HiGHS.

    Parameters
    ----------
    quality, cost : arrays (n_kinds, n_deployments)
    count : array (n_kinds,)
    budgets : array (n_deployments,)

    Returns
    -------
    share : array (n_kinds, n_deployments)
        Of the queries of each kind that goes to each deployment.
    prices : array (n_deployments,)
        Quality per unit of budget; 0 without a limit.

    Raises
    ------
    RuntimeError
        If HiGHS fails.
    """
    n_kinds, n_deployments = quality.shape
    limited = np.flatnonzero(np.isfinite(budgets))
    dearest = cost.max(axis=0)
    scale = np.where(dearest > 0, dearest, 1.0)  # HiGHS lets a row be exceeded by 1e-7, absolute
    variable = np.arange(quality.size)  # of (kind j, deployment i): j * n_deployments + i
    spent = coo_array(
        ((cost / scale).ravel(), (variable % n_deployments, variable)), shape=(n_deployments, quality.size)
    )
    placed = coo_array((np.ones(quality.size), (variable // n_deployments, variable)), shape=(n_kinds, quality.size))
    result = linprog(
        -quality.ravel(),
        A_ub=vstack([spent.tocsr()[limited], placed]).tocsr(),
        b_ub=np.concatenate([(budgets / scale)[limited], count]),
        bounds=np.column_stack([np.zeros(quality.size), np.where(quality.ravel() > 0, np.inf, 0.0)]),
        method="highs",
    )
    if result.x is None:
        raise RuntimeError(f"HiGHS did not solve the linear program: {result.message}")
    prices = np.zeros(n_deployments)
    prices[limited] = -result.ineqlin.marginals[: len(limited)] / scale[limited]
    share: FloatArray = result.x.reshape(quality.shape) / count[:, None]
    return share, prices
