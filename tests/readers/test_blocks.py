"""Blocks of a recorded trace, drawn anew in each replication: gaps, lengths and their order within a block stay."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scenarios.arrivals.replay import Replay
from scenarios.orders.blocks import Blocks
from sim.cli.api import run, scenario
from sim.cli.main import main
from sim.instance import realise

TIMES = [0.0, 1.0, 3.0, 6.0, 10.0, 15.0, 21.0, 28.0, 36.0, 45.0]  # row k comes k s after the row before it
SMALL = ("workload.n_history=20", "policy=random", "budget=unlimited", "replications=2")


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    frame = pd.DataFrame({"arrival_s": TIMES, "input_tokens": np.arange(10) + 100, "output_tokens": np.arange(10) + 10})
    frame.to_csv(tmp_path / "trace.csv", index=False)
    return tmp_path / "trace.csv"


def test_a_block_is_a_run_of_consecutive_rows_and_the_last_is_cut() -> None:
    rows = Blocks(3).drawn(10, 11, np.random.default_rng(0))
    assert len(rows) == 11
    for begin in range(0, 11, 3):
        assert (np.diff(rows[begin : begin + 3]) == 1).all()
    assert rows.max() <= 9
    assert Blocks(50).drawn(10, 10, np.random.default_rng(0)).tolist() == list(range(10))  # the trace is one block


def test_every_run_of_rows_is_as_likely() -> None:
    begins = Blocks(2).drawn(5, 40_000, np.random.default_rng(1))[::2]
    assert np.bincount(begins, minlength=4) / 20_000 == pytest.approx([0.25] * 4, abs=0.01)


def test_each_row_keeps_its_gap(trace: Path) -> None:
    of_rows = Replay(str(trace), rate_scale=2.0, by_row=True).times_of_rows
    assert of_rows is not None
    assert of_rows(np.array([4, 5, 2, 3])).tolist() == [2.0, 4.5, 5.5, 7.0]
    assert Replay(str(trace)).times_of_rows is None
    with pytest.raises(ValueError, match="10 arrivals, and row 12 of the workload arrives"):
        of_rows(np.array([12]))


def test_one_word_draws_blocks_with_their_times_and_lengths(trace: Path) -> None:
    words = (f"trace={trace}", "trace_block=4", "rate_scale=2", *SMALL)
    drawn = [realise(scenario(*words), 0, number) for number in range(2)]
    assert drawn[0].rows.tolist() != drawn[1].rows.tolist()
    for instance in drawn:
        assert instance.gaps_s[1:] == pytest.approx(instance.rows[1:] / 2)  # the gap before row k is k s
    requests = run(*words)
    first = requests[requests["replication"] == 0].sort_values("id")
    assert first["input_tokens"].tolist() == (drawn[0].rows + 100).tolist()


def test_a_plan_on_a_trace_as_it_is_says_that_its_intervals_say_nothing(
    trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = ["plan", f"trace={trace}", "targets=[p95_ttft_s<=9]", "search.high=2", "beyond=false", "min_replications=3"]
    assert main([*plan, f"out={tmp_path / 'a'}", "--no-report"]) == 0
    assert "its intervals say nothing of chance; of a recorded trace, trace_block=200" in capsys.readouterr().out
    assert main([*plan, "trace_block=3", f"out={tmp_path / 'b'}", "--no-report"]) == 0
    assert "say nothing of chance" not in capsys.readouterr().out


MISTAKES = {
    "no trace": (["trace_block=5"], "trace_block is for a recorded trace, and there is none: give one with trace=FILE"),
    "an order beside it": (
        ["order=random", "trace_block=5", "TRACE"],
        "trace_block=5 brings order=blocks; leave order=",
    ),
    "no row": (["trace_block=0", "TRACE"], "order.blocks.rows is 0; it must be at least 1"),
    "a loop": (
        ["order=blocks", "arrivals=replay", "arrivals.by_row=true", "arrivals.loop=true"],
        "arrivals.loop and arrivals.by_row are both true; choose one",
    ),
}


@pytest.mark.parametrize(("words", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_gets_one_clear_line(
    words: list[str], message: str, trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [f"trace={trace}" if word == "TRACE" else word for word in words]
    assert main(["run", *given, "out=null"]) != 0
    assert message in capsys.readouterr().err
