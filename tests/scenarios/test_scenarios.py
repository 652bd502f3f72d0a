"""Fleets, budgets, arrivals and orders, and one replication drawn of them."""

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np
import pytest

from scenarios.arrivals import Deterministic, Poisson
from scenarios.budgets import Amounts, Cost, Extreme, Quality, Random, Split, Uniform, Unlimited, Weighted
from scenarios.fleets import Listed, OnePerModel
from scenarios.orders import given, shuffled
from sim.deployment import Deployment
from sim.instance import Instance, realise, stream
from sim.scenario import BudgetBasis, BudgetRule, Scenario
from sim.workload import Rows, Workload
from sim.world.services.slots import Instant, Slots
from tests.worlds import MODELS, tiny_rows, tiny_scenario, tiny_workload


def basis(quality_mean: Sequence[float], cost_mean: Sequence[float], cheapest_total: float = 10.0) -> BudgetBasis:
    """What a budget rule sees of deployments with these means."""
    return BudgetBasis(MODELS[: len(cost_mean)], np.array(quality_mean), np.array(cost_mean), cheapest_total)


def amounts(rule: BudgetRule, seen: BudgetBasis, seed: int = 0) -> list[float]:
    """The budgets that a rule gives."""
    return [float(amount) for amount in rule.amounts(seen, np.random.default_rng(seed))]


def three_models() -> Workload:
    """Two test queries that three models answer for 1, 2 and 4 USD each, with 1, 2 and 3 output tokens."""
    return tiny_workload(
        tiny_rows([[0.25, 0.5, 1.0], [0.75, 0.5, 1.0]], [[1, 2, 4], [1, 2, 4]], output_tokens=[[1, 2, 3], [1, 2, 3]])
    )


def without_tokens() -> Workload:
    """Two test queries and three models whose output tokens nobody counted."""
    return tiny_workload(tiny_rows([[0.25, 0.5, 1.0], [0.75, 0.5, 1.0]], [[1, 2, 4], [1, 2, 4]]))


def names(instance: Instance) -> list[str]:
    """The deployments."""
    return [deployment.name for deployment in instance.fleet]


# --- budgets


@pytest.mark.parametrize(
    ("rule", "quality_mean", "cost_mean", "expected"),
    [
        (Weighted(), [0.64, 0.16], [0.04, 0.16], [8, 2]),  # sqrt(16) : sqrt(1) = 4 : 1
        (Cost(), [0.9, 0.1], [1.0, 16.0], [8, 2]),  # 1 : 1/4
        (Quality(), [0.6, 0.2], [3.0, 1.0], [7.5, 2.5]),
        (Uniform(), [0.6, 0.2, 0.0], [3.0, 1.0, 0.0], [10 / 3, 10 / 3, 10 / 3]),
        (Extreme(), [0.6, 0.2, 0.9], [3.0, 2.0, 3.0], [1, 8, 1]),  # per USD: 0.2, 0.1 and 0.3
        (Extreme(h=2), [0.6, 0.2, 0.9], [3.0, 2.0, 3.0], [4, 4, 2]),
    ],
    ids=repr,
)
def test_a_split_shares_the_total_by_its_weights(
    rule: Split, quality_mean: list[float], cost_mean: list[float], expected: list[float]
) -> None:
    seen = basis(quality_mean, cost_mean, cheapest_total=10)
    assert amounts(rule, seen) == pytest.approx(expected)
    assert amounts(replace(rule, total=0.5), seen) == pytest.approx([share / 2 for share in expected])


@pytest.mark.parametrize("rule", [Weighted(2), Cost(2), Quality(2), Uniform(2), Random(2), Extreme(2)], ids=repr)
def test_every_split_spends_the_total_times_the_cheapest_deployment(rule: Split) -> None:
    assert sum(amounts(rule, basis([0.5, 0.7, 0.9], [1, 2, 4], cheapest_total=10))) == pytest.approx(20)


def test_random_shares_come_from_5_to_30_and_from_the_stream() -> None:
    seen = basis([0.5, 0.7, 0.9], [1, 2, 4])
    assert amounts(Random(), seen, seed=1) == amounts(Random(), seen, seed=1)
    assert amounts(Random(), seen, seed=1) != amounts(Random(), seen, seed=2)
    for seed in range(50):
        drawn = amounts(Random(), seen, seed)
        assert max(drawn) <= 6 * min(drawn)  # 30 against 5
    assert max(max(drawn) / min(drawn) for drawn in (amounts(Random(), seen, seed) for seed in range(50))) > 2


@pytest.mark.parametrize("h", [0, -1, 3])
def test_an_extreme_split_needs_a_deployment_on_either_side(h: int) -> None:
    with pytest.raises(ValueError, match=rf"budget\.h is {h}; it must be from 1 to 2"):
        amounts(Extreme(h=h), basis([0.5, 0.7, 0.9], [1, 2, 4]))


@pytest.mark.parametrize("rule", [Weighted(), Cost(), Extreme()], ids=repr)
def test_a_split_by_cost_refuses_a_free_deployment_by_name(rule: Split) -> None:
    with pytest.raises(ValueError, match=r"'medium' costs nothing.*budget=uniform or amounts"):
        amounts(rule, basis([0.5, 0.7, 0.9], [1, 0, 4]))


@pytest.mark.parametrize("total", [-1.0, float("nan"), float("inf")])
def test_a_total_that_cannot_be_is_refused(total: float) -> None:
    with pytest.raises(ValueError, match=rf"budget\.total is {total}"):
        Uniform(total)


@pytest.mark.parametrize("rule", [Weighted(), Quality()], ids=repr)
def test_a_split_by_quality_refuses_a_history_in_which_nothing_is_right(rule: Split) -> None:
    with pytest.raises(ValueError, match="quality"):
        amounts(rule, basis([0.0, 0.0], [1.0, 2.0]))


def test_amounts_are_given_in_order_or_by_name() -> None:
    seen = basis([0.5, 0.5], [1, 1])
    assert amounts(Amounts([3, float("inf")]), seen) == [3, np.inf]
    assert amounts(Amounts({"medium": 2, "small": 1}), seen) == [1, 2]


def test_an_amount_for_an_unknown_deployment_brings_the_nearest_name() -> None:
    with pytest.raises(ValueError, match="unknown deployment in the budget 'smal'; did you mean 'small'"):
        amounts(Amounts({"smal": 1, "medium": 2}), basis([0.5, 0.5], [1, 1]))


def test_a_deployment_without_an_amount_is_named() -> None:
    with pytest.raises(ValueError, match="no amount for deployment 'medium'"):
        amounts(Amounts({"small": 1}), basis([0.5, 0.5], [1, 1]))


def test_a_list_of_the_wrong_length_is_refused() -> None:
    scenario = replace(tiny_scenario(three_models()), budget=Amounts([1, 2]))
    with pytest.raises(ValueError, match="2 amounts for 3 deployments"):
        realise(scenario, 0, 0)


@pytest.mark.parametrize("amount", [-0.5, float("nan")])
def test_a_budget_below_zero_is_refused_by_the_name_of_its_deployment(amount: float) -> None:
    scenario = replace(tiny_scenario(three_models()), budget=Amounts([1, amount, 2]))
    with pytest.raises(ValueError, match=f"budget of 'medium' is {amount}; it must be at least 0"):
        realise(scenario, 0, 0)


def test_without_budgets_every_amount_is_infinite() -> None:
    assert realise(tiny_scenario(three_models()), 0, 0).setting.budgets.tolist() == [np.inf] * 3


@pytest.mark.parametrize("rule", [Weighted(), Cost(), Quality(), Uniform(), Extreme(), Random()], ids=repr)
def test_shares_come_from_the_history_and_only_the_scale_from_the_test_rows(rule: Split) -> None:
    history = tiny_rows([[0.2, 0.8], [0.4, 0.6]], [[1, 3], [2, 5]])
    test = tiny_rows([[0.0, 1.0], [0.5, 0.5]], [[1, 3], [2, 5]])
    other_quality = tiny_rows([[1.0, 0.0], [1.0, 0.1]], [[1, 3], [2, 5]])
    # The cheapest deployment costs 3 USD on the first two; here 6, and it is the other deployment.
    other_cost = tiny_rows([[0.0, 1.0], [0.5, 0.5]], [[9, 2], [9, 4]])

    def budgets(rows: Rows) -> list[float]:
        scenario = replace(tiny_scenario(tiny_workload(rows, history)), budget=rule)
        return [float(amount) for amount in realise(scenario, 0, 0).setting.budgets]

    assert sum(budgets(test)) == pytest.approx(3)
    assert budgets(other_quality) == budgets(test)
    assert budgets(other_cost) == pytest.approx([2 * amount for amount in budgets(test)])


# --- units


def test_a_token_budget_is_charged_input_plus_output_tokens() -> None:
    scenario = replace(tiny_scenario(three_models()), budget=Amounts([100, 100, 100], unit="tokens"))
    instance = realise(scenario, 0, 0)
    # 10 and 20 input tokens, and 1, 2 or 3 output tokens.
    assert instance.cost.tolist() == [[11, 12, 13], [21, 22, 23]]
    assert instance.setting.history.cost.tolist() == [[11, 12, 13], [21, 22, 23]]
    assert instance.cost_usd.tolist() == [[1, 2, 4], [1, 2, 4]]


def test_each_deployment_can_have_a_unit_of_its_own() -> None:
    rule = Amounts([100, 5, 5], unit=["tokens", "usd", "usd"])
    instance = realise(replace(tiny_scenario(three_models()), budget=rule), 0, 0)
    assert instance.cost.tolist() == [[11, 2, 4], [21, 2, 4]]
    assert [deployment.unit for deployment in instance.setting.fleet] == ["tokens", "usd", "usd"]


def test_a_split_of_tokens_is_scaled_by_the_fewest_tokens() -> None:
    scenario = replace(tiny_scenario(three_models()), budget=Uniform(unit="tokens"))
    # The first deployment needs 11 + 21 = 32 tokens.
    assert realise(scenario, 0, 0).setting.budgets.sum() == pytest.approx(32)


def test_token_budgets_without_output_tokens_are_refused() -> None:
    with pytest.raises(ValueError, match=r"budget\.unit=tokens needs output tokens"):
        realise(replace(tiny_scenario(without_tokens()), budget=Uniform(unit="tokens")), 0, 0)


def test_an_unknown_unit_brings_the_nearest() -> None:
    with pytest.raises(ValueError, match="unknown budget unit 'token'; did you mean 'tokens'"):
        realise(replace(tiny_scenario(three_models()), budget=Uniform(unit="token")), 0, 0)


def test_units_are_one_or_one_each() -> None:
    rule = Amounts([1, 2, 3], unit=["usd", "tokens"])
    with pytest.raises(ValueError, match=r"budget\.unit has 2 entries for 3 deployments"):
        realise(replace(tiny_scenario(three_models()), budget=rule), 0, 0)


# --- arrivals


def test_poisson_gaps_are_exponential_with_the_mean_of_the_rate() -> None:
    n_queries = 40_000
    times_s = Poisson(rate_per_s=8).times_s(n_queries, np.random.default_rng(0))
    gaps_s = np.diff(times_s, prepend=0)
    assert (gaps_s >= 0).all()
    # Mean and standard deviation are both 1/8; four standard errors of the mean are 2% here.
    assert gaps_s.mean() == pytest.approx(1 / 8, rel=4 / np.sqrt(n_queries))
    assert gaps_s.std() == pytest.approx(1 / 8, rel=0.03)
    assert (gaps_s > 1 / 8).mean() == pytest.approx(np.exp(-1), abs=0.01)


def test_deterministic_arrivals_begin_at_0_and_keep_one_gap() -> None:
    instance = realise(replace(tiny_scenario(three_models()), arrivals=Deterministic(4)), 0, 0)
    assert instance.gaps_s.tolist() == [0, 0.25]
    assert Deterministic(4).times_s(4, np.random.default_rng(0)).tolist() == [0, 0.25, 0.5, 0.75]


@pytest.mark.parametrize("rate", [0.0, -2.0, float("nan"), float("inf")])
@pytest.mark.parametrize("process", [Poisson, Deterministic])
def test_a_rate_that_cannot_be_is_refused(process: type[Poisson] | type[Deterministic], rate: float) -> None:
    with pytest.raises(ValueError, match=rf"rate_per_s is {rate}; it must be from 1e-12 to 1e\+12"):
        process(rate)


# --- orders


def test_the_given_order_is_that_of_the_data_set() -> None:
    assert realise(tiny_scenario(three_models()), 3, 1).rows.tolist() == [0, 1]


def test_a_shuffled_order_is_a_permutation_and_another_one_in_each_replication() -> None:
    rows = tiny_rows(np.full((50, 1), 0.5), np.ones((50, 1)))
    scenario = replace(tiny_scenario(tiny_workload(rows)), order=shuffled)
    orders = [realise(scenario, 0, replication).rows.tolist() for replication in range(3)]
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert len({tuple(order) for order in orders}) == 3


# --- fleets


def test_one_deployment_per_model_carries_the_name_of_its_model() -> None:
    fleet = realise(tiny_scenario(three_models()), 0, 0).fleet
    assert fleet == tuple(Deployment(model, model, Instant()) for model in MODELS)


def test_a_fleet_of_named_models_keeps_their_order_and_their_outcomes() -> None:
    fleet = OnePerModel(Instant(), models=["large", "small"])
    instance = realise(replace(tiny_scenario(three_models()), fleet=fleet), 0, 0)
    assert names(instance) == ["large", "small"]
    assert instance.quality.tolist() == [[1.0, 0.25], [1.0, 0.75]]
    assert instance.cost.tolist() == [[4, 1], [4, 1]]
    assert instance.output_tokens is not None
    assert instance.output_tokens.tolist() == [[3, 1], [3, 1]]
    assert instance.setting.history.quality.tolist() == [[1.0, 0.25], [1.0, 0.75]]


def test_a_fleet_by_size_is_a_subset_in_model_order_that_varies_with_the_replication() -> None:
    scenario = replace(tiny_scenario(three_models()), fleet=OnePerModel(Instant(), size=2))
    subsets = {tuple(names(realise(scenario, 0, replication))) for replication in range(40)}
    assert subsets == {("small", "medium"), ("small", "large"), ("medium", "large")}


@pytest.mark.parametrize("size", [0, 4])
def test_a_fleet_larger_than_the_models_or_empty_is_refused(size: int) -> None:
    scenario = replace(tiny_scenario(three_models()), fleet=OnePerModel(Instant(), size=size))
    with pytest.raises(ValueError, match=rf"fleet\.size is {size}; it must be from 1 to 3"):
        realise(scenario, 0, 0)


@pytest.mark.parametrize(
    "fleet",
    [OnePerModel(Instant(), models=["small", "lrge"]), Listed([Deployment("here", "lrge", Instant())])],
    ids=["one per model", "listed"],
)
def test_an_unknown_model_in_the_fleet_brings_the_nearest(fleet: OnePerModel | Listed) -> None:
    with pytest.raises(ValueError, match="unknown model 'lrge'; did you mean 'large'"):
        realise(replace(tiny_scenario(three_models()), fleet=fleet), 0, 0)


def test_one_model_can_have_two_deployments_under_two_names() -> None:
    fleet = Listed([Deployment("near", "large", Instant()), Deployment("far", "large", Instant())])
    instance = realise(replace(tiny_scenario(three_models()), fleet=fleet), 0, 0)
    assert names(instance) == ["near", "far"]
    assert instance.cost.tolist() == [[4, 4], [4, 4]]


def test_two_deployments_of_one_name_are_refused() -> None:
    fleet = Listed([Deployment("twin", "small", Instant()), Deployment("twin", "large", Instant())])
    with pytest.raises(ValueError, match="two deployments are named 'twin'"):
        realise(replace(tiny_scenario(three_models()), fleet=fleet), 0, 0)


def test_an_empty_fleet_is_refused() -> None:
    with pytest.raises(ValueError, match="fleet is empty"):
        realise(replace(tiny_scenario(three_models()), fleet=Listed([])), 0, 0)


def test_a_negative_queue_is_refused_by_the_name_of_its_deployment() -> None:
    with pytest.raises(ValueError, match="queue_capacity of 'here' is -1"):
        Deployment("here", "small", Instant(), queue_capacity=-1)


def test_a_service_with_a_clock_needs_output_tokens() -> None:
    fleet = OnePerModel(Slots(1, 0.5, 0.1))
    assert len(realise(replace(tiny_scenario(three_models()), fleet=fleet), 0, 0).fleet) == 3
    with pytest.raises(ValueError, match=r"'small' needs output tokens.*MODEL\|output_tokens.*fleet=instant"):
        realise(replace(tiny_scenario(without_tokens()), fleet=fleet), 0, 0)


@pytest.mark.parametrize(
    ("slots", "first_s", "token_s", "message"),
    [
        (0, 0.5, 0.1, "slots is 0; it must be at least 1"),
        (1, -0.5, 0.1, "time_to_first_token_s is -0.5"),
        (1, 0.5, float("nan"), "time_per_output_token_s is nan"),
    ],
)
def test_slots_that_cannot_be_are_refused(slots: int, first_s: float, token_s: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Slots(slots, first_s, token_s)


# --- one replication


def random_scenario() -> Scenario:
    """A scenario in which fleet, budgets, arrivals and order are all drawn."""
    truth = np.random.default_rng(0).random((60, 3))
    return Scenario(
        workload=tiny_workload(tiny_rows(truth, 1 + truth)),
        fleet=OnePerModel(Instant(), size=2),
        budget=Random(),
        arrivals=Poisson(1.0),
        order=shuffled,
    )


def drawn(instance: Instance) -> list[list[float]]:
    """All that is drawn in a replication, except the fleet."""
    return [instance.setting.budgets.tolist(), instance.rows.tolist(), instance.gaps_s.tolist()]


def test_the_same_seed_and_replication_give_the_same_instance() -> None:
    first, again = realise(random_scenario(), 7, 2), realise(random_scenario(), 7, 2)
    assert first.fleet == again.fleet
    assert drawn(first) == drawn(again)
    for field in fields(Instance):
        mine, theirs = getattr(first, field.name), getattr(again, field.name)
        if isinstance(mine, np.ndarray):
            assert np.array_equal(mine, theirs)


@pytest.mark.parametrize(("seed", "replication"), [(8, 2), (7, 3)])
def test_another_seed_or_replication_draws_everything_anew(seed: int, replication: int) -> None:
    first, other = realise(random_scenario(), 7, 2), realise(random_scenario(), seed, replication)
    assert all(mine != theirs for mine, theirs in zip(drawn(first), drawn(other), strict=True))


def test_what_is_drawn_for_one_purpose_does_not_move_the_others() -> None:
    before = realise(random_scenario(), 7, 2)
    after = realise(replace(random_scenario(), fleet=OnePerModel(Instant()), budget=Unlimited()), 7, 2)
    assert after.rows.tolist() == before.rows.tolist()
    assert after.gaps_s.tolist() == before.gaps_s.tolist()
    fixed = realise(replace(random_scenario(), order=given, arrivals=Deterministic(1)), 7, 2)
    assert fixed.fleet == before.fleet
    assert fixed.setting.budgets.tolist() == before.setting.budgets.tolist()


def test_each_purpose_has_a_stream_of_its_own_and_no_policy_can_move_it() -> None:
    stream(0, 0, "policy").random(1000)  # a policy that draws a lot
    firsts = [stream(0, 0, purpose).random() for purpose in ("fleet", "budget", "order", "arrivals", "policy")]
    assert len(set(firsts)) == 5
    assert firsts[2] == stream(0, 0, "order").random()


def test_an_instance_is_read_only_and_knows_its_horizon() -> None:
    instance = realise(random_scenario(), 0, 0)
    assert instance.setting.horizon == len(instance.rows) == 60
    for array in (instance.setting.budgets, instance.rows, instance.gaps_s, instance.quality, instance.cost):
        assert not array.flags.writeable


def test_gaps_add_up_to_the_times_since_the_first_arrival() -> None:
    times_s = Poisson(1.0).times_s(60, stream(7, 2, "arrivals"))
    np.testing.assert_allclose(np.cumsum(realise(random_scenario(), 7, 2).gaps_s), times_s - times_s[0], rtol=1e-12)


def test_what_happens_when_a_budget_is_exhausted_is_one_of_two_things() -> None:
    with pytest.raises(ValueError, match="exhausted is 'retry'; it must be one of lost, fallback"):
        replace(tiny_scenario(three_models()), exhausted="retry")
