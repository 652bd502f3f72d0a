"""The certified hindsight optimum against HiGHS on the whole program."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.workloads.synthetic import synthetic
from sim.study.bounds import linear_program
from sim.study.dual import GAP, certified


def test_two_queries_and_one_budget_by_hand() -> None:
    # 1 USD buys either query; the better one is worth 0.9, and half of the other would fit with 1.5 USD.
    found = certified(np.array([[0.9], [0.5]]), np.array([[1.0], [1.0]]), np.array([1.5]))
    assert found.upper == pytest.approx(0.9 + 0.5 * 0.5)
    assert found.prices == pytest.approx([0.5])  # one more dollar serves one more of the second


def test_without_a_budget_everything_goes_to_the_best() -> None:
    quality = np.array([[0.2, 0.8], [0.7, 0.1]])
    found = certified(quality, np.ones((2, 2)), np.array([np.inf, np.inf]))
    assert [found.upper, found.lower] == pytest.approx([1.5, 1.5])
    assert found.bound.plan.tolist() == [1, 0]
    assert found.prices.tolist() == [0, 0]


def test_nothing_can_be_bought_with_nothing() -> None:
    found = certified(np.full((5, 2), 0.5), np.ones((5, 2)), np.zeros(2))
    assert found.upper == pytest.approx(0, abs=1e-9)
    assert (found.bound.plan == -1).all()


@pytest.mark.parametrize("share", [0.05, 0.3, 1.0])
def test_it_meets_highs_on_a_larger_program(share: float) -> None:
    rows = synthetic(n_queries=1500, n_history=1).test
    budgets = np.full(11, share * rows.cost_usd.sum(axis=0).min() / 11)
    found = certified(rows.quality, rows.cost_usd, budgets)
    exact = linear_program(rows.quality, rows.cost_usd, budgets).value
    assert found.lower <= exact * (1 + 1e-9)
    assert exact <= found.upper * (1 + 1e-9)
    assert found.upper - found.lower <= GAP * found.upper


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    n=st.integers(1, 40),
    m=st.integers(1, 5),
    seed=st.integers(0, 10_000),
    tightness=st.floats(0, 2),
    free=st.booleans(),
)
def test_the_program_lies_between_the_bounds(n: int, m: int, seed: int, tightness: float, free: bool) -> None:
    rng = np.random.default_rng(seed)
    quality, cost = rng.integers(0, 3, (n, m)) / 2, rng.lognormal(0, 2, (n, m)) * 1e-4
    cost[rng.random((n, m)) < 0.2 * free] = 0.0
    budgets = rng.random(m) * tightness * cost.sum(axis=0) / m
    budgets[rng.random(m) < 0.1] = np.inf
    found = certified(quality, cost, budgets)
    exact = linear_program(quality, cost, budgets).value
    assert found.lower <= exact + 1e-7
    assert exact <= found.upper + 1e-7
    assert found.upper - found.lower <= GAP * found.upper + 1e-7
    spent = np.bincount(found.bound.plan + 1, minlength=m + 1)
    assert spent.sum() == n
