"""Routing benchmarks in their own formats: read to a table in our schema, by rules that are counted."""

import json
from pathlib import Path

import pandas as pd
import pytest

from scenarios.readers.routerbench import routerbench
from scenarios.readers.tables.reading import read
from scenarios.workloads.table import table
from sim.cli.main import main
from sim.errors import Note, UnreadableError
from tests.readers.made import TABLES, WITHOUT_COSTS, lines, prices


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_told_by_its_content_and_read_to_its_scores(name: str, tmp_path: Path) -> None:
    source = read(str(TABLES[name](tmp_path)), prices="none" if name in WITHOUT_COSTS else None)
    assert source is not None
    assert source.format == name
    frame = source.table.frame
    assert source.table.models == ("a", "b")
    assert frame["a"].tolist() == [1.0, 0.0]
    assert frame["b"].tolist() == [1.0, 1.0]
    if name in WITHOUT_COSTS:
        assert frame["a|total_cost"].tolist() == [0.0, 0.0]


def test_costs_and_tokens_are_the_files(tmp_path: Path) -> None:
    for name, costs, tokens in (
        ("routerbench", [0.01, 0.02], [2, 1]),  # a quarter of the responses' characters
        ("routerarena", [0.5, 0.5], [5, 5]),
        ("llmrouterbench", [0.5, 0.5], [5, 5]),
    ):
        source = read(str(TABLES[name](tmp_path)))
        assert source is not None
        assert source.table.frame["a|total_cost"].tolist() == costs
        assert source.table.frame["a|output_tokens"].tolist() == tokens


def test_a_question_is_as_long_as_its_models_count_in_the_mean(tmp_path: Path) -> None:
    source = read(str(TABLES["sprout"](tmp_path)), prices="none")
    assert source is not None
    assert source.table.frame["input_tokens"].tolist() == [11, 21]  # of 10 and 11, 20 and 21: halves are rounded up


def test_without_costs_a_table_needs_prices_or_the_word_that_it_is_free(tmp_path: Path) -> None:
    path = str(TABLES["sprout"](tmp_path))
    with pytest.raises(UnreadableError, match=r"has no costs: prices=FILE charges its tokens, prices=none nothing"):
        read(path)
    source = read(path, prices=str(prices(tmp_path)))
    assert source is not None
    # 10 and 100 tokens at 1 and 2 USD a million; 11 and 300 at 10 and 20.
    assert source.table.frame["a|total_cost"].to_numpy()[0] == pytest.approx(210e-6)
    assert source.table.frame["b|total_cost"].to_numpy()[0] == pytest.approx(6110e-6)
    with pytest.raises(UnreadableError, match=r"has no input_tokens and no output_tokens, so prices=.* says nothing"):
        read(str(TABLES["embedllm"](tmp_path)), prices=str(prices(tmp_path)))


def test_answers_that_failed_and_questions_that_lack_one_are_counted(tmp_path: Path) -> None:
    path = TABLES["routerarena"](tmp_path)
    records = [json.loads(line) for line in path.read_text().splitlines()]
    records[1] |= {"success": False, "error": "timeout"}
    source = read(str(lines(tmp_path, "routerarena.jsonl", records)))
    assert source is not None
    assert len(source.table.frame) == 1
    assert source.table.dropped == {
        "answers failed or without a score": 1,
        "questions that some model did not answer, most often a": 1,
    }


def test_of_two_answers_to_one_question_the_better_counts(tmp_path: Path) -> None:
    source = read(str(TABLES["embedllm"](tmp_path)), prices="none")
    assert source is not None
    assert list(source.table.dropped.values()) == [1]


def test_a_folder_of_results_by_model_is_one_table(tmp_path: Path) -> None:
    records = TABLES["routerarena"](tmp_path).read_text().splitlines()
    for model, part in (("a", records[:2]), ("b", records[2:])):
        lines(tmp_path / "cached", f"{model}.jsonl", [json.loads(line) for line in part])
    source = read(str(tmp_path / "cached"))
    assert source is not None
    assert source.table.models == ("a", "b")


def test_an_older_run_of_llmrouterbench_does_not_count(tmp_path: Path) -> None:
    source = read(str(TABLES["llmrouterbench"](tmp_path)))
    assert source is not None
    assert source.table.n_answers == 4  # the older files have one record each
    assert source.table.frame["source"].tolist() == ["x", "x"]


def test_no_question_that_all_answered_is_an_error(tmp_path: Path) -> None:
    records = [json.loads(line) for line in TABLES["routerarena"](tmp_path).read_text().splitlines()]
    path = lines(tmp_path, "routerarena.jsonl", [records[0], records[3]])
    with pytest.raises(UnreadableError, match=r"no question of .* was answered by all of its models, a, b"):
        read(str(path))


@pytest.mark.parametrize("name", TABLES)
def test_a_foreign_table_is_a_workload_as_it_is(name: str, tmp_path: Path) -> None:
    path = str(TABLES[name](tmp_path))
    with pytest.warns(Note):
        workload = table(path, n_queries=1, embeddings="hashing", prices="none" if name in WITHOUT_COSTS else None)
    assert workload.models == ("a", "b")
    assert len(workload.test) == 1


def test_the_manifest_of_a_run_on_a_folder_lists_its_files(tmp_path: Path) -> None:
    words = ["workload=table", f"workload.path={TABLES['llmrouterbench'](tmp_path)}", "workload.n_queries=1"]
    assert main(["run", *words, "policy=random", "budget=unlimited", f"out={tmp_path / 'o'}", "--no-report"]) == 0
    assert len(json.loads((tmp_path / "o" / "manifest.json").read_text())["files"]) == 4


def test_the_pickle_and_its_csv_are_the_same_table(tmp_path: Path) -> None:
    path = TABLES["routerbench"](tmp_path)
    pd.read_csv(path, dtype={"prompt": str}).to_pickle(tmp_path / "routerbench.pkl")
    of_csv, of_pickle = read(str(path)), read(str(tmp_path / "routerbench.pkl"))
    assert of_csv is not None
    assert of_pickle is not None
    pd.testing.assert_frame_equal(of_csv.table.frame, of_pickle.table.frame, check_dtype=False)


def test_the_workload_of_the_pickle_takes_a_csv_of_it_too(tmp_path: Path) -> None:
    path = TABLES["routerbench"](tmp_path)
    pd.read_csv(path, dtype={"prompt": str}).to_pickle(tmp_path / "routerbench.pkl")
    made = [routerbench(str(tmp_path / f"routerbench.{end}"), "hashing", n_queries=1) for end in ("csv", "pkl")]
    assert made[0].test.cost_usd.tolist() == made[1].test.cost_usd.tolist()
    assert made[0].test.output_tokens is not None
    assert made[1].test.output_tokens is not None
    assert made[0].test.output_tokens.tolist() == made[1].test.output_tokens.tolist()


def test_a_table_of_ones_own_may_leave_its_costs_to_a_price_list(tmp_path: Path) -> None:
    own = pd.DataFrame({"input_tokens": [10, 20], "a": [1.0, 0.0], "a|output_tokens": [100, 200]})
    own.to_csv(tmp_path / "own.csv", index=False)
    words = [str(tmp_path / "own.csv"), f"out={tmp_path / 'priced.csv'}"]
    assert main(["import", *words]) == 2
    assert main(["import", *words, f"prices={prices(tmp_path)}"]) == 0
    priced = pd.read_csv(tmp_path / "priced.csv")
    assert priced["a|total_cost"].to_numpy() == pytest.approx([210e-6, 420e-6])
    workload = table(str(tmp_path / "own.csv"), n_queries=1, prices=str(prices(tmp_path)))
    assert sorted([*workload.test.cost_usd[:, 0], *workload.history.cost_usd[:, 0]]) == pytest.approx([210e-6, 420e-6])
    assert [file.name for file in workload.files] == ["own.csv", "prices.csv"]
