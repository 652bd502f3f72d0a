"""Prices with theorems: each rule by hand, where its theorem holds, and where its condition fails.

Estimates are the truth here unless a test says otherwise, and service is instant, so that what is lost is the rule's.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from policies.budgeted.dual_subgradient import DualSubgradient
from policies.budgeted.dynamic_price import DynamicPrice
from policies.budgeted.mirror_descent import Entropic, Euclidean, MirrorDescent
from policies.budgeted.one_time_price import OneTimePrice
from policies.estimators.neighbours import ExactNeighbours
from policies.parts.exploration import Exploration
from scenarios.budgets import Amounts
from scenarios.orders import given, shuffled
from sim.assignment.certified import certified
from sim.instance import realise, stream
from sim.interface import Estimates, Feedback, FloatArray, Policy
from sim.scenario import Order
from sim.study.metrics import totals
from sim.world.record import frame
from sim.world.world import simulate
from tests.worlds import idle, tiny_query, tiny_rows, tiny_scenario, tiny_setting, tiny_workload

ESTIMATOR = ExactNeighbours()  # estimates are given, so any estimator will do
INF = math.inf

Learning = type[OneTimePrice] | type[DynamicPrice]
Moving = type[DualSubgradient] | type[Euclidean] | type[Entropic]
LEARNING: list[Learning] = [OneTimePrice, DynamicPrice]
MOVING: list[Moving] = [DualSubgradient, Euclidean, Entropic]
ALL: list[Learning | Moving] = [*LEARNING, *MOVING]


def begin(policy: Policy, budgets: Sequence[float], horizon: int, seed: int = 0) -> None:
    """Reset the policy; the history costs nothing, so that a cost of 1 is 1 unit."""
    policy.reset(tiny_setting(budgets, horizon), np.random.default_rng(seed))


def choose(
    policy: Policy, number: int, quality: Sequence[float], cost: Sequence[float], remaining: Sequence[float] = ()
) -> int | None:
    """The deployment chosen for a query, in an idle fleet with this much of its budgets left, or all of it."""
    state = idle(len(quality))
    state = state._replace(remaining=np.array(remaining, float)) if remaining else state
    return policy.decide(tiny_query(number, quality, cost), state).deployment


def choices(policy: Policy, qualities: Sequence[float], first: int = 0) -> list[int | None]:
    """What becomes of queries of these qualities that cost 1 on the only deployment."""
    return [choose(policy, first + number, [quality], [1]) for number, quality in enumerate(qualities)]


def price_is(after: Callable[[], Policy], expected: float, number: int) -> bool:
    """Whether a query of cost 1 is taken just above the expected price and declined at just below it."""
    above, below = expected * (1 + 1e-6), expected * (1 - 1e-6)
    return choices(after(), [above], number) == [0] and choices(after(), [below], number) == [None]


# --- by hand


def test_one_time_prices_by_hand() -> None:
    # 2 of 10 queries are the sample, and (1 - 0.2) x 0.2 x 9.375 = 1.5 is its budget: half of the lesser one fits.
    def learned() -> Policy:
        policy = OneTimePrice(ESTIMATOR, eps=0.2)
        begin(policy, [9.375], horizon=10)
        assert choices(policy, [0.9, 0.5]) == [None, None]
        return policy

    assert price_is(learned, 0.5, number=2)
    assert price_is(learned, 0.5, number=9)  # once and for all
    assert choose(learned(), 2, [0.49], [0.9]) == 0  # 0.49 - 0.9 x 0.5 > 0


def test_dynamic_prices_by_hand() -> None:
    def after(qualities: Sequence[float]) -> Policy:
        policy = DynamicPrice(ESTIMATOR, eps=0.25)
        begin(policy, [4], horizon=8)
        assert choices(policy, qualities) == [None] * len(qualities)
        return policy

    # l = 2: h = 0.25 sqrt(8 / 2) = 0.5, so (1 - 0.5) x 2/8 x 4 = 0.5 of the best fits.
    assert price_is(lambda: after([0.9, 0.5]), 0.9, number=2)
    assert price_is(lambda: after([0.9, 0.5, 0.8]), 0.9, number=3)
    # l = 4: h = 0.25 sqrt(8 / 4) = 0.354, so 0.646 x 4/8 x 4 = 1.29 fit, the last of them the second best.
    assert price_is(lambda: after([0.9, 0.5, 0.8, 0.7]), 0.8, number=4)
    # l = 8 is the end: nothing is learned there, and the price stays.
    assert price_is(lambda: after([0.9, 0.5, 0.8, 0.7, 0.1, 0.1, 0.1]), 0.8, number=7)


@pytest.mark.parametrize("kind", [DualSubgradient, Euclidean])
def test_subgradient_prices_by_hand(kind: Moving) -> None:
    def after(qualities: Sequence[float]) -> Policy:
        policy = kind(ESTIMATOR)
        begin(policy, [2], horizon=4)  # 1 / sqrt(4) = 0.5 a step, and 2 / 4 = 0.5 a query
        choices(policy, qualities)
        return policy

    assert choices(after([]), [0.01]) == [0]  # the first price is 0
    assert price_is(lambda: after([0.6]), 0.5 * (1 - 0.5), number=1)
    assert price_is(lambda: after([0.6, 0.9]), 0.25 + 0.25, number=2)
    assert price_is(lambda: after([0.6, 0.9, 0.1]), 0.5 - 0.25, number=3)  # nobody bought: the share is given back
    assert choices(after([0.6, 0.1, 0.0]), [0.01], first=3) == [0]  # 0.25 - 0.25 - 0.25 is projected to 0


def test_entropic_prices_by_hand() -> None:
    def after(qualities: Sequence[float]) -> Policy:
        policy = Entropic(ESTIMATOR, step=1.0, start=0.1)
        begin(policy, [2], horizon=4)  # a step of 0.5; a cost of 1 is two shares of 0.5
        choices(policy, qualities)
        return policy

    assert price_is(lambda: after([]), 0.1, number=0)
    assert price_is(lambda: after([0.6]), 0.1 * math.exp(0.5 * (2 - 1)), number=1)
    assert price_is(lambda: after([0.6, 0.9]), 0.1 * math.exp(1.0), number=2)
    assert price_is(lambda: after([0.6, 0.0]), 0.1, number=2)


@pytest.mark.parametrize(
    ("kind", "expected"), [(Euclidean, 0.5 * (3 - 0.5)), (Entropic, 0.1 * math.exp(0.5 * (3 / 0.5 - 1)))]
)
def test_mirror_descent_charges_what_a_query_really_cost(kind: type[MirrorDescent], expected: float) -> None:
    def settled() -> Policy:
        policy = kind(ESTIMATOR)  # type: ignore[call-arg]
        begin(policy, [2], horizon=4)
        query = tiny_query(0, [0.6], [1])
        assert policy.decide(query, idle(1)).deployment == 0
        policy.learn(Feedback(query, 0, quality=0.6, cost=3.0, latency_s=0.0))
        return policy

    assert price_is(settled, expected, number=1)


def test_a_late_settlement_corrects_the_price_by_the_difference() -> None:
    def settled_late() -> Policy:
        policy = Euclidean(ESTIMATOR)
        begin(policy, [2], horizon=4)
        first = tiny_query(0, [0.6], [1])
        policy.decide(first, idle(1))
        assert choices(policy, [0.9], first=1) == [0]  # at 0.25, as the estimate has it
        policy.learn(Feedback(first, 0, quality=0.6, cost=1.2, latency_s=9.0))
        return policy

    assert price_is(settled_late, 0.25 + 0.5 * (1 - 0.5) + 0.5 * (1.2 - 1), number=2)


def test_the_price_of_one_deployment_leaves_the_others_alone() -> None:
    policy = DualSubgradient(ESTIMATOR)
    begin(policy, [2, 2], horizon=4)
    assert choose(policy, 0, [0.6, 0.5], [1, 1]) == 0  # now 0.25 and 0
    assert choose(policy, 1, [0.6, 0.4], [1, 1]) == 1  # 0.35 against 0.4


# --- what all of them do with budgets


@pytest.mark.parametrize("kind", MOVING)
def test_a_deployment_without_a_budget_has_price_0(kind: Moving) -> None:
    policy = kind(ESTIMATOR)
    begin(policy, [INF], horizon=100)
    assert choices(policy, [1e-9] * 100) == [0] * 100


@pytest.mark.parametrize("kind", LEARNING)
def test_a_deployment_without_a_budget_has_price_0_once_learned(kind: Learning) -> None:
    policy = kind(ESTIMATOR, eps=0.1)
    begin(policy, [INF], horizon=100)
    assert choices(policy, [0.5] * 10 + [0.001] * 90) == [None] * 10 + [0] * 90


@pytest.mark.parametrize("kind", ALL)
def test_a_budget_of_0_is_never_used_and_costs_the_other_little(kind: Learning | Moving) -> None:
    policy = kind(ESTIMATOR)
    begin(policy, [0, INF], horizon=400)
    rng = np.random.default_rng(0)
    chosen = [
        choose(policy, number, [rng.uniform(0.5, 1), rng.uniform(0.1, 0.5)], [1, 1], remaining=[0, INF])
        for number in range(400)
    ]
    assert 0 not in chosen
    assert chosen.count(1) >= 0.8 * 400  # all but those that are given up to learn that deployment 0 is out of reach


@pytest.mark.parametrize("kind", ALL)
def test_a_choice_that_does_not_fit_what_remains_is_declined(kind: Learning | Moving) -> None:
    def last(remaining: float) -> int | None:
        policy = kind(ESTIMATOR)
        begin(policy, [100], horizon=40)
        choices(policy, [0.9])
        return choose(policy, 1, [0.9], [1], remaining=[remaining])

    assert last(1.0) == 0
    assert last(0.999) is None


@pytest.mark.parametrize("kind", ALL)
def test_a_run_of_one_query_is_a_run(kind: Learning | Moving) -> None:
    policy = kind(ESTIMATOR)
    begin(policy, [1], horizon=1)
    assert choices(policy, [0.9]) == [None if kind in LEARNING else 0]


@pytest.mark.parametrize("kind", ALL)
def test_the_unit_of_money_does_not_matter(kind: Learning | Moving) -> None:
    quality, cost = drawn(400, n_deployments=2)
    qualities = [gained(kind(ESTIMATOR), quality, cost * unit, [80 * unit] * 2) for unit in (1.0, 1e-5)]
    assert qualities[0] == pytest.approx(qualities[1], rel=0.02)  # HiGHS may choose another vertex


def test_one_time_learning_can_explore_as_port_does() -> None:
    policy = OneTimePrice(ESTIMATOR, eps=0.5, explore="random")
    begin(policy, [INF, INF], horizon=40, seed=3)
    chosen = [choose(policy, number, [0.9, 0.0], [1, 1]) for number in range(40)]
    port = Exploration(tiny_setting([INF, INF], 40), 0.5, np.random.default_rng(3))
    assert chosen[:20] == [port.send(tiny_query(number, [0, 0], [1, 1])).deployment for number in range(20)]
    assert set(chosen[:20]) == {None, 0, 1}
    assert chosen[20:] == [0] * 20


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: OneTimePrice(ESTIMATOR, eps=0.0), r"eps is 0\.0; it must be above 0 and below 1"),
        (lambda: OneTimePrice(ESTIMATOR, explore="ask"), "explore is 'ask'; it must be one of decline, random"),
        (lambda: DynamicPrice(ESTIMATOR, eps=1.0), r"eps is 1\.0; it must be above 0 and below 1"),
        (lambda: DualSubgradient(ESTIMATOR, step=0.0), r"step is 0\.0; it must be positive and finite"),
        (lambda: Euclidean(ESTIMATOR, step=math.nan), "step is nan; it must be positive and finite"),
        (lambda: Entropic(ESTIMATOR, step=INF), "step is inf; it must be positive and finite"),
        (lambda: Entropic(ESTIMATOR, start=0.0), r"start is 0\.0; it must be from 1e-06 to 1e\+06"),
    ],
)
def test_parameters_that_cannot_be_are_refused(build: Callable[[], Policy], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()


# --- where the theorems hold


def drawn(n: int, n_deployments: int = 1, seed: int = 1) -> tuple[FloatArray, FloatArray]:
    """Independent qualities from 0 to 1 and costs from 0.5 to 1, each (n, n_deployments)."""
    rng = np.random.default_rng(seed)
    return rng.random((n, n_deployments)), rng.uniform(0.5, 1, (n, n_deployments))


def gained(
    policy: Policy,
    quality: FloatArray,
    cost: FloatArray,
    budgets: Sequence[float],
    order: Order = shuffled,
    cost_hat_factor: float = 1.0,
) -> float:
    """The quality of a run on queries with these outcomes, all of them estimated rightly but for a factor in costs."""
    scenario = tiny_scenario(tiny_workload(tiny_rows(quality, cost)))
    instance = realise(replace(scenario, budget=Amounts(budgets), order=order), seed=0, replication=0)
    estimates = Estimates(quality, cost * cost_hat_factor)
    table = simulate("rule", policy, instance, estimates, stream(0, 0, "policy"))
    return totals(frame(table, instance))["quality"]


def optimum(quality: FloatArray, cost: FloatArray, budgets: Sequence[float]) -> float:
    """An upper bound on the quality of any policy."""
    return certified(quality, cost, np.array(budgets, dtype=np.float64)).upper


# The value of a budget is concave in its amount: a rule that spends a share of it well has that share of the optimum.


def test_one_time_learning_has_its_ratio_where_its_condition_holds() -> None:
    n, eps = 60_000, 0.15
    budget = 6 * math.log(n / eps) / eps**3  # no query costs more than 1
    quality, cost = drawn(n)
    assert budget < 0.6 * cost.sum()  # it binds
    ratio = gained(OneTimePrice(ESTIMATOR, eps), quality, cost, [budget]) / optimum(quality, cost, [budget])
    assert ratio >= 1 - 6 * eps
    assert ratio >= (1 - eps) * (1 - eps)  # the share of its queries times the share of the budget it pays them from


@pytest.mark.slow  # make proof runs it
def test_dynamic_learning_has_its_ratio_where_its_condition_holds() -> None:
    n, eps = 20_000, 0.1
    budget = 10 * math.log(n / eps) / eps**2
    quality, cost = drawn(n)
    assert budget < 0.9 * cost.sum()  # it binds
    ratio = gained(DynamicPrice(ESTIMATOR, eps), quality, cost, [budget]) / optimum(quality, cost, [budget])
    # From 0.1 n to 0.2 n it spends a share 0.1 (1 - h) of the budget, and so on; the last stretch ends at n.
    spent = sum((min(2 * seen, 1) - seen) * (1 - eps / math.sqrt(seen)) for seen in (0.1, 0.2, 0.4, 0.8))
    assert spent == pytest.approx(0.739, abs=0.001)
    assert ratio >= spent


@pytest.mark.parametrize(("kind", "growth"), [(OneTimePrice, 8), (DynamicPrice, 4)])
def test_learned_prices_lose_less_the_larger_budgets_and_volume_are(kind: Learning, growth: int) -> None:
    losses = []
    for size, eps in enumerate((0.2, 0.1, 0.05)):  # eps falls as k^(-1/3), and as k^(-1/2)
        n = 500 * growth**size
        quality, cost = drawn(n)
        budget = 0.4 * n
        losses.append(1 - gained(kind(ESTIMATOR, eps), quality, cost, [budget]) / optimum(quality, cost, [budget]))
        assert losses[-1] <= 3 * eps
    assert losses[0] > losses[1] > losses[2]


# What is lost is at most the last query, which does not fit (most / share), plus the regret of prices against the best
# fixed ones, of which only 0 and 1 / share on one budget matter. The latter is bounded as in every proof of such steps,
# for m budgets of n ``share`` each, qualities up to 1 and costs from ``least`` to ``most`` that a query may take.


def euclidean_bound(n: int, m: int, share: float, least: float, most: float) -> float:
    """Distance^2 / (2 eta) + eta n |s|^2 / 2 with eta = 1 / sqrt(n), s = rho - g e_i, from prices of 0."""
    step_squared = (most - share) ** 2 + (m - 1) * share**2
    return most / share + math.sqrt(n) * (share**-2 + step_squared) / 2


def entropic_bound(n: int, m: int, share: float, least: float, most: float) -> float:
    """Divergence / eta + eta n max(p) |s|^2 exp(eta max(-s)) / 2 in units of rho, from prices of 0.1.

    A price in units of rho is below share / least when it sells, and then rises by exp(eta max(-s)) at most.
    """
    eta, start, rise = 1 / math.sqrt(n), 0.1 * share, most / share - 1
    divergence = math.log(1 / start) - 1 + m * start
    highest = share / least * math.exp(eta * rise)
    return most / share + divergence / eta + eta * n * highest * (rise**2 + m - 1) * math.exp(eta * rise) / 2


@pytest.mark.parametrize(
    ("kind", "bound"),
    [(DualSubgradient, euclidean_bound), (Euclidean, euclidean_bound), (Entropic, entropic_bound)],
)
def test_moving_prices_have_a_regret_of_order_sqrt_n(kind: Moving, bound: Callable[..., float]) -> None:
    losses = []
    for n in (400, 6_400, 25_600):
        quality, cost = drawn(n, n_deployments=2)
        budgets = [0.2 * n] * 2
        best = optimum(quality, cost, budgets)
        regret = best - gained(kind(ESTIMATOR), quality, cost, budgets)
        unit = float(cost.mean())
        limit = bound(n, 2, 0.2 / unit, 0.5 / unit, 1 / unit)
        assert limit < best  # it says something
        assert regret <= limit
        losses.append(regret / best)
    assert losses[2] < losses[1] / 1.5 < losses[0] / 4  # 1 / sqrt(n) would be 1/2 and 1/8


def test_entropic_steps_see_shares_of_a_budget_so_one_budget_with_its_costs_may_have_any_unit() -> None:
    quality, cost = drawn(800, n_deployments=2)
    unit = np.array([1000.0, 1.0])
    budgets = np.array([160.0, 160.0])
    plain = gained(Entropic(ESTIMATOR), quality, cost, budgets.tolist())
    assert gained(Entropic(ESTIMATOR), quality, cost * unit, (budgets * unit).tolist()) == pytest.approx(plain)


@pytest.mark.parametrize("kind", [Euclidean, Entropic])
def test_realised_costs_keep_mirror_descent_at_its_ratio_when_estimates_are_half_of_them(
    kind: type[Euclidean] | type[Entropic],
) -> None:
    n = 6_400
    quality, cost = drawn(n)
    budgets = [0.2 * n]
    best = optimum(quality, cost, budgets)
    assert gained(kind(ESTIMATOR), quality, cost, budgets, cost_hat_factor=0.5) >= 0.95 * best
    # On estimates alone it buys twice what it can pay: too cheaply, until nothing is left.
    assert gained(DualSubgradient(ESTIMATOR), quality, cost, budgets, cost_hat_factor=0.5) <= 0.85 * best


# --- where their conditions fail


@pytest.mark.parametrize("kind", LEARNING)
def test_learned_prices_buy_nothing_when_the_best_come_first(kind: Learning) -> None:
    quality = np.linspace(1, 0.01, 1000)[:, None]
    cost = np.ones((1000, 1))
    # Whatever has been seen is better than all that follows, so all that follows is below its price.
    assert gained(kind(ESTIMATOR, eps=0.1), quality, cost, [300], order=given) == 0
    assert gained(kind(ESTIMATOR, eps=0.1), quality, cost, [300]) >= 0.7 * optimum(quality, cost, [300])


@pytest.mark.parametrize("kind", LEARNING)
def test_with_a_budget_of_one_query_learned_prices_are_the_secretary_problem(kind: Learning) -> None:
    # Decline s = 5 of n = 50 and take the first that beats them: it is the best with chance s/n sum_{j=s}^{n-1} 1/j.
    chance = 0.1 * sum(1 / j for j in range(5, 50))
    assert chance == pytest.approx(0.2396, abs=1e-4)
    quality = np.append(np.linspace(0.001, 0.002, 49), 1.0)
    rng = np.random.default_rng(7)
    found = 0
    for _ in range(300):
        policy = kind(ESTIMATOR, eps=0.1)
        begin(policy, [1.0], horizon=50)
        arrived = rng.permutation(quality).tolist()
        first = next((value for number, value in enumerate(arrived) if choose(policy, number, [value], [1]) == 0), 0.0)
        found += first == 1.0
    # One query is the optimum, so the ratio is the chance, far from 1 - 3 eps; its standard error is 0.025.
    assert found / 300 == pytest.approx(chance, abs=3 * 0.0247)


@pytest.mark.parametrize("kind", MOVING)
def test_moving_prices_fall_to_the_adversarial_ratio_when_the_worst_come_first(kind: Moving) -> None:
    # The budget pays half of the queries, which is 1 / alpha. First come those worth 0.02, of which half are bought,
    # while the optimum waits for those worth 1: (0.25 + 0.25 x 0.02) / 0.5 = 0.51.
    n = 10_000
    quality, cost = np.repeat([0.02, 1.0], n // 2)[:, None], np.ones((n, 1))
    budgets = [n / 2]
    best = optimum(quality, cost, budgets)
    assert gained(kind(ESTIMATOR), quality, cost, budgets, order=given) == pytest.approx(0.51 * best, rel=0.05)
    assert gained(kind(ESTIMATOR), quality, cost, budgets) >= 0.95 * best
