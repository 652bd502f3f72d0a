"""The linear program through a few of its queries, and binary plans by exchanges, beside HiGHS on whole programs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.workloads.synthetic import synthetic
from sim.assignment.program import DECLINE, solve_binary, solve_linear
from sim.assignment.rounded import exchanged, solve_rounded
from sim.assignment.sifted import solve_sifted
from sim.interface import FloatArray
from tests.conftest import PROOF
from tests.worlds import uneven_program


def surplus(quality: FloatArray, cost: FloatArray, prices: FloatArray) -> FloatArray:
    """What each query gains at most at prices."""
    best: FloatArray = np.maximum((quality - cost * prices).max(axis=1), 0.0)
    return best


def test_two_queries_and_one_budget_by_hand() -> None:
    # 1 USD buys either query; the better one is worth 0.9, and half of the other fits with 1.5 USD.
    found = solve_sifted(np.array([[0.9], [0.5]]), np.array([[1.0], [1.0]]), np.array([1.5]))
    assert found.value == pytest.approx(0.9 + 0.5 * 0.5)
    assert found.prices == pytest.approx([0.5])
    assert found.share.ravel() == pytest.approx([1.0, 0.5])


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("near", [None, np.zeros(11)])
def test_prices_and_shares_are_those_of_the_whole_program(share: float, near: FloatArray | None) -> None:
    rows = synthetic(n_queries=1200, n_history=1).test
    rng = np.random.default_rng(0)
    quality, cost = rng.random((1200, 11)), rows.cost_usd  # of which no two are alike, so there is one optimum
    budgets = share * cost.sum(axis=0).min() * rng.random(11)
    found = solve_sifted(quality, cost, budgets, near=near)
    whole = solve_linear(quality, cost, budgets)
    assert found.value == pytest.approx(whole.value, rel=1e-9)
    assert found.prices == pytest.approx(whole.prices, rel=1e-6)
    assert found.share == pytest.approx(whole.share, abs=1e-6)


@settings(max_examples=300 if PROOF else 40, derandomize=True)
@given(
    n=st.one_of(st.integers(1, 40), st.integers(100, 400)),
    m=st.integers(1, 5),
    seed=st.integers(0, 10_000),
    tightness=st.floats(0, 4),
    ties=st.booleans(),
    joint=st.booleans(),
)
def test_its_optimum_is_that_of_the_whole_program(
    n: int, m: int, seed: int, tightness: float, ties: bool, joint: bool
) -> None:
    quality, cost, budgets = uneven_program(n, m, seed, tightness, ties)
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 4, n).astype(float)
    accounts = rng.integers(0, m, m) if joint else np.arange(m)
    _, accounts = np.unique(accounts, return_inverse=True)
    budgets = budgets[np.unique(accounts, return_index=True)[1]][accounts]
    found = solve_sifted(quality, cost, budgets, accounts=accounts, counts=counts)
    whole = solve_linear(quality, cost, budgets, accounts=accounts, counts=counts)
    assert found.value == pytest.approx(whole.value, rel=1e-6, abs=1e-6)
    # Its prices are a proof: no solution gains more than budgets and queries are worth at them.
    limited = np.flatnonzero(np.isfinite(budgets))
    first = np.unique(accounts, return_index=True)[1]
    worth = sum(budgets[i] * found.prices[i] for i in first if i in limited)
    assert worth + (counts * surplus(quality, cost, found.prices)).sum() == pytest.approx(
        whole.value, rel=1e-6, abs=1e-6
    )
    # And its shares are a solution.
    assert (found.share.sum(axis=1) <= 1 + 1e-6).all()
    spent = (counts[:, None] * found.share * cost).sum(axis=0)
    pooled = np.bincount(accounts, weights=spent)[accounts]
    dearest = np.maximum(cost.max(axis=0), 1.0)
    assert (pooled[limited] <= (budgets + 1e-6 * dearest)[limited]).all()


def test_an_exchange_gives_a_place_to_the_query_that_gains_more_there() -> None:
    # 0 is at the only place; 1 is worth more there, and 0 is worth something at the other place, where it has room.
    quality, cost, budgets = np.array([[0.6, 0.5], [0.9, 0.0]]), np.ones((2, 2)), np.ones(2)
    assert exchanged(quality, cost, budgets, None, np.array([0, DECLINE])).tolist() == [1, 0]


def test_what_shares_an_account_shares_its_room() -> None:
    quality, cost = np.array([[0.9, 0.8], [0.7, 0.6]]), np.ones((2, 2))
    plan = exchanged(quality, cost, np.ones(2), np.zeros(2, dtype=int), np.full(2, DECLINE))
    assert plan.tolist() == [0, DECLINE]


@settings(max_examples=200 if PROOF else 40, derandomize=True)
@given(
    n=st.integers(1, 60),
    m=st.integers(1, 4),
    seed=st.integers(0, 10_000),
    tightness=st.floats(0, 2),
    ties=st.booleans(),
    gap=st.sampled_from([0.0, 0.02, 0.1]),
)
def test_a_rounded_plan_is_within_its_gap_of_the_best_and_within_the_budgets(
    n: int, m: int, seed: int, tightness: float, ties: bool, gap: float
) -> None:
    quality, cost, budgets = uneven_program(n, m, seed, tightness, ties)
    found = solve_rounded(quality, cost, budgets, gap)
    best = solve_binary(quality, cost, budgets, 1e-6)
    served = np.flatnonzero(found.plan != DECLINE)
    gained = quality[served, found.plan[served]].sum()
    assert gained >= (1 - gap) * best.value - 1e-5
    assert found.value >= gained * (1 - 1e-9) - 1e-9
    spent = np.bincount(found.plan[served], weights=cost[served, found.plan[served]], minlength=m)
    assert (spent <= budgets * (1 + 1e-5) + 1e-6 * np.maximum(cost.max(axis=0), 0)).all()
