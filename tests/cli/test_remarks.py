"""Settings that do nothing, or not what they seem to: each is said in one line, and only where it is so."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sim.cli import api
from sim.cli.building import build_policies, build_scenarios
from sim.cli.configuration import configure
from sim.cli.main import main
from sim.cli.project import opened
from sim.cli.remarks import mentions, remarks
from sim.errors import Note, note, notes_to
from sim.interface import Decision, Policy, Query, State
from sim.world.stations.queue import earliest_deadline, highest_priority

SMALL = ["workload.n_queries=30", "workload.n_history=20", "workload.n_models=2", "workload.dim=4"]


def said(verb: str, words: Sequence[str]) -> list[str]:
    with opened():
        config = configure(verb, words)
    return list(remarks(config, next(iter(build_scenarios(config).values())), build_policies(config)))


def test_a_note_is_a_warning_and_each_is_told_once() -> None:
    with pytest.warns(Note, match="^as it is$"):
        note("as it is")
    told: list[str] = []
    with notes_to(told.append):
        for text in ("one", "two", "one"):
            note(text)
    assert told == ["one", "two"]


def test_what_is_no_note_stays_a_warning() -> None:
    with notes_to(lambda _: None), pytest.warns(RuntimeWarning, match="a number is not one"):
        warnings.warn("a number is not one", RuntimeWarning, stacklevel=1)


IDLE = {
    "a window without budgets": (["budget=unlimited", "window=minute"], ["window does nothing, as budget=unlimited"]),
    "a reservation without budgets": (["budget=unlimited", "reserve=estimate"], ["reserve=estimate does nothing"]),
    "waiting for no budget": (
        ["budget=unlimited", "window=minute", "exhausted=wait"],
        ["window does nothing", "exhausted=wait does nothing"],
    ),
    "tries that nothing loses": (["retry.attempts=3"], ["retry.attempts=3 does nothing, as no try can be lost"]),
    "a warm-up of nothing": (["warm_up=5", "metric=[]"], ["warm_up=5 does nothing, as it is for metrics"]),
    "an outage after the last query": (
        ["events=outage", "events.outage.at_s=5000"],
        ["events.outage begins at 5000 s, after the last query, which comes at "],
    ),
    "a crowd that is not over": (
        ["arrivals=flash_crowd", "arrivals.at_s=1", "arrivals.hold_s=900"],
        ["the crowd ends at "],
    ),
    "an estimator for nobody": (
        ["policy=random", "estimator=ridge"],
        ["estimator= does nothing, as random make no use of estimates"],
    ),
}
WORKING = {
    "defaults": [],
    "a window with budgets": ["window=minute", "exhausted=wait"],
    "tries that a full queue loses": ["fleet=slots", "fleet.queue_capacity=1", "retry.attempts=3"],
    "tries that spot replicas lose": ["fleet=spot", "retry.attempts=3"],
    "tries that a time-out loses": ["fleet=slots", "fleet.timeout_s=1", "retry.attempts=3"],
    "tries that an outage loses": [
        "events=outage",
        "events.outage.at_s=1",
        "events.outage.for_s=1",
        "retry.attempts=3",
    ],
    "a warm-up of metrics": ["warm_up=5"],
    "an estimator for one of two": ["policy=[random,port]", "estimator=ridge"],
}


@pytest.mark.parametrize("what", IDLE)
def test_a_setting_that_does_nothing_is_said_to(what: str) -> None:
    words, expected = IDLE[what]
    found = said("compare", [*SMALL, "policy=port", *words])
    assert len(found) == len(expected)
    assert all(text.startswith(start) for text, start in zip(found, expected, strict=True))


@pytest.mark.parametrize("what", WORKING)
def test_of_settings_that_do_something_nothing_is_said(what: str) -> None:
    assert said("compare", [*SMALL, "policy=port", *WORKING[what]]) == []


# --- traces


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """Four requests a second apart, of 1, 2, 3 and 4 input tokens."""
    path = tmp_path / "trace.csv"
    path.write_text("arrival_s,input_tokens,output_tokens\n0,1,10\n1,2,10\n2,3,10\n3,4,10\n")
    return path


def replay(lengths: Path, times: Path) -> list[str]:
    small = ["workload=trace", "arrivals=replay", "workload.n_history=20", "workload.dim=4", "policy=random"]
    return [*small, f"workload.path={lengths}", f"arrivals.path={times}"]


def test_a_replay_in_its_own_order_is_faithful_and_nothing_is_said(trace: Path) -> None:
    assert said("run", [*replay(trace, trace), "order=given"]) == []
    assert said("run", [*replay(trace, trace), "order=given", "workload.n_queries=2"]) == []


def test_a_replay_in_another_order_is_said_to_part_times_from_lengths(trace: Path) -> None:
    [text] = said("run", replay(trace, trace))
    assert text == "order=random gives the trace's lengths to other times than their own; use order=given"
    [text] = said("ratio", [*replay(trace, trace), "order=[given,easy_first,hard_first]", "sizes=[null]"])
    assert text.startswith("order=easy_first,hard_first gives")


@pytest.mark.parametrize(("verb", "key"), [("run", "n_queries=2"), ("ratio", "sizes=[2,null]")])
def test_fewer_rows_drawn_from_a_replay_are_said_to_come_at_the_times_of_others(
    verb: str, key: str, trace: Path
) -> None:
    [text] = said(verb, [*replay(trace, trace), "order=given", key])
    assert text == (
        f"{key.partition('=')[0]} draws 2 of the trace's 4 rows, and their times are those of its first 2; "
        "workload.n_queries=2 replays its first rows at their own times"
    )


def test_times_of_one_trace_with_lengths_of_another_are_said_to_be(trace: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_bytes(trace.read_bytes())
    [text] = said("run", [*replay(trace, other), "order=given"])
    assert text == (f"the times are of {other} and the lengths of {trace}; trace={trace} replays one trace")


# --- columns that tell queries apart


class ByPriority(Policy):
    """A policy that reads the priority."""

    def decide(self, query: Query, state: State) -> Decision:
        return Decision(0 if query.priority == 0 else None)


def test_a_policy_and_a_discipline_are_asked_what_they_read() -> None:
    assert mentions(ByPriority(), "priority")
    assert mentions(highest_priority, "priority")
    assert not mentions(earliest_deadline, "priority")
    assert mentions(len, "priority")  # nobody can say


@pytest.fixture
def table(tmp_path: Path) -> list[str]:
    """Words for a table of ten history rows and four of 0.1 USD, two of them urgent, due after 5 s, 1 s, 2 s, 3 s."""
    frame = pd.DataFrame({"prompt": "what?", "split": ["history"] * 10 + ["test"] * 4, "m": 1.0, "m|total_cost": 0.1})
    frame["m|output_tokens"] = 10
    frame["priority"] = [0] * 10 + [1, 0, 1, 0]
    frame["due_s"] = [9.0] * 10 + [5.0, 1.0, 2.0, 3.0]
    frame.to_csv(tmp_path / "table.csv", index=False)
    np.save(tmp_path / "embeddings.npy", np.eye(14, dtype=np.float32))
    files = [f"workload.path={tmp_path / 'table.csv'}", f"workload.embeddings={tmp_path / 'embeddings.npy'}"]
    return ["workload=table", *files, "order=given", "budget=unlimited", "policy=random"]


def test_priorities_that_nobody_reads_are_said_to_do_nothing(table: list[str]) -> None:
    urgent, due = said("run", [*table, "fleet=slots"])
    assert urgent == (
        "the queries have a column priority, and it does nothing: no policy reads it, and no deployment has a "
        "discipline that does, such as sim.world.stations.queue.highest_priority"
    )
    assert due.startswith("the queries have a column due_s, and it does nothing")
    assert due.endswith("sim.world.stations.queue.earliest_deadline")


@pytest.mark.parametrize(
    ("discipline", "served"), [("highest_priority", [0, 1, 3, 2]), ("earliest_deadline", [0, 1, 2, 3])]
)
def test_the_columns_of_a_table_reach_a_discipline_that_reads_them(
    discipline: str, served: list[int], table: list[str], tmp_path: Path
) -> None:
    # All four arrive at 0; the first begins at once, and the one slot then takes the others by rank.
    (tmp_path / "at_once.csv").write_text("arrival_s\n0\n0\n0\n0\n")
    words = [*table, "fleet=slots", "fleet.service.slots=1", "arrivals=replay", f"arrivals.path={tmp_path}/at_once.csv"]
    words.append(f"+fleet.discipline={{_target_:sim.world.stations.queue.{discipline},_partial_:true}}")
    [text] = said("run", words)  # of the other column
    with pytest.warns(Note, match=text.partition(",")[0]):
        requests = api.run(*words)
    assert requests.sort_values("started_at_s")["id"].tolist() == served


def test_a_deadline_before_the_arrival_is_refused(table: list[str], tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_text(file.read_text().replace("9.0", "-9.0", 1))
    with pytest.raises(ValueError, match=r"'due_s' is -9.0 in row 0 of the table; it must be at least 0 seconds"):
        api.scenario(*table)


# --- the command


def test_the_command_prints_each_note_in_one_line_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = "switchyard: note: window does nothing, as budget=unlimited has no budgets\n"
    words = [*SMALL, "policy=random", "budget=unlimited", "window=minute", "replications=1", "metric=[]"]
    assert main(["compare", *words, "oracle.names=[]", f"out={tmp_path / 'o'}", "--no-report"]) == 0
    assert capsys.readouterr().err == line
    for launcher in ("basic", "joblib"):
        assert (
            main(
                [
                    "sweep",
                    *words,
                    "seed=1,2",
                    f"launcher={launcher}",
                    "store=null",
                    f"out={tmp_path / launcher}",
                    "--no-report",
                ]
            )
            == 0
        )
        assert capsys.readouterr().err == line
