"""Steward, part by part on numbers that can be checked by hand, then against the rules that it is to beat."""

import math
from dataclasses import replace

import numpy as np
import pytest

from policies.budgeted.sampled_dual import SampledDual
from policies.budgeted.steward import Steward, accepted
from policies.estimators.kernel_ridge import KernelRidge
from policies.estimators.neighbours import ExactNeighbours
from policies.parts.forecast import Forecast, Known
from policies.parts.load import SlotTime
from policies.parts.renewals import Renewals
from policies.parts.residuals import EXCESSES, LASTING, LEAST, PRIOR, SURPRISES, Outlook, Residuals
from policies.parts.smooth_prices import smooth_prices
from scenarios.arrivals import Deterministic
from scenarios.budgets import Unlimited, Weighted
from scenarios.events import BudgetCut
from scenarios.fleets import OnePerModel
from scenarios.orders import given, shuffled
from scenarios.orders.ranked import cheap_first, costly_first, easy_first, hard_first
from scenarios.workloads.synthetic import synthetic
from sim.assignment.prices import minimise
from sim.distributions import Constant
from sim.interface import (
    Decision,
    DeploymentInfo,
    EmbeddingArray,
    Estimates,
    Features,
    Feedback,
    FloatArray,
    History,
    Setting,
)
from sim.scenario import Order, Scenario, Window
from sim.study.experiment import compare
from sim.world.services.slots import Instant, Slots
from tests.worlds import idle, tiny_query, tiny_setting

# --- prices


def bought(prices: FloatArray, quality: FloatArray, cost: FloatArray, budgets: FloatArray) -> float:
    """The dual of the linear program at these prices."""
    return float(prices @ budgets + np.maximum((quality - prices * cost).max(axis=1), 0).sum())


def test_smooth_prices_are_next_to_the_exact_ones() -> None:
    rng = np.random.default_rng(0)
    quality, cost, budgets = rng.random((500, 4)), rng.uniform(0.5, 2, (500, 4)), np.array([20.0, 50.0, 80.0, 5.0])
    prices = smooth_prices(quality, cost, np.ones(500), budgets, np.full(4, 0.3))
    _, least = minimise(quality, cost, budgets)
    assert least <= bought(prices, quality, cost, budgets) <= 1.01 * least


def test_a_weight_of_two_is_a_row_written_twice() -> None:
    rng = np.random.default_rng(1)
    quality, cost, budgets = rng.random((60, 2)), rng.uniform(0.5, 2, (60, 2)), np.array([10.0, 20.0])
    once = smooth_prices(quality, cost, np.full(60, 2.0), budgets, np.zeros(2))
    twice = smooth_prices(np.tile(quality, (2, 1)), np.tile(cost, (2, 1)), np.ones(120), budgets, np.zeros(2))
    assert once == pytest.approx(twice, rel=1e-3)


def test_no_budget_costs_nothing_and_enough_budget_next_to_nothing() -> None:
    quality, cost = np.full((10, 2), 0.5), np.ones((10, 2))
    prices = smooth_prices(quality, cost, np.ones(10), np.array([np.inf, 100.0]), np.full(2, 0.4))
    assert prices.tolist() == [0.0, 0.0]


# --- costs that a budget lets pass


def test_the_cost_that_fits_is_the_mean_of_those_costs_that_do() -> None:
    spread, rng = np.array([0.8]), np.random.default_rng(2)
    drawn = 3.0 * np.exp(rng.normal(-(0.8**2) / 2, 0.8, 400_000))  # log-normal with mean 3
    for remaining in (1.0, 3.0, 30.0):
        cost, chance = accepted(np.array([3.0]), np.array([remaining]), spread)
        fits = drawn <= remaining
        assert chance[0] == pytest.approx(fits.mean(), abs=0.003)
        assert cost[0] == pytest.approx(drawn[fits].mean(), rel=0.01)


def test_an_empty_budget_lets_nothing_pass_but_what_is_free_and_an_endless_one_all() -> None:
    cost, chance = accepted(np.array([1.0, 0.0, 1.0]), np.array([0.0, 0.0, np.inf]), np.ones(3))
    assert chance.tolist() == [0.0, 1.0, 1.0]
    assert cost.tolist() == [1.0, 0.0, 1.0]


# --- residuals


def axis(number: int) -> EmbeddingArray:
    """A unit vector."""
    vector: EmbeddingArray = np.eye(4, dtype=np.float32)[number]
    return vector


def test_a_surprise_is_believed_near_where_it_was_and_nowhere_else() -> None:
    residuals = Residuals(np.zeros(4, dtype=np.float32), horizon=10)
    assert residuals.at(axis(0)) == (0.0, 0.0)
    residuals.add(axis(0), 0.3, 0.6)
    assert residuals.at(axis(0)) == pytest.approx((0.3 / (1 + PRIOR), 0.6 / (1 + PRIOR)), rel=1e-3)
    assert residuals.at(axis(1)) == (0.0, 0.0)
    halfway = (axis(0) + axis(1)) / np.sqrt(2, dtype=np.float32)  # cosine squared 1/2
    assert residuals.at(halfway)[0] == pytest.approx(0.5 * 0.3 / (0.5 + PRIOR), rel=1e-3)


def test_the_oldest_surprise_makes_room() -> None:
    residuals = Residuals(np.zeros(4, dtype=np.float32), horizon=2)
    for quality in (0.9, 0.3, 0.3):
        residuals.add(axis(0), quality, 0.0)
    assert residuals.at(axis(0))[0] == pytest.approx(2 * 0.3 / (2 + PRIOR), rel=1e-3)  # cosines have 12 bits


# --- the forecast


def two_kinds(n: int = 40) -> tuple[History, Estimates]:
    """Half of the history is good and cheap along one axis, half bad and dear along another; the estimates are true."""
    good = np.arange(n) < n // 2
    quality, cost = np.where(good, 0.9, 0.2)[:, None], np.where(good, 1.0, 5.0)[:, None]
    jitter = np.random.default_rng(0).normal(0, 0.05, (n, 4)).astype(np.float32)
    embeddings = np.where(good[:, None], axis(0), axis(1)) + jitter
    history = History(Features(embeddings, np.ones(n, dtype=np.int64)), quality, cost)
    return history, Estimates(quality, cost)


def test_after_the_good_queries_the_bad_ones_are_expected() -> None:
    known = Known(*two_kinds())
    forecast = Forecast(known, horizon=20)
    before = forecast.rest()
    assert before.weights.sum() == pytest.approx(20)
    assert before.weights[:20].sum() == pytest.approx(10)
    for number in range(10):
        query = tiny_query(number, [0.9], [1.0])._replace(embedding=axis(0))
        forecast.see(query, query.quality_hat, query.cost_hat)
    after = forecast.rest()
    assert after.weights.sum() == pytest.approx(10)
    assert after.weights[20:].sum() > 9  # a tenth of its plain share is kept for the kind that has come in full


def test_what_the_history_has_never_seen_is_expected_again() -> None:
    forecast = Forecast(Known(*two_kinds()), horizon=20)
    for number in range(10):
        strange = number % 2 == 0
        query = tiny_query(number, [0.9], [1.0])._replace(embedding=axis(3) if strange else axis(0))
        forecast.see(query, np.array([0.4 if strange else 0.9]), np.array([2.0]))
    rest = forecast.rest()
    assert rest.weights.sum() == pytest.approx(10)
    is_strange = (rest.quality[:, 0] == 0.4) & (rest.cost[:, 0] == 2.0)
    assert 3.5 < rest.weights[is_strange].sum() < 6.5  # half of what has come, of the ten to come


# --- the outlook


def outlook(quality_hat: float, surprise: float) -> tuple[float, float]:
    """What is expected of the rest after 40 of 100 queries that looked so good, and whose outcomes differed so much."""
    history = Estimates(np.tile([[0.4], [0.6]], (50, 1)), np.ones((100, 1)))  # mean 0.5, standard deviation 0.1
    seen = Outlook(history, horizon=100)
    for number in range(40):
        query = tiny_query(number, [quality_hat], [1.0])
        seen.see(query)
        seen.add(query, surprise, 0.2)
    return seen.rest()


BELIEVED, OF_AN_ORDER = 40 / (40 + SURPRISES), 40 / (40 + EXCESSES)


def test_surprises_of_queries_that_look_usual_will_last() -> None:
    assert outlook(0.5, -0.15) == pytest.approx((-0.15 * BELIEVED, np.log1p(0.2 * BELIEVED)))
    assert outlook(0.5, 0.15)[0] == pytest.approx(0.15 * BELIEVED)


def test_no_more_is_expected_to_last_than_estimates_are_ever_wrong_by() -> None:
    assert outlook(0.5, -0.6)[0] == -LASTING[0]


def test_surprises_of_an_order_will_be_made_up_for() -> None:
    # Queries that look harder by 40 ** 0.5 standard errors: chance explains a tenth of their surprises.
    assert outlook(0.4, -0.15)[0] == pytest.approx(0.15 * (0.9 * 40 / 60 * OF_AN_ORDER - 0.1 * BELIEVED))
    assert outlook(0.6, -0.15)[0] == pytest.approx(-0.15 * BELIEVED)  # they look easy, so no order made them hard
    assert outlook(0.6, 0.15)[0] == pytest.approx(-0.15 * (0.9 * 40 / 60 * OF_AN_ORDER - 0.1 * BELIEVED))


def test_surprises_that_fade_are_those_of_an_order() -> None:
    expected = []
    for surprises in ([0.2] * 20 + [0.0] * 20, [0.0] * 20 + [0.2] * 20):
        seen = Outlook(Estimates(np.array([[0.4], [0.6]]), np.ones((2, 1))), horizon=80)
        for number, surprise in enumerate(surprises):
            query = tiny_query(number, [0.5], [1.0])
            seen.see(query)
            seen.add(query, surprise, 0.0)
        expected.append(seen.rest()[0])
    assert expected[0] < 0  # after half of the queries, what was too good so far will be made up for
    assert expected[1] == pytest.approx(0.1 * BELIEVED)  # what becomes better is not


def test_what_is_not_scored_says_nothing_of_quality() -> None:
    seen = Outlook(Estimates(np.full((2, 1), 0.5), np.ones((2, 1))), horizon=10)
    query = tiny_query(0, [0.5], [1.0])
    seen.see(query)
    seen.add(query, float("nan"), 0.5)
    assert seen.rest() == pytest.approx((0.0, np.log1p(0.5 / (1 + SURPRISES))))


def test_what_was_declined_counts_with_the_surprises_of_its_time() -> None:
    # Costs fall from twice the estimates to the estimates in 100 queries; of the first half few are accepted.
    seen = Outlook(Estimates(np.full((2, 1), 0.5), np.array([[0.9], [1.1]])), horizon=200)
    for number in range(100):
        query = tiny_query(number, [0.5], [2.0])
        seen.see(query)
        if number >= 50 or number % 10 == 0:
            seen.add(query, 0.0, 1 - number / 100)
    mean_of_accepted = 0.32
    made_up = 1 - np.exp(seen.rest()[1])  # as many are still to come as have come
    assert 1.3 * mean_of_accepted < made_up < 0.505  # 0.505 is the mean of all


def test_the_rest_is_never_expected_for_next_to_nothing() -> None:
    seen = Outlook(Estimates(np.full((2, 1), 0.5), np.array([[0.9], [1.1]])), horizon=20)
    for number in range(19):
        query = tiny_query(number, [0.5], [2.0])
        seen.see(query)
        seen.add(query, 0.0, 3.0)
    assert np.exp(seen.rest()[1]) == pytest.approx(LEAST)


# --- budgets that renew themselves


def test_a_window_is_expected_to_last_as_long_as_the_one_before() -> None:
    renewals = Renewals(np.array([100.0, 100.0, np.inf]))
    for second in range(40):
        left = 10.0 - second % 40 / 4  # a tenth of the whole in the first window, spent little by little
        assert not renewals.see(np.array([left, left, np.inf]), float(second))
    assert renewals.are_expected
    assert renewals.queries_to_come(39.0) is None  # nothing has shown how long a window is
    assert renewals.see(np.array([10.0, 10.0, np.inf]), 40.0)
    assert renewals.queries_to_come(40.0) == pytest.approx(40, abs=2)  # one a second for forty seconds
    assert not renewals.see(np.array([9.0, 9.0, np.inf]), 60.0)
    assert renewals.queries_to_come(60.0) == pytest.approx(14, abs=1)  # 42 came in a minute, and 20 s are left
    assert renewals.queries_to_come(101.0) is None  # the second window should have come long ago


def test_a_top_up_of_one_budget_is_no_window() -> None:
    renewals = Renewals(np.full(3, 10.0))
    assert not renewals.see(np.full(3, 10.0), 0.0)
    assert not renewals.are_expected
    assert not renewals.see(np.full(3, 5.0), 1.0)
    assert not renewals.see(np.array([9.0, 5.0, 5.0]), 2.0)


def test_in_windows_it_spends_what_each_of_them_has() -> None:
    world = replace(scenario(shuffled), window=Window(length_s=50.0))  # 12 windows of 50 queries
    quality = compare(world, {"steward": Steward(estimator())}, replications=1)["quality"].mean()
    whole = compare(scenario(shuffled), {"steward": Steward(estimator())}, replications=1)["quality"].mean()
    assert quality > 0.8 * whole


# --- slots


def test_what_slots_can_serve_is_their_time_by_what_a_unit_of_cost_takes() -> None:
    fleet = (DeploymentInfo("a", "a", "usd", slots=2), DeploymentInfo("b", "b", "usd"))
    time = SlotTime(replace(tiny_setting([math.inf, math.inf], 100), fleet=fleet))
    busy = idle(2)._replace(queued=np.array([1, 0]), in_flight=np.array([2, 9]))
    for number, k in enumerate((0, 1)):
        query = tiny_query(number, [0.5, 0.5], [3.0, 3.0])
        time.send(query, k, busy)
        time.learn(Feedback(query, k, 1.0, 3.0, 12.0))  # with two before it in two slots: two turns of 6 s
    left = time.left(tiny_query(20, [0.5, 0.5], [3.0, 3.0]), 100, 10.0)  # two queries a second, 80 to come in 40 s
    assert left.tolist() == [2 * 40 / 2, math.inf]


def test_slots_with_a_price_lose_fewer_of_the_queries_that_do_not_wait() -> None:
    fleet = OnePerModel(Slots(1, 0.5, 0.02), patience=Constant(5.0))
    world = replace(scenario(shuffled), fleet=fleet, budget=Unlimited(), arrivals=Deterministic(2.0))
    policies = {str(slots): Steward(estimator(), slots=slots) for slots in (False, True)}
    quality = compare(world, policies, replications=1).groupby("policy")["quality"].mean()
    assert quality["True"] > quality["False"]


# --- the policy


def estimator() -> KernelRidge:
    """A quick estimator."""
    return KernelRidge(landmarks=200)


def setting_of(history: History, budgets: list[float], horizon: int) -> Setting:
    """A fleet with this history."""
    return replace(tiny_setting(budgets, horizon), history=history)


def test_it_takes_what_is_worth_its_price_declines_the_rest_and_names_what_else_is() -> None:
    history, _ = two_kinds()
    both = History(history.features, np.tile(history.quality, 2), np.tile(history.cost, 2))
    steward = Steward(ExactNeighbours(k=3))
    steward.reset(setting_of(both, [5.0, 5.0], 20), np.random.default_rng(0))  # for ten of the ten good ones
    state = idle(2)._replace(remaining=np.array([5.0, 5.0]))
    good = tiny_query(0, [0.9, 0.8], [1.0, 1.0])._replace(embedding=axis(0))
    bad = tiny_query(1, [0.2, 0.2], [5.0, 5.0])._replace(embedding=axis(1))
    assert steward.decide(good, state) == Decision(0, [1])
    assert steward.decide(bad, state).deployment is None


def test_a_deployment_that_is_down_or_has_nothing_left_is_not_chosen() -> None:
    history, _ = two_kinds()
    both = History(history.features, np.tile(history.quality, 2), np.tile(history.cost, 2))
    steward = Steward(ExactNeighbours(k=3))
    steward.reset(setting_of(both, [5.0, 5.0], 20), np.random.default_rng(0))
    good = tiny_query(0, [0.9, 0.8], [1.0, 1.0])._replace(embedding=axis(0))
    state = idle(2)._replace(remaining=np.array([0.0, 50.0]))
    assert steward.decide(good, state).deployment == 1
    down = state._replace(remaining=np.array([50.0, 50.0]), available=np.array([False, True]))
    assert steward.decide(good._replace(id=1), down).deployment == 1


def test_answers_that_cost_far_more_than_estimated_make_their_like_unattractive() -> None:
    history, _ = two_kinds()
    steward = Steward(ExactNeighbours(k=3))
    steward.reset(setting_of(history, [5.0], 20), np.random.default_rng(0))
    state = idle(1)._replace(remaining=np.array([50.0]))
    query = tiny_query(0, [0.5], [0.6])._replace(embedding=axis(0))
    assert steward.decide(query, state).deployment == 0
    for number in range(5):
        steward.learn(Feedback(query._replace(id=number), 0, 0.0, 6.0, 0.0))
    assert steward.decide(query._replace(id=1), state).deployment is None


def test_a_second_run_is_the_first_one_again() -> None:
    world = scenario(shuffled)
    steward = Steward(estimator(), solves=10)
    first = compare(world, {"steward": steward}, replications=2)
    again = compare(world, {"steward": steward}, replications=2)
    assert first["quality"].tolist() == again["quality"].tolist()


def scenario(order: Order) -> Scenario:
    """600 queries, 6 models, weighted budgets."""
    workload = synthetic(n_queries=600, n_history=900, n_models=6, dim=16, seed=3)
    return Scenario(workload, OnePerModel(Instant()), Weighted(), Deterministic(1.0), order)


MORE = [pytest.param(order, marks=pytest.mark.slow) for order in (given, cheap_first, costly_first, easy_first)]


@pytest.mark.parametrize("order", [shuffled, hard_first, *MORE])
def test_it_beats_the_mended_port_in_every_order(order: Order) -> None:
    policies = {"steward": Steward(estimator()), "port_fallback": SampledDual(estimator(), fallback=True)}
    quality = compare(scenario(order), policies, replications=2).groupby("policy")["quality"].mean()
    assert quality["steward"] > quality["port_fallback"]


def test_it_goes_on_when_budgets_are_cut_and_when_a_topic_was_never_seen() -> None:
    world = scenario(shuffled)
    assert world.workload.history.source is not None
    for harder in (
        replace(world, events=[BudgetCut(0.5, "50%")]),
        replace(world, unseen=[str(world.workload.history.source[0])]),
    ):
        policies = {"steward": Steward(estimator()), "port_fallback": SampledDual(estimator(), fallback=True)}
        quality = compare(harder, policies, replications=2).groupby("policy")["quality"].mean()
        assert quality["steward"] > quality["port_fallback"]


def test_prices_must_be_solved_at_least_once() -> None:
    with pytest.raises(ValueError, match="solves is 0; prices must be solved at least once"):
        Steward(estimator(), solves=0)
