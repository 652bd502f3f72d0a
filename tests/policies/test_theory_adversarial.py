"""Rules held to their theorems: the guarantee where its condition holds, and a failure where it does not."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from policies.budgeted.balance import Balance
from policies.budgeted.batch_program import BatchProgram
from policies.budgeted.knapsack_threshold import KnapsackThreshold
from policies.budgeted.msvv import Msvv
from policies.budgeted.paced_batch import PacedBatch
from policies.budgeted.primal_resolve import PrimalResolve
from policies.estimators.neighbours import ExactNeighbours
from policies.greedy.best_predicted import BestPredicted
from policies.parts.paying import used_share
from scenarios.arrivals import Deterministic
from scenarios.budgets import Each
from scenarios.fleets import OnePerModel
from scenarios.orders import given, shuffled
from scenarios.workloads.hard import adwords_triangular, greedy_half, long_then_short, of_kinds, rising_density
from sim.assignment.program import linear_program
from sim.instance import realise, stream
from sim.interface import Features, History, Policy, State
from sim.scenario import Order, Scenario
from sim.study.oracles import EstimateCache
from sim.workload import Rows, Workload
from sim.world.record.requests import SERVED
from sim.world.services.slots import Instant
from sim.world.world import simulate
from tests.worlds import idle, tiny_query, tiny_setting

TRUTH = ExactNeighbours(k=1)
LIMIT = 1 - 1 / math.e


def ratio(policy: Policy, workload: Workload, budget: float, order: Order = given, seed: int = 0) -> float:
    """What a policy gets of the hindsight optimum, with this budget for each deployment."""
    scenario = Scenario(workload, OnePerModel(Instant()), Each(budget), Deterministic(1.0), order)
    instance = realise(scenario, seed, 0)
    estimates = EstimateCache().get(policy.estimator, instance)
    table = simulate("policy", policy, instance, estimates, stream(seed, 0, "policy"))
    served = np.array(table.fate) == SERVED
    got = instance.quality[instance.rows[served], np.array(table.deployment)[served]].sum()
    return float(got / linear_program(instance.quality, instance.cost, instance.setting.budgets).value)


def state_with(remaining: Sequence[float]) -> State:
    """An idle fleet with this much left."""
    return idle(len(remaining))._replace(remaining=np.array(remaining, dtype=np.float64))


def choices(policy: Policy, queries: Sequence[Sequence[Sequence[float]]], left: Sequence[float]) -> list[int | None]:
    """What a policy decides on queries with these (quality, cost), each with the same budgets left."""
    state = state_with(left)
    return [
        policy.decide(tiny_query(number, quality, cost), state).deployment
        for number, (quality, cost) in enumerate(queries)
    ]


# --- greedy


def test_greedy_has_half_of_its_instance() -> None:
    assert ratio(BestPredicted(TRUTH), greedy_half(50), 50) == pytest.approx(0.5)


def test_a_greedy_that_looks_at_no_budget_has_less_than_half_elsewhere() -> None:
    # The condition of the 1/2 is that a bidder without money is passed over; BestPredicted asks it all the same.
    assert ratio(BestPredicted(TRUTH), adwords_triangular(20, 20), 20) < 0.5


# --- balance and MSVV


def balance_on_the_triangle(n: int) -> float:
    """The share that balance serves when bids are infinitely small: each round is spread over all who still bid.

    After round r everybody who still bids has used 1 / n + 1 / (n - 1) + ... + 1 / (n - r); at 1 all are empty.
    """
    used, served = 0.0, 0.0
    for bidders in range(n, 0, -1):
        served += min(1.0, (1.0 - used) * bidders)
        used = min(1.0, used + 1.0 / bidders)
    return served / n


@pytest.mark.parametrize("policy", [Balance(TRUTH), Msvv(TRUTH)])
@pytest.mark.parametrize("n", [2, 10, 40])
def test_balance_and_msvv_have_what_the_proof_says_on_the_triangle(policy: Policy, n: int) -> None:
    measured = ratio(policy, adwords_triangular(n, 100), 100)
    assert measured == pytest.approx(balance_on_the_triangle(n), abs=1 / 100 + 1e-9)
    assert LIMIT - 1 / 100 <= measured <= LIMIT + 1 / n
    # so with more deployments and smaller bids it comes down to 1 - 1/e


@pytest.mark.parametrize("seed", range(4))
def test_msvv_has_its_share_of_random_bids_in_the_worst_of_their_orders(seed: int) -> None:
    rng = np.random.default_rng(seed)
    bids = rng.random((12, 5)) * (rng.random((12, 5)) < 0.5)
    order = np.argsort(-(bids > 0).sum(axis=1))  # those who can go anywhere come first and take others' room
    workload = of_kinds([f"kind-{k}" for k in range(12)], bids, bids, np.repeat(order, 40))
    largest = bids.max() / 40
    assert ratio(Msvv(TRUTH), workload, 40) >= LIMIT * (1 - largest)


def test_unequal_bids_mislead_balance_but_not_msvv() -> None:
    # A bids 1 on each of 100 queries and can take them all; B bids 0.01. To keep both equally full, B gets 99 in 100.
    bids = np.array([[1.0, 0.01]])
    workload = of_kinds(["all"], bids, bids, np.zeros(100, dtype=np.int64))
    assert ratio(Balance(TRUTH), workload, 100) < 0.05
    assert ratio(Msvv(TRUTH), workload, 100) >= LIMIT


@pytest.mark.parametrize("policy", [Balance(TRUTH), Msvv(TRUTH)])
def test_where_value_is_not_spend_balance_and_msvv_guarantee_nothing(policy: Policy) -> None:
    assert ratio(policy, long_then_short(), 100) == pytest.approx(0.05)  # worth / length


def test_msvv_weighs_a_bid_against_what_is_left_by_hand() -> None:
    policy = Msvv(TRUTH)
    policy.reset(tiny_setting([10, 10], 100), np.random.default_rng(0))
    # psi(0.5) = 1 - e^-0.5 = 0.393 and psi(0) = 0.632: a bid of 1 is worth 0.393 at the first, so 0.7 elsewhere is more
    # (0.442) and 0.6 is less (0.379).
    queries: list[tuple[list[float], list[float]]] = [
        ([1, 0.7], [1, 0.7]),
        ([1, 0.6], [1, 0.6]),
        ([0, 0], [0, 0]),
        ([1, 0], [6, 0]),
    ]
    assert choices(policy, queries, [5, 10]) == [1, 0, None, None]


def test_balance_takes_the_fullest_that_is_of_use_by_hand() -> None:
    policy = Balance(TRUTH)
    policy.reset(tiny_setting([10, 20, math.inf], 100), np.random.default_rng(0))
    # Half used, a quarter used, never used.
    queries: list[tuple[list[float], list[float]]] = [
        ([1, 1, 0], [1, 1, 0]),
        ([1, 0, 0], [1, 0, 0]),
        ([1, 1, 1], [1, 1, 1]),
        ([0, 0, 0], [1, 1, 1]),
    ]
    assert choices(policy, queries, [5, 15, math.inf]) == [1, 0, 2, None]


@pytest.mark.parametrize(
    "policy", [Msvv(TRUTH), Balance(TRUTH), KnapsackThreshold(TRUTH), PrimalResolve(TRUTH, 0.01), PacedBatch(TRUTH)]
)
def test_a_budget_of_nothing_is_never_used(policy: Policy) -> None:
    policy.reset(tiny_setting([0, 10], 100), np.random.default_rng(0))
    queries = [([1.0, 0.5], [1.0, 1.0])] * 50
    assert set(choices(policy, queries, [0, 10])) <= {1, None}


# --- the threshold


LEVELS, BUDGET = 8, 200
BOUND = 1 / (math.log(2 ** (LEVELS - 1)) + 1)


def at_every_stop(policy: Policy) -> list[float]:
    """What a policy has of the optimum after each level."""
    return [ratio(policy, rising_density(LEVELS, BUDGET, stop), BUDGET) for stop in range(1, LEVELS + 1)]


@pytest.mark.parametrize("policy", [KnapsackThreshold(TRUTH, 2.0 ** (1 - LEVELS), 1.0), KnapsackThreshold(TRUTH)])
def test_the_threshold_has_its_share_wherever_the_queries_stop(policy: Policy) -> None:
    shares = at_every_stop(policy)
    assert min(shares) >= BOUND - 1 / BUDGET
    assert min(shares) <= 2 / (LEVELS + 1)  # no rule has more than that at every stop


@pytest.mark.parametrize("policy", [Msvv(TRUTH), BestPredicted(TRUTH)])
def test_who_asks_no_price_has_next_to_nothing_if_the_best_comes_last(policy: Policy) -> None:
    assert at_every_stop(policy)[-1] == pytest.approx(2.0 ** (1 - LEVELS))


def test_a_wrong_upper_end_of_the_densities_breaks_the_threshold() -> None:
    # It believes that nothing above 1/16 will come, and has spent everything when 1/8 does.
    assert at_every_stop(KnapsackThreshold(TRUTH, 2.0 ** (1 - LEVELS), 2.0**-4))[-1] < BOUND / 2


def test_the_threshold_keeps_a_budget_that_pacing_gives_away() -> None:
    assert ratio(KnapsackThreshold(TRUTH), long_then_short(), 100) >= 1 / (math.log(20) + 1)
    assert ratio(KnapsackThreshold(TRUTH), long_then_short(), 100) == pytest.approx(0.71, abs=0.02)


def test_the_threshold_rises_from_l_over_e_to_u_by_hand() -> None:
    policy = KnapsackThreshold(TRUTH, lowest=1.0, highest=math.e)  # Psi(z) = e^(2 z - 1)
    policy.reset(tiny_setting([10, math.inf], 100), np.random.default_rng(0))
    query = [([0.4, 0], [0.4, 0])]  # density 1
    assert choices(policy, query, [5.1, math.inf]) == [0]  # Psi(0.49) = 0.98
    assert choices(policy, query, [4.9, math.inf]) == [None]  # Psi(0.51) = 1.02
    assert choices(policy, [([0.4, 0.1], [0.4, 9.0])], [4.9, math.inf]) == [1]  # no budget, no threshold
    assert choices(policy, [([0.4, 0.3], [0.1, 9.0])], [4.9, math.inf]) == [0]  # of several, the best


def test_the_ends_of_the_densities_are_those_of_estimates_and_not_of_outcomes() -> None:
    # Four equal rows of cost 1 with scores 1, 0, 1, 0: three others have a mean of 1/3 or 2/3, so these are L and U,
    # and Psi(1/2) = (2 e)^(1/2) (1/3) / e = 0.286. Realised densities above 0 are 1, and Psi(1/2) = e^(-1/2) = 0.61.
    scores = np.array([[1.0], [0.0], [1.0], [0.0]])
    history = History(Features(np.ones((4, 2), dtype=np.float32), np.ones(4, dtype=np.int64)), scores, np.ones((4, 1)))
    policy = KnapsackThreshold(ExactNeighbours(k=3))
    policy.reset(replace(tiny_setting([10], 100), history=history), np.random.default_rng(0))
    assert choices(policy, [([0.30], [1.0])], [5.0]) == [0]
    assert choices(policy, [([0.27], [1.0])], [5.0]) == [None]


@pytest.mark.parametrize(
    ("low", "high", "tail", "message"),
    [
        (2.0, 1.0, 0.0, r"lowest is 2\.0 and highest 1\.0; it must be 0 < lowest <= highest < inf"),
        (0.0, 1.0, 0.0, r"lowest is 0\.0 and highest 1\.0; it must be 0 < lowest <= highest < inf"),
        (1.0, None, 0.0, r"lowest is 1\.0 and highest None; give both, or null for both"),
        (None, None, 0.5, r"tail is 0\.5; it must be at least 0 and below 0\.5"),
    ],
)
def test_densities_that_cannot_be_are_refused(low: float, high: float, tail: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        KnapsackThreshold(TRUTH, low, high, tail)


# --- primal re-solve


def random_queries(n: int, seed: int) -> Workload:
    """n different queries for three deployments, each known; a query costs from 0.5 to 1."""
    rng = np.random.default_rng(seed)
    rows = Rows(
        rng.normal(size=(n, 8)).astype(np.float32), np.ones(n, int), rng.random((n, 3)), rng.uniform(0.5, 1, (n, 3))
    )
    return Workload(("a", "b", "c"), rows, rows)


def mean_loss(budget: int) -> float:
    """What primal re-solve misses of the optimum in random order, on average, with 8 queries per query's budget."""
    seeds = range(4)
    ratios = [
        ratio(PrimalResolve(TRUTH, eps=0.01), random_queries(8 * budget, seed), budget, shuffled, seed)
        for seed in seeds
    ]
    return 1 - float(np.mean(ratios))


def test_in_random_order_the_loss_of_primal_re_solve_shrinks_as_one_over_the_root_of_the_budget() -> None:
    losses = {budget: mean_loss(budget) for budget in (8, 32, 128)}
    for budget, loss in losses.items():
        assert loss <= 0.01 + 1.0 / math.sqrt(budget)
    assert losses[128] < losses[32] < losses[8]


def test_in_sorted_order_the_past_misleads_primal_re_solve() -> None:
    rising = rising_density(LEVELS, 100, stop=LEVELS)
    assert ratio(PrimalResolve(TRUTH), rising, 100) < 0.1
    assert ratio(PrimalResolve(TRUTH), rising, 100, shuffled) > 0.8


def test_primal_re_solve_draws_equal_queries_a_share_of_the_places() -> None:
    # Every query is worth 1 and the budget pays for a quarter of them: x = 1/4, drawn anew for each.
    workload = of_kinds(["all"], np.ones((1, 1)), np.ones((1, 1)), np.zeros(400, dtype=np.int64))
    assert ratio(PrimalResolve(TRUTH), workload, 100) > 0.9
    policy = PrimalResolve(TRUTH, eps=0.01)
    policy.reset(tiny_setting([25], 100), np.random.default_rng(0))
    placed = choices(policy, [([1.0], [1.0])] * 100, [25])
    assert placed[0] is None  # watched
    assert placed.count(0) == pytest.approx(25, abs=13)  # three standard deviations of 99 draws at 1/4


def test_with_a_growth_of_1_a_program_with_the_query_in_it_decides_and_else_an_older_price() -> None:
    # Half of four queries can be paid. The first, 0.5, is watched; 0.9 is served. The program of 0.5, 0.9 and 0.6 pays
    # for one and a half of them, so 0.6 gets a half. A price of the first two, 0.5 to 0.9, gives it all or nothing.
    def third(growth: float, seed: int) -> int | None:
        policy = PrimalResolve(TRUTH, eps=0.25, growth=growth)
        policy.reset(tiny_setting([2], 4), np.random.default_rng(seed))
        return choices(policy, [([0.5], [1.0]), ([0.9], [1.0]), ([0.6], [1.0])], [2])[2]

    assert [third(1.0, seed) for seed in range(200)].count(0) == pytest.approx(100, abs=22)  # three standard deviations
    assert len({third(2.0, seed) for seed in range(20)}) == 1


@pytest.mark.parametrize("growth", [0.5, math.inf, math.nan])
def test_a_growth_that_cannot_be_is_refused(growth: float) -> None:
    with pytest.raises(ValueError, match=rf"growth is {growth}; it must be at least 1 and finite"):
        PrimalResolve(TRUTH, growth=growth)


@pytest.mark.parametrize("eps", [0.0, 1.0])
def test_a_share_to_watch_that_cannot_be_is_refused(eps: float) -> None:
    with pytest.raises(ValueError, match=rf"eps is {eps}; it must be above 0 and below 1"):
        PrimalResolve(TRUTH, eps=eps)


# --- the paced batch


def batches(policy: Policy, n: int, left: Sequence[float], quality: float = 1.0) -> list[int | None]:
    """What a policy decides on a batch of n equal queries of cost 1 for one deployment."""
    queries = [tiny_query(number, [quality], [1.0]) for number in range(n)]
    return [decision.deployment for decision in policy.decide_batch(queries, state_with(left))]


def test_a_batch_gets_its_share_of_what_is_left_and_leaves_the_rest_to_later_ones() -> None:
    policy = PacedBatch(TRUTH, size=4)
    policy.reset(tiny_setting([6], 12), np.random.default_rng(0))
    assert batches(policy, 4, [6]).count(0) == 2  # 6 x 4 / 12
    assert batches(policy, 4, [6]).count(0) == 3  # nothing was spent after all: 6 x 4 / 8
    assert batches(policy, 4, [2.5]).count(0) == 2  # the last batch gets all


@pytest.mark.parametrize(("confidence", "expected"), [(0.0, [1, 0]), (1.0, [0, 1])])
def test_a_lower_bound_of_quality_gives_the_scarce_place_to_whom_it_helps_for_sure(
    confidence: float, expected: list[int]
) -> None:
    # Of two queries one can go to the first deployment. By the means the second query gains more there (0.6 - 0.25
    # against 0.9 - 0.6). One standard error less, of four answers, makes that 0.355 - 0.034 against 0.75 - 0.355.
    policy = PacedBatch(TRUTH, size=2, confidence=confidence, neighbours=4)
    policy.reset(tiny_setting([1, 9], 2), np.random.default_rng(0))
    queries = [tiny_query(0, [0.9, 0.6], [1, 1]), tiny_query(1, [0.6, 0.25], [1, 1])]
    assert [decision.deployment for decision in policy.decide_batch(queries, state_with([1, 9]))] == expected


@pytest.mark.parametrize("seed", range(2))
def test_in_random_order_pacing_beats_spending_all_on_the_first_batches(seed: int) -> None:
    workload = random_queries(240, seed)
    batch_by_batch = ratio(BatchProgram(TRUTH, size=40, gap=0.01), workload, 30, shuffled, seed)
    paced = ratio(PacedBatch(TRUTH, size=40), workload, 30, shuffled, seed)
    assert paced > 0.9
    assert paced > batch_by_batch + 0.05


def test_pacing_gives_long_queries_their_share_of_the_queries_and_not_of_the_worth() -> None:
    long_first = long_then_short()
    assert ratio(PacedBatch(TRUTH, size=50), long_first, 100) < 0.5
    assert ratio(PacedBatch(TRUTH, size=50), long_first, 100, shuffled) > 0.9


@pytest.mark.parametrize(
    ("confidence", "neighbours", "message"),
    [
        (-1.0, 5, r"confidence is -1\.0; it must be at least 0 and finite"),
        (math.nan, 5, r"confidence is nan; it must be at least 0 and finite"),
        (1.0, 0, r"neighbours is 0; an estimate is the mean of at least 1"),
    ],
)
def test_a_confidence_that_cannot_be_is_refused(confidence: float, neighbours: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PacedBatch(TRUTH, confidence=confidence, neighbours=neighbours)


def test_a_top_up_far_beyond_a_tiny_budget_leaves_all_of_it_unspent() -> None:
    state = idle(3)._replace(remaining=np.array([10.0, -10.0, np.inf]))
    assert used_share(np.array([5e-324, 5e-324, np.inf]), state).tolist() == [0.0, 1.0, 0.0]
