"""Where the quality went, and what more budget would be worth: by hand, against HiGHS, and from the command line."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from scenarios.arrivals.renewal import Poisson
from scenarios.budgets import Amounts, Weighted
from scenarios.fleets import Listed, OnePerModel
from scenarios.orders import given, shuffled
from scenarios.workloads.synthetic import synthetic
from sim.assignment.certified import certified
from sim.assignment.program import linear_program
from sim.cli.main import main
from sim.deployment import Deployment, Service
from sim.instance import Instance, realise
from sim.interface import Decision, Estimates, Features, History
from sim.scenario import Scenario
from sim.study.explain.explanation import explanations
from sim.study.explain.shadow import budget_prices, slot_prices
from sim.study.oracles import EstimateCache
from sim.study.replay import Replay, planned
from sim.world.record import frame
from sim.world.services.batching import Batching
from sim.world.services.slots import Instant, Slots
from sim.world.world import simulate
from tests.configured import MOST_SLOW, NAMES, configured_policy
from tests.scripted import At, Scripted
from tests.worlds import MODELS, tiny_rows, tiny_workload

INF = float("inf")


@dataclass(frozen=True, eq=False)
class Told:
    """An estimator that was told what to say of each tiny row, which its input tokens number."""

    quality: npt.ArrayLike
    cost: npt.ArrayLike

    def fit(self, history: History) -> "Told":
        return self

    def predict(self, features: Features) -> Estimates:
        rows = features.input_tokens // 10 - 1
        return Estimates(np.array(self.quality, float)[rows], np.array(self.cost, float)[rows])


def tiny_world(
    quality: Sequence[Sequence[float]],
    budgets: Sequence[float],
    *,
    times_s: Sequence[float] | None = None,
    service: Service = Instant(),  # noqa: B008 - a frozen dataclass
    timeout_s: float | None = None,
) -> Scenario:
    """Queries that cost 1 USD everywhere and have 10 output tokens."""
    rows = tiny_rows(quality, np.ones_like(quality), np.full_like(quality, 10, dtype=int))
    fleet = [Deployment(name, name, service, timeout_s=timeout_s) for name in MODELS[: rows.quality.shape[1]]]
    times = tuple(times_s or range(len(quality)))
    return Scenario(tiny_workload(rows), Listed(fleet), Amounts(budgets), At(times), given)


def terms(
    scenario: Scenario, script: Sequence[object], quality_hat: npt.ArrayLike | None = None, paces: bool = False
) -> dict[str, float]:
    """Return the terms that are not 0 of a policy that decides as written, by default with true estimates.

    They are rounded to three digits, since the optimum is known to a relative gap of 1e-4.
    """
    policy = Scripted(script)
    policy.paces = paces
    truth = scenario.workload.test
    policy.estimator = Told(truth.quality if quality_hat is None else quality_hat, truth.cost_usd)
    [explanation] = explanations(scenario, {"scripted": policy}, seed=0, replications=1, moments=1)
    found = dict(zip(explanation.quality["term"], explanation.quality["quality"], strict=True))
    losses = [value for term, value in found.items() if term not in ("optimum", "achieved")]
    assert sum(losses) == pytest.approx(found["optimum"] - found["achieved"], abs=1e-9)
    return {term: round(value, 3) for term, value in found.items() if round(value, 3) != 0}


# --- where the quality went: a world for each term, in which everything else is 0


def test_a_policy_that_takes_the_worse_for_the_better_loses_by_estimation_error() -> None:
    world = tiny_world([[1.0, 0.0], [0.0, 1.0]], [INF, INF])
    assert terms(world, [1, 1], [[0, 1], [0, 1]]) == {"optimum": 2, "estimation_error_with_luck": 1, "achieved": 1}


def test_a_cost_that_is_underestimated_is_estimation_error_too() -> None:
    # It seems that the budget of 1 USD pays both; the plan begins with the first, worth 0.3.
    world = tiny_world([[0.3], [1.0]], [1.0])
    policy = Scripted([0, 0])
    policy.estimator = Told([[0.3], [1.0]], [[0.5], [0.5]])
    [explanation] = explanations(world, {"scripted": policy}, seed=0, replications=1, moments=1)
    found = dict(zip(explanation.quality["term"], explanation.quality["quality"], strict=True))
    assert found["estimation_error_with_luck"] == pytest.approx(0.7, abs=1e-3)
    assert found["decision_rule"] == found["admission"] == found["queueing"] == 0


def test_a_query_sent_elsewhere_to_learn_is_exploration() -> None:
    world = tiny_world([[1.0, 0.2], [1.0, 0.2]], [INF, INF])
    script = [Decision(1, explores=True), Decision(0)]
    assert terms(world, script) == {"optimum": 2, "exploration": 0.8, "achieved": 1.2}
    assert terms(world, [1, 0]) == {"optimum": 2, "decision_rule": 0.8, "achieved": 1.2}  # if it does not say so


def test_what_exploring_queries_spend_is_exploration() -> None:
    # The budget pays one query, and the better one comes second.
    world = tiny_world([[0.3], [1.0]], [1.0])
    script = [Decision(0, explores=True), Decision(0)]
    assert terms(world, script) == {"optimum": 1, "exploration": 0.7, "achieved": 0.3}


def test_a_policy_may_explore_on_every_query() -> None:
    world = tiny_world([[1.0, 0.2]], [INF, INF])
    assert terms(world, [Decision(1, explores=True)]) == {"optimum": 1, "exploration": 0.8, "achieved": 0.2}


def test_what_early_queries_spend_is_budget_pacing_of_a_policy_that_paces_and_the_rule_of_another() -> None:
    world = tiny_world([[0.3], [1.0]], [1.0])
    assert terms(world, [0, 0], paces=True) == {"optimum": 1, "budget_pacing": 0.7, "achieved": 0.3}
    assert terms(world, [0, 0]) == {"optimum": 1, "decision_rule": 0.7, "achieved": 0.3}


DO_NOT_PACE = {
    *("random", "round_robin", "least_loaded", "power_of_two", "lowest_latency", "latency_priced", "usage_based"),
    *("cheapest_available", "greedy_perf", "knn_perf", "model_perf", "knn_threshold", "batch_split", "cascade"),
    *("capped_greedy", "multiplexed", "r2_router", "token_pools", "prefix_affinity", "prefix_then_load"),
    *("always_small", "always_large", "steer", "evo_route", "bopo", "x_router"),  # these pace the money of tasks
    *("greenserv", "ti_ucb"),
    *("cost_spectrum", "zero_router", "radial_performance", "radial_balance", "radial_cost", "barp", "route_moa"),
    *("carrot", "uniroute", "uniroute_constant", "uniroute_map"),
    *("omnirouter", "omnirouter_batch", "omnirouter_dual", "proteus"),
}


@pytest.mark.parametrize("name", NAMES)
def test_policies_that_weigh_budgets_the_same_all_along_do_not_pace(name: str) -> None:
    assert configured_policy(name).paces == (name not in DO_NOT_PACE)


def test_a_query_lost_although_another_deployment_could_pay_is_admission() -> None:
    # Each budget pays one query: best is 1.0 on the first and 0.5 on the second.
    world = tiny_world([[1.0, 0.0], [0.6, 0.5]], [1.0, 1.0])
    assert terms(world, [0, 0]) == {"optimum": 1.5, "admission": 0.5, "achieved": 1.0}
    assert terms(world, [0, Decision(0, fallbacks=[1])]) == {"optimum": 1.5, "achieved": 1.5}
    lost = replace(world, exhausted="lost")  # the scenario does not look at next choices
    assert terms(lost, [0, Decision(0, fallbacks=[1])]) == {"optimum": 1.5, "admission": 0.5, "achieved": 1.0}


def test_a_query_that_runs_out_of_time_is_queueing() -> None:
    # Each takes 1 s on the only slot: the second would be done 1.9 s after it came.
    world = tiny_world([[0.7], [0.8]], [INF], times_s=[0.0, 0.1], service=Slots(1, 0.0, 0.1), timeout_s=1.5)
    assert terms(world, [0, 0]) == {"optimum": 1.5, "queueing": 0.8, "achieved": 0.7}


def test_a_term_is_negative_where_the_next_step_is_luckier() -> None:
    # Estimates are the wrong way round, and the policy does not follow them.
    world = tiny_world([[1.0, 0.0]], [INF, INF])
    found = terms(world, [0], [[0, 1]])
    assert found == {"optimum": 1, "estimation_error_with_luck": 1, "decision_rule": -1, "achieved": 1}


@pytest.mark.parametrize("name", MOST_SLOW)
@pytest.mark.parametrize("service", [Instant(), Slots(1, 0.5, 0.01)], ids=["instant", "slots"])
def test_for_every_policy_the_terms_sum_to_what_is_missing_and_no_step_beats_the_optimum(
    name: str, service: Service
) -> None:
    workload = synthetic(n_queries=200, n_history=100, n_models=4, dim=8, seed=1)
    fleet = OnePerModel(service, queue_capacity=0)
    scenario = Scenario(workload, fleet, Weighted(total=1.0), Poisson(20), shuffled)
    policies = {name: configured_policy(name)}
    for explanation in explanations(scenario, policies, seed=0, replications=2, moments=2):
        found = dict(zip(explanation.quality["term"], explanation.quality["quality"], strict=True))
        losses = np.array([value for term, value in found.items() if term not in ("optimum", "achieved")])
        assert losses.sum() == pytest.approx(found["optimum"] - found["achieved"], abs=1e-9)
        assert (losses.cumsum() >= -1e-9).all()
        assert found["estimation_error"] > 0
        assert found["queueing"] == 0 or service != Instant()
        assert found["exploration"] == 0 or name.startswith("port")  # these send ceil(0.025 x 200) = 5 somewhere


# --- prices


def instance_of(scenario: Scenario) -> Instance:
    return realise(scenario, seed=0, replication=0)


def requests_of(instance: Instance, plan: Sequence[int]) -> pd.DataFrame:
    estimates = EstimateCache().get(None, instance)
    return frame(
        simulate("plan", Replay(planned(np.array(plan))), instance, estimates, np.random.default_rng(0)), instance
    )


def test_a_budget_is_worth_what_the_next_query_that_it_would_pay_is_worth() -> None:
    # 1.5 USD pay the first query and half of the second; then 0.5 USD are left for the second, or 1.5 USD, too many.
    instance = instance_of(tiny_world([[0.9], [0.5]], [1.5]))
    at_s = np.array([0.0, 0.5])
    assert budget_prices(requests_of(instance, [0, 0]), instance, at_s) == pytest.approx(np.array([[0.5], [0.5]]))
    assert budget_prices(requests_of(instance, [-1, 0]), instance, at_s) == pytest.approx(np.array([[0.5], [0.0]]))


def test_without_a_budget_there_is_no_price() -> None:
    instance = instance_of(tiny_world([[0.9, 0.1]], [INF, INF]))
    assert budget_prices(requests_of(instance, [0]), instance, np.array([0.0])).tolist() == [[0, 0]]


def middling() -> Instance:
    """600 queries for four deployments: one has money for nearly all of them, the others for a tenth."""
    workload = synthetic(n_queries=600, n_history=10, n_models=4, dim=2, seed=3)
    instance = instance_of(Scenario(workload, OnePerModel(Instant()), Weighted(), Poisson(1.0), given))
    budgets = np.array([0.9, 0.1, 0.1, 0.1]) * instance.cost.sum(axis=0)
    return replace(instance, setting=replace(instance.setting, budgets=budgets))


def hindsight(instance: Instance) -> pd.DataFrame:
    plan = certified(instance.quality, instance.cost, instance.setting.budgets).bound.plan
    return requests_of(instance, plan.tolist())


def test_a_price_is_the_derivative_of_the_optimum() -> None:
    instance = middling()
    quality, cost, budgets = instance.quality, instance.cost, instance.setting.budgets
    [prices] = budget_prices(hindsight(instance), instance, np.array([0.0]))
    best = linear_program(quality, cost, budgets).value
    for k in (1, 2, 3):
        step = np.zeros(4)
        step[k] = 0.02 * budgets[k]
        gain = (linear_program(quality, cost, budgets + step).value - best) / step[k]
        loss = (best - linear_program(quality, cost, budgets - step).value) / step[k]
        assert 0 < gain <= loss  # the more there is, the less one more is worth
        assert gain == pytest.approx(loss, rel=0.1)
        assert prices[k] == pytest.approx(gain, rel=0.1)


def test_a_budget_that_is_not_used_up_has_price_0() -> None:
    instance = middling()
    requests = hindsight(instance)
    [prices] = budget_prices(requests, instance, np.array([0.0]))
    spent = requests.groupby("deployment", observed=False)["cost_usd"].sum().to_numpy()
    assert (spent / instance.setting.budgets < 0.95).tolist() == [True, False, False, False]
    assert (prices > 1e-6 * prices.max()).tolist() == [False, True, True, True]


def test_along_the_hindsight_optimum_the_first_prices_stay_right() -> None:
    # What is best for all is best for those to come with what is left, and the dual at the first prices says so.
    instance = middling()
    requests = hindsight(instance)
    [prices] = budget_prices(requests, instance, np.array([0.0]))
    chosen = requests["deployment"].cat.codes.to_numpy()
    for come in (150, 300, 450):
        paid = chosen[:come] >= 0
        spent = np.bincount(chosen[:come][paid], weights=requests["cost_usd"][:come][paid], minlength=4)
        left, quality, cost = instance.setting.budgets - spent, instance.quality[come:], instance.cost[come:]
        dual = prices @ left + np.maximum((quality - prices * cost).max(axis=1), 0).sum()
        best = linear_program(quality, cost, left).value
        assert best <= dual <= best + 1  # of more than 100: the plan rounds a few queries


def test_a_slot_is_worth_what_the_next_query_that_it_would_serve_is_worth() -> None:
    # 12 s of one slot serve two queries of 5 s and 2 s of a third, worth 0.5: 0.1 a second.
    world = tiny_world([[0.9], [0.6], [0.5]], [INF], times_s=[0.0, 6.0, 12.0], service=Slots(1, 5.0, 0.0))
    found = slot_prices(instance_of(world), np.array([0.0]))
    assert found is not None
    assert found[0].tolist() == [0]
    assert found[1] == pytest.approx(np.array([[360]]))
    # In windows of 6 s, the first serves one query and 1 s of nobody; the second all of one and 1 s of the other.
    found = slot_prices(instance_of(world), np.array([0.0, 6.0]))
    assert found is not None
    assert found[1] == pytest.approx(np.array([[0], [360]]))


def test_budgets_and_slots_are_priced_together() -> None:
    # Two deployments, the first with 12 s of a slot, the second with money for 1.5 of the queries.
    quality = [[0.9, 0.0], [0.6, 0.0], [0.5, 0.0], [0.0, 0.8], [0.0, 0.4]]
    world = tiny_world(quality, [INF, 1.5], times_s=[0.0, 3.0, 6.0, 9.0, 12.0], service=Slots(1, 5.0, 0.0))
    found = slot_prices(instance_of(world), np.array([0.0]))
    assert found is not None
    assert found[0] == pytest.approx([0, 0.4])
    assert found[1] == pytest.approx(np.array([[360, 0]]))


def test_slots_of_a_batch_have_no_price() -> None:
    batching = Batching(slots=4, iteration_base_s=0.01, iteration_per_sequence_s=0.001, prefill_per_token_s=0.001)
    for service in (batching, Instant()):
        instance = instance_of(tiny_world([[0.9], [0.6]], [INF], service=service))
        assert slot_prices(instance, np.array([0.0])) is None


# --- the verb

SMALL = ["workload.n_queries=120", "workload.n_history=80", "workload.n_models=3", "workload.dim=8", "moments=3"]


@pytest.mark.lengthy
def test_the_verb_writes_terms_prices_figures_and_a_manifest(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "why"
    assert main(["explain", *SMALL, "policy=[random,port_fallback]", "replications=2", f"out={out}"]) == 0
    printed, errors = capfd.readouterr()
    assert "luck of" in printed
    assert "dollar" in printed
    assert f"written to {out}" in printed
    assert errors == ""
    files = {path.name for path in out.iterdir()}
    assert files == {
        "decomposition.csv",
        "decomposition.png",
        "prices.csv",
        "prices.png",
        "choices.parquet",
        "one_query.csv",
        "iso_prices.png",
        "served_by.png",
        "decision_map.png",
        "manifest.json",
        "report.html",
    }
    assert json.loads((out / "manifest.json").read_text())["verb"] == "explain"

    quality = pd.read_csv(out / "decomposition.csv").pivot_table(
        index=["policy", "replication"], columns="term", values="quality"
    )
    assert len(quality) == 4
    missing = quality["optimum"] - quality["achieved"]
    losses = quality.drop(columns=["optimum", "achieved"])
    assert "luck_of_outcomes" in losses
    assert losses.sum(axis=1).tolist() == pytest.approx(missing.tolist(), abs=1e-9)

    prices = pd.read_csv(out / "prices.csv")
    assert len(prices) == 3 * 3 * 3 * 2  # moments, deployments, policies and the optimum, replications
    first = prices[prices["moment_s"] == prices.groupby("replication")["moment_s"].transform("min")]
    assert (first.groupby(["replication", "deployment"])["budget_price"].nunique() == 1).all()
    assert (
        prices[prices["policy"] == "optimum"].groupby(["replication", "deployment"])["budget_price"].std() == 0
    ).all()
    assert prices["slot_price_per_hour"].isna().all()


def test_with_slots_and_outages_there_are_prices_of_slots_and_losses_by_queueing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "why"
    words = ["fleet=slots", "fleet.service.slots=1", "fleet.queue_capacity=2", "budget=unlimited", "events=outage"]
    assert main(["explain", *SMALL, *words, "policy=[least_loaded]", "replications=1", f"out={out}"]) == 0
    printed, _ = capfd.readouterr()
    assert "queueing" in printed
    assert "slot-hour" in printed
    assert (out / "slot_prices.png").is_file()
    assert not (out / "prices.png").exists()  # there are no budgets
    quality = pd.read_csv(out / "decomposition.csv").set_index("term")["quality"]
    assert quality["queueing"] > 0
    prices = pd.read_csv(out / "prices.csv")
    assert prices.loc[prices["policy"] == "optimum_with_slots", "slot_price_per_hour"].max() > 0


WRONG = {
    "budgets that renew": (["window=minute"], "nothing bounds what a policy can achieve, as budgets renew themselves"),
    "a reservation": (["reserve=estimate"], "budgets may be overshot: use reserve=true_cost"),
    "a price change": (
        ["events=price_change", "events.price_change.at_s=1"],
        "a PriceChange may change budgets or prices: leave it out",
    ),
    "no moment": (["moments=0"], "moments is 0; it must be at least 1"),
    "half a moment": (["moments=1.5"], "moments is 1.5; it must be a whole number, such as 20"),
    "a warm-up": (["warm_up=10"], "warm_up is 10; explain is over all arrivals, so it must be null"),
    "a metric": (["metric=latency"], "metric is for run and compare; here it is nothing, as explain is about quality"),
    "a policy": (["policy=pord"], "unknown policy 'pord'; did you mean port?"),
    "a key": (["momments=3"], "unknown key 'momments'; did you mean moments"),
    "no replication": (["replications=0"], "replications is 0; it must be at least 1"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_mistake_gets_one_clear_line_and_leaves_nothing(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words, message = WRONG[what]
    assert main(["explain", *(SMALL[:4] if "moment" in what else SMALL), *words, f"out={tmp_path / 'o'}"]) == 1
    printed, errors = capsys.readouterr()
    assert printed == ""
    assert message in errors
    assert len(errors.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
