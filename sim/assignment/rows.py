"""The constraints of the budgeted assignment program, as HiGHS takes them.

A program has a variable x_ij for each pair of a query j and a deployment i that is allowed, and a row for each budget,
each further limit and each query.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csr_array

from sim.interface import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Capacity:
    """Limits of one deployment besides its budget, such as the time of its slots in each of some windows.

    Parameters
    ----------
    deployment : int
    use : array (n,)
        What each query takes of the limit that it falls under.
    group : array (n,)
        Which limit that is.
    limits : array (n_groups,)
    """

    deployment: int
    use: FloatArray
    group: IntArray
    limits: FloatArray


@dataclass(frozen=True)
class Rows:
    """The constraints of a program, ``matrix`` x <= ``limits``, with a variable for each allowed pair.

    Parameters
    ----------
    query, deployment : arrays (n_pairs,)
    matrix : array (n_rows, n_pairs)
        Budgets first, then capacities, then queries.
    limits : array (n_rows,)
    row_of_budget : array (n_deployments,)
        The row of the budget that a deployment pays from; -1 for one without a limit.
    unit : array (n_deployments,)
        What costs and budgets are divided by.
    """

    query: IntArray
    deployment: IntArray
    matrix: csr_array
    limits: FloatArray
    row_of_budget: IntArray
    unit: FloatArray


def pooled(amounts: npt.NDArray[Any], accounts: IntArray | None) -> FloatArray:
    """Return what deployments that share an account take of it together, at each of them (n_deployments,).

    Parameters
    ----------
    amounts : array (n_deployments,)
    accounts : array (n_deployments,) or None
        Number of the account that each deployment pays from, from 0; None where each has its own.

    >>> pooled(np.array([1.0, 2.0, 4.0]), np.array([0, 1, 0])).tolist()
    [5.0, 2.0, 5.0]
    """
    if accounts is None:
        return amounts
    together: FloatArray = np.bincount(accounts, weights=amounts)[accounts].astype(np.float64, copy=False)
    return together


def account_of(n_deployments: int, accounts: IntArray | None) -> tuple[IntArray, IntArray]:
    """Return each deployment's account (n_deployments,), and the first deployment of each account (n_accounts,)."""
    if accounts is None:
        each = np.arange(n_deployments)
        return each, each
    return accounts, np.unique(accounts, return_index=True)[1]


def rows(
    cost: FloatArray,
    budgets: FloatArray,
    *,
    accounts: IntArray | None = None,
    counts: FloatArray | None = None,
    allowed: BoolArray | None = None,
    capacities: Sequence[Capacity] = (),
) -> Rows:
    """Build the constraints; the parameters are those of ``solve_linear``.

    Costs and budgets are in units of the account's dearest query, because HiGHS lets a row be exceeded by 1e-7 (of a
    binary program by 1e-6) in absolute terms.
    """
    n, n_deployments = cost.shape
    pair = np.arange(cost.size) if allowed is None else np.flatnonzero(allowed)  # (j, i) is j * n_deployments + i
    query, deployment = np.divmod(pair, n_deployments)
    account, first = account_of(n_deployments, accounts)
    dearest = np.zeros(len(first))
    np.maximum.at(dearest, account, cost.max(axis=0, initial=0.0))
    unit = np.where(dearest > 0, dearest, 1.0)[account]
    limited = first[np.isfinite(budgets[first])]
    row_of_account = np.full(len(first), -1)
    row_of_account[account[limited]] = np.arange(len(limited))
    row_of_budget = row_of_account[account]

    spends = np.flatnonzero(row_of_budget[deployment] >= 0)
    values, at_row, at_pair = (
        [(cost / unit)[query[spends], deployment[spends]]],
        [row_of_budget[deployment[spends]]],
        [spends],
    )
    n_rows = len(limited)
    for capacity in capacities:
        uses = np.flatnonzero(deployment == capacity.deployment)
        values.append(capacity.use[query[uses]])
        at_row.append(n_rows + capacity.group[query[uses]])
        at_pair.append(uses)
        n_rows += len(capacity.limits)
    values.append(np.ones(len(pair)))
    at_row.append(n_rows + query)
    at_pair.append(np.arange(len(pair)))
    matrix = coo_array(
        (np.concatenate(values), (np.concatenate(at_row), np.concatenate(at_pair))), shape=(n_rows + n, len(pair))
    )
    with np.errstate(over="ignore"):  # a budget that is so large beside its costs has no limit
        of_budgets = np.maximum(budgets[limited], 0.0) / unit[limited]
    limits = [of_budgets, *(capacity.limits for capacity in capacities)]
    limits.append(np.ones(n) if counts is None else counts)
    return Rows(query, deployment, matrix.tocsr(), np.concatenate(limits), row_of_budget, unit)
