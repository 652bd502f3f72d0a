"""The budgeted assignment program: its prices and shares by hand, and its plans against every plan tried in turn."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from sim.assignment.floored import cheapest_above
from sim.assignment.program import DECLINE, binary_program, linear_program, solve_binary, solve_linear
from sim.assignment.rows import Capacity
from sim.interface import FloatArray
from tests.worlds import best_by_trying_all, random_program, uneven_program

INF = float("inf")


def dual_value(prices: FloatArray, quality: FloatArray, cost: FloatArray, budgets: FloatArray) -> float:
    """prices . budgets + sum_j max(0, max_i (quality_ij - prices_i cost_ij))."""
    return float(prices @ budgets + np.maximum(0, (quality - prices * cost).max(axis=1)).sum())


@pytest.mark.parametrize("scale", [1.0, 1e-6])
@pytest.mark.parametrize("seed", range(5))
def test_the_prices_are_the_marginals_of_the_program_without_its_units(seed: int, scale: float) -> None:
    quality, cost, budgets = random_program(seed, n=12)
    spending = np.zeros((3, 36))
    for k in range(3):
        spending[k, k::3] = cost[:, k]
    placing = np.kron(np.eye(12), np.ones(3))
    primal = linprog(-quality.ravel(), np.vstack([spending, placing]), np.concatenate([budgets, np.ones(12)]))
    prices = solve_linear(quality, cost * scale, budgets * scale).prices * scale
    np.testing.assert_allclose(prices, -primal.ineqlin.marginals[:3], rtol=1e-6, atol=1e-9)
    assert dual_value(prices, quality, cost, budgets) == pytest.approx(-primal.fun)


@pytest.mark.parametrize("seed", range(3))
def test_no_prices_undercut_the_dual_and_every_price_bounds_every_assignment(seed: int) -> None:
    quality, cost, budgets = random_program(seed, n=7)
    least = dual_value(solve_linear(quality, cost, budgets).prices, quality, cost, budgets)
    best = best_by_trying_all(quality, cost, budgets)
    assert least >= best - 1e-9
    for prices in np.random.default_rng(seed).uniform(0, 1, (200, 3)):
        assert dual_value(prices, quality, cost, budgets) >= least - 1e-9


def test_a_price_by_hand() -> None:
    # Room for one and a half of two queries that cost 1: half of the lesser one is served, so its quality is the price.
    assert solve_linear(np.array([[0.9], [0.5]]), np.ones((2, 1)), np.array([1.5])).prices.tolist() == pytest.approx(
        [0.5]
    )


def test_unlimited_and_ample_budgets_have_price_0() -> None:
    quality, cost = np.array([[0.9, 0.8], [0.5, 0.4]]), np.ones((2, 2))
    assert solve_linear(quality, cost, np.array([INF, INF])).prices.tolist() == [0, 0]
    assert solve_linear(quality, cost, np.array([10.0, 10.0])).prices.tolist() == [0, 0]
    # Deployment 1 is free of limits, so deployment 0 is worth 0.1 more for either; it has room for half a query.
    assert solve_linear(quality, cost, np.array([0.5, INF])).prices.tolist() == pytest.approx([0.1, 0])


@pytest.mark.parametrize("seed", range(6))
def test_the_linear_program_bounds_the_best_assignment_and_its_plan_is_close(seed: int) -> None:
    quality, cost, budgets = random_program(seed)
    bound = linear_program(quality, cost, budgets)
    assert bound.value >= best_by_trying_all(quality, cost, budgets) - 1e-9
    served = np.flatnonzero(bound.plan != DECLINE)
    chosen = bound.plan[served]
    assert quality[served, chosen].sum() >= bound.value - len(budgets)
    # At most one query per deployment is split, so at most one per deployment is over its budget.
    spent = np.bincount(chosen, weights=cost[served, chosen], minlength=len(budgets))
    assert (spent <= budgets + len(budgets) * cost.max(axis=0)).all()


@pytest.mark.parametrize("scale", [1e-3, 1e-6])
def test_the_bound_does_not_depend_on_the_unit_of_money(scale: float) -> None:
    quality, cost, budgets = random_program(0)
    assert linear_program(quality, cost * scale, budgets * scale).value == pytest.approx(
        linear_program(quality, cost, budgets).value
    )


def test_a_bound_and_a_plan_by_hand() -> None:
    # Room for one and a half of three queries that cost 1: the best, half of the next, and nothing of the last.
    bound = linear_program(np.array([[0.1], [0.9], [0.5]]), np.ones((3, 1)), np.array([1.5]))
    assert bound.value == pytest.approx(1.15)
    assert bound.plan.tolist() == [DECLINE, 0, 0]


def test_without_budgets_the_plan_is_the_best_deployment_of_each_query() -> None:
    quality = np.array([[0.2, 0.9], [0.8, 0.1]])
    bound = linear_program(quality, np.ones((2, 2)), np.array([INF, INF]))
    assert bound.value == pytest.approx(1.7)
    assert bound.plan.tolist() == [1, 0]


def test_a_budget_of_nothing_declines_every_query() -> None:
    bound = linear_program(np.full((2, 2), 0.5), np.ones((2, 2)), np.zeros(2))
    assert bound.value == pytest.approx(0)
    assert bound.plan.tolist() == [DECLINE, DECLINE]


def test_counted_kinds_have_the_optimum_and_the_prices_of_the_queries_one_by_one() -> None:
    quality, cost = np.array([[0.9, 0.5], [0.4, 0.6]]), np.array([[2.0, 1.0], [1.0, 1.0]])
    budgets, count = np.array([5.0, 6.0]), np.array([4, 7])
    found = solve_linear(quality, cost, budgets, counts=count)
    assert found.value == pytest.approx(float((found.share * quality * count[:, None]).sum()))
    one_by_one = linear_program(np.repeat(quality, count, axis=0), np.repeat(cost, count, axis=0), budgets)
    assert found.value == pytest.approx(one_by_one.value)
    surplus = np.maximum(0, (quality - found.prices * cost).max(axis=1))
    assert found.prices @ budgets + count @ surplus == pytest.approx(found.value)  # strong duality


def test_a_query_goes_only_where_it_is_allowed() -> None:
    quality, cost = np.array([[0.9, 0.2], [0.8, 0.3]]), np.ones((2, 2))
    allowed = np.array([[False, True], [True, True]])
    found = solve_linear(quality, cost, np.array([INF, INF]), allowed=allowed)
    assert found.share.tolist() == [[0, 1], [1, 0]]
    nowhere = solve_linear(quality, cost, np.array([1.0, INF]), allowed=np.zeros((2, 2), dtype=np.bool_))
    assert nowhere.value == 0
    assert not nowhere.share.any()


def test_time_on_slots_is_priced_like_money() -> None:
    # Deployment 0 has 3 s in the first stretch of time and 9 s in the second. Two queries come in each and take 2 s.
    quality, cost = np.array([[0.9], [0.5], [0.8], [0.4]]), np.zeros((4, 1))
    slots = Capacity(0, use=np.full(4, 2.0), group=np.array([0, 0, 1, 1]), limits=np.array([3.0, 9.0]))
    found = solve_linear(quality, cost, np.array([INF]), capacities=[slots])
    assert found.share.ravel().tolist() == pytest.approx([1, 0.5, 1, 1])
    assert found.capacity_prices[0].tolist() == pytest.approx([0.25, 0])  # one more second serves half of the second
    assert found.value == pytest.approx(0.9 + 0.25 + 0.8 + 0.4)


def test_a_budget_that_is_overdrawn_buys_nothing() -> None:
    quality, cost, budgets = np.array([[0.9, 0.1]]), np.ones((1, 2)), np.array([-1.0, 1.0])
    assert linear_program(quality, cost, budgets).plan.tolist() == [1]
    assert solve_binary(quality, cost, budgets, gap=0.0).plan.tolist() == [1]


def test_with_money_for_one_and_a_half_the_binary_program_serves_one() -> None:
    found = binary_program(np.array([[0.5], [0.9]]), np.ones((2, 1)), np.array([1.5]))
    assert found.value == pytest.approx(0.9)
    assert found.plan.tolist() == [DECLINE, 0]


@settings(max_examples=40, derandomize=True)
@given(n=st.integers(1, 6), m=st.integers(1, 3), seed=st.integers(0, 10_000), tightness=st.floats(0, 2))
def test_the_binary_program_meets_every_plan_tried_in_turn(n: int, m: int, seed: int, tightness: float) -> None:
    quality, cost, budgets = uneven_program(n, m, seed, tightness, ties=False)
    best = 0.0
    for plan in product(range(-1, m), repeat=n):
        served = [(j, i) for j, i in enumerate(plan) if i != DECLINE]
        used = np.zeros(m)
        for j, i in served:
            used[i] += cost[j, i]
        if (used <= budgets * (1 + 1e-9)).all():
            best = max(best, sum(quality[j, i] for j, i in served))
    found = binary_program(quality, cost, budgets, gap=0.0)
    assert found.value == pytest.approx(best, abs=1e-6)
    assert found.value <= linear_program(quality, cost, budgets).value + 1e-6


def test_a_binary_program_of_too_many_pairs_says_so() -> None:
    with pytest.raises(
        ValueError, match="the binary program has 200,002 pairs of query and deployment; it takes at most"
    ):
        binary_program(np.ones((100_001, 2)), np.ones((100_001, 2)), np.ones(2))


def test_a_binary_plan_keeps_further_limits() -> None:
    quality, cost = np.array([[0.9, 0.1], [0.8, 0.7], [0.7, 0.2]]), np.ones((3, 2))
    place = Capacity(0, np.ones(3), np.zeros(3, dtype=np.int64), np.array([2.0]))
    free = np.full(2, np.inf)
    assert solve_binary(quality, cost, free, 1e-6).plan.tolist() == [0, 0, 0]
    assert solve_binary(quality, cost, free, 1e-6, capacities=[place]).plan.tolist() == [0, 1, 0]


def test_the_cheapest_plan_above_a_floor_is_the_best_of_all_plans() -> None:
    rng = np.random.default_rng(5)
    for _ in range(20):
        quality: FloatArray = rng.integers(0, 5, (5, 3)).astype(np.float64) / 4
        cost: FloatArray = rng.integers(1, 20, (5, 3)).astype(np.float64) * 1e-4
        plans = np.array(list(product(range(3), repeat=5)))
        mean, spent = quality[np.arange(5), plans].mean(axis=1), cost[np.arange(5), plans].sum(axis=1)
        above = mean >= 0.7 - 1e-9
        plan = cheapest_above(quality, cost, 0.7, gap=0.0)
        assert (plan is None) == (not above.any())
        if plan is not None:
            assert quality[np.arange(5), plan].mean() >= 0.7 - 1e-6
            assert cost[np.arange(5), plan].sum() == pytest.approx(spent[above].min())
