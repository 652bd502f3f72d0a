"""What lies beyond the answer of a plan: traffic that it still carries, what then fails, and which inputs matter."""

import functools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scenarios.arrivals.closed import ClosedLoop
from sim.cli.main import main
from sim.scenario import Scenario
from sim.study.plan.beyond import Beyond, look_beyond, pressure
from sim.study.plan.candidates import Candidate
from sim.study.plan.inputs import Faster, with_answers, with_prompts
from sim.study.plan.line import Budget, Rate, Replicas
from sim.study.plan.planner import plan
from sim.study.plan.targets import Measured, Target
from sim.study.plan.wording import measured_words, missed_words
from sim.study.sequential import Effort
from tests.study.plan.test_plan import judge, planned, queue, ten_worths

LONG = Effort(min_replications=4, max_replications=4)


def beyond(scenario: Scenario, *targets: str) -> Beyond:
    """What lies beyond a scenario that is the answer."""
    judging = judge(*targets, effort=LONG)
    answer = judging.judge(Candidate("it", 1.0, scenario))
    found = look_beyond(answer, None, judging)
    assert list(judging.tried) == ["it"]  # nothing of this is a candidate
    return found


@functools.cache
def of_half_loaded() -> Beyond:
    return beyond(HALF_LOADED, "mean_wait_s<=3")


# Mean wait of M/M/1 with services of 1 s: rho / (1 - rho).
HALF_LOADED = queue(0.5, 1, n_queries=8000)


@pytest.mark.lengthy
def test_headroom_is_what_the_formula_of_a_queue_says() -> None:
    found = of_half_loaded()  # met up to a load of 3/4, which is half as much traffic again
    assert found.headroom is not None
    assert 0.25 < found.headroom < 0.55  # what the intervals of four replications show
    assert not found.carries_most
    assert [one.target.metric for one in found.first] == ["mean_wait_s"]
    assert found.first[0].high > 3
    assert found.queries_per_hour == pytest.approx(1800, rel=0.05)


@pytest.mark.lengthy
def test_sensitivities_are_what_the_formula_of_a_queue_says() -> None:
    found = of_half_loaded()
    assert {one.input for one in found.sensitivities} == {"more traffic", "slower servers", "longer prompts"}
    change = {one.input: one.change for one in found.sensitivities}
    assert change["longer prompts"] == 0
    assert change["more traffic"] == pytest.approx(0.6 / 0.4 - 1, rel=0.1)  # from a wait of 1 s
    assert change["slower servers"] == pytest.approx(1.2 * 0.6 / 0.4 - 1, rel=0.1)
    assert found.sensitivities[0].input == "slower servers"


def test_twice_the_traffic_of_a_half_loaded_queue_is_too_much_and_of_an_idle_one_is_not() -> None:
    lines = of_half_loaded().as_dict()["sentences"]
    assert any(line.startswith("at twice the traffic mean wait is ") for line in lines)
    idle = beyond(queue(0.02, 1, n_queries=2000), "mean_wait_s<=3").as_dict()
    assert idle["headroom"] == pytest.approx(1.05**28 - 1)
    assert idle["sentences"][0] == "headroom: at least 292% more traffic, the most that was tried"
    assert idle["sentences"][1] == "at twice the traffic every target is still met"


@pytest.mark.slow
def test_the_sentence_says_what_the_step_below_does() -> None:
    found = plan(queue(1.5, 1), Replicas(1, 4), judge("mean_wait_s<=2"), beyond=True)
    assert found.sentence.startswith("2 replicas of each: mean wait ")
    assert "; with 1 replica of each the queue never drains, as 1.5" in found.sentence
    assert found.beyond is not None
    assert found.beyond.load == pytest.approx(1.5, rel=0.1)
    assert (
        "the queue never drains" not in planned(queue(1.5, 1), Replicas(1, 4), "mean_wait_s<=2").sentence
    )  # not asked


def test_no_load_is_known_where_something_else_may_end_a_query() -> None:
    assert pressure(queue(1.5, 1), 0)[1] == pytest.approx(1.5, rel=0.1)
    assert np.isnan(pressure(queue(1.5, 1, queue_capacity=3), 0)[1])


@pytest.mark.lengthy
def test_the_largest_load_has_no_headroom_to_look_for() -> None:
    found = plan(queue(0.5, 1), Rate(0.1, 0.9, 0.1), judge("mean_wait_s<=2"), beyond=True)
    assert found.beyond is not None
    assert found.beyond.headroom is None
    assert not any(line.startswith("headroom") for line in found.beyond.as_dict()["sentences"])


def test_a_free_budget_question_has_it_too() -> None:
    found = plan(ten_worths(), Budget(0.1, 2.0, 0.1), judge("quality_per_query>=0.3"), beyond=True).as_dict()
    assert found["beyond"]["sentences"][-1] == "quality per query changes by less than 1% with 20% more of any input"


def test_traffic_of_a_closed_loop_are_its_users() -> None:
    loop = ClosedLoop(10, mean_think_s=1.0)
    assert Faster(loop, 1.5).users == 15
    assert Faster(queue(1.0, 1).arrivals, 2.0).users is None
    rng = [np.random.default_rng(0) for _ in range(2)]
    assert Faster(queue(1.0, 1).arrivals, 2.0).times_s(5, rng[0]) == pytest.approx(
        queue(1.0, 1).arrivals.times_s(5, rng[1]) / 2
    )


def test_lengths_grow_and_a_workload_without_lengths_has_none() -> None:
    scenario = queue(1.0, 1, n_queries=3)
    longer = with_prompts(scenario, 1.2).workload.test.input_tokens
    assert longer.tolist() == np.rint(scenario.workload.test.input_tokens * 1.2).tolist()
    test = replace(scenario.workload.test, output_tokens=None)
    without = replace(scenario, workload=replace(scenario.workload, test=test))
    assert with_answers(without, 1.2) is None


def test_what_was_measured_is_said_with_its_unit_and_its_limit() -> None:
    target = Target("p95_ttft_s", "p95_first_token_s", "<=", 0.5)
    assert measured_words(Measured(target, 0.1, 0.09, 0.11)) == "p95 first token 0.1 s (0.09 to 0.11; at most 0.5 s)"
    same = measured_words(Measured(target, 0.1, 0.1, 0.1))
    assert same == "p95 first token 0.1 s (the same in every replication; at most 0.5 s)"
    rounded = measured_words(Measured(target, 0.1, 0.1 - 1e-16, 0.1 + 1e-16))
    assert rounded == same
    assert missed_words(Measured(target, 9.0, 8.0, 10.0)) == "p95 first token is 9 s"
    assert missed_words(Measured(target, np.inf, np.inf, np.inf)).endswith("some of its queries are never served")
    assert missed_words(Measured(target, np.nan, np.nan, np.nan)) == "p95 first token has no figure"


def test_the_command_says_it_and_beyond_false_does_not_ask(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        *("plan", "targets=[p95_ttft_s<=9]", "workload.n_queries=200", "workload.n_history=50"),
        *("fleet=selfhosted_a100", "min_replications=2", "max_replications=2", "search.high=3"),
    ]
    assert main([*words, f"out={tmp_path / 'a'}"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "USD a month of 730 hours" in said
    assert "headroom: " in said
    whole = json.loads((tmp_path / "a" / "plan.json").read_text())
    assert set(whole["beyond"]) >= {"headroom", "fails_first", "doubled", "sensitivities"}
    assert "twice the traffic" in (tmp_path / "a" / "report.html").read_text()
    assert main([*words, "beyond=false", f"out={tmp_path / 'b'}"]) == 0
    assert "headroom" not in capsys.readouterr().out
