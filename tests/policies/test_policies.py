"""Rules and hindsight plans, called as the world calls them: on estimates that a reader can check by hand."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from policies.balancing.uniform_random import UniformRandom
from policies.budgeted.batch_program import BatchProgram
from policies.budgeted.largest_remaining import LargestRemaining
from policies.budgeted.port import Port
from policies.budgeted.sampled_dual import SampledDual
from policies.estimators.neighbours import ExactNeighbours
from policies.greedy.best_predicted import BestPredicted
from policies.greedy.quality_threshold import QualityThreshold
from policies.parts.exploration import Exploration
from sim.assignment.program import DECLINE
from sim.interface import FloatArray, Gate, Policy, Query
from sim.study.replay import Replay, planned
from tests.worlds import best_by_trying_all, idle, random_program, tiny_query, tiny_setting

ESTIMATOR = ExactNeighbours()  # what the rules below decide on is given, so any estimator will do
INF = math.inf


def begin(policy: Policy, budgets: Sequence[float], horizon: int = 100, seed: int = 0) -> None:
    """Reset the policy for deployments with these budgets."""
    policy.reset(tiny_setting(budgets, horizon), np.random.default_rng(seed))


def choose(policy: Policy, query: Query) -> int | None:
    """The deployment that the policy chooses for the query, in an idle fleet."""
    return policy.decide(query, idle(len(query.quality_hat))).deployment


# --- rules without prices


def test_uniform_random_uses_every_deployment_and_follows_its_stream() -> None:
    def choices(seed: int) -> list[int | None]:
        policy = UniformRandom()
        begin(policy, [INF] * 3, horizon=3000, seed=seed)
        return [choose(policy, tiny_query(number, [0, 0, 0], [1, 1, 1])) for number in range(3000)]

    # 1000 each, with a standard deviation of sqrt(3000 * 1/3 * 2/3) = 26.
    counts = [choices(0).count(k) for k in range(3)]
    assert counts == pytest.approx([1000] * 3, abs=104)
    assert choices(0) == choices(0)
    assert choices(0) != choices(1)


@pytest.mark.parametrize(
    ("quality_hat", "expected"),
    [([0.2, 0.9, 0.5], 1), ([0.2, 0.9, 0.9], 1), ([0.0, 0.0, 0.0], 0), ([0.5, 0.2, 0.5], 0)],
)
def test_best_predicted_takes_the_best_and_the_first_of_equals(quality_hat: list[float], expected: int) -> None:
    policy = BestPredicted(ESTIMATOR)
    begin(policy, [0, 0, 0])
    assert choose(policy, tiny_query(0, quality_hat, [9, 99, 999])) == expected


def test_largest_remaining_keeps_a_ledger_of_its_own_estimates() -> None:
    policy = LargestRemaining(ESTIMATOR)
    begin(policy, [5, 6])
    # Left before each decision: (5, 6), (5, 3), (1, 3), (1, 0), (0, 0): a tie, to the first.
    costs = [[4, 3], [4, 3], [4, 3], [1, 3], [1, 1]]
    choices = [choose(policy, tiny_query(number, [0.5, 0.5], cost)) for number, cost in enumerate(costs)]
    assert choices == [1, 0, 1, 0, 0]


def test_largest_remaining_begins_every_run_with_the_whole_budgets() -> None:
    policy = LargestRemaining(ESTIMATOR)
    for _ in range(2):
        begin(policy, [5, 6])
        assert [choose(policy, tiny_query(number, [0, 0], [3, 3])) for number in range(2)] == [1, 0]


@pytest.mark.parametrize(
    ("quality_hat", "cost_hat", "expected"),
    [
        ([0.9, 0.6, 0.4], [3, 2, 1], 1),  # the cheapest of the two that reach 0.5
        ([0.9, 0.5, 0.4], [3, 2, 1], 1),  # 0.5 reaches it
        ([0.9, 0.6, 0.7], [2, 2, 2], 0),  # the first of equal costs
        ([0.1, 0.4, 0.3], [1, 9, 1], 1),  # none reaches it: the best
        ([0.4, 0.1, 0.4], [9, 1, 1], 0),  # none reaches it: the first of the best
    ],
)
def test_quality_threshold_takes_the_cheapest_that_is_good_enough(
    quality_hat: list[float], cost_hat: list[float], expected: int
) -> None:
    policy = QualityThreshold(ESTIMATOR, threshold=0.5)
    begin(policy, [INF] * 3)
    assert choose(policy, tiny_query(0, quality_hat, cost_hat)) == expected


@pytest.mark.parametrize("threshold", [-0.1, 1.1, math.nan])
def test_a_threshold_outside_the_range_of_scores_is_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match=rf"threshold is {threshold}; it must be from 0 to 1"):
        QualityThreshold(ESTIMATOR, threshold)


# --- the batch program


def decide_batch(policy: Policy, quality: FloatArray, cost: FloatArray) -> list[int | None]:
    """What the policy decides on a batch with these estimates."""
    pairs = zip(quality.tolist(), cost.tolist(), strict=True)
    queries = [tiny_query(number, *estimates) for number, estimates in enumerate(pairs)]
    return [decision.deployment for decision in policy.decide_batch(queries, idle(quality.shape[1]))]


def gained(quality: FloatArray, choices: Sequence[int | None]) -> float:
    """The quality of an assignment."""
    return sum(float(quality[row, k]) for row, k in enumerate(choices) if k is not None)


def spent(cost: FloatArray, choices: Sequence[int | None]) -> FloatArray:
    """The cost of an assignment by deployment."""
    total = np.zeros(cost.shape[1])
    for row, k in enumerate(choices):
        if k is not None:
            total[k] += cost[row, k]
    return total


@pytest.mark.parametrize("seed", range(6))
def test_a_batch_is_assigned_as_well_as_the_best_of_all_assignments(seed: int) -> None:
    quality, cost, budgets = random_program(seed)
    policy = BatchProgram(ESTIMATOR, size=8, gap=0)
    begin(policy, budgets.tolist())
    choices = decide_batch(policy, quality, cost)
    assert gained(quality, choices) == pytest.approx(best_by_trying_all(quality, cost, budgets))
    assert (spent(cost, choices) <= budgets).all()


def test_a_batch_leaves_its_costs_in_the_ledger_for_the_next_one() -> None:
    policy = BatchProgram(ESTIMATOR, size=2)
    begin(policy, [3, 1])
    # The first batch spends 2 of 3 and 1 of 1; the second can place one query on deployment 0, the better one.
    first = decide_batch(policy, np.array([[0.9, 0.1], [0.1, 0.9]]), np.array([[2, 1], [2, 1]]))
    second = decide_batch(policy, np.array([[0.2, 0.9], [0.3, 0.9]]), np.array([[1, 1], [1, 1]]))
    third = decide_batch(policy, np.array([[0.9, 0.9]]), np.array([[1, 1]]))
    assert (first, second, third) == ([0, 1], [None, 0], [None])
    begin(policy, [3, 1])
    assert decide_batch(policy, np.array([[0.9, 0.9]]), np.array([[1, 1]])) != [None]


def test_a_batch_without_budgets_gives_every_query_its_best_deployment() -> None:
    policy = BatchProgram(ESTIMATOR, size=3)
    begin(policy, [INF, INF])
    quality = np.array([[0.2, 0.9], [0.8, 0.1], [0.3, 0.4]])
    assert decide_batch(policy, quality, np.full((3, 2), 5.0)) == [1, 0, 1]


def test_a_single_query_is_a_batch_of_one() -> None:
    policy = BatchProgram(ESTIMATOR)
    begin(policy, [1, 5])
    assert choose(policy, tiny_query(0, [0.9, 0.4], [2, 2])) == 1  # the better one is out of reach


def test_a_batch_stays_within_its_budgets_when_queries_cost_a_millionth_of_a_dollar() -> None:
    policy = BatchProgram(ESTIMATOR, size=3)
    begin(policy, [2.5e-6])  # room for two and a half of three queries
    assert decide_batch(policy, np.array([[0.9], [0.8], [0.7]]), np.full((3, 1), 1e-6)) == [0, 0, None]


def test_the_batch_program_asks_the_world_for_batches() -> None:
    assert BatchProgram(ESTIMATOR).gate == Gate(256, INF)
    assert BatchProgram(ESTIMATOR, size=8, window_s=0.5).gate == Gate(8, 0.5)


@pytest.mark.parametrize(
    ("size", "window_s", "gap", "message"),
    [
        (0, 1.0, 0.0, "size is 0; a batch needs at least 1 query"),
        (1, 0.0, 0.0, r"window_s is 0\.0; it must be positive"),
        (1, math.nan, 0.0, "window_s is nan"),
        (1, 1.0, 1.0, r"gap is 1\.0; it must be at least 0 and below 1"),
    ],
)
def test_batch_parameters_that_cannot_be_are_refused(size: int, window_s: float, gap: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BatchProgram(ESTIMATOR, size, window_s, gap)


# --- exploration, which Port and SampledDual share


@pytest.mark.parametrize(("eps", "horizon", "expected"), [(0.025, 10_000, 250), (0.5, 5, 3), (0.001, 10, 1)])
def test_exploration_takes_the_ceiling_of_eps_times_horizon(eps: float, horizon: int, expected: int) -> None:
    exploration = Exploration(tiny_setting([1, 1], horizon), eps, np.random.default_rng(0))
    assert sum(exploration.covers(tiny_query(number, [0, 0], [1, 1])) for number in range(horizon)) == expected


@pytest.mark.parametrize("kind", [Port, SampledDual])
def test_exploring_queries_go_uniformly_to_skip_or_a_deployment(kind: type[Port] | type[SampledDual]) -> None:
    policy = kind(ESTIMATOR, eps=0.9)
    begin(policy, [INF, INF], horizon=1000)
    # Deployment 1 is worthless, so that only exploration can choose it.
    choices = [choose(policy, tiny_query(number, [0.9, 0.0], [1, 1])) for number in range(1000)]
    # 300 each, with a standard deviation of sqrt(900 * 1/3 * 2/3) = 14.
    counts = [choices[:900].count(option) for option in (None, 0, 1)]
    assert counts == pytest.approx([300] * 3, abs=57)
    assert choices[900:] == [0] * 100


@pytest.mark.parametrize("kind", [Port, SampledDual])
def test_where_exploring_queries_go_depends_on_the_stream_alone(kind: type[Port] | type[SampledDual]) -> None:
    def choices(seed: int, quality: float) -> list[int | None]:
        policy = kind(ESTIMATOR, eps=0.5)
        begin(policy, [1, 1], horizon=80, seed=seed)
        return [choose(policy, tiny_query(number, [quality, 0.5], [1, 1])) for number in range(40)]

    assert choices(seed=1, quality=0.1) == choices(seed=1, quality=0.9)
    assert choices(seed=1, quality=0.1) != choices(seed=2, quality=0.1)


@pytest.mark.parametrize("kind", [Port, SampledDual])
@pytest.mark.parametrize("eps", [0.0, 1.0, -0.1, math.nan])
def test_an_eps_outside_0_and_1_is_refused(kind: type[Port] | type[SampledDual], eps: float) -> None:
    with pytest.raises(ValueError, match=rf"eps is {eps}; it must be above 0 and below 1"):
        kind(ESTIMATOR, eps=eps)


# --- PORT


def explored(policy: Policy, budgets: Sequence[float], quality: FloatArray, cost: FloatArray) -> int:
    """Begin a run in which these estimates are half of the horizon; return the number of the next query.

    The policy must explore on half of its queries.
    """
    begin(policy, budgets, horizon=2 * len(quality))
    for number, (quality_hat, cost_hat) in enumerate(zip(quality.tolist(), cost.tolist(), strict=True)):
        choose(policy, tiny_query(number, quality_hat, cost_hat))
    return len(quality)


# F(price) = 0.5 budget price_0 + sum_j max(1 - price_0, -price_1) over two queries has the slope 0.5 budget - 2 in
# price_0. Then a query of quality q and cost 1 on deployment 0 is worth q - price_0, and one of 0 and 0 is worth 0.


@pytest.mark.parametrize("budget", [0, 3])
def test_ports_price_rises_to_the_box_when_its_share_of_the_budget_is_short(budget: float) -> None:
    policy = Port(ESTIMATOR, alpha=1.0, eps=0.5)
    following = explored(policy, [budget, 0], np.array([[1, 0], [1, 0]]), np.array([[1, 1], [1, 1]]))
    assert choose(policy, tiny_query(following, [1.001, 0], [1, 0])) == 0
    assert choose(policy, tiny_query(following, [0.999, 0], [1, 0])) == 1


@pytest.mark.parametrize("budget", [5, 100])
def test_ports_price_falls_to_0_when_its_share_of_the_budget_is_ample(budget: float) -> None:
    policy = Port(ESTIMATOR, alpha=1.0, eps=0.5)
    following = explored(policy, [budget, 0], np.array([[1, 0], [1, 0]]), np.array([[1, 1], [1, 1]]))
    assert choose(policy, tiny_query(following, [0.001, 0], [1, 0])) == 0


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("alpha", [1e-4, 1.0])
def test_ports_prices_stay_in_the_box(seed: int, alpha: float) -> None:
    quality, cost, budgets = random_program(seed, n=20)
    policy = Port(ESTIMATOR, alpha=alpha, eps=0.5)
    following = explored(policy, budgets.tolist(), quality, cost)
    for k in range(3):
        alone = np.eye(3)[k]
        other = (k + 1) % 3
        # k is worth 1.001 - price_k and the others 0, so k wins unless its price exceeds 1.001.
        assert choose(policy, tiny_query(following, (1.001 / alpha * alone).tolist(), alone.tolist())) == k
        # k is worth -price_k and another one 0.001, so k loses unless its price is below -0.001.
        free = np.zeros(3)
        free[other] = 0.001 / alpha
        assert choose(policy, tiny_query(following, free.tolist(), alone.tolist())) == other


def test_port_ignores_a_budget_without_limit_when_it_sets_prices() -> None:
    policy = Port(ESTIMATOR, alpha=1.0, eps=0.5)
    following = explored(policy, [0, INF], np.array([[1, 0.5]] * 4), np.array([[1.0, 1.0]] * 4))
    # Price 0 for deployment 1: however dear, it beats what is worth nothing on deployment 0.
    assert choose(policy, tiny_query(following, [0, 0.001], [0, 1e6])) == 1


def test_port_never_skips_after_exploration() -> None:
    policy = Port(ESTIMATOR, alpha=1.0, eps=0.5)
    following = explored(policy, [0, 0], np.array([[1, 0], [1, 0]]), np.array([[1, 1], [1, 1]]))
    worthless = [choose(policy, tiny_query(following + n, [0, 0], [1e3, 1e3 + n])) for n in range(20)]
    assert None not in worthless


def test_port_gives_a_tie_to_the_first() -> None:
    policy = Port(ESTIMATOR, alpha=1.0, eps=0.5)
    following = explored(policy, [INF, INF], np.array([[1.0, 0.0]]), np.array([[1.0, 1.0]]))
    assert choose(policy, tiny_query(following, [0.5, 0.5], [1, 2])) == 0


@pytest.mark.parametrize("alpha", [0.0, -1.0, math.inf, math.nan])
def test_an_alpha_that_is_not_positive_and_finite_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match=f"alpha is {alpha}; it must be positive and finite"):
        Port(ESTIMATOR, alpha=alpha)


# --- the sampled dual


def test_sampled_dual_declines_what_is_not_worth_its_price() -> None:
    policy = SampledDual(ESTIMATOR, eps=0.5)
    # Half of the budget is for the sample: 1.5, so the price is 0.5, as above.
    following = explored(policy, [3], np.array([[0.9], [0.5]]), np.ones((2, 1)))
    assert choose(policy, tiny_query(following, [0.51], [1])) == 0
    assert choose(policy, tiny_query(following, [0.49], [1])) is None
    assert choose(policy, tiny_query(following, [0.49], [0.9])) == 0


def test_sampled_dual_declines_a_surplus_of_exactly_0() -> None:
    policy = SampledDual(ESTIMATOR, eps=0.5)
    following = explored(policy, [INF, INF], np.array([[0.5, 0.5]]), np.ones((1, 2)))
    assert choose(policy, tiny_query(following, [0, 0], [1, 1])) is None


def test_sampled_dual_names_fallbacks_that_are_worth_their_price_best_first() -> None:
    def decide(fallback: bool, quality_hat: list[float]) -> tuple[int | None, list[int]]:
        policy = SampledDual(ESTIMATOR, eps=0.5, fallback=fallback)
        following = explored(policy, [INF] * 4, np.full((1, 4), 0.5), np.ones((1, 4)))  # prices 0: surplus is quality
        decision = policy.decide(tiny_query(following, quality_hat, [1, 1, 1, 1]), idle(4))
        return decision.deployment, list(decision.fallbacks)

    assert decide(True, [0.2, 0.9, 0.0, 0.5]) == (1, [3, 0])
    assert decide(True, [0.5, 0.9, 0.9, 0.5]) == (1, [2, 0, 3])  # equals in the fleet's order
    assert decide(True, [0.0, 0.1, 0.0, 0.0]) == (1, [])
    assert decide(True, [0.0, 0.0, 0.0, 0.0]) == (None, [])
    assert decide(False, [0.2, 0.9, 0.0, 0.5]) == (1, [])


def test_fallbacks_are_ranked_by_surplus_and_not_by_quality() -> None:
    policy = SampledDual(ESTIMATOR, eps=0.5, fallback=True)
    # Only deployment 0 is limited and only it is good: its price is 0.5, as above; the others' is 0.
    quality = np.array([[0.9, 0, 0], [0.5, 0, 0]])
    following = explored(policy, [3, INF, INF], quality, np.ones((2, 3)))
    decision = policy.decide(tiny_query(following, [0.8, 0.2, 0.6], [1, 1, 1]), idle(3))
    assert (decision.deployment, list(decision.fallbacks)) == (2, [0, 1])  # surplus 0.6, 0.3 and 0.2


# --- hindsight


def test_a_plan_is_replayed_query_by_query() -> None:
    policy = Replay(planned(np.array([2, DECLINE, 0])))
    begin(policy, [0, 0, 0])
    assert [choose(policy, tiny_query(number, [1, 1, 1], [1, 1, 1])) for number in range(3)] == [2, None, 0]
    assert choose(policy, tiny_query(0, [0, 0, 0], [9, 9, 9])) == 2  # whatever the estimates
