"""The certified hindsight optimum against HiGHS on the whole program."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.workloads.synthetic import synthetic
from sim.assignment.certified import GAP, certified
from sim.assignment.prices import minimise, minimum
from sim.assignment.program import DECLINE, linear_program
from tests.conftest import PROOF
from tests.worlds import uneven_program


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


# With several best choices for most queries it is the shares of the prices tried that say how many of them go where; a
# program of all such queries takes minutes.


@pytest.mark.parametrize(
    ("times", "is_flat"),
    [
        *((times, False) for times in (0.25, 1.0, 4.0, 8.0)),
        (0.25, True),
        pytest.param(1.0, True, marks=pytest.mark.lengthy),
        (4.0, True),
        (8.0, True),
    ],
)
def test_ample_budgets_and_alike_queries_are_bounded_from_both_sides(times: float, is_flat: bool) -> None:
    n, m = 20_000, 16
    rows = synthetic(n_queries=n, n_history=1, n_models=m, dim=2).test
    quality, cost = rows.quality, rows.cost_usd  # scores are 0 or 1
    if is_flat:
        cost = np.tile(cost.mean(axis=0), (n, 1))
    budgets = times * cost.sum(axis=0).min() / m * np.ones(m)
    found = certified(quality, cost, budgets)
    assert found.upper - found.lower <= GAP * found.upper
    plan = found.bound.plan
    served = np.flatnonzero(plan != DECLINE)
    assert quality[served, plan[served]].sum() >= found.lower - m
    for i in range(m):
        paid = np.sort(cost[plan == i, i])[::-1]
        assert paid[m:].sum() <= budgets[i] * (1 + 1e-6)


@settings(max_examples=200 if PROOF else 40, derandomize=True)
@given(n=st.integers(1, 60), m=st.integers(1, 6), seed=st.integers(0, 10_000), times=st.floats(0.1, 8))
def test_shares_of_the_prices_tried_are_a_solution_within_the_budgets(n: int, m: int, seed: int, times: float) -> None:
    rng = np.random.default_rng(seed)
    quality, cost = rng.integers(0, 2, (n, m)).astype(float), rng.lognormal(0, 1, (n, m))
    budgets = times * rng.random(m) * cost.sum(axis=0) / m
    found = minimum(quality, cost, budgets, beyond=2.0)
    gained, spent = 0.0, np.zeros(m)
    for prices, share in zip(found.tried, found.shares, strict=True):
        surplus = quality - cost * prices
        buys, best = np.flatnonzero(surplus.max(axis=1) > 0), surplus.argmax(axis=1)
        gained += share * quality[buys, best[buys]].sum()
        spent += share * np.bincount(best[buys], weights=cost[buys, best[buys]], minlength=m)
    assert (spent <= budgets * (1 + 1e-6) + 1e-9).all()
    assert gained == pytest.approx(found.value, rel=2e-5, abs=1e-9)


def test_a_price_is_nothing_without_a_budget_and_prohibitive_with_none() -> None:
    quality, cost = np.array([[0.9, 0.6, 0.3], [0.5, 0.8, 0.2]]), np.ones((2, 3))
    prices, value = minimise(quality, cost, np.array([0.0, 1.0, np.inf]))
    assert prices[0] >= 0.9
    assert prices[2] == 0
    assert value == pytest.approx(0.8 + 0.3)  # the second model's one dollar to the second query, the rest for nothing


@settings(max_examples=200 if PROOF else 60, derandomize=True)
@given(n=st.integers(1, 60), m=st.integers(1, 6), seed=st.integers(0, 10_000), unit=st.sampled_from([1e-6, 1.0, 1e3]))
def test_no_prices_are_below_the_program_and_those_found_are_near(n: int, m: int, seed: int, unit: float) -> None:
    rng = np.random.default_rng(seed)
    quality, cost = rng.random((n, m)) * unit, rng.lognormal(0, 1, (n, m))
    budgets = rng.random(m) * cost.sum(axis=0) / m
    exact = linear_program(quality / unit, cost, budgets).value * unit
    _, value = minimise(quality, cost, budgets, gap=1e-5)
    assert exact * (1 - 1e-7) <= value <= exact * (1 + 2e-5)


def test_sixty_copies_with_sixty_times_the_budgets_are_worth_sixty_times_as_much() -> None:
    rows = synthetic(n_queries=1000, n_history=1, n_models=4).test
    budgets = np.full(4, rows.cost_usd.sum(axis=0).min() / 8)
    exact = linear_program(rows.quality, rows.cost_usd, budgets).value
    found = certified(np.tile(rows.quality, (60, 1)), np.tile(rows.cost_usd, (60, 1)), 60 * budgets)
    assert found.lower <= 60 * exact * (1 + 1e-9)
    assert 60 * exact <= found.upper * (1 + 1e-9)
    assert found.upper - found.lower <= GAP * found.upper


@pytest.mark.parametrize("share", [1e-17, 1e-15, 1e-13, 1e-8])
def test_budgets_that_pay_for_next_to_nothing_have_prices_too(share: float) -> None:
    for seed in range(20):
        quality, cost, budgets = uneven_program(5, 3, seed, share, ties=False)
        prices, value = minimise(quality, cost, budgets)
        assert np.isfinite(prices).all()
        assert value >= linear_program(quality, cost, budgets).value - 1e-7


@settings(max_examples=300 if PROOF else 60, derandomize=True)
@given(
    n=st.one_of(st.integers(1, 40), st.integers(300, 600)),
    m=st.integers(1, 5),
    seed=st.integers(0, 10_000),
    tightness=st.floats(0, 2),
    ties=st.booleans(),
)
def test_the_program_lies_between_the_bounds_and_the_plan_is_near(
    n: int, m: int, seed: int, tightness: float, ties: bool
) -> None:
    quality, cost, budgets = uneven_program(n, m, seed, tightness, ties)
    found = certified(quality, cost, budgets)
    exact = linear_program(quality, cost, budgets).value
    assert found.lower <= exact + 1e-7
    assert exact <= found.upper + 1e-7
    assert found.lower <= found.upper
    assert found.upper - found.lower <= GAP * found.upper + 1e-7
    # At most m queries are split; without them the plan is within the budgets.
    plan = found.bound.plan
    served = np.flatnonzero(plan != DECLINE)
    assert quality[served, plan[served]].sum() >= found.lower - m * quality.max() - 1e-7
    for i in range(m):
        paid = np.sort(cost[plan == i, i])[::-1]
        assert paid[m:].sum() <= budgets[i] * (1 + 1e-6) + 1e-12
