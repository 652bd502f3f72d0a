"""The cheapest fleet of rented deployments and token-priced APIs, against trying everything."""

import itertools
import json
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from policies.balancing.least_loaded import LeastLoaded
from scenarios.arrivals import Poisson
from scenarios.budgets import Unlimited
from scenarios.fleets import Listed
from scenarios.orders import given
from sim.cli.main import main
from sim.deployment import Deployment
from sim.interface import Decision, Policy, Query, Setting, State
from sim.scenario import Scenario
from sim.study.metrics.latency import mean_wait_s
from sim.study.metrics.shares import quality_per_query, served_share
from sim.study.plan.candidates import Candidate, Judge, Judged, Trials
from sim.study.plan.line import Replicas
from sim.study.plan.mix import Mix
from sim.study.plan.planner import Plan, plan
from sim.study.plan.targets import MEETS, read_targets
from sim.study.sequential import Effort
from sim.study.side_by_side import OneByOne
from sim.world.services.hosted import Api
from sim.world.services.slots import Slots
from tests.conftest import Beside
from tests.worlds import tiny_rows, tiny_workload

METRICS = {"mean_wait_s": mean_wait_s, "quality_per_query": quality_per_query, "served_share": served_share}
ONCE = Effort(min_replications=2, max_replications=2)
SOON = "mean_wait_s<=0.4"


class RentedFirst(Policy):
    """Send a query to the first deployment with a free slot, as the catalogue has them; else to the last."""

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        self._slots = np.array([info.slots for info in setting.fleet])

    def decide(self, query: Query, state: State) -> Decision:
        free = np.flatnonzero(state.in_flight + state.queued < self._slots)
        return Decision(int(free[0]) if len(free) else len(self._slots) - 1)


def world(usd_per_million: float = 20.0, rate_per_s: float = 6.0, per_minute: int | None = None) -> Scenario:
    """Two rented models of 4 slots and 1 s a query, and an API: 100 tokens of output each."""
    truth = np.tile([0.5, 0.8, 0.7], (150, 1))
    rows = tiny_rows(truth, np.zeros((150, 3)), np.full((150, 3), 100))
    members = [
        Deployment("small", "small", Slots(4, 0.5, 0.005), price_per_hour_usd=3.0),
        Deployment("big", "medium", Slots(4, 0.5, 0.005), price_per_hour_usd=8.0),
        Deployment(
            "api",
            "large",
            Api(per_minute, None, 0.5, 0.0, 0.01, 0.0),
            price_input_usd_per_million=0.0,
            price_output_usd_per_million=usd_per_million,
        ),
    ]
    return Scenario(tiny_workload(rows), Listed(members), Unlimited(), Poisson(rate_per_s), given)


def judge(*targets: str, policy: Policy | None = None) -> Judge:
    """A judge of these targets, with two runs of each candidate."""
    return Judge(
        Trials("policy", policy or RentedFirst(), read_targets(targets, list(METRICS)), METRICS), ONCE, OneByOne()
    )


def planned(scenario: Scenario, search: Mix | Replicas, *targets: str) -> Plan:
    """The plan for these targets."""
    return plan(scenario, search, judge(*targets))


def everything(scenario: Scenario, most: int, targets: Sequence[str]) -> list[Judged]:
    """Every mix that meets the targets, each judged by itself, the cheapest first."""
    assert isinstance(scenario.fleet, Listed)
    found = []
    for counts in itertools.product(range(most + 1), range(most + 1), range(2)):
        if any(counts):
            pairs = zip(scenario.fleet.members, counts, strict=True)
            mix = [replace(one, replicas=n) for one, n in pairs if n]
            found.append(judge(*targets).judge(Candidate("it", math.nan, replace(scenario, fleet=Listed(mix)))))
    return sorted((one for one in found if one.verdict == MEETS), key=lambda one: one.value)


@pytest.mark.parametrize(
    ("usd_per_million", "targets"),
    [
        pytest.param(0.5, (SOON,), marks=pytest.mark.slow),
        (3.0, (SOON,)),
        pytest.param(30.0, (SOON, "quality_per_query>=0.6"), marks=pytest.mark.slow),
    ],
)
def test_the_cheapest_is_the_one_that_trying_everything_finds(
    usd_per_million: float, targets: tuple[str, ...], beside: Beside
) -> None:
    scenario = world(usd_per_million)
    found = planned(scenario, Mix(2, max_candidates=40), *targets).found
    best, *others = everything(scenario, 2, targets)
    assert found.answer is not None
    assert found.answer.value == pytest.approx(best.value, rel=1e-12)
    assert found.answer.value < others[0].value
    assert "none is left" in found.proven
    figure = f"USD per 1,000 queries of the cheapest fleet, rent and tokens at {usd_per_million:g} USD a million"
    beside("Plans", figure, found.answer.value, best.value, "trying all mixes", "exactly")


def test_the_answer_changes_from_the_api_to_both_to_rented_as_tokens_get_dearer() -> None:
    labels = []
    for usd_per_million in (0.5, 3.0, 30.0):
        answer = planned(world(usd_per_million), Mix(2), SOON).found.answer
        assert answer is not None
        labels.append(answer.label)
    assert labels == ["api", "1 small + api", "2 small"]


def test_the_sentence_says_what_is_rent_and_what_tokens_and_who_takes_which_share() -> None:
    made = planned(world(3.0), Mix(2), SOON)
    answer = made.found.answer
    assert answer is not None
    rent = answer.total_cost_per_1000_arrivals_usd - answer.token_cost_per_1000_arrivals_usd
    assert answer.shares["small"] + answer.shares["api"] == pytest.approx(1)
    # 100 tokens at 3 USD a million are 0.3 USD for 1,000 queries; 3 USD an hour at 6 a second are about 0.139.
    assert answer.token_cost_per_1000_arrivals_usd == pytest.approx(0.3 * answer.shares["api"])
    assert rent == pytest.approx(3 / 3.6 / 6, rel=0.15)
    said = f"1,000 queries cost {answer.value:.4g} USD, {rent:.4g} of rent and"
    assert said in made.sentence
    assert f"small takes {answer.shares['small']:.0%} of them, api {answer.shares['api']:.0%}" in made.sentence
    assert made.unit == "USD per 1,000 queries, rent and tokens"


def test_the_limits_of_an_api_are_the_same_in_every_mix_and_do_not_grow_with_a_count() -> None:
    limited = world(0.5, rate_per_s=6.0, per_minute=70)  # a minute's allowance at once, for 150 in 25 s
    found = planned(limited, Mix(2), SOON, "served_share>=1").found
    assert found.answer is not None
    assert found.answer.label == "1 small + api"
    with pytest.raises(ValueError, match=r"search.most_by_name has 3 of 'api', an API with limits of its provider's"):
        planned(limited, Mix(2, {"api": 3}), SOON)


def test_an_api_can_be_left_out() -> None:
    answer = planned(world(0.5), Mix(2, {"api": 0}), SOON).found.answer
    assert answer is not None
    assert answer.label == "2 small"


def test_replicas_of_each_leave_an_api_as_it_is() -> None:
    search = Replicas(1, 4)
    scenario = search.candidates(world(), 0)[2].scenario
    fleet = scenario.fleet.deployments(scenario.workload.models, np.random.default_rng(0))
    assert [one.replicas for one in fleet] == [3, 3, 1]
    with pytest.raises(ValueError, match="'api' is an API, whose limits are its provider's"):
        planned(world(), Replicas(1, 4, "api"), SOON)


def test_a_search_that_is_cut_short_says_how_many_mixes_were_not_tried() -> None:
    found = planned(world(3.0), Mix(2, max_candidates=2), SOON).found
    assert "were not tried (search.max_candidates), so nothing is proven" in found.proven


def test_without_an_answer_the_nearest_mix_says_why() -> None:
    found = plan(world(), Mix(1), judge("quality_per_query>=0.79", SOON, policy=LeastLoaded())).found
    assert found.answer is None
    assert found.closest is not None


def test_least_loaded_spills_to_the_api_what_finds_no_room_at_what_is_rented() -> None:
    both = replace(world(3.0), fleet=Listed([one for one in world(3.0).fleet.members if one.name != "big"]))  # type: ignore[attr-defined]
    alike, spilling = (
        judge(SOON, policy=LeastLoaded(spill_at)).judge(Candidate("it", math.nan, both)).shares
        for spill_at in (None, 1.0)
    )
    rented_first = judge(SOON).judge(Candidate("it", math.nan, both)).shares
    assert spilling == rented_first
    assert alike["api"] > 0.6 > spilling["api"]


@pytest.mark.slow
def test_one_command_rents_and_buys_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["fleet=[selfhosted_a100,hosted_api]", "search.most=1", "search.most_kinds=2", "search.max_candidates=6"]
    effort = ["min_replications=2", "max_replications=2", "beyond=false", "workload.n_queries=300"]
    load = ["arrivals.rate_per_s=20", "policy.least_loaded.spill_at=0.5", "targets=p95_ttft_s<=1"]
    assert main(["plan", "search=fleet", *words, *effort, *load, f"out={tmp_path / 'out'}"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"1,000 queries cost \S+ USD, \S+ of rent and \S+ of tokens; ", said)
    answer = json.loads((tmp_path / "out" / "plan.json").read_text())["answer"]
    assert sum(answer["shares"].values()) == pytest.approx(1, abs=0.01)
    assert "rent and tokens" in (tmp_path / "out" / "report.html").read_text()
