"""Signals as columns of a table: read where they are, refused where they cannot be."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from scenarios.workloads.table import table
from sim.cli.main import main
from sim.workload import Rows, Workload


def read(folder: Path, **columns: Any) -> Workload:
    """Return the workload of two history and two test queries on models a and b, with these columns besides."""
    frame = pd.DataFrame({"split": ["history", "history", "test", "test"], "input_tokens": [1, 2, 3, 4]})
    for model in ("a", "b"):
        frame[model] = [0.0, 1.0, 0.0, 1.0]
        frame[f"{model}|total_cost"] = 0.1
    frame.assign(**columns).to_parquet(folder / "t.parquet")
    np.save(folder / "e.npy", np.eye(4, dtype=np.float32))
    return table(str(folder / "t.parquet"), embeddings=str(folder / "e.npy"))


@pytest.mark.parametrize("signal", ["confidence", "latency_s", "energy_j"])
def test_a_signal_that_one_model_has_is_unknown_for_the_other(tmp_path: Path, signal: str) -> None:
    made = read(tmp_path, **{f"b|{signal}": [1.0, 2.0, 3.0, 4.0]})
    np.testing.assert_array_equal(getattr(made.history, signal), [[np.nan, 1.0], [np.nan, 2.0]])
    np.testing.assert_array_equal(getattr(made.test, signal), [[np.nan, 3.0], [np.nan, 4.0]])


def test_a_table_without_signals_has_none(tmp_path: Path) -> None:
    rows = read(tmp_path).test
    assert [rows.confidence, rows.latency_s, rows.energy_j, rows.preference] == [None] * 4


def test_a_preference_is_a_weight_of_each_query(tmp_path: Path) -> None:
    assert read(tmp_path, preference=[0.0, 0.25, 0.5, 1.0]).test.preference.tolist() == [0.5, 1.0]  # type: ignore[union-attr]


REFUSED = {
    "a negative confidence": ("b|confidence", -0.5, r"'b\|confidence' is -0.5 in row 2 of the table; .*at least 0"),
    "an infinite confidence": ("b|confidence", np.inf, r"'b\|confidence' is inf in row 2 of the table; .*finite"),
    "an empty confidence": (
        "b|confidence",
        np.nan,
        r"model b has missing .*'b\|confidence' in row 2",
    ),
    "a latency of nothing": ("a|latency_s", 0.0, r"'a\|latency_s' is 0.0 in row 2 of the table; .*above 0"),
    "a negative energy": ("a|energy_j", -1.0, r"'a\|energy_j' is -1.0 in row 2 of the table; .*at least 0"),
    "a preference above 1": ("preference", 1.5, r"'preference' is 1.5 in row 2 of the table; it must be in \[0, 1\]"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_signal_outside_its_range_is_refused_by_column_and_row(tmp_path: Path, case: str) -> None:
    column, value, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        read(tmp_path, **{column: [1.0, 1.0, value, 1.0]})


MADE: dict[str, tuple[dict[str, Any], str]] = {
    "confidence": ({"confidence": np.array([[1.0, 0.0], [0.5, -1.0]])}, r"confidence of model 'b' is -1.0 in .* row 1"),
    "a gap": ({"energy_j": np.array([[1.0, 0.0], [0.5, np.nan]])}, r"energy_j of model 'b' is nan in .* row 1"),
    "latency": ({"latency_s": np.array([[1.0, 0.0], [0.5, 1.0]])}, r"latency_s of model 'b' is 0.0 in .* row 0"),
    "shape": ({"latency_s": np.ones((2, 3))}, r"history latency_s has shape \(2, 3\), not \(2, 2\)"),
    "preference": ({"preference": np.array([0.5, -0.1])}, r"the preference is -0.1 in history row 1"),
}


@pytest.mark.parametrize("case", MADE)
def test_a_workload_made_in_python_is_held_to_the_same_ranges(case: str) -> None:
    signals, message = MADE[case]
    zeros = np.zeros((2, 2))
    rows = Rows(np.eye(2, dtype=np.float32), np.array([1, 1]), zeros, zeros, **signals)
    with pytest.raises(ValueError, match=message):
        Workload(("a", "b"), rows, rows)


def test_a_preference_that_no_policy_reads_is_said_to_do_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    read(tmp_path, preference=[0.0, 0.25, 0.5, 1.0])
    files = [f"workload.path={tmp_path / 't.parquet'}", f"workload.embeddings={tmp_path / 'e.npy'}"]
    assert main(["run", "workload=table", *files, "policy=random", "budget=unlimited", "out=null"]) == 0
    said = capsys.readouterr().err
    assert said == "switchyard: note: the queries have a column preference, and it does nothing: no policy reads it\n"
