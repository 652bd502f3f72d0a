"""``switchyard explain DIR --query ID``: candidates, choice, reasons, what happened, and hindsight."""

import json
from pathlib import Path

import numpy as np
import pytest

from sim.cli.main import main
from sim.interface import Reasons
from sim.study.experiment import replicate
from sim.study.oracles import BoundCache, EstimateCache, Oracle
from sim.study.steps.noted import Noted
from tests.configured import MOST_SLOW, configured_policy
from tests.stories.hooked import WORLD, Talker

STORY = ["experiment=story_greedy_goes_broke", "metric=null", "--no-report"]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study") / "o"
    assert main(["run", *STORY, f"out={folder}"]) == 0
    return folder


def explained(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["explain", *words]) == 0
    return capsys.readouterr().out


def cells(shown: str, deployment: str) -> list[str]:
    """The cells of a deployment's row."""
    (line,) = [line for line in shown.splitlines() if line.startswith(f"│ {deployment} ")]
    return [cell.strip() for cell in line.strip("│").split("│")]


def test_prices_scores_and_what_became_of_a_query(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = explained(capsys, str(study), "--query", "4", "policy=awy_one_time")
    assert cells(shown, "small") == ["small", "0.2", "1", "0", "0.2", "yes", "yes", "", "0.2", "1"]
    assert cells(shown, "large") == ["large", "0.9", "4", "0.15", "0.3", "yes", "yes", "first", "0.9", "4"]
    assert "awy_one_time sends query 4 to large, as large has the highest score, 0.3 (small 0.2)." in shown
    assert "large answered it: quality 0.9 for 4 USD." in shown
    assert (
        "Hindsight would have sent it to large, for 0.9, where a unit of the budget is worth 0.15 of quality." in shown
    )


def test_a_budget_that_cannot_pay_is_said(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = explained(capsys, str(study), "--query", "5", "policy=greedy_perf")
    assert cells(shown, "large")[4:7] == ["no", "yes", "first"]
    assert "It was lost at large (exhausted), as its budget cannot pay." in shown
    assert "Hindsight would have sent it to small, for 0.9." in shown


def test_all_policies_of_a_study_are_explained_in_its_order(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = explained(capsys, str(study), "--query", "0")
    assert shown.index("greedy_perf, query 0") < shown.index("awy_one_time, query 0")
    assert "awy_one_time declines query 0, as the first 2 queries are declined, to learn prices." in shown
    assert "It was declined and cost nothing." in shown


def test_a_policy_without_reasons_is_explained_from_its_inputs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = "policy.greedy_perf={_target_: tests.stories.hooked.Silent}"
    assert main(["run", *STORY, own, f"out={tmp_path / 'o'}"]) == 0
    capsys.readouterr()
    shown = explained(capsys, str(tmp_path / "o"), "--query", "1", "policy=greedy_perf")
    assert "sends query 1 to large. It gives no reasons: large was predicted 0.8 for 4 USD" in shown
    assert "and has the best predicted quality" in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{o}", "--query", "8"], "query 8 never arrived in {o}; its queries are 0 to 7"),
        (["{o}", "--query", "first"], "--query is 'first'; it must be a whole number of at least 0"),
        (["{o}", "--query", "1", "policy=greedy"], "unknown policy 'greedy'; did you mean 'greedy_perf'? (in {o})"),
        (["{o}", "--query", "1", "replication=3"], "replication is 3; {o} has replications 0 to 0"),
        (["{o}", "--query", "1", "seed=3"], "unknown key 'seed'; known: policy, replication (of explain DIR --query"),
        (["{o}x", "--query", "1"], "{o}x does not exist; give the directory that a verb wrote"),
        (["--query", "1"], "--query needs one directory that run or compare wrote"),
    ],
)
def test_what_cannot_be_explained_is_one_clear_line(
    study: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", *(word.format(o=study) for word in words)]) == 1
    shown = capsys.readouterr()
    assert shown.err.startswith(f"switchyard: {said.format(o=study)}")
    assert shown.err.count("\n") == 1
    assert shown.out == ""


def test_a_directory_without_records_or_with_others_is_refused(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = json.loads((study / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps({**manifest, "verb": "explain"}))
    assert main(["explain", str(tmp_path), "--query", "1"]) == 1
    assert "is of explain and has no requests.parquet, so no query can be explained" in capsys.readouterr().err

    manifest["config"]["policy"]["awy_one_time"]["eps"] = 0.5  # as if the code were another
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "requests.parquet").write_bytes((study / "requests.parquet").read_bytes())
    assert main(["explain", str(tmp_path), "--query", "1", "policy=awy_one_time"]) == 1
    assert f"awy_one_time no longer does what {tmp_path} has on record" in capsys.readouterr().err


def test_the_words_of_one_verb_are_not_for_others(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--query", "1"]) == 2
    assert "--query is for explain and not for run; leave it out" in capsys.readouterr().err
    assert main(["explain", str(study), "--query"]) == 2
    assert "--query needs a number, as in --query 17" in capsys.readouterr().err
    assert main(["explain", str(study)]) == 1
    assert f"where one of its queries is asked for: switchyard explain {study} --query 17" in capsys.readouterr().err


def test_what_a_policy_says_of_itself_is_shown_and_asked_once_before_it_decides() -> None:
    talker = Talker()
    noted = Noted(talker, wanted=(2,))
    list(replicate(WORLD, {"talker": noted}, 0, 0, Oracle(()), {}, estimates=EstimateCache(), bounds=BoundCache()))
    assert list(noted.notes) == [2]
    assert noted.notes[2].reasons == Reasons(words="it is query 2")
    assert talker.asked == [2]


@pytest.mark.parametrize("name", MOST_SLOW)
def test_decisions_are_the_same_whether_or_not_a_policy_is_asked_for_reasons(name: str) -> None:
    def decided(is_asked: bool) -> list[tuple[object, ...]]:
        policy = configured_policy(name)
        estimates, bounds = EstimateCache(), BoundCache()
        one = Noted(policy) if is_asked else policy
        (run,) = replicate(WORLD, {name: one}, 0, 0, Oracle(()), {}, estimates=estimates, bounds=bounds)
        if is_asked:
            assert isinstance(one, Noted)
            for note in one.notes.values():
                reasons = note.reasons
                for values in () if reasons is None else (reasons.prices, reasons.scores):
                    assert values is None or np.shape(values) == (len(run.instance.fleet),)
        columns = ["deployment", "fate", "quality", "cost_usd", "calls", "explored"]
        return [tuple(row) for row in run.requests[columns].astype(str).itertuples(index=False)]

    assert decided(is_asked=True) == decided(is_asked=False)
