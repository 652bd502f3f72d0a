"""The linear program of many queries, solved exactly through a few of them: sifting, or column generation.

At prices near the right ones nearly every query has a clear best choice. Those are fixed, HiGHS solves the program of
the others with the choices that are near their best, and at its prices every choice that was left out is looked at: if
none is better, the solution is one of the whole program; else they are added. It works on arrays alone.
"""

from __future__ import annotations

import numpy as np

from sim.assignment.choices import NEGLIGIBLE, choices, least_clear
from sim.assignment.prices import Minimum, minimise
from sim.assignment.program import DECLINE, Solution, solve_linear
from sim.assignment.rows import account_of, pooled
from sim.interface import BoolArray, FloatArray, IntArray

FEW, FEW_EACH = 30, 6  # queries that HiGHS solves at once, and for each deployment
SAMPLED = 4  # one in so many says near which prices to begin
MANY = 1000  # to be solved at once: the dual's prices, which take longer to find, leave fewer
TOLERANCE = 1e-9  # of the highest quality: what HiGHS may leave


def solve_sifted(
    quality: FloatArray,
    cost: FloatArray,
    budgets: FloatArray,
    *,
    accounts: IntArray | None = None,
    counts: FloatArray | None = None,
    near: FloatArray | None = None,
) -> Solution:
    """Solve the linear program as ``solve_linear`` does, many times as fast where there are thousands of queries.

    Parameters
    ----------
    quality, cost : arrays (n, n_deployments)
        A deployment that is worth nothing to a query is not given to it.
    budgets : array (n_deployments,)
        ``inf`` for no budget; less than 0 counts as 0. Deployments that share an account have one amount together,
        which stands at each of them.
    accounts : array (n_deployments,) or None
        Number of the account that each deployment pays from, from 0; None where each has its own.
    counts : array (n,) or None
        How many queries there are of each kind; None for one.
    near : array (n_deployments,) or None
        Prices to begin with; None for those of a sample. They change nothing but the time.

    Raises
    ------
    RuntimeError
        If HiGHS fails.
    """
    n, m = quality.shape
    few = FEW + FEW_EACH * m
    if n <= few:
        return solve_linear(quality, cost, budgets, accounts=accounts, counts=counts, allowed=quality > 0)
    many = np.ones(n) if counts is None else counts
    if near is None:
        sample = slice(None, None, SAMPLED)
        share = many[sample].sum() / many.sum()
        part = quality[sample], cost[sample], budgets * share
        near = solve_sifted(*part, accounts=accounts, counts=many[sample]).prices
    allowed = first_allowed(quality, cost, budgets, accounts, many, near, few)
    tolerance = TOLERANCE * float(quality.max(initial=0.0))
    is_nearest = False
    while True:
        # The last column stands for declining.
        is_fixed = allowed.sum(axis=1) == 1
        if not is_nearest and n - is_fixed.sum() > MANY:
            near, _ = minimise(quality * many[:, None], cost * many[:, None], budgets, accounts=accounts)
            allowed, is_nearest = first_allowed(quality, cost, budgets, accounts, many, near, few), True
            continue
        fixed = np.flatnonzero(is_fixed & ~allowed[:, m])
        kept, is_open = allowed[fixed].argmax(axis=1), ~is_fixed
        spent = np.bincount(kept, weights=many[fixed] * cost[fixed, kept], minlength=m)
        solved = solve_linear(
            quality[is_open],
            cost[is_open],
            budgets - pooled(spent, accounts),
            accounts=accounts,
            counts=many[is_open],
            allowed=allowed[is_open, :m],
        )
        surplus = np.column_stack([quality - cost * solved.prices, np.zeros(n)])
        surplus[:, :m][quality <= 0] = -np.inf
        best = np.where(allowed, surplus, -np.inf).max(axis=1)
        better = surplus > best[:, None] + tolerance
        if not better.any():
            share = np.zeros(quality.shape)
            share[is_open] = solved.share
            share[fixed, kept] = 1.0
            value = solved.value + float((many[fixed] * quality[fixed, kept]).sum())
            return Solution(value, share, solved.prices, ())
        allowed |= better


def first_allowed(
    quality: FloatArray,
    cost: FloatArray,
    budgets: FloatArray,
    accounts: IntArray | None,
    many: FloatArray,
    near: FloatArray,
    few: int,
) -> BoolArray:
    """Return the choices to begin with (n, n_deployments + 1): the best at prices, and for some queries all near it."""
    n, m = quality.shape
    chosen = choices(quality, cost, Minimum(near, 0.0, near[None, :], np.ones(1)))
    _, first = account_of(m, accounts)
    value = float((many * chosen.surplus).sum() + (near * np.where(np.isfinite(budgets), budgets, 0.0))[first].sum())
    is_open, margin = least_clear(quality, cost, budgets, accounts, near, NEGLIGIBLE * value, chosen, few, 1.0, many)
    allowed = np.zeros((n, m + 1), dtype=np.bool_)
    allowed[np.arange(n), np.where(chosen.deployment == DECLINE, m, chosen.deployment)] = True
    surplus = quality[is_open] - cost[is_open] * near
    allowed[is_open, :m] |= (surplus >= chosen.surplus[is_open, None] - margin) & (quality[is_open] > 0)
    allowed[is_open, m] = True
    return allowed
