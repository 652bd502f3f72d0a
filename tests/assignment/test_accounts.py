"""Programs in which deployments pay from one account, against the same program built row by row for scipy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from sim.assignment.certified import certified
from sim.assignment.prices import minimise
from sim.assignment.program import DECLINE, linear_program, solve_binary, solve_linear
from sim.interface import FloatArray, IntArray
from tests.conftest import PROOF

TOGETHER = np.array([0, 0])


def built_by_hand(quality: FloatArray, cost: FloatArray, budgets: FloatArray, accounts: IntArray) -> float:
    n, n_deployments = quality.shape
    limits: list[FloatArray] = []
    amounts: list[float] = []
    for account in range(int(accounts.max()) + 1):
        members = accounts == account
        if np.isfinite(budgets[members][0]):
            limits.append((cost * members).ravel())
            amounts.append(float(budgets[members][0]))
    for j in range(n):
        one = np.zeros((n, n_deployments))
        one[j] = 1
        limits.append(one.ravel())
        amounts.append(1.0)
    return -float(linprog(-quality.ravel(), A_ub=np.array(limits), b_ub=amounts).fun)


def test_one_account_of_3_usd_pays_for_the_best_three_queries_wherever_they_go() -> None:
    quality = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.6], [0.3, 0.5]])
    cost, budgets = np.ones((4, 2)), np.array([3.0, 3.0])
    found = solve_linear(quality, cost, budgets, accounts=TOGETHER)
    assert found.value == pytest.approx(0.9 + 0.8 + 0.7)
    assert found.prices[0] == found.prices[1]
    assert 0.5 <= found.prices[0] <= 0.7
    for plan in (
        linear_program(quality, cost, budgets, accounts=TOGETHER).plan,
        solve_binary(quality, cost, budgets, gap=0.0, accounts=TOGETHER).plan,
        certified(quality, cost, budgets, TOGETHER).bound.plan,
    ):
        assert plan.tolist() == [0, 1, 0, DECLINE]


def test_accounts_of_one_deployment_each_change_nothing() -> None:
    rng = np.random.default_rng(0)
    quality, cost, budgets = rng.random((50, 3)), rng.random((50, 3)), np.array([3.0, np.inf, 1.0])
    alone = solve_linear(quality, cost, budgets)
    found = solve_linear(quality, cost, budgets, accounts=np.arange(3))
    assert found.value == alone.value
    assert found.prices.tolist() == alone.prices.tolist()


@settings(max_examples=100 if PROOF else 30)
@given(st.integers(0, 10_000), st.sampled_from([[0, 0, 0], [0, 1, 0], [0, 1, 1], [0, 1, 2]]), st.booleans())
def test_values_prices_and_bounds_are_those_of_the_program_built_by_hand(
    seed: int, accounts: list[int], free: bool
) -> None:
    rng, of = np.random.default_rng(seed), np.array(accounts)
    quality, cost = rng.random((30, 3)), rng.random((30, 3)) * [1, 10, 0.1]
    amounts = rng.uniform(0.5, 8, 3)
    amounts[2 if free else 0] = np.inf if free else amounts[0]
    budgets = amounts[of]
    value = built_by_hand(quality, cost, budgets, of)
    found = solve_linear(quality, cost, budgets, accounts=of)
    assert found.value == pytest.approx(value)
    surplus = np.maximum((quality - found.prices * cost).max(axis=1), 0).sum()
    first = np.unique(of, return_index=True)[1]
    paid = sum(float(found.prices[k] * budgets[k]) for k in first if np.isfinite(budgets[k]))
    assert surplus + paid == pytest.approx(value)  # strong duality, one price an account
    prices, above = minimise(quality, cost, budgets, accounts=of)
    assert value - 1e-9 <= above <= value * (1 + 1e-4)
    assert all(np.ptp(prices[of == a]) == 0 for a in of)
    proved = certified(quality, cost, budgets, of)
    assert proved.lower - 1e-9 <= value <= proved.upper * (1 + 1e-9)


def test_a_large_program_with_an_account_for_all_is_certified() -> None:
    rng = np.random.default_rng(1)
    quality, cost = rng.random((6000, 4)), rng.lognormal(size=(6000, 4)) * [1, 3, 0.3, 2]
    budgets, together = np.full(4, 900.0), np.zeros(4, dtype=np.int64)
    proved = certified(quality, cost, budgets, together)
    exact = linear_program(quality, cost, budgets, accounts=together)
    assert proved.lower <= exact.value * (1 + 1e-9)
    assert exact.value <= proved.upper * (1 + 1e-9)
    assert proved.upper - proved.lower <= 1e-4 * proved.upper
    sent = np.flatnonzero(proved.bound.plan != DECLINE)
    assert cost[sent, proved.bound.plan[sent]].sum() <= 900 * 1.02  # rounding up one split query
