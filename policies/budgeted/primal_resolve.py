"""Solve the linear program of all queries so far again and again, and draw each deployment from its solution."""

from __future__ import annotations

import math

import numpy as np

from policies.parts.paying import can_pay
from sim.assignment.sifted import solve_sifted
from sim.errors import check_number
from sim.interface import Decision, Estimator, FloatArray, Policy, Query, Setting, State


class PrimalResolve(Policy):
    """Route arrival l as the optimum of the first l queries, with l / n of every budget, would.

    The first ceil(eps x horizon) queries are watched and declined. At arrival l after them, with x the solution of

        max sum_ij quality_hat_ij x_ij  s.t.  sum_j cost_hat_ij x_ij <= (l / n) B_i,  sum_i x_ij <= 1,  j <= l,

    the query goes to deployment i with probability x_il, if that can pay or refused queries wait, and is declined
    otherwise.

    Kesselheim, Radke, Toennis and Voecking, "Primal beats dual on online packing LPs in the random-order model", STOC
    2014, arXiv 1311.2578.

    *Theorem*, for ``growth`` 1: at least 1 - O(sqrt((1 + log d) / k)) of the hindsight optimum, with
    k = min_i B_i / max_j cost_ij and d the column sparsity, the most budgets that one choice takes from. Here d is 1,
    so it is 1 - O(1 / sqrt(k)). (The paper writes log d, for d of 2 and more.) *Condition*: a uniformly random order,
    the number of queries known, and estimates that are right. In an order that gets better or worse the past says
    nothing of what is to come.

    With ``growth`` 1 the program is solved at every arrival, with the query that has arrived in it, as published.
    Queries with the same estimates are one kind with one variable per deployment, which changes no optimum (the mean of
    an optimal solution over equal columns is optimal).

    With a ``growth`` above 1 the theorem does not hold as it stands. The program is solved anew only when ``growth``
    times as many queries have arrived as at the last time. A query of a kind that was in the last program takes its
    kind's x; every other one, so nearly all where estimates differ, goes to argmax_i quality_hat_i - p_i cost_hat_i,
    if positive, at that program's prices p. That is dual learning at growing times, as ``DynamicPrice`` does it, and
    what ``DynamicPrice`` says of its condition is the guide. docs/evidence/theory.md has both beside each other.

    Parameters
    ----------
    estimator : Estimator
    eps : float
        Share of queries to watch, in (0, 1).
    growth : float
        At least 1; 1 solves at every arrival, as published and as the theorem has it.

    Raises
    ------
    ValueError
        If eps or growth is out of range.
    """

    paces = True

    def __init__(self, estimator: Estimator, eps: float = 0.025, growth: float = 1.25) -> None:
        check_number("eps", eps, above=0, below=1)
        check_number("growth", growth, least=1)
        self.estimator = estimator
        self._eps = eps
        self._growth = growth

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Forget all queries."""
        self._budgets, self._accounts = setting.budgets, setting.accounts
        self._horizon = setting.horizon
        self._rng = rng
        self._refused = setting.refused
        self._n_watched = math.ceil(self._eps * setting.horizon)
        self._n_arrived = 0
        self._due = 0.0  # the number of arrivals at which to solve
        self._prices: FloatArray | None = None  # of the last solution
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
            scale = min(self._n_arrived / self._horizon, 1.0)
            quality, cost, count = np.array(self._quality), np.array(self._cost), np.array(self._count)
            budgets, accounts = scale * self._budgets, self._accounts
            solution = solve_sifted(quality, cost, budgets, accounts=accounts, counts=count, near=self._prices)
            self._share, self._prices = solution.share, solution.prices
        chosen = self._draw(kind, query)
        if chosen is None or not (self._refused == "wait" or can_pay(query, state)[chosen]):
            return Decision(None)
        return Decision(chosen)

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
        assert self._prices is not None  # it has been solved
        surplus = query.quality_hat - self._prices * query.cost_hat
        best = int(surplus.argmax())
        return best if surplus[best] > 0 else None
