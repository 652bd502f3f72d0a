"""What studies say of policies that take several calls: figures, terms, bounds, remarks and files."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from policies.greedy.cascade import Cascade
from scenarios.arrivals import Deterministic
from scenarios.budgets import Amounts
from scenarios.fleets import OnePerModel
from scenarios.orders import given
from sim.cli.main import main
from sim.interface import Answer, Combine, Decision, Keep, Policy, Query, State
from sim.scenario import Scenario
from sim.study.experiment import Run, runs
from sim.study.explain.explanation import explanations
from sim.study.metrics.calls import calls_per_query, cost_per_kept_usd, escalation_rate, unkept_cost_share
from sim.study.oracles import Oracle
from sim.study.output.archive import Archive
from sim.study.ratio.ratios import ratios
from sim.study.sequential import Precision
from sim.workload import Rows, Workload
from sim.world.services.slots import Instant
from tests.calls.reviewing import Reviewed, keep_last, run, world
from tests.scripted import Scripted
from tests.worlds import tiny_rows

SURE, UNSURE = 0.9, 0.1


def workload(confidence: Sequence[float], combined: object = None) -> Workload:
    """A small model that is right where it is sure, and a large one that is always right, at four times the cost."""
    small = [1.0 if sure > 0.5 else 0.0 for sure in confidence]
    rows = tiny_rows([[right, 1.0] for right in small], [[1.0, 4.0]] * len(small), [[10, 10]] * len(small))
    sure = pd.DataFrame({"small": confidence, "large": [SURE] * len(small)}).to_numpy()
    return Workload(("small", "large"), rows, Rows(**{**vars(rows), "confidence": sure}), combined=combined)  # type: ignore[arg-type]


def scenario(of: Workload, *budgets: float) -> Scenario:
    """One instant deployment a model, one arrival a second, in the given order."""
    return Scenario(of, OnePerModel(Instant()), Amounts(list(budgets)), Deterministic(1.0), given)


def one(policy: Policy, of: Scenario) -> Run:
    """The run of a policy beside the hindsight optimum."""
    *_, last = runs(of, {"p": policy}, 0, 1, Oracle(("optimum",)), {})
    return last


class Both(Policy):
    """Asks both at once and combines what came."""

    def decide(self, query: Query, state: State) -> Decision:
        return Decision(0, alongside=(1,))

    def review(self, query: Query, answers: Sequence[Answer], state: State) -> Decision | Keep | Combine:
        came = tuple(index for index, answer in enumerate(answers) if answer.came)
        return Combine(came) if came else Decision(None)


# --- the cascade


def test_the_cascade_asks_the_best_where_the_cheapest_is_unsure() -> None:
    done = one(Cascade(0.5), scenario(workload([SURE, UNSURE, SURE]), 10.0, 10.0))
    assert done.requests["deployment"].tolist() == ["small", "large", "small"]
    assert done.requests["cost_usd"].tolist() == [1.0, 5.0, 1.0]
    assert done.summary["quality"] == 3.0


def test_the_cascade_keeps_the_first_answer_where_there_are_no_confidences() -> None:
    requests, calls = run(Cascade(0.5), world([0.0, 1.0], has_confidence=False))
    assert requests["deployment"].tolist() == ["small", "small"]
    assert len(calls) == 2


def test_the_cascade_keeps_the_last_answer_that_came_if_no_other_is_left() -> None:
    done = one(Cascade(0.5), scenario(workload([UNSURE, UNSURE]), 10.0, 4.0))
    assert done.requests["deployment"].tolist() == ["large", "small"]
    assert done.calls is not None
    assert done.calls["fate"].tolist() == ["served", "served", "served", "exhausted"]


def test_the_cascade_asks_in_the_order_that_it_is_given() -> None:
    instance = world([0.0])
    _, calls = run(Cascade(0.7, ["medium", "small", "large"]), instance)
    assert calls["deployment"].tolist() == ["medium", "small", "large"]


@pytest.mark.parametrize("deployments", [[], ["small", "small"]])
def test_a_cascade_of_nothing_or_of_one_deployment_twice_is_refused(deployments: list[str]) -> None:
    with pytest.raises(ValueError, match="it must name one or more, each once, or be null"):
        Cascade(0.5, deployments)


# --- figures


def test_metrics_of_calls_by_hand() -> None:
    """Query 0 takes two rounds, of 1 and 2 USD, and keeps the second; query 1 has the first answer kept."""
    policy = Reviewed(
        Decision(0), lambda query, answers, state: Decision(1) if query.id == 0 and len(answers) == 1 else keep(answers)
    )
    requests, calls = run(policy, world([0.0, 1.0]))
    assert calls_per_query(requests) == 1.5
    assert escalation_rate(requests, calls) == 0.5
    assert cost_per_kept_usd(requests) == 2.0
    assert unkept_cost_share(requests, calls) == 0.25
    assert escalation_rate(requests.iloc[1:], calls) == 0.0  # of the queries that a warm-up keeps


def keep(answers: Sequence[Answer]) -> Keep:
    """The last answer."""
    return Keep(len(answers) - 1)


def test_metrics_of_calls_of_a_policy_that_asks_once() -> None:
    requests, calls = run(Reviewed(Decision(0), keep_last), world([0.0]))
    for table in (calls, None):
        assert (escalation_rate(requests, table), unkept_cost_share(requests, table)) == (0.0, 0.0)


# --- bounds


def test_the_optimum_of_single_answers_bounds_a_policy_that_keeps_one() -> None:
    done = one(Cascade(0.5), scenario(workload([SURE, UNSURE]), 10.0, 10.0))
    assert done.summary["optimum_ratio"] == 1.0


def test_a_combination_may_be_better_than_the_optimum_and_has_no_ratio() -> None:
    better = scenario(workload([UNSURE, UNSURE], combined=max), 2.0, 4.0)
    assert pd.isna(one(Both(), better).summary["optimum_ratio"])
    with pytest.raises(ValueError, match="'p' combines answers, so the optimum of whole single answers does not"):
        ratios({"given": better}, {"p": Both()}, [None], precision=Precision(2, 2, half_width=0.1), seed=0)
    with pytest.raises(ValueError, match="'p' combines answers, so the optimum of whole single answers does not"):
        list(explanations(better, {"p": Both()}, 0, 1, 1))


def test_calls_that_were_not_kept_are_a_term_and_the_sum_is_exact() -> None:
    """Queries 0 and 1 keep the large model's answers, and their calls of the small one take what query 2 would need."""
    of = scenario(workload([UNSURE, UNSURE, SURE]), 2.0, 8.0)
    [explained] = explanations(of, {"p": Cascade(0.5)}, 0, 1, 1)
    terms = dict(zip(explained.quality["term"], explained.quality["quality"], strict=True))
    assert (terms["optimum"], terms["unkept_calls"], terms["achieved"]) == (pytest.approx(3.0, abs=1e-3), 1.0, 2.0)
    parts = [value for term, value in terms.items() if term not in ("optimum", "achieved")]
    assert sum(parts) == pytest.approx(terms["optimum"] - terms["achieved"], abs=1e-12)


def test_a_policy_without_calls_has_no_such_term() -> None:
    of = scenario(workload([SURE, SURE]), 10.0, 10.0)
    [explained] = explanations(of, {"p": Scripted([0, 0])}, 0, 1, 1)
    assert "unkept_calls" not in set(explained.quality["term"])


# --- files and words


def test_calls_are_written_only_where_several_could_be(tmp_path: Path) -> None:
    of = scenario(workload([SURE, UNSURE]), 10.0, 10.0)
    with Archive(tmp_path) as archive:
        archive.add(one(Scripted([0, 0]), of))
        archive.finish()
    assert not (tmp_path / "calls.parquet").exists()
    with Archive(tmp_path) as archive:
        for policy in (Scripted([0, 0]), Cascade(0.5)):
            archive.add(one(policy, of))
        archive.finish()
    assert len(pd.read_parquet(tmp_path / "calls.parquet")) == 3


@pytest.mark.lengthy
def test_the_command_says_that_there_are_no_confidences_and_its_report_passes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "policy=[random,cascade]", "experiment=mmlu_two_models", "fleet=slots", "metric=calls"]
    assert main([*words, "n_queries=40", f"out={tmp_path / 'o'}"]) == 0
    assert "cascade looks at the confidence of answers, and the workload has none" in capsys.readouterr().err
    assert set(pd.read_parquet(tmp_path / "o" / "calls.parquet")["policy"]) == {"cascade"}
    assert "But:" not in (tmp_path / "o" / "report.html").read_text()
