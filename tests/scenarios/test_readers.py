"""What stands in other people's files: read as it is meant, or refused by file, column and row."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from scenarios.workloads.table import read, table
from sim.cli.main import main
from sim.errors import Note
from sim.workload import Workload


def frame(**columns: Any) -> pd.DataFrame:
    """Four queries, two of them history, and one model; with these columns instead."""
    return pd.DataFrame(
        {
            "prompt": ["a", "b", "c", "d"],
            "source": ["x", "NA", "null", ""],
            "split": ["history", "history", "test", "test"],
            "input_tokens": [1, 2, 3, 4],
            "m": [0.0, 1.0, 0.5, 1.0],
            "m|total_cost": [0.1, 0.1, 0.2, 0.2],
        }
    ).assign(**columns)


def workload(path: Path, **settings: Any) -> Workload:
    np.save(path.parent / "e.npy", np.eye(4, dtype=np.float32))
    return table(str(path), embeddings=str(path.parent / "e.npy"), **settings)


def test_a_topic_called_na_is_a_topic(tmp_path: Path) -> None:
    frame().to_csv(tmp_path / "t.csv", index=False)
    made = workload(tmp_path / "t.csv")
    assert made.history.source is not None
    assert made.test.source is not None
    assert [*made.history.source, *made.test.source] == ["x", "NA", "null", ""]


@pytest.mark.parametrize("name", ["t.CSV", "t.csv.gz", "T.Csv.GZ", "t.csv.xz", "t.csv.zip"])
def test_a_csv_file_may_be_compressed_and_spelled_in_capitals(tmp_path: Path, name: str) -> None:
    frame().to_csv(tmp_path / name, index=False, compression="infer")
    assert workload(tmp_path / name).test.cost_usd.tolist() == [[0.2], [0.2]]


def test_semicolons_between_columns_are_seen_and_said(tmp_path: Path) -> None:
    frame(prompt=["a, b, c, d, e, f, g, h"] * 4).to_csv(tmp_path / "t.csv", index=False, sep=";")
    with pytest.warns(Note, match=r"t\.csv is read with ';' between its columns"):
        assert workload(tmp_path / "t.csv").test.quality.tolist() == [[0.5], [1.0]]


def test_a_score_outside_the_range_is_refused_with_the_way_to_clip_it(tmp_path: Path) -> None:
    frame(m=[0, 0, -0.033, 1]).to_csv(tmp_path / "t.csv", index=False)
    message = r"score of model 'm' is -0\.033 in row 2 of the table; .*workload\.scores=clip .*t\.csv"
    with pytest.raises(ValueError, match=message):
        workload(tmp_path / "t.csv")


def test_clipping_takes_the_nearest_score_and_says_how_many(tmp_path: Path) -> None:
    frame(m=[0, 0, -0.033, 1.5]).to_csv(tmp_path / "t.csv", index=False)
    with pytest.warns(Note, match=r"2 of 4 scores were outside \[0, 1\] and are clipped"):
        made = workload(tmp_path / "t.csv", scores="clip")
    assert made.test.quality.tolist() == [[0.0], [1.0]]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "tokens beyond an integer": (
        {"input_tokens": [1, 2, 1e19, 4]},
        r"'input_tokens' is 1e\+19 in row 2 .*at most 10{12}",
    ),
    "infinite tokens": ({"input_tokens": [1, np.inf, 3, 4]}, r"'input_tokens' is inf in row 1 .*t\.csv"),
    "costs whose sum is infinite": (
        {"m|total_cost": [0, 0, 0, 1e308]},
        r"cost of model 'm' is 1e\+308 in test row 1; .*at most 1000000000 USD",
    ),
    "an infinite score": ({"m": [0, 0, np.inf, 0]}, r"score of model 'm' is inf in row 2"),
    "text among numbers": ({"m|total_cost": ["0", "free", "0", "0"]}, r"'m\|total_cost' is 'free' in row 1 .*t\.csv"),
    "a split that is missing": ({"split": ["history", "test", "", "test"]}, r"split is '' in row 2 .*t\.csv"),
    "another way to read scores": ({}, "workload.scores is 'round'; it must be strict or clip"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_cell_that_cannot_be_right_is_refused_by_name(tmp_path: Path, case: str) -> None:
    columns, message = WRONG[case]
    frame(**(columns or {"m": [2, 0, 0, 0]})).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(ValueError, match=message):
        workload(tmp_path / "t.csv", scores="strict" if columns else "round")


FILES: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "nothing": (lambda path: path.write_bytes(b""), "t.csv", r"cannot read .*t\.csv as CSV: No columns"),
    "no gzip": (lambda path: path.write_bytes(b"a,b\n1,2\n"), "t.csv.gz", r"cannot read .*t\.csv\.gz as CSV"),
    "half a gzip": (
        lambda path: (frame().to_csv(path), path.write_bytes(path.read_bytes()[:-20])),
        "t.csv.gz",
        r"cannot read .*t\.csv\.gz as CSV",
    ),
    "a packed Parquet": (lambda path: path.write_bytes(b""), "t.parquet.gz", r"must end in \.csv or \.parquet"),
    "two columns of one name": (lambda path: path.write_text("a;b;b\n1;2;3\n"), "t.csv", "two columns named 'b'"),
}


@pytest.mark.filterwarnings("ignore::sim.errors.Note")
@pytest.mark.parametrize("case", FILES)
def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path: Path, case: str) -> None:
    write, name, message = FILES[case]
    write(tmp_path / name)
    with pytest.raises(ValueError, match=message):
        read(tmp_path / name)


def test_a_fit_to_answers_that_came_at_once_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measured = pd.DataFrame({"arrival_s": np.arange(6.0)}).assign(
        first_token_s=lambda table: table["arrival_s"] + 1,
        last_token_s=lambda table: table["first_token_s"],
        input_tokens=100,
        output_tokens=10,
    )
    measured.to_csv(tmp_path / "m.csv.gz", index=False, sep=";")
    assert main(["fit", f"requests={tmp_path / 'm.csv.gz'}", f"out={tmp_path / 'out'}"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("switchyard: first_token_s is last_token_s in most requests of the first half")
    assert said.count("\n") == 1
