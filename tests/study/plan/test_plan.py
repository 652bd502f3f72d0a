"""Plans: by hand, then against trying everything and against Erlang's formulas, then from the command line."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from policies.balancing.least_loaded import LeastLoaded
from scenarios.arrivals import Poisson
from scenarios.budgets import Amounts, Each, Unlimited
from scenarios.fleets import Listed, OnePerModel
from scenarios.orders import given
from sim.cli.main import main
from sim.deployment import Deployment
from sim.distributions import Exponential
from sim.interface import Decision, Policy, Query, State
from sim.scenario import Scenario
from sim.study.metrics import Metric
from sim.study.metrics.latency import latency_percentile_s, mean_wait_s
from sim.study.metrics.shares import (
    quality_per_query,
    served_share,
    total_cost_per_1000_arrivals_usd,
    waited_share,
)
from sim.study.plan.candidates import Candidate, Judge, Trials
from sim.study.plan.line import Budget, Line, Rate, Replicas
from sim.study.plan.mix import Mix
from sim.study.plan.planner import ALL_ALIKE, Plan, Search, plan
from sim.study.plan.targets import FAILS, MEETS, TIE, measure, read_targets
from sim.study.ratio.ratios import Scaled
from sim.study.sequential import Effort
from sim.study.side_by_side import OneByOne
from sim.study.theory.markovian import erlang_b, erlang_c, mmc_mean_wait_s
from sim.world.services.timed import Timed
from tests.conftest import Beside
from tests.records import record, served
from tests.worlds import MODELS, tiny_rows, tiny_scenario, tiny_workload

METRICS: dict[str, Metric] = {
    "p95_latency_s": partial(latency_percentile_s, percent=95),
    "mean_wait_s": mean_wait_s,
    "waited_share": waited_share,
    "served_share": served_share,
    "quality_per_query": quality_per_query,
    "total_cost_per_1000_arrivals_usd": total_cost_per_1000_arrivals_usd,
}
QUICK = Effort(min_replications=4, max_replications=16)


class First(Policy):
    """Send every query to the first deployment."""

    def decide(self, query: Query, state: State) -> Decision:
        return Decision(0)


def judge(*targets: str, policy: Policy | None = None, effort: Effort = QUICK) -> Judge:
    """A judge of these targets; the policy sends queries to the least loaded deployment."""
    return Judge(
        Trials("policy", policy or LeastLoaded(), read_targets(targets, list(METRICS)), METRICS), effort, OneByOne()
    )


def planned(scenario: Scenario, search: Search, *targets: str, policy: Policy | None = None) -> Plan:
    """The plan for these targets."""
    return plan(scenario, search, judge(*targets, policy=policy))


def queue(rate_per_s: float, slots: int, n_queries: int = 3000, queue_capacity: int | None = None) -> Scenario:
    """One deployment with exponential service of mean 1 s behind Poisson arrivals: M/M/slots."""
    workload = tiny_workload(tiny_rows(np.ones((n_queries, 1)), np.ones((n_queries, 1))))
    fleet = OnePerModel(Timed(slots, Exponential(1.0)), queue_capacity=queue_capacity)
    return Scenario(workload, fleet, Unlimited(), Poisson(rate_per_s), given)


def catalogue(n_queries: int = 400) -> Scenario:
    """Three models of quality 0.3, 0.6 and 0.9 on deployments of different speed and price."""
    truth = np.tile([0.3, 0.6, 0.9], (n_queries, 1))
    services = {"small": (Exponential(0.2), 1.0), "medium": (Exponential(0.5), 1.7), "large": (Exponential(1.0), 3.1)}
    members = [
        Deployment(model, model, Timed(4, duration), price_per_hour_usd=price)
        for model, (duration, price) in services.items()
    ]
    return Scenario(tiny_workload(tiny_rows(truth, truth)), Listed(members), Unlimited(), Poisson(14.0), given)


def ten_worths() -> Scenario:
    """One model and a budget of 10 USD; query j is worth 0.1 j and costs 1 USD."""
    scenario = tiny_scenario(tiny_workload(tiny_rows(np.arange(1, 11)[:, None] / 10, np.ones((10, 1)))))
    return replace(scenario, budget=Amounts([10.0]))


# --- targets ----------------------------------------------------------------------------------------------------------


def test_targets_are_read_as_people_write_them() -> None:
    known = ["p95_first_token_s", "p99_per_token_s", "total_cost_per_1000_arrivals_usd", "quality"]
    targets = read_targets(["p95_ttft_s<=1.5", " p99_tpot_s <= 0.1", "cost_per_1k_usd<=2", "quality>=1e3"], known)
    assert [target.metric for target in targets] == known
    assert [target.limit for target in targets] == [1.5, 0.1, 2.0, 1000.0]
    assert [str(target) for target in targets][::3] == ["p95_ttft_s<=1.5", "quality>=1000"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "targets is empty; give one or more in quotes, such as 'targets=\\[p95_latency_s<=2"),
        (["quality"], "cannot read the target 'quality'; write METRIC<=NUMBER"),
        (["quality=1"], "cannot read the target 'quality=1'"),
        (["quality>=good"], "cannot read the target 'quality>=good'"),
        (["quality>=inf"], "cannot read the target 'quality>=inf'"),
        (["qualty>=1"], "unknown metric 'qualty'; did you mean 'quality'"),
        (["p95_tft_s<=1"], "unknown metric 'p95_tft_s'; did you mean 'p95_ttft_s'"),
        (["quality<=1", "quality>=2"], "the targets quality<=1 and quality>=2 contradict each other"),
    ],
)
def test_targets_that_cannot_be_are_refused_in_one_line(words: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_targets(words, ["quality", "p95_first_token_s"])


def test_a_target_is_decided_when_its_whole_interval_is_on_one_side() -> None:
    (below,) = read_targets(["quality<=2"], ["quality"])
    (above,) = read_targets(["quality>=2"], ["quality"])
    for values, verdicts in (
        ([0.9, 1.0, 1.1], (MEETS, FAILS)),  # 1 +- 0.25
        ([1.0, 2.0, 3.0], (TIE, TIE)),  # 2 +- 2.5
        ([2.9, 3.0, 3.1], (FAILS, MEETS)),
        ([1.0, 1.0, np.inf], (FAILS, MEETS)),  # some percentile that touches a refused query
        ([1.0, np.nan, 1.0], (FAILS, FAILS)),  # no figure is no evidence
    ):
        assert (measure(below, values, 0.95).verdict, measure(above, values, 0.95).verdict) == verdicts
    assert measure(below, [1.0, 2.0, 3.0], 0.95).high == pytest.approx(2 + stats.t.ppf(0.975, 2) / 3**0.5)


def test_looks_double_and_share_the_chance_of_an_error() -> None:
    effort = Effort(min_replications=5, max_replications=30, confidence=0.95)
    assert effort.looks == (5, 10, 20, 30)
    assert effort.confidence_of_each == pytest.approx(0.9875)
    with pytest.raises(ValueError, match="min_replications is 1; an interval needs at least 2"):
        Effort(min_replications=1)


def test_intervals_of_all_looks_together_cover_the_mean_as_often_as_promised() -> None:
    (target,) = read_targets(["quality<=0"], ["quality"])
    effort, rng, missed = Effort(4, 16, 0.9), np.random.default_rng(0), 0
    for _ in range(1000):  # the mean is at the limit, so that every verdict but a tie is an error
        values = rng.normal(size=16)
        verdicts = {measure(target, values[:look], effort.confidence_of_each).verdict for look in effort.looks}
        missed += verdicts != {TIE}
    assert missed <= 130  # at most 100 are expected


# --- metrics ----------------------------------------------------------------------------------------------------------


def test_what_is_rented_is_paid_by_the_hour_and_the_rest_by_the_query() -> None:
    requests = record(
        served(0, 0.0, 0.0, 1.0, 3600.0, deployment="a", cost_usd=5.0),
        served(1, 0.0, 0.0, 1.0, 2.0, deployment="b", cost_usd=7.0),
    )
    fleet = pd.DataFrame({"deployment": ["a", "b"], "replicas": [3, 1], "price_per_hour_usd": [2.0, 0.0]})
    assert total_cost_per_1000_arrivals_usd(requests, fleet) == pytest.approx(1000 * (3 * 2.0 + 7.0) / 2)


# --- along a line -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("target", "factor"), [(0.1, 0.4), (0.3, 0.8), (0.55, 1.0), (0.01, 0.1)])
def test_the_smallest_budget_by_hand(target: float, factor: float) -> None:
    # the first k queries are worth 0.1 + ... + 0.1 k: 1.0 for 4, 2.8 for 7, 3.6 for 8, 5.5 for all
    found = planned(ten_worths(), Budget(0.1, 2.0, 0.1), f"quality_per_query>={target}").found
    assert found.answer is not None
    assert found.answer.candidate.value == pytest.approx(factor)


def test_the_reasons_of_a_budget_by_hand() -> None:
    whole = planned(ten_worths(), Budget(0.1, 2.0, 0.1), "quality_per_query>=0.3").as_dict()
    assert whole["answer"]["candidate"] == "budget x 0.8 (8 usd)"
    assert whole["below"]["candidate"] == "budget x 0.7 (7 usd)"
    assert whole["next_best"]["candidate"] == "budget x 0.9 (9 usd)"
    assert whole["next_best"]["total_cost_per_1000_arrivals_usd"] == pytest.approx(900.0)
    assert whole["binding"] == ["quality_per_query>=0.3"]
    price = whole["shadow_price"]
    assert price["change_of_metric"] == pytest.approx(0.08)  # the eighth query of ten is worth 0.8
    assert price["answer"] == pytest.approx(0.1 / 0.08)
    assert price["total_cost_per_1000_arrivals_usd"] == pytest.approx(100.0 / 0.08)
    assert whole["open_from"] is None
    assert whole["warnings"] == [ALL_ALIKE]  # as nothing here is drawn


def test_an_impossible_target_says_what_fails_and_by_how_much_at_the_most_generous_candidate() -> None:
    whole = planned(ten_worths(), Budget(0.1, 2.0, 0.1), "quality_per_query>=0.6", "served_share>=0.5")
    assert whole.found.answer is None
    assert whole.sentence == (
        "smallest budget: no candidate was shown to meet every target; at budget x 2 (20 usd) "
        "quality_per_query 0.55 (the same in every replication), 0.05 below 0.6"
    )


def test_a_target_that_generosity_hurts_is_judged_where_the_others_begin_to_be_met() -> None:
    cost = "total_cost_per_1000_arrivals_usd"
    search = Budget(0.1, 2.0, 0.1)
    found = planned(ten_worths(), search, "quality_per_query>=0.3", f"{cost}<=850").found
    assert found.answer is not None
    assert found.answer.candidate.value == 0.8
    assert found.next_best is None  # at 0.9 a thousand queries cost 900
    too_dear = planned(ten_worths(), search, "quality_per_query>=0.3", f"{cost}<=750")
    assert too_dear.found.answer is None
    assert too_dear.sentence.endswith(
        f"at budget x 0.8 (8 usd) {cost} 800 (the same in every replication), 50 above 750"
    )


def test_the_first_candidate_of_all_is_an_answer_that_says_so() -> None:
    found = planned(ten_worths(), Budget(0.5, 1.0, 0.1), "served_share>=0.2").found
    assert found.answer is not None
    assert found.answer.candidate.value == 0.5
    assert "widen" in found.proven


@dataclass(frozen=True)
class Shuffled(Line):
    """Budgets that are not in order."""

    factors: Sequence[float]
    goal = "smallest budget"
    n_candidates = 4
    unit = "times the present budget"

    def candidates(self, scenario: Scenario, seed: int) -> list[Candidate]:
        return [
            Candidate(f"x {factor:g}", factor, replace(scenario, budget=Scaled(scenario.budget, factor)))
            for factor in self.factors
        ]


def test_targets_that_are_not_monotone_are_reported() -> None:
    found = planned(ten_worths(), Shuffled([0.2, 0.8, 0.4, 1.0]), "quality_per_query>=0.3").found
    assert found.answer is not None
    assert found.answer.label == "x 0.8"
    assert found.warnings[0] == "not monotone: x 0.8 meets what x 0.4 fails, so the answer may not be the first"


def brute_force(candidates: Sequence[Candidate], *targets: str) -> Candidate | None:
    """The first candidate that meets every target, by trying all in order."""
    everything = judge(*targets)
    return next((one for one in candidates if everything.judge(one).verdict == MEETS), None)


@pytest.mark.parametrize(
    "limit_s", [2.0, *(pytest.param(limit_s, marks=pytest.mark.slow) for limit_s in (4.0, 5.0, 9.0))]
)
def test_bisection_finds_what_trying_everything_finds(limit_s: float) -> None:
    scenario = queue(rate_per_s=3.0, slots=1, n_queries=500)
    for search in (Replicas(1, 9), Rate(0.5, 4.0, 0.5)):
        targets = (f"p95_latency_s<={limit_s}", "served_share>=1")
        found = planned(scenario, search, *targets).found
        expected = brute_force(search.candidates(scenario, 0), *targets)
        assert (found.answer and found.answer.label) == (expected and expected.label)


def test_what_a_candidate_gets_does_not_depend_on_what_was_tried_before() -> None:
    scenario, search = queue(3.0, 1, 300), Replicas(1, 9)
    one_of_many = planned(scenario, search, "p95_latency_s<=5").found.answer
    assert one_of_many is not None
    alone = judge("p95_latency_s<=5").judge(one_of_many.candidate)
    assert alone.figures == pytest.approx(one_of_many.figures)


@pytest.mark.lengthy
def test_the_largest_load_of_a_queue_is_what_erlang_c_says(beside: Beside) -> None:
    rates = np.arange(1.0, 4.0, 0.4)
    for target, theory in (
        ("mean_wait_s<={}", [mmc_mean_wait_s(rate, 1.0, 4) for rate in rates]),
        ("waited_share<={}", [erlang_c(rate, 4) for rate in rates]),
    ):
        limit = (theory[4] + theory[5]) / 2  # loads of 0.65 and 0.75
        found = planned(queue(1.0, slots=4), Rate(1.0, 3.8, 0.4), target.format(limit)).found
        assert found.answer is not None
        assert found.answer.candidate.value == pytest.approx(rates[4])
        figure = f"largest rate per s, M/M/4, {target.format(f'{limit:.4f}')}"
        beside("Plans", figure, found.answer.candidate.value, rates[4], "Erlang C", "exactly, steps of 0.4")


def test_the_fewest_servers_without_a_queue_are_what_erlang_b_says(beside: Beside) -> None:
    losses = {servers: erlang_b(6.0, servers) for servers in range(1, 16)}
    limit = (losses[9] + losses[10]) / 2
    found = planned(queue(6.0, slots=1, queue_capacity=0), Replicas(1, 15), f"served_share>={1 - limit}").found
    assert found.answer is not None
    assert found.answer.candidate.value == 10
    assert found.open_from is None
    figure = f"fewest servers, 6 Erlang, losing at most {limit:.2%}"
    beside("Plans", figure, found.answer.candidate.value, 10, "Erlang B", "exactly")


def test_ties_are_left_open() -> None:
    level = erlang_b(6.0, 10)  # ten servers are exactly at the limit
    found = planned(queue(6.0, 1, 400, queue_capacity=0), Replicas(1, 15), f"served_share>={1 - level}").found
    assert found.answer is not None
    assert found.answer.candidate.value > 10
    assert found.open_from is not None
    assert int(found.open_from.split()[0]) <= 10


@pytest.mark.parametrize(
    ("search", "scenario", "message"),
    [
        (Replicas(deployment="big"), ten_worths(), "unknown search.deployment 'big'; known: small"),
        (Rate(parameter="rate"), ten_worths(), "unknown search.parameter of these arrivals 'rate'; did you mean"),
        (Budget(), replace(ten_worths(), budget=Each(float("inf"))), "the budgets add up to inf"),
        (Mix(), ten_worths(), "'small' has no price_per_hour_usd"),
        (Mix(1, {"huge": 1}), catalogue(), "unknown deployment in search.most_by_name 'huge'"),
        (Mix(0), catalogue(), "search.most allows no mix"),
    ],
)
def test_what_cannot_be_searched_is_refused(search: Search, scenario: Scenario, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        planned(scenario, search, "served_share>=1")


def test_searches_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match=r"search\.low is 1\.5; it must be a whole number"):
        Replicas(low=1.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="search goes from 3 to 2"):
        Rate(3, 2, 1)
    with pytest.raises(ValueError, match=r"search\.step is 0"):
        Rate(1, 2, 0)


# --- mixes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "targets",
    [
        ("mean_wait_s<=0.02",),
        pytest.param(("mean_wait_s<=0.02", "quality_per_query>=0.4"), marks=pytest.mark.lengthy),
        pytest.param(("quality_per_query>=0.7", "mean_wait_s<=1"), marks=pytest.mark.slow),
        pytest.param(("quality_per_query>=0.85", "mean_wait_s<=1"), marks=pytest.mark.slow),
    ],
)
def test_the_cheapest_mix_is_the_one_that_trying_everything_finds(targets: tuple[str, ...], beside: Beside) -> None:
    scenario = catalogue()
    found = planned(scenario, Mix(4, max_candidates=130), *targets).found
    assert found.answer is not None
    mixes = []
    prices = {"small": 1.0, "medium": 1.7, "large": 3.1}
    for counts in np.ndindex(5, 5, 5):
        rent = sum(n * price for n, price in zip(counts, prices.values(), strict=True))
        if 0 < rent <= found.answer.candidate.value + 1e-9:
            fleet = scenario.fleet.deployments(MODELS, np.random.default_rng())
            members = [replace(one, replicas=n) for one, n in zip(fleet, counts, strict=True) if n]
            mixes.append(Candidate(str(counts), rent, replace(scenario, fleet=Listed(members))))
    expected = brute_force(sorted(mixes, key=lambda mix: mix.value), *targets)
    assert expected is not None
    assert found.answer.candidate.value == pytest.approx(expected.value)
    assert "excluded" in found.proven
    assert found.proven.endswith("none is left")
    figure = f"USD an hour of the cheapest fleet, {' and '.join(targets)}"
    beside("Plans", figure, found.answer.candidate.value, expected.value, "trying all of 124 fleets", "exactly")


def test_a_search_that_is_cut_short_proves_nothing_and_says_so() -> None:
    many = judge("quality_per_query>=0.7", "mean_wait_s<=1")
    found = plan(catalogue(), Mix(4, max_candidates=5), many).found
    assert len(many.tried) <= 5
    assert "not tried" in found.proven
    assert found.proven.endswith("nothing is proven")


def test_no_mix_is_good_enough_if_no_model_is() -> None:
    found = planned(catalogue(), Mix(2), "quality_per_query>=0.95")
    assert found.found.answer is None
    assert "are excluded (no model good enough)" in found.found.proven
    assert "below 0.95" in found.sentence


# --- from the command line --------------------------------------------------------------------------------------------

SMALL = (
    "workload.n_queries=300",
    "workload.n_history=300",
    "workload.n_models=2",
    "fleet=timed",
    "fleet.service.slots=1",
    "min_replications=3",
    "max_replications=6",
)


@pytest.mark.lengthy
def test_one_command_from_question_to_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    words = ["plan", "targets=[p95_ttft_s<=9,cost_per_1k_usd<=50]", *SMALL, "arrivals.rate_per_s=5", f"out={out}"]
    assert main(words) == 0
    printed = capsys.readouterr()
    assert printed.err == ""  # no bar where nobody watches
    assert " of each: p95 first token " in printed.out
    whole = json.loads((out / "plan.json").read_text())
    assert whole["sentence"] in printed.out
    candidates = pd.read_csv(out / "candidates.csv")
    assert candidates.loc[candidates["is_answer"], "candidate"].tolist() == [whole["answer"]["candidate"]]
    assert set(candidates["p95_ttft_s<=9"]) <= {MEETS, FAILS, TIE}
    assert (out / "frontier.png").stat().st_size > 10_000
    assert json.loads((out / "manifest.json").read_text())["verb"] == "plan"


def test_a_plan_without_an_answer_has_exit_code_2_one_line_and_its_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["plan", "search=rate", "search.high=4", "targets=quality_per_query>=1", *SMALL, f"out={tmp_path / 'out'}"]
    assert main(words) == 2
    printed = capsys.readouterr()
    assert "no candidate was shown to meet every target" in printed.out
    [line] = [line for line in printed.err.splitlines() if "note:" not in line]
    assert line.startswith("switchyard: largest rate_per_s: no candidate was shown to meet every target; at ")
    assert (tmp_path / "out" / "candidates.csv").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["targets=[p95_latency<=2]"], "unknown metric 'p95_latency'; did you mean 'p95_latency_s'"),
        (["targets=[quality<=1,quality>=2]"], "contradict each other"),
        ([], "targets is empty"),
        (["targets=[quality>=1]", "policy=[random,port]"], "policy names random, port; a plan is for one policy"),
        (["targets=[quality>=1]", "replications=4"], "replications is for run and compare"),
        (["targets=[quality>=1]", "search=fleets"], "unknown search 'fleets'; did you mean fleet"),
    ],
)
def test_mistakes_get_one_line(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", *words, f"out={tmp_path / 'out'}", "--no-report"]) != 0
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.count("\n") == 1
    assert not (tmp_path / "out").exists()
