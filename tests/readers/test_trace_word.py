"""One word, ``trace=FILE``, pairs times, lengths and order of a recorded trace, for every verb that simulates."""

import json
from pathlib import Path

import pandas as pd
import pytest

from sim.cli import api
from sim.cli.main import main
from tests.readers.made import INPUTS, TRACES, servegen

pytestmark = pytest.mark.filterwarnings("ignore::sim.errors.Note")

SMALL = ("budget=unlimited", "fleet=slots", "policy=random", "workload.n_history=20", "workload.dim=4")
ROWS = "t,p,c\n4,30,3\n0,10,1\n1.5,20,2\n"
COLUMNS = "columns={arrival_s: t, input_tokens: p, output_tokens: c}"


@pytest.fixture
def trace(tmp_path: Path) -> str:
    (tmp_path / "mine.csv").write_text(ROWS)
    return f"trace={tmp_path / 'mine.csv'}"


def test_times_lengths_and_order_are_those_of_the_trace(trace: str) -> None:
    requests = api.run(trace, COLUMNS, *SMALL).sort_values("id")
    assert requests["arrived_at_s"].tolist() == [0, 1.5, 4]
    assert requests["input_tokens"].tolist() == list(INPUTS)


def test_three_times_the_rate_is_a_third_of_every_gap(trace: str) -> None:
    requests = api.run(trace, COLUMNS, "rate_scale=3", *SMALL).sort_values("id")
    assert requests["arrived_at_s"].to_numpy() == pytest.approx([0, 0.5, 4 / 3])


def test_a_foreign_file_needs_no_columns(tmp_path: Path) -> None:
    requests = api.run(f"trace={TRACES['burstgpt'](tmp_path)}", *SMALL).sort_values("id")
    assert requests["input_tokens"].tolist() == list(INPUTS)
    assert requests["arrived_at_s"].tolist() == [0, 1.5, 4]


def test_a_folder_is_replayed_and_its_files_are_in_the_manifest(tmp_path: Path) -> None:
    path = servegen(tmp_path)
    assert main(["run", f"trace={path}", *SMALL, f"out={tmp_path / 'o'}", "--no-report"]) == 0
    files = json.loads((tmp_path / "o" / "manifest.json").read_text())["files"]
    assert sorted(Path(file).name for file in files) == ["chunk-0-dataset.json", "chunk-0-trace.csv"]


def test_it_is_the_same_as_the_words_that_it_stands_for(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("arrival_s,input_tokens,output_tokens\n0,10,1\n1.5,20,2\n4,30,3\n")
    long = (f"workload.path={path}", f"arrivals.path={path}", "workload=trace", "arrivals=replay", "order=given")
    assert api.run(f"trace={path}", *SMALL).equals(api.run(*long, *SMALL))


def test_the_first_seconds_of_a_trace_may_be_enough(trace: str) -> None:
    assert len(api.run(trace, COLUMNS, "workload.span_s=4", *SMALL)) == 2  # at 0 and 1.5 s, not at 4 s
    assert len(api.run(trace, COLUMNS, "workload.span_s=4.1", "rate_scale=9", *SMALL)) == 3  # of the trace's own time
    with pytest.raises(ValueError, match=r"workload\.span_s is 0; it must be positive"):
        api.run(trace, COLUMNS, "workload.span_s=0", *SMALL)
    with pytest.raises(
        ValueError, match=r"workload\.span_s is 4, and a looped trace is looped whole; leave one of the"
    ):
        api.run(trace, COLUMNS, "workload.span_s=4", "workload.loop=true", *SMALL)


VERBS = {
    "run": (),
    "compare": ("policy=[random,least_loaded]",),
    "ratio": ("budget=weighted", "min_replications=2", "max_replications=2", "sizes=[null]"),
    "explain": ("budget=weighted", "replications=1", "moments=2"),
    "plan": ("policy=least_loaded", "targets=[served_share>=1]", "min_replications=2", "max_replications=2"),
    "sweep": ("rate_scale=1,2", "replications=1", "store=null"),
    "export": (),
    "frontier": ("policy=[random]", "replications=1"),
}


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_that_simulates_takes_it(verb: str, trace: str, tmp_path: Path) -> None:
    given = {word.partition("=")[0] for word in VERBS[verb]}
    words = [word for word in SMALL if word.partition("=")[0] not in given]
    if verb in ("ratio", "explain", "frontier"):  # whose queries take no time
        words = [word for word in words if word != "fleet=slots"]
    assert main([verb, trace, COLUMNS, *words, *VERBS[verb], f"out={tmp_path / 'o'}", "--no-report"]) == 0


def test_a_sweep_may_vary_how_fast_it_is(trace: str, tmp_path: Path) -> None:
    words = [trace, COLUMNS, "rate_scale=1,4", *SMALL, "replications=1", "store=null", f"out={tmp_path / 'o'}"]
    assert main(["sweep", *words]) == 0
    table = pd.read_parquet(tmp_path / "o" / "sweep.parquet")
    assert table["rate_scale"].tolist() == [1, 4]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["workload=synthetic"], "brings its own workload, workload=trace; leave workload=synthetic out"),
        (["arrivals=poisson"], "brings its own arrivals, arrivals=replay; leave arrivals=poisson out"),
        (["arrivals.rate_scale=2"], "sets arrivals.rate_scale; leave arrivals.rate_scale out, or set rate_scale"),
        (["workload.path=x.csv"], "sets workload.path; leave workload.path out, or set trace"),
        ([COLUMNS, "rate_scale=0"], "rate_scale is 0"),
        (["rate_scale=fast"], "rate_scale is 'fast'"),
        (["columns=[t]"], "columns is ['t']"),
    ],
)
def test_words_that_do_not_go_with_it_are_refused_in_one_line(
    words: list[str], said: str, trace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", trace, *SMALL, *words, "out=null"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len([line for line in lines if "note:" not in line]) == 1
    assert said in lines[-1]


@pytest.mark.parametrize("word", ["rate_scale=3", COLUMNS])
def test_its_keys_are_for_it_alone(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", word, "out=null"]) == 1
    assert "is for a recorded trace, and there is none: give one with trace=FILE" in capsys.readouterr().err


def test_a_verb_that_simulates_no_queries_has_none(trace: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", trace, "out=null"]) == 1
    assert capsys.readouterr().err == "switchyard: validate has no trace; leave trace out\n"


def test_the_words_that_choose_the_same_are_no_conflict(trace: str) -> None:
    same = ("workload=trace", "arrivals=replay", "order=given")
    assert len(api.run(trace, COLUMNS, *same, *SMALL)) == 3


def test_another_order_is_allowed_and_noted(trace: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", trace, COLUMNS, "order=random", *SMALL, "out=null"]) == 0
    assert "order=random gives the trace's lengths to other times than their own" in capsys.readouterr().err
