"""Records from the command line, and what is said of those that cannot be right."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from scenarios.recorded.day import read_day
from scenarios.recorded.truth import history_rows, of_day
from sim.cli.main import main
from sim.errors import UnreadableError
from sim.interface import Decision, Feedback, Policy, Query, State
from sim.live.clock import TickClock
from sim.live.gateway import Gateway
from sim.live.record import Origin
from sim.live.settings import setting
from tests.live.days import DIM, NAMES, Hands, write_history


class Turns(Policy):
    """Sends queries to the deployments in turn, and keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[Feedback] = []

    def decide(self, query: Query, state: State) -> Decision:
        return Decision(query.id % 3, ((query.id + 1) % 3,))

    def learn(self, feedback: Feedback) -> None:
        self.heard.append(feedback)

    learn_score = learn


def gateway(folder: Path, policy: Policy, hands: Hands, **more: Any) -> Gateway:
    history = write_history(folder)
    known = history_rows(str(history), str(folder / "history.npy"), NAMES)
    origin = Origin("least_loaded", str(history), str(folder / "history.npy"), NAMES)
    told = setting(NAMES, (0.01, 0.01, 1.0), known, 10)
    given = {"record": str(folder / "day.jsonl"), "origin": origin, "clock": TickClock(hands), **more}
    return Gateway(policy, told, **given)


@pytest.fixture
def day(tmp_path: Path) -> Path:
    """Three queries: answered with a score, failed, and one without an answer."""
    hands = Hands()
    one = gateway(tmp_path, Turns(), hands)
    for _ in range(3):
        one.route(np.zeros(DIM), 7)
    hands.at_s += 2.0
    one.answered(0, 0.005, 12)
    one.failed(1)
    hands.at_s += 1.0
    one.scored(0, 0.25)
    one.close()
    return tmp_path / "day.jsonl"


def test_what_happened_is_the_truth_of_that_query_and_deployment_and_estimates_stand_in_for_the_rest(day: Path) -> None:
    read = read_day(str(day))
    rows, estimate = of_day(read), read.table("quality_hat")[0]
    assert rows.quality[0].tolist() == [0.25, *estimate[1:]]
    assert rows.cost_usd[0].tolist() == [0.005, *read.table("cost_hat_usd")[0, 1:]]
    assert rows.latency_s is not None
    assert rows.latency_s[0].tolist() == [2.0] * 3
    assert rows.scored_after_s is not None
    assert rows.scored_after_s[0, 0] == pytest.approx(1.0, abs=1e-5)
    assert np.isnan(np.delete(rows.scored_after_s.ravel(), 0)).all()
    assert rows.fails_after_s is not None
    assert np.isnan(rows.fails_after_s[0]).all()
    assert rows.fails_after_s[1].tolist() == pytest.approx([2.0] * 3, abs=1e-5)
    assert (rows.fails_after_s[2] > 3.0).all()  # in flight to the end of the record


def test_a_policy_hears_of_an_answer_and_later_of_its_score_and_of_no_failure(tmp_path: Path) -> None:
    policy, hands = Turns(), Hands()
    one = gateway(tmp_path, policy, hands, record=None)
    routed = [one.route(np.zeros(DIM), 7) for _ in range(3)]
    hands.at_s += 2.0
    one.answered(0, 0.005)
    one.answered(0, 0.005)  # told twice, it counts once
    one.failed(1)
    one.scored(0, 0.25)
    one.answered(2, 0.5, score=1.0)
    assert [(each.chosen, each.taken, each.served) for each in routed] == [(0, 0, 0), (1, 1, 1), (2, 2, 2)]
    assert [(each.query.id, each.cost) for each in policy.heard] == [(0, 0.005), (0, 0.005), (2, 0.5)]
    assert np.isnan(policy.heard[0].quality)
    assert [each.quality for each in policy.heard[1:]] == [0.25, 1.0]
    assert one.spent_usd[:2] == pytest.approx([0.005, 0.0])
    with pytest.raises(KeyError, match="waits for a score"):
        one.scored(0, 0.5)


def test_a_policy_that_fails_lets_the_query_go_where_it_would_go_without(tmp_path: Path) -> None:
    class Broken(Turns):
        def decide(self, query: Query, state: State) -> Decision:
            raise ZeroDivisionError("no")

    one = gateway(tmp_path, Broken(), Hands())
    assert one.route(np.zeros(DIM), 7, own=2)[1:] == (None, None, 2, "ZeroDivisionError: no")
    one.close()
    assert read_day(str(tmp_path / "day.jsonl")).frame["error"].tolist() == ["ZeroDivisionError: no"]


def test_a_record_is_imported_and_the_table_simulates_as_it_does(
    day: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "day.parquet"
    assert main(["import", str(day), f"out={table}"]) == 0
    said = capsys.readouterr().out
    assert "record: a day at a gateway, where least_loaded routed" in said
    assert "1 answered, 1 failed, 0 refused, 1 open" in said
    assert f"use it: switchyard run record={table} policy=least_loaded" in said
    records = []
    for path in (day, table):
        out = tmp_path / path.suffix[1:]
        assert main(["run", f"record={path}", "policy=least_loaded", f"out={out}", "metric=[]"]) == 0
        assert "1 of 3 answers" in capsys.readouterr().err
        records.append(pd.read_parquet(out / "requests.parquet"))
    pd.testing.assert_frame_equal(records[0], records[1])
    assert main(["import", str(day), f"out={tmp_path / 'day.csv'}"]) == 2
    assert not (tmp_path / "day.csv").exists()


def lines(day: Path, change: Callable[[list[dict[str, Any]]], object]) -> Path:
    """Write the record with a change."""
    content = [json.loads(line) for line in day.read_text().splitlines()]
    change(content)
    path = day.with_name("changed.jsonl")
    path.write_text("".join(json.dumps(line) + "\n" for line in content))
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda all_: all_.pop(0), "its first line must have kind day"),
        (lambda all_: all_[0].pop("budgets_usd"), "has no budgets_usd"),
        (lambda all_: all_[0].update(version=9), "is of version 9, not 1"),
        (lambda all_: all_[0].update(budgets_usd=[1]), "has 3 deployments and 1 budgets"),
        (lambda all_: all_[2].update(kind="guess"), "line 3 of .* has kind 'guess'"),
        (lambda all_: all_[2].update(at_s=-1), "line 3 of .* has at_s -1; it must be a number of at least 0"),
        (lambda all_: all_[2].update(id=7), "has id 7, where 1 comes next"),
        (lambda all_: all_[2].pop("embedding"), "has no embedding"),
        (lambda all_: all_[2].update(embedding=[1.0]), "embedding of query 1 in .* must be a list of 4 numbers"),
        (lambda all_: all_[2].update(quality_hat="high"), "quality_hat of query 1 in .* must be a list of 3"),
        (lambda all_: all_[2].update(served=5), "served of query 1 in .* is 5; it must be null or an index"),
        (lambda all_: all_[4].update(id=99), "is of query 99, which has not come"),
        (lambda all_: all_.insert(5, all_[4]), "is another answer of query 0"),
        (lambda all_: all_.__delitem__(slice(1, None)), "has no query"),
    ],
)
def test_a_record_that_cannot_be_right_is_refused_in_one_line(change: Any, message: str, day: Path) -> None:
    with pytest.raises(UnreadableError, match=message):
        read_day(str(lines(day, change)))


def test_a_record_that_breaks_off_is_read_up_to_there(day: Path) -> None:
    day.write_text(day.read_text()[:-20])
    with pytest.warns(UserWarning, match="is cut off after"):
        assert read_day(str(day)).frame["score"].isna().all()


def test_what_does_not_fit_is_refused(day: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(FileExistsError, match="give each day a file of its own"):
        gateway(tmp_path, Turns(), Hands())
    one = gateway(tmp_path, Turns(), Hands(), record=None)
    with pytest.raises(ValueError, match=r"shape \(2,\); it must be 4 finite numbers"):
        one.route([0.0, 1.0], 7)
    one.route(np.zeros(DIM), 7)
    with pytest.raises(ValueError, match="score is 2; it must be from 0 to 1"):
        one.answered(0, 0.1, score=2)
    for words, said in (
        (["run", f"record={day}", "workload=synthetic"], "brings its own workload; leave workload=synthetic out"),
        (["run", f"record={day}", "feedback.share=0.5"], "the workload says itself which answers were scored"),
        (["leaderboard", f"record={day}"], "leaderboard has no record"),
        (["run", f"record={tmp_path / 'none.jsonl'}"], "there is no file"),
        (["import", str(tmp_path / "history.csv"), "format=record"], "is no record of a gateway"),
    ):
        assert main([*words, "out=null"]) != 0
        assert said in capsys.readouterr().err
