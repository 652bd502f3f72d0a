"""What stands in other people's files: read as it is meant, or refused by file, column and row."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from scenarios.readers.files import read
from scenarios.workloads.table import table
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
        r"cost of model 'm' is 1e\+308 in row 3 of the table; .*at most 1000000000 USD",
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
    "a packed Parquet": (
        lambda path: path.write_bytes(b""),
        "t.parquet.gz",
        r"must end in \.csv, \.jsonl, \.parquet or",
    ),
    "half a line of JSON": (lambda path: path.write_text('{"a": 1}\n{"a"'), "t.jsonl", r"t\.jsonl .*line 2 is no JSON"),
    "a number for an object": (lambda path: path.write_text("3\n"), "t.jsonl", "line 1 holds a int, not an object"),
    "no zip": (lambda path: path.write_text("3\n"), "t.jsonl.zip", r"cannot read .*t\.jsonl\.zip as JSON lines"),
    "two columns of one name": (lambda path: path.write_text("a;b;b\n1;2;3\n"), "t.csv", "two columns named 'b'"),
}


@pytest.mark.filterwarnings("ignore::sim.errors.Note")
@pytest.mark.parametrize("case", FILES)
def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path: Path, case: str) -> None:
    write, name, message = FILES[case]
    write(tmp_path / name)
    with pytest.raises(ValueError, match=message):
        read(tmp_path / name)


BESIDE: dict[str, tuple[dict[str, Any], str]] = {
    "a latency in another unit": (
        {"m|latency_ms": [1, 2, 3, 4]},
        r"1 column is not read: 'm\|latency_ms' \(did you mean 'm\|latency_s'\?\) \(in .*t\.csv\)$",
    ),
    "a feature that looks like a score": ({"difficulty": [0, 0.5, 1, 0.1]}, "1 column is not read: 'difficulty'"),
    "a text and a judgement of no model": (
        {"topic": ["a", "b", "c", "d"], "judge|verdict": [1, 0, 1, 0]},
        r"2 columns are not read: 'topic', 'judge\|verdict'",
    ),
    "another kind of cost": ({"m|input_cost": [0, 0, 0, 0]}, r"1 column is not read: 'm\|input_cost'"),
    "a misspelt column of the queries": (
        {"prioritty": [0, 1, 0, 1]},
        r"1 column is not read: 'prioritty' \(did you mean 'priority'\?\)",
    ),
    "more than a line holds": ({f"f{n}": [n] * 4 for n in range(30)}, "30 columns are not read: .*'f19' and 10 more"),
}


@pytest.mark.parametrize("case", BESIDE)
def test_a_column_that_means_nothing_here_is_named_in_one_note_and_changes_nothing(tmp_path: Path, case: str) -> None:
    columns, message = BESIDE[case]
    frame().to_csv(tmp_path / "plain.csv", index=False)
    frame(**columns).to_csv(tmp_path / "t.csv", index=False)
    with pytest.warns(Note, match=message) as notes:
        made = workload(tmp_path / "t.csv")
    assert len(notes) == 1
    plain = workload(tmp_path / "plain.csv")
    assert made.models == plain.models == ("m",)
    assert made.test.quality.tolist() == plain.test.quality.tolist()


def test_a_table_without_a_model_says_which_columns_it_has(tmp_path: Path) -> None:
    pd.DataFrame({"TIMESTAMP": [0], "ContextTokens": [1]}).to_csv(tmp_path / "t.csv", index=False)
    message = r"no model: a model m needs .*'m\|total_cost'; the columns are 'TIMESTAMP', 'ContextTokens' \(in .*t\.csv"
    with pytest.raises(ValueError, match=message):
        workload(tmp_path / "t.csv")


def test_columns_that_are_known_and_of_no_use_are_passed_over_in_silence(tmp_path: Path) -> None:
    silent = {"index": range(4), "sample_id": ["a"] * 4, "m|model_response": ["x"] * 4, "m|input_tokens": [1] * 4}
    frame(**silent).to_csv(tmp_path / "t.csv", index=False)
    assert workload(tmp_path / "t.csv").models == ("m",)


MISSPELT: dict[str, str] = {
    "m|scor": r"suffix 'scor' in column 'm\|scor'; did you mean 'm'\?",
    "m|costs": r"suffix 'costs' in column 'm\|costs'; did you mean 'm\|total_cost'\?",
    "m|cost": r"suffix 'cost' in column 'm\|cost'; did you mean 'm\|total_cost'\?",
    "m|output_token": r"did you mean 'm\|output_tokens'\?",
    "n|total_cost": r"'n\|total_cost' has no score column: .*workload\.exclude=\[n\] leaves the model out",
}


@pytest.mark.parametrize("column", MISSPELT)
def test_a_column_near_one_that_is_read_is_refused_with_the_one_it_is_near(tmp_path: Path, column: str) -> None:
    frame(**{column: [0.1] * 4}).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(ValueError, match=MISSPELT[column]):
        workload(tmp_path / "t.csv")


def test_a_model_without_a_cost_is_refused_with_the_words_that_leave_it_out(tmp_path: Path) -> None:
    frame(**{"n": [0, 1, 0, 1], "n|price": [1, 1, 1, 1]}).to_csv(tmp_path / "t.csv", index=False)
    message = r"model 'n' has no cost: a column 'n\|total_cost' is needed .*workload\.exclude=\[n\] leaves"
    with pytest.raises(ValueError, match=message):
        workload(tmp_path / "t.csv")
    assert workload(tmp_path / "t.csv", exclude=["n"]).models == ("m",)
    assert workload(tmp_path / "t.csv", models=["m"]).models == ("m",)


def several(**columns: Any) -> pd.DataFrame:
    """Four queries and the models a, b, c and d, each always right for 0.1 USD; with these columns instead."""
    models = {f"{name}{suffix}": [value] * 4 for name in "abcd" for suffix, value in (("", 1.0), ("|total_cost", 0.1))}
    return frame(**{**models, **columns}).drop(columns=["m", "m|total_cost"])


def test_models_can_be_left_out_of_all_or_of_those_that_are_named(tmp_path: Path) -> None:
    several().to_csv(tmp_path / "t.csv", index=False)
    assert workload(tmp_path / "t.csv", exclude=["c"]).models == ("a", "b", "d")
    assert workload(tmp_path / "t.csv", models=["d", "b", "a"], exclude=["b", "c"]).models == ("d", "a")


EXCLUDED: dict[str, tuple[dict[str, Any], str]] = {
    "a name that is near": ({"models": ["a"], "exclude": ["mm"]}, r"unknown model 'mm'; did you mean 'm'\?"),
    "all of them": ({"exclude": ["a", "b", "m"]}, "workload.exclude leaves none of m, a, b; leave out fewer"),
    "all that are named": ({"models": ["a"], "exclude": ["a"]}, "workload.exclude leaves none of a; leave out fewer"),
}


@pytest.mark.parametrize("case", EXCLUDED)
def test_what_cannot_be_left_out_is_refused_by_name(tmp_path: Path, case: str) -> None:
    settings, message = EXCLUDED[case]
    others = {"a": [1.0] * 4, "a|total_cost": [0.1] * 4, "b": [1.0] * 4, "b|total_cost": [0.1] * 4}
    frame(**others).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(ValueError, match=message):
        workload(tmp_path / "t.csv", **settings)


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.jsonl"])
def test_all_models_with_missing_values_are_named_at_once_with_the_words_that_leave_them_out(
    tmp_path: Path, name: str
) -> None:
    holes = several(**{"a": [1, None, 1, 1], "c|total_cost": [0.1, 0.1, 0.1, None]})
    write_table(holes, tmp_path / name)
    message = (
        r"models a, c have missing values, the first in 'a' in row 1 of the table; "
        r"fill them in, or leave them out with workload\.exclude=\[d,a,c\]"
    )
    with pytest.raises(ValueError, match=message):
        workload(tmp_path / name, exclude=["d"])
    assert workload(tmp_path / name, exclude=["d", "a", "c"]).models == ("b",)


def test_the_words_that_leave_models_out_can_be_pasted_whatever_the_names_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["it's [new], (8B)", "null", "x@y"]
    holes = {f"{name}{suffix}": [None, 1, 1, 1] for name in names for suffix in ("", "|total_cost")}
    frame(**holes).to_csv(tmp_path / "t.csv", index=False)
    np.save(tmp_path / "e.npy", np.eye(4, dtype=np.float32))
    words = ["run", "workload=table", "policy=random", f"out={tmp_path / 'out'}"]
    words += [f"workload.path={tmp_path / 't.csv'}", f"workload.embeddings={tmp_path / 'e.npy'}"]
    assert main(words) == 1
    said = capsys.readouterr().err
    pasted = shlex.split(said.partition("leave them out with ")[2].rpartition(" (in ")[0])
    assert main([*words, *pasted, "--no-report"]) == 0
    assert pd.read_csv(tmp_path / "out" / "fleet.csv")["model"].tolist() == ["m"]


def test_where_every_model_has_missing_values_there_is_none_to_leave_out(tmp_path: Path) -> None:
    frame(m=[0, None, 0, 1]).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(ValueError, match=r"model m has missing values, .* in row 1 of the table; fill them in \(in"):
        workload(tmp_path / "t.csv")


def write_table(content: pd.DataFrame, path: Path) -> None:
    """Write a frame in the format that the file's name says."""
    if ".csv" in path.name:
        content.to_csv(path, index=False)
    elif ".jsonl" in path.name:
        content.to_json(path, orient="records", lines=True)
    elif path.suffix == ".parquet":
        content.to_parquet(path, index=False)
    else:
        content.to_pickle(path)


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.jsonl", "t.jsonl.gz", "T.NDJSON.jsonl", "t.parquet", "t.pkl"])
def test_a_table_is_the_same_in_every_format(tmp_path: Path, name: str) -> None:
    texts = dict.fromkeys(["prompt", "source", "split"], object)
    content = frame(source=["x", "NA", "null", "2024-01-01"]).astype(texts)
    content.columns = content.columns.astype(object)
    write_table(content, tmp_path / name)
    made = workload(tmp_path / name)
    assert made.test.cost_usd.tolist() == [[0.2], [0.2]]
    assert made.test.quality.tolist() == [[0.5], [1.0]]
    assert made.test.input_tokens.tolist() == [3, 4]
    assert made.history.source is not None
    assert made.test.source is not None
    assert [*made.history.source, *made.test.source] == ["x", "NA", "null", "2024-01-01"]


def test_the_command_prints_one_note_of_what_it_does_not_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    several(**{"a|first_token_s": [1, 2, 3, 4]}).to_csv(tmp_path / "t.csv", index=False)
    np.save(tmp_path / "e.npy", np.eye(4, dtype=np.float32))
    words = [f"workload.path={tmp_path / 't.csv'}", f"workload.embeddings={tmp_path / 'e.npy'}"]
    few = ["workload=table", "workload.exclude=[c,d]", "policy=random", f"out={tmp_path / 'out'}"]
    assert main(["run", *few, *words]) == 0
    said = capsys.readouterr().err
    assert said == f"switchyard: note: 1 column is not read: 'a|first_token_s' (in {tmp_path / 't.csv'})\n"
    assert pd.read_csv(tmp_path / "out" / "fleet.csv")["model"].tolist() == ["a", "b"]


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
    note, said = capsys.readouterr().err.splitlines()
    assert note.endswith("is read with ';' between its columns")
    assert said.startswith("switchyard: first_token_s is last_token_s in most requests of the first half")


@pytest.mark.parametrize(("split", "lacking"), [("history", "test"), ("test", "history")])
def test_a_table_of_one_split_lacks_the_other_however_many_rows_are_asked_for(
    tmp_path: Path, split: str, lacking: str
) -> None:
    frame(split=[split] * 4).to_csv(tmp_path / "t.csv", index=False)
    for sizes in ({}, {"n_queries": 2, "n_history": 2}):
        with pytest.raises(
            ValueError, match=f"the table has no {lacking} rows; at least one must have split '{lacking}'"
        ):
            workload(tmp_path / "t.csv", **sizes)
