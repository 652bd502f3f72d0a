"""What answers are worth may change while a run goes on: for a while, or with the use of a deployment."""

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from policies.bandits.ti_ucb import TiUcb
from scenarios.arrivals.renewal import Poisson
from scenarios.budgets import Weighted
from scenarios.caches.lru import LeastRecentlyUsed
from scenarios.events import Outage, PriceChange
from scenarios.fleets import OnePerModel
from scenarios.orders import shuffled
from scenarios.quality_events import Practice, QualityChange
from scenarios.workloads.synthetic import synthetic
from sim.interface import Combine, Decision, Policy
from sim.scenario import Controls, Retry, Scenario
from sim.study.contract.fences import causal_fence, counterfactual_fence, reset_forgets
from sim.study.experiment import compare
from sim.study.fleet import unbounded
from sim.study.metrics.benchmark import cost_saved, gain_at_random
from sim.study.oracles import Oracle
from sim.study.plan.capacity import capacity
from sim.study.plan.targets import Target
from sim.study.ratio.ratios import check_bounded
from sim.world.services.slots import Slots
from tests.caching import repeated
from tests.calls import reviewing
from tests.calls.reviewing import Reviewed, climb
from tests.caps import capped
from tests.configured import configured_policy
from tests.scripted import Scripted, run
from tests.tasks import tiny

SECOND = Slots(10, 0.0, 0.01)  # an answer of 100 tokens takes 1 s
WORSE = QualityChange(at_s=1.0, factor=0.5)
RISING = Practice(behind=0.5, gain=0.1)  # 0.4, 0.3, 0.2, 0.1 and then nothing less than the workload's


# --- for a while


def test_answers_that_end_while_a_change_holds_are_worth_so_much_of_their_score_and_cost_the_same() -> None:
    policy = Scripted([1] * 4)
    change = QualityChange(at_s=1.0, for_s=2.0, factor=0.5)
    requests = run(policy, [0.0, 0.5, 1.5, 2.5], service=SECOND, events=[change])
    # They end at 1, 1.5, 2.5 and 3.5 s; what ends at the moment of an event is before it.
    assert requests["quality"].tolist() == [1.0, 0.5, 0.5, 1.0]
    assert requests["cost_usd"].tolist() == [2.0] * 4
    assert [feedback.quality for feedback in policy.learned] == [1.0, 0.5, 0.5, 1.0]


def test_factors_multiply_and_each_change_ends_its_own() -> None:
    events = [QualityChange(0.5, 0.5, for_s=3.0), QualityChange(1.5, 0.8), QualityChange(2.5, 0.0, "b", for_s=1.0)]
    requests = run(Scripted([1, 1, 1, 1, 0]), [0.0, 1.0, 2.0, 3.0, 4.0], events=events)
    assert requests["quality"].tolist() == pytest.approx([1.0, 0.5, 0.4, 0.0, 0.4])


def test_a_score_rises_to_one_at_most_and_one_of_nothing_stays_nothing() -> None:
    requests = run(Scripted([0, 1]), [1.0, 2.0], events=[QualityChange(0.0, 1.5)])
    assert requests["quality"].tolist() == [0.75, 1.0]
    none = run(
        Scripted([0]), [1.0], events=[QualityChange(0.0, 0.0), QualityChange(0.0, 1e200), QualityChange(0, 1e200)]
    )
    assert none["quality"].tolist() == [0.0]


# --- with use


def test_each_answer_of_a_deployment_is_worth_more_than_the_one_before_up_to_its_score() -> None:
    requests = run(Scripted([1, 1, 0, 1, 1, 1, 1]), [float(n) for n in range(7)], events=[RISING])
    assert requests["quality"].tolist() == pytest.approx([0.6, 0.7, 0.1, 0.8, 0.9, 1.0, 1.0])


def test_practice_of_one_deployment_leaves_the_other_alone_and_no_score_is_below_nothing() -> None:
    requests = run(Scripted([0, 1, 0]), [0.0, 1.0, 2.0], events=[Practice(0.8, 0.1, "a")])
    assert requests["quality"].tolist() == pytest.approx([0.0, 1.0, 0.0])


def test_practice_comes_before_a_factor() -> None:
    requests = run(Scripted([None, 1]), [0.0, 2.0], events=[WORSE, RISING, PriceChange(0.0, 3.0)])
    assert requests["quality"].tolist() == pytest.approx([0.0, 0.3])
    assert requests["cost_usd"].tolist() == [0.0, 6.0]


def test_what_is_lost_is_no_practice_and_a_retry_counts_once() -> None:
    requests = run(
        Scripted([1, 1]), [0.0, 5.0], service=SECOND, events=[Outage(0.5, 1.0), RISING], retry=Retry(2, backoff_s=2.0)
    )
    assert requests["attempts"].tolist() == [2, 1]
    assert requests["quality"].tolist() == pytest.approx([0.6, 0.7])
    refused = run(Scripted([1, 1]), [0.0, 5.0], service=SECOND, events=[Outage(0.5, 1.0), RISING])
    assert refused["quality"].tolist() == pytest.approx([0.0, 0.6])


# --- where queries take several calls, caps, tasks, a cache


def test_in_a_cascade_every_call_is_practice_and_the_answer_that_is_kept_has_the_score_of_its_call() -> None:
    policy = Reviewed(Decision(0), climb)
    requests, calls = reviewing.run(policy, reviewing.world([0.0, 1.0], events=[Practice(0.5, 0.25)]))
    assert calls["deployment"].tolist()[-1] == "large"
    assert requests["quality"].tolist() == [0.75, 1.0]
    policy = Reviewed(Decision(0, alongside=(0,)), reviewing.keep_last)
    requests, _ = reviewing.run(policy, reviewing.world([0.0], events=[Practice(0.25, 0.125)]))
    assert requests["quality"].tolist() == [0.25]  # the second answer of the small model


def test_a_combination_is_of_the_scores_that_its_answers_were_given() -> None:
    policy = Reviewed(Decision(1, alongside=(2,)), lambda query, answers, state: Combine((0, 1)))
    instance = reviewing.world(
        [0.0], combined=lambda scores: float(scores.mean()), events=[QualityChange(0.0, 0.5, "large")]
    )
    requests, _ = reviewing.run(policy, instance)
    assert requests["quality"].tolist() == [0.5]


def test_the_score_of_a_cut_answer_changes_as_that_of_a_whole_one() -> None:
    instance = capped.world(2, events=[QualityChange(0.5, 0.5)])
    policy = Scripted([Decision(1, max_output_tokens=20), Decision(1, max_output_tokens=20)])
    requests, _ = capped.run(policy, instance)
    assert requests["quality"].tolist() == pytest.approx([0.4, 0.2])
    assert [feedback.quality for feedback in policy.learned] == pytest.approx([0.4, 0.2])


def test_a_cache_gives_an_answer_again_with_the_score_that_it_was_given() -> None:
    cache = LeastRecentlyUsed(capacity=10)
    events = [QualityChange(1.5, 0.5, for_s=1.0)]
    policy = repeated.Notes(1)
    requests = repeated.run(policy, repeated.world([7, 8, 7, 8], [0.0, 1.0, 5.0, 6.0], cache=cache, events=events))
    assert requests["fate"].tolist() == ["served", "served", "cached", "cached"]
    assert requests["quality"].tolist() == [1.0, 0.5, 1.0, 0.5]


def test_a_task_earns_what_its_steps_were_worth_when_they_were_answered() -> None:
    described = tiny.scenario(events=[QualityChange(5.5, 0.5)])
    policy = tiny.ByStep([0, 1, 0])
    requests, tasks = tiny.run(policy, described)
    assert tasks["quality"].tolist() == [0.25, 1.0]  # the second and third step of x are half right
    described = replace(described, workload=replace(described.workload, reward=lambda scores: float(scores.mean())))
    requests, tasks = tiny.run(policy, described)
    assert tasks["quality"].tolist() == pytest.approx([2 / 3, 1.0])
    assert requests["quality"].tolist() == pytest.approx([0.0, 1.0, 0.0, 2 / 3])


# --- what a policy sees, and what no optimum knows


def scenario(*events: Any) -> Scenario:
    workload = synthetic(n_queries=120, n_history=100, n_models=4, dim=8, seed=1)
    return Scenario(
        workload, OnePerModel(Slots(2, 0.1, 0.005)), Weighted(total=1.0), Poisson(20), shuffled, events=events
    )


@pytest.mark.parametrize("name", ["ti_ucb", "pareto_bandit", "greenserv", "mirror_descent_entropic"])
@pytest.mark.parametrize("fence", [counterfactual_fence, causal_fence, reset_forgets])
def test_no_policy_sees_the_score_of_an_answer_before_it_was_given(
    fence: Callable[[Callable[[], Policy], Scenario], None], name: str
) -> None:
    world = scenario(
        Practice(0.6, 0.02), QualityChange(2.0, 0.5, for_s=2.0), QualityChange(3.0, 0.3), PriceChange(2.5, 0.1)
    )
    fence(lambda: configured_policy(name), world)


def test_no_hindsight_optimum_knows_what_answers_are_worth_then() -> None:
    for event in (WORSE, RISING):
        reason = f"a {type(event).__name__} changes what answers are worth: leave it out"
        assert unbounded(scenario(event)) == reason
        with pytest.raises(ValueError, match="a ratio needs a hindsight optimum, and there is none, as " + reason):
            check_bounded(scenario(event))
    figures = compare(
        scenario(RISING),
        {"ti_ucb": TiUcb()},
        oracle=Oracle(("optimum",)),
        metrics={"gain": gain_at_random, "saved": cost_saved},
    )
    assert (
        figures.loc[figures["policy"] == "ti_ucb", ["optimum_ratio", "bayes_ratio", "gain", "saved"]]
        .isna()
        .all(axis=None)
    )
    assert compare(scenario(), {"ti_ucb": TiUcb()}, metrics={"gain": gain_at_random})["gain"].notna().all()


def test_a_plan_excludes_no_fleet_by_scores_that_may_rise() -> None:
    target = [Target("quality_per_query", "quality_per_query", ">=", 0.99)]
    catalogue = scenario().fleet.deployments(scenario().workload.models, np.random.default_rng(0))
    assert capacity(scenario(), catalogue, 0, 1).excludes([1, 0, 0, 0], target) == "no model good enough"
    assert capacity(scenario(QualityChange(0.0, 9.0)), catalogue, 0, 1).excludes([1, 0, 0, 0], target) is None


def test_an_event_of_ones_own_that_changes_quality_must_say_so() -> None:
    @dataclass(frozen=True)
    class Silent:
        deployment = None

        def run(self, controls: Controls, rng: np.random.Generator) -> Generator[Any, Any, Any]:
            controls.change_quality(None, 0.5)
            yield controls.env.timeout(0)

    with pytest.raises(RuntimeError, match="an event changes quality and does not say so"):
        run(Scripted([0]), [0.0], events=[Silent()])


@pytest.mark.parametrize(
    ("made", "line"),
    [
        (lambda: QualityChange(0.0, -0.5), r"factor of a QualityChange is -0\.5; it must be at least 0"),
        (lambda: QualityChange(0.0, 0.5, for_s=-1.0), "for_s of a QualityChange is -1.0; .*or null for ever"),
        (lambda: Practice(1.5, 0.1), r"behind of a Practice is 1\.5; it must be at most 1, as scores are"),
        (lambda: Practice(0.5, -0.1), r"gain of a Practice is -0\.1; it must be at least 0"),
    ],
)
def test_numbers_out_of_range_are_refused(made: Callable[[], object], line: str) -> None:
    with pytest.raises(ValueError, match=line):
        made()
