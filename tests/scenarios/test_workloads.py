"""Truth tables: what each builder reads and makes, and what it refuses."""

import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scenarios.readers.embeddings import hashed
from scenarios.readers.routerbench import routerbench
from scenarios.workloads.synthetic import synthetic
from scenarios.workloads.table import table
from sim.errors import Note
from sim.workload import Rows, Workload

# RouterBench's published mean score and mean USD per query.
CATALOGUE = {
    "WizardLM-13B-V1.2": (0.4321, 7.270e-5),
    "claude-instant-v1": (0.5984, 2.319e-4),
    "claude-v1": (0.6306, 2.136e-3),
    "claude-v2": (0.6356, 2.410e-3),
    "gpt-3.5-turbo-1106": (0.6166, 2.422e-4),
    "gpt-4-1106-preview": (0.7811, 3.281e-3),
    "code-llama-34b-instruct": (0.2026, 1.714e-4),
    "llama-2-70b-chat": (0.3285, 2.019e-4),
    "mistral-7b-chat": (0.3085, 4.558e-5),
    "mixtral-8x7b-chat": (0.5498, 1.342e-4),
    "Yi-34B-Chat": (0.6478, 1.849e-4),
}


def table_frame() -> pd.DataFrame:
    """Four queries, two models, everything optional included."""
    return pd.DataFrame(
        {
            "prompt": ["abcdefgh", "b" * 40, "c", "d" * 11],
            "source": ["maths", "law", "law", "maths"],
            "split": ["history", "test", "history", "test"],
            "input_tokens": [5, 6, 7, 8],
            "cheap": [0.0, 1.0, 0.5, 0.25],
            "cheap|total_cost": [0.001, 0.002, 0.003, 0.004],
            "cheap|output_tokens": [1, 2, 3, 4],
            "good": [1.0, 1.0, 0.75, 0.5],
            "good|total_cost": [0.01, 0.02, 0.03, 0.04],
            "good|output_tokens": [10, 20, 30, 40],
        }
    )


def written(frame: pd.DataFrame, folder: Path, suffix: str = ".csv") -> str:
    """Write the frame and return its path."""
    path = folder / f"table{suffix}"
    if suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path, index=False)
    return str(path)


def saved(array: Any, folder: Path, name: str = "embeddings.npy") -> str:
    """Write the array and return its path."""
    np.save(folder / name, array)
    return str(folder / name)


def identity(n_rows: int = 4) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Embeddings that name their row: row 2 is the third unit vector."""
    return np.eye(n_rows, dtype=np.float32)


def row_numbers(rows: Rows) -> list[int]:
    """Which rows of the table these are, told by their identity embeddings."""
    return [int(number) for number in rows.embeddings.argmax(axis=1)]


# --- tables that can be read


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_becomes_history_and_test_rows_with_all_their_columns(tmp_path: Path, suffix: str) -> None:
    path, vectors = written(table_frame(), tmp_path, suffix), saved(identity(), tmp_path)
    workload = table(path, embeddings=vectors)
    assert workload.models == ("cheap", "good")
    assert row_numbers(workload.history) == [0, 2]
    assert row_numbers(workload.test) == [1, 3]
    assert workload.test.quality.tolist() == [[1.0, 1.0], [0.25, 0.5]]
    assert workload.test.cost_usd.tolist() == [[0.002, 0.02], [0.004, 0.04]]
    assert workload.history.input_tokens.tolist() == [5, 7]
    assert workload.test.output_tokens is not None
    assert workload.test.output_tokens.tolist() == [[2, 20], [4, 40]]
    assert workload.test.source is not None
    assert workload.test.source.tolist() == ["law", "maths"]
    assert workload.files == (Path(path), Path(vectors))


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_without_the_optional_columns_tokens_are_estimated_and_the_rest_is_absent(tmp_path: Path, suffix: str) -> None:
    optional = ["source", "input_tokens", "cheap|output_tokens"]
    path = written(table_frame().drop(columns=optional), tmp_path, suffix)
    with pytest.warns(Note, match="no output tokens are read, as there are none of cheap"):
        workload = table(path, embeddings=saved(identity(), tmp_path))
    # Four characters a token: 8 characters are 2 tokens, 40 are 10, 11 are 2, and 1 is still one token.
    assert workload.history.input_tokens.tolist() == [2, 1]
    assert workload.test.input_tokens.tolist() == [10, 2]
    assert workload.test.source is None
    assert workload.test.output_tokens is None  # one model without a count is as good as none


def test_a_blank_prompt_still_counts_as_one_token(tmp_path: Path) -> None:
    frame = table_frame().drop(columns="input_tokens").replace({"prompt": {"b" * 40: ""}})
    workload = table(written(frame, tmp_path), embeddings=saved(identity(), tmp_path))
    assert workload.test.input_tokens.tolist() == [1, 2]


def test_without_a_split_the_test_rows_are_drawn_by_seed_and_the_others_are_history(tmp_path: Path) -> None:
    frame = pd.concat([table_frame()] * 5).drop(columns="split")
    path, vectors = written(frame, tmp_path), saved(identity(20), tmp_path)
    first = table(path, embeddings=vectors, n_queries=8, split_seed=1)
    again = table(path, embeddings=vectors, n_queries=8, split_seed=1)
    other = table(path, embeddings=vectors, n_queries=8, split_seed=2)
    assert len(first.test) == 8
    assert sorted(row_numbers(first.test) + row_numbers(first.history)) == list(range(20))
    assert row_numbers(first.history) == sorted(row_numbers(first.history))
    assert row_numbers(first.test) == row_numbers(again.test)
    assert row_numbers(first.test) != row_numbers(other.test)


def test_sizes_keep_the_first_rows_of_each_split(tmp_path: Path) -> None:
    path, vectors = written(table_frame(), tmp_path), saved(identity(), tmp_path)
    workload = table(path, embeddings=vectors, n_queries=1, n_history=1)
    assert row_numbers(workload.history) == [0]
    assert row_numbers(workload.test) == [1]


def test_models_can_be_chosen_and_their_order_is_kept(tmp_path: Path) -> None:
    path, vectors = written(table_frame(), tmp_path), saved(identity(), tmp_path)
    assert table(path, embeddings=vectors, models=["good"]).test.quality.tolist() == [[1.0], [0.5]]
    assert table(path, embeddings=vectors, models=["good", "cheap"]).test.quality[1].tolist() == [0.5, 0.25]


def test_embeddings_of_another_float_type_become_single_precision(tmp_path: Path) -> None:
    path = written(table_frame(), tmp_path)
    workload = table(path, embeddings=saved(np.eye(4, dtype=np.float64), tmp_path))
    assert workload.test.embeddings.dtype == np.float32


def test_the_truth_is_read_only(tmp_path: Path) -> None:
    workload = table(written(table_frame(), tmp_path), embeddings=saved(identity(), tmp_path))
    with pytest.raises(ValueError, match="read-only"):
        workload.test.quality[0, 0] = 1.0


# --- tables that cannot

BAD_TABLES: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "no score column": (lambda f: f.drop(columns="cheap"), r"'cheap\|total_cost' has no score column"),
    "no cost column": (lambda f: f.drop(columns="cheap|total_cost"), "'cheap'|cheap.total_cost"),
    "misspelt cost": (
        lambda f: f.rename(columns={"cheap|total_cost": "cheap|totl_cost"}),
        r"'totl_cost' in column .*; did you mean 'cheap\|total_cost'",
    ),
    "misspelt model": (
        lambda f: f.rename(columns={"cheap|total_cost": "chep|total_cost"}),
        r"'chep\|total_cost' .*did you mean 'cheap'",
    ),
    "no model": (lambda f: f[["prompt", "source", "split"]], r"no model.*total_cost"),
    "score above 1": (lambda f: f.assign(cheap=[0, 2.5, 0, 0]), r"score of model 'cheap' is 2.5 .*\[0, 1\]"),
    "score below 0": (lambda f: f.assign(good=[-0.5, 0, 0, 0]), r"score of model 'good' is -0.5 .*\[0, 1\]"),
    "score in words": (lambda f: f.assign(good=["0", "yes", "0", "1"]), "'good' is 'yes' in row 1 .*number"),
    "blank score": (
        lambda f: f.assign(good=[0, 1, np.nan, 1]),
        "good has missing values, the first in 'good' in row 2",
    ),
    "negative cost": (lambda f: f.assign(**{"good|total_cost": [0, 0, -0.25, 0]}), "cost of model 'good' is -0.25"),
    "blank cost": (
        lambda f: f.assign(**{"good|total_cost": [0, 0, np.nan, 0]}),
        r"missing values, the first in 'good\|total_cost' in row 2",
    ),
    "infinite cost": (lambda f: f.assign(**{"good|total_cost": [0, 0, np.inf, 0]}), "cost of model 'good' is inf"),
    "fraction of a token": (
        lambda f: f.assign(**{"cheap|output_tokens": [1, 2, 3.5, 4]}),
        r"'cheap\|output_tokens' is 3.5 in row 2 .*whole number",
    ),
    "negative tokens": (lambda f: f.assign(input_tokens=[1, 2, 3, -4]), "'input_tokens' is -4.* in row 3"),
    "wrong split": (lambda f: f.assign(split=["history", "tset", "test", "test"]), "'tset' in row 1 .*'history' or 't"),
    "blank split": (lambda f: f.replace({"split": {"history": ""}}), "split is (nan|'') in row 0"),
    "no test rows": (lambda f: f.assign(split=["history"] * 4), "no test rows"),
    "no history rows": (lambda f: f.assign(split=["test"] * 4), "no history rows"),
    "no split": (lambda f: f.drop(columns="split"), "no 'split' column.*workload.n_queries"),
    "no prompt and no tokens": (lambda f: f.drop(columns=["prompt", "input_tokens"]), "unknown column 'prompt'"),
    "no rows": (lambda f: f.head(0), r"shape \(4, 4\)|no history rows"),
}


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("case", BAD_TABLES)
def test_a_table_that_cannot_be_right_is_refused_by_the_name_of_what_is_wrong(
    tmp_path: Path, suffix: str, case: str
) -> None:
    spoil, message = BAD_TABLES[case]
    path = written(spoil(table_frame()), tmp_path, suffix)
    with pytest.raises(ValueError, match=message):
        table(path, embeddings=saved(identity(), tmp_path))


BAD_EMBEDDINGS: dict[str, tuple[Any, str]] = {
    "too few rows": (np.eye(3, 5, dtype=np.float32), r"shape \(3, 5\).*floats of shape \(4, dim\)"),
    "one dimension": (np.ones(4, dtype=np.float32), r"shape \(4,\).*floats of shape \(4, dim\)"),
    "integers": (np.eye(4, dtype=np.int64), r"type int64.*floats"),
    "objects": (np.array([[None]] * 4, dtype=object), r"cannot read .*embeddings\.npy.*allow_pickle"),
    "not a number": (np.full((4, 2), np.nan, dtype=np.float32), r"embedding in row 0 of .*\.npy is not finite"),
}


@pytest.mark.parametrize("case", BAD_EMBEDDINGS)
def test_embeddings_that_do_not_fit_the_table_are_refused(tmp_path: Path, case: str) -> None:
    array, message = BAD_EMBEDDINGS[case]
    path = written(table_frame(), tmp_path)
    with pytest.raises(ValueError, match=message):
        table(path, embeddings=saved(array, tmp_path))


@pytest.mark.parametrize("content", [b"", b"no array", b"\x93NUMPY\x01\x00"])
def test_a_damaged_embeddings_file_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "damaged.npy").write_bytes(content)
    path = written(table_frame(), tmp_path)
    with pytest.raises(ValueError, match=r"cannot read .*damaged\.npy"):
        table(path, embeddings=str(tmp_path / "damaged.npy"))


def test_an_archive_of_arrays_is_no_embeddings_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "vectors.npz", identity())
    with pytest.raises(ValueError, match=r"vectors\.npz"):
        table(written(table_frame(), tmp_path), embeddings=str(tmp_path / "vectors.npz"))


def test_prompts_without_embeddings_are_embedded_by_their_words_and_a_note_says_so(tmp_path: Path) -> None:
    path = written(table_frame(), tmp_path)
    with pytest.warns(Note, match=r"its prompts are embedded by hashed words \(workload\.embeddings=hashing\)"):
        unasked = table(path)
    asked = table(path, embeddings="hashing")
    assert unasked.test.embeddings.shape == (2, 512)
    assert unasked.test.embeddings.tolist() == asked.test.embeddings.tolist()
    assert asked.files == (Path(path),)


def test_hashed_words_know_neither_case_nor_order_and_press_repetitions() -> None:
    once, again, twice, none = hashed(["the cat sat", "Sat the CAT", "the cat sat. The cat sat", ""])
    assert once.tolist() == again.tolist() == twice.tolist()
    assert sorted(abs(once[once != 0]).tolist()) == pytest.approx([3**-0.5] * 3)
    assert not none.any()
    # One word twice and one once: as 2 to 1 in squares.
    assert sorted((hashed(["cat cat sat"])[0] ** 2).tolist())[-2:] == pytest.approx([1 / 3, 2 / 3])


def test_a_row_is_embedded_alike_whatever_stands_beside_it() -> None:
    assert hashed(["a cat"])[0].tolist() == hashed(["a cat", "a dog and a cat"])[0].tolist()


def test_queries_without_prompts_and_embeddings_have_embeddings_of_no_dimension(tmp_path: Path) -> None:
    workload = table(written(table_frame().drop(columns="prompt"), tmp_path))
    assert workload.test.embeddings.shape == (2, 0)
    with pytest.raises(ValueError, match="unknown column 'prompt'"):
        table(written(table_frame().drop(columns="prompt"), tmp_path), embeddings="hashing")


def test_one_message_has_all_that_a_table_lacks(tmp_path: Path) -> None:
    frame = table_frame().assign(split="history", cheap=[0.5, 0.5, 7, 0.5], **{"good|total_cost": [0, 0, 0, -1]})
    path = written(frame.drop(columns=["input_tokens", "prompt"]), tmp_path)
    with pytest.raises(ValueError, match="the table cannot be used as it is: ") as raised:
        table(path, embeddings=saved(identity(3), tmp_path))
    *faults, last = str(raised.value).split("; (")
    assert len(faults) == 4
    assert "no test rows" in faults[0]
    assert "shape (3, 3)" in faults[1]
    assert "unknown column 'prompt'" in faults[2]
    assert "score of model 'cheap' is 7.0 in row 2 of the table" in faults[3]
    assert "cost of model 'good' is -1.0 in row 3 of the table" in last  # its row in the file, not in its split
    assert str(raised.value).count(path) == 1
    assert str(raised.value).endswith(f"(in {path})")


def test_a_table_without_test_rows_still_says_which_models_lack_values(tmp_path: Path) -> None:
    path = written(table_frame().assign(split="history", cheap=[0.5, np.nan, 0.5, 0.5]), tmp_path)
    with pytest.raises(ValueError, match=r"\(1\) model cheap has missing values, .*; \(2\) the table has no test rows"):
        table(path, embeddings=saved(identity(), tmp_path))


def test_an_embedder_without_its_extra_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)  # importing it now fails
    with pytest.raises(ImportError, match=r"pip install 'llm-switchyard\[embed\]'.*workload\.embeddings"):
        table(written(table_frame(), tmp_path), embedder="BAAI/bge-base-en-v1.5")


@pytest.mark.parametrize(
    ("n_queries", "n_history", "message"),
    [
        (3, None, r"workload\.n_queries is 3; it must be from 1 to 2"),
        (0, None, r"workload\.n_queries is 0"),
        (None, 3, r"workload\.n_history is 3; it must be from 1 to 2"),
    ],
)
def test_more_rows_than_a_split_has_are_refused(
    tmp_path: Path, n_queries: int | None, n_history: int | None, message: str
) -> None:
    path, vectors = written(table_frame(), tmp_path), saved(identity(), tmp_path)
    with pytest.raises(ValueError, match=message):
        table(path, embeddings=vectors, n_queries=n_queries, n_history=n_history)


@pytest.mark.parametrize("n_queries", [0, 4, 5])
def test_a_drawn_test_set_must_leave_some_history(tmp_path: Path, n_queries: int) -> None:
    path, vectors = written(table_frame().drop(columns="split"), tmp_path), saved(identity(), tmp_path)
    with pytest.raises(ValueError, match=rf"workload\.n_queries is {n_queries}; it must be from 1 to 3"):
        table(path, embeddings=vectors, n_queries=n_queries)


def test_an_unknown_model_brings_the_nearest_that_is_known(tmp_path: Path) -> None:
    path, vectors = written(table_frame(), tmp_path), saved(identity(), tmp_path)
    with pytest.raises(ValueError, match="unknown model 'goood'; did you mean 'good'"):
        table(path, embeddings=vectors, models=["goood"])


def test_a_model_chosen_twice_is_refused(tmp_path: Path) -> None:
    path, vectors = written(table_frame(), tmp_path), saved(identity(), tmp_path)
    with pytest.raises(ValueError, match="two models are named 'good'"):
        table(path, embeddings=vectors, models=["good", "good"])


def test_an_empty_choice_of_models_is_refused_by_name(tmp_path: Path) -> None:
    path, vectors = written(table_frame(), tmp_path), saved(identity(), tmp_path)
    with pytest.raises(ValueError, match="model"):
        table(path, embeddings=vectors, models=[])


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("prompt,cheap,cheap,cheap|total_cost\nhello,1,0,0.1\n")
    with pytest.raises(ValueError, match="two columns named 'cheap'"):
        table(str(tmp_path / "table.csv"), embeddings=saved(identity(1), tmp_path))
    twice = pa.Table.from_arrays([pa.array([1.0]), pa.array([0.0])], names=["cheap", "cheap"])
    pq.write_table(twice, tmp_path / "table.parquet")
    with pytest.raises(ValueError, match="cheap"):
        table(str(tmp_path / "table.parquet"), embeddings=saved(identity(1), tmp_path))


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_truncated_parquet_file_is_refused_by_name(tmp_path: Path, share: float) -> None:
    path = Path(written(table_frame(), tmp_path, ".parquet"))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match=r"cannot read .*table\.parquet as Parquet"):
        table(str(path), embeddings=saved(identity(), tmp_path))


def test_a_parquet_file_with_a_damaged_page_is_refused_by_name(tmp_path: Path) -> None:
    path = Path(written(table_frame(), tmp_path, ".parquet"))
    whole = path.read_bytes()
    path.write_bytes(whole[:4] + b"\xff" * 8 + whole[12:])  # the first page begins after the four letters PAR1
    with pytest.raises(ValueError, match=r"cannot read .*table\.parquet as Parquet"):
        table(str(path), embeddings=saved(identity(), tmp_path))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"prompt,a\n\xff\xfe,1\n",  # no UTF-8
        b"prompt,a\nx,1\ny,1,2,3\n",  # a longer row
        b'prompt,a\n"x,1\n',  # a quote that never ends
    ],
)
def test_a_csv_file_that_cannot_be_parsed_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "table.csv").write_bytes(content)
    with pytest.raises(ValueError, match=r"cannot read .*table\.csv as CSV"):
        table(str(tmp_path / "table.csv"), embeddings=saved(identity(), tmp_path))


def test_a_quote_that_never_ends_in_the_header_of_a_long_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text('"prompt,cheap,cheap|total_cost\n' + "hello,1,0.1\n" * 12_000)  # over 128 KiB
    with pytest.raises(ValueError, match=r"cannot read .*table\.csv as CSV"):
        table(str(tmp_path / "table.csv"), embeddings=saved(identity(), tmp_path))


@pytest.mark.parametrize("name", ["missing.csv", "missing.parquet"])
def test_a_missing_table_is_a_missing_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError, match=name):
        table(str(tmp_path / name), embeddings=saved(identity(), tmp_path))


def test_missing_embeddings_are_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"missing\.npy"):
        table(written(table_frame(), tmp_path), embeddings=str(tmp_path / "missing.npy"))


def test_a_file_of_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"table\.xlsx.*must end in \.csv, \.jsonl, \.parquet or \.pkl"):
        table(str(tmp_path / "table.xlsx"), embeddings=saved(identity(), tmp_path))


# --- RouterBench's pickle


def routerbench_frame() -> pd.DataFrame:
    """Three queries and two models in the layout of routerbench_0shot.pkl, its texts Python objects."""
    columns: dict[str, list[Any]] = {
        "sample_id": ["mmlu.1", "mmlu.2", "gsm8k.1"],
        "prompt": ["['abcdefgh']", "['b']", "['c']"],
        "eval_name": ["mmlu", "mmlu", "gsm8k"],
        "mistral": [0.0, 1.0, 0.25],
        "mistral|model_response": ["abcdefgh", None, "c"],
        "mistral|total_cost": [1e-5, 2e-5, 3e-5],
        "gpt-4": [1.0, 1.0, 1.0],
        "gpt-4|model_response": ["a" * 40, "b", "c"],
        "gpt-4|total_cost": [1e-3, 2e-3, 3e-3],
        "oracle_model_to_route_to": ["gpt-4", "mistral", "no_model_correct"],
    }
    texts = {name: object for name, values in columns.items() if not isinstance(values[0], float)}
    frame = pd.DataFrame(columns).astype(texts)
    frame.columns = frame.columns.astype(object)
    return frame


def read_routerbench(content: bytes, folder: Path) -> Workload:
    """Write the pickle and read it, with one test row."""
    (folder / "routerbench.pkl").write_bytes(content)
    return routerbench(str(folder / "routerbench.pkl"), embeddings=saved(identity(3), folder), n_queries=1)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_routerbench_is_read_at_every_pickle_protocol(tmp_path: Path, protocol: int) -> None:
    workload = read_routerbench(pickle.dumps(routerbench_frame(), protocol), tmp_path)
    assert workload.models == ("mistral", "gpt-4")
    read = {}
    for rows in (workload.history, workload.test):
        assert rows.source is not None
        assert rows.output_tokens is not None
        for place, number in enumerate(row_numbers(rows)):
            read[number] = (
                rows.source[place],
                rows.quality[place].tolist(),
                rows.cost_usd[place].tolist(),
                rows.output_tokens[place].tolist(),
            )
    # A quarter of the characters of each response, and at least one token, even where there is no response.
    assert read == {
        0: ("mmlu", [0.0, 1.0], [1e-5, 1e-3], [2, 10]),
        1: ("mmlu", [1.0, 1.0], [2e-5, 2e-3], [1, 1]),
        2: ("gsm8k", [0.25, 1.0], [3e-5, 3e-3], [1, 1]),
    }


def test_a_pickle_written_under_numpy_1_is_read(tmp_path: Path) -> None:
    old = pickle.dumps(routerbench_frame(), 2).replace(b"numpy._core", b"numpy.core")
    assert read_routerbench(old, tmp_path).models == ("mistral", "gpt-4")


def with_text_as(storage: Literal["python", "pyarrow"]) -> bytes:
    frame = routerbench_frame()
    texts = [name for name in frame.columns if frame[name].dtype == object]
    return pickle.dumps(frame.astype({name: pd.StringDtype(storage, na_value=np.nan) for name in texts}))


def test_a_pickle_written_with_a_string_type_is_read(tmp_path: Path) -> None:
    assert read_routerbench(with_text_as("python"), tmp_path).models == ("mistral", "gpt-4")


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_the_installed_pandas_writes_is_read(tmp_path: Path, protocol: int) -> None:
    frame = pd.DataFrame({name: column.tolist() for name, column in routerbench_frame().items()})
    frame.to_pickle(tmp_path / "written.pkl", protocol=protocol)  # pandas 3 has pyarrow hold its texts
    workload = read_routerbench((tmp_path / "written.pkl").read_bytes(), tmp_path)
    sources = [str(name) for rows in (workload.history, workload.test) for name in cast(np.ndarray, rows.source)]
    assert sorted(sources) == ["gsm8k", "mmlu", "mmlu"]


def test_a_pickle_whose_text_pyarrow_holds_in_pieces_is_read(tmp_path: Path) -> None:
    halves = [pickle.loads(with_text_as("pyarrow")).iloc[rows] for rows in (slice(0, 2), slice(2, 3))]
    assert len(read_routerbench(pickle.dumps(pd.concat(halves)), tmp_path).history) == 2


def test_texts_whose_offsets_lead_outside_of_their_buffer_are_refused(tmp_path: Path) -> None:
    whole = with_text_as("pyarrow")
    ends = np.array([0, 4, 8, 13], dtype=np.int64).tobytes()  # of mmlu, mmlu, gsm8k
    assert whole.count(ends) == 1
    damaged = whole.replace(ends, np.array([0, 4, 8, 2**40], dtype=np.int64).tobytes())
    with pytest.raises(ValueError, match=r"refused to read .*its texts are damaged"):
        read_routerbench(damaged, tmp_path)


def test_arrays_of_pyarrow_that_hold_no_texts_are_refused(tmp_path: Path) -> None:
    content = pickle.dumps(pa.array([1, 2, 3]))
    with pytest.raises(ValueError, match=r"array of pyarrow's type .*int64.*only texts are read"):
        read_routerbench(content, tmp_path)


def test_a_pickle_of_selected_rows_and_plain_object_columns_is_read(tmp_path: Path) -> None:
    frame = pd.concat([routerbench_frame()] * 2, ignore_index=True).astype(object)
    selected = frame[frame["eval_name"] == "mmlu"].tail(3)  # their index is 1, 3, 4
    assert len(read_routerbench(pickle.dumps(selected), tmp_path).history) == 2


class Carrier:
    """Pickles as a call that leaves a trace when it is carried out."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


class CarrierFrame(pd.DataFrame):
    """A data frame whose pickle makes a folder instead."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, (self.columns[0],)


def carriers(mark: Path) -> dict[str, tuple[object, str]]:
    """Objects whose pickles would make ``mark``, and the name of what they would call."""
    frame = routerbench_frame()
    frame["prompt"] = pd.Series([Carrier(os.mkdir, str(mark)), "b", "c"], dtype=object)
    return {
        "a shell command": (Carrier(os.system, f"mkdir {mark}"), f"{os.name}.system"),
        "an expression": (Carrier(eval, f"__import__('os').mkdir({str(mark)!r})"), "builtins.eval"),
        "a subclass of the frame": (CarrierFrame({str(mark): [1]}), f"{os.name}.mkdir"),
        "a cell of a frame": (frame, f"{os.name}.mkdir"),
    }


@pytest.mark.parametrize("protocol", [2, pickle.HIGHEST_PROTOCOL])
@pytest.mark.parametrize("case", ["a shell command", "an expression", "a subclass of the frame", "a cell of a frame"])
def test_a_pickle_that_carries_code_is_refused_by_name(tmp_path: Path, case: str, protocol: int) -> None:
    mark = tmp_path / "executed"
    payload, name = carriers(mark)[case]
    content = pickle.dumps(payload, protocol)
    with pytest.raises(ValueError, match=f"refused to read .*it would call {name}"):
        read_routerbench(content, tmp_path)
    assert not mark.exists()
    pickle.loads(content)  # the same bytes do act on a reader that trusts them
    assert mark.exists()


def test_a_method_of_an_admitted_class_is_not_admitted(tmp_path: Path) -> None:
    # Protocol 4: push "pandas", push "DataFrame.eval", look the global up, stop.
    content = b"\x80\x04\x8c\x06pandas\x8c\x0eDataFrame.eval\x93."
    with pytest.raises(ValueError, match=r"it would call pandas\.DataFrame\.eval"):
        read_routerbench(content, tmp_path)


@pytest.mark.parametrize(("thing", "kind"), [({"prompt": ["x"]}, "dict"), ([1, 2], "list"), (None, "NoneType")])
def test_a_pickle_of_something_else_is_refused(tmp_path: Path, thing: object, kind: str) -> None:
    with pytest.raises(ValueError, match=f"it holds a {kind}, not a data frame"):
        read_routerbench(pickle.dumps(thing), tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_pickle_is_refused_by_name(tmp_path: Path, share: float) -> None:
    whole = pickle.dumps(routerbench_frame())
    with pytest.raises(ValueError, match=r"refused to read .*routerbench\.pkl"):
        read_routerbench(whole[: int(share * len(whole))], tmp_path)


def test_a_missing_pickle_is_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"missing\.pkl"):
        routerbench(str(tmp_path / "missing.pkl"))


# --- the synthetic workload


def content(rows: Rows) -> list[bytes]:
    """Every numeric array of the rows as bytes."""
    assert rows.output_tokens is not None
    arrays = (rows.embeddings, rows.input_tokens, rows.quality, rows.cost_usd, rows.output_tokens)
    return [array.tobytes() for array in arrays]


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_synthetic_means_are_the_published_ones_within_two_percent(seed: int) -> None:
    workload = synthetic(n_queries=2000, n_history=1000, seed=seed)
    assert workload.models == tuple(CATALOGUE)
    quality, cost_usd = np.array(list(CATALOGUE.values())).T
    for rows in (workload.history, workload.test):
        np.testing.assert_allclose(rows.quality.mean(axis=0), quality, rtol=0.02)
        np.testing.assert_allclose(rows.cost_usd.mean(axis=0), cost_usd, rtol=0.02)
        assert set(np.unique(rows.quality)) == {0.0, 1.0}


def test_a_synthetic_seed_gives_the_same_bytes_and_another_seed_gives_others() -> None:
    first, again, other = (synthetic(n_queries=50, n_history=40, seed=seed) for seed in (5, 5, 6))
    assert content(first.test) == content(again.test)
    assert content(first.history) == content(again.history)
    assert all(mine != theirs for mine, theirs in zip(content(first.test), content(other.test), strict=True))


def test_more_synthetic_models_than_the_catalogue_has_get_names_and_means_of_their_own() -> None:
    workload = synthetic(n_queries=300, n_history=10, n_models=15)
    assert workload.models[:11] == tuple(CATALOGUE)
    assert workload.models[11:] == ("synthetic-12", "synthetic-13", "synthetic-14", "synthetic-15")
    assert len(set(workload.test.cost_usd.mean(axis=0))) == 15


def test_fewer_synthetic_models_are_the_first_of_the_catalogue() -> None:
    assert synthetic(n_queries=5, n_history=5, n_models=2).models == ("WizardLM-13B-V1.2", "claude-instant-v1")


def test_synthetic_costs_are_tokens_times_the_list_price() -> None:
    rows = synthetic(n_queries=20, n_history=1).test
    assert rows.output_tokens is not None
    # gpt-4-1106-preview, the sixth model: 10 USD per million input tokens and 30 per million output tokens.
    paid = (10 * rows.input_tokens + 30 * rows.output_tokens[:, 5]) / 1e6
    np.testing.assert_allclose(rows.cost_usd[:, 5], paid, rtol=1e-12)


def test_the_smallest_synthetic_workload_has_one_query() -> None:
    workload = synthetic(n_queries=1, n_history=1, n_models=1, dim=2)
    assert (len(workload.history), workload.test.embeddings.shape) == (1, (1, 2))


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"n_queries": 0}, r"workload\.n_queries is 0; it must be from 1 to 100000000"),
        ({"n_history": -1}, r"workload\.n_history is -1; it must be from 1 to 100000000"),
        ({"n_models": 0}, r"workload\.n_models is 0; it must be from 1 to 10000"),
        ({"dim": 1}, r"workload\.dim is 1; it must be from 2 to 100000"),
    ],
)
def test_a_synthetic_size_that_is_too_small_is_refused(sizes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        synthetic(**sizes)
