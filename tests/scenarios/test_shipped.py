"""The files that are shipped: what scenarios/shipped/README.md says of them, and that the defaults need no other."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scenarios.readers.places import data_folder, located
from scenarios.workloads.table import table
from sim.cli.main import main

SMALL = ["policy=random", "budget=unlimited"]


def test_two_models_on_mmlu_have_the_rows_and_the_scores_that_their_page_says() -> None:
    frame = pd.read_csv(located("shipped:mmlu_two_models.csv"))
    means = frame.groupby("source")[["mixtral-8x7b-instruct-v0.1", "gpt-4-1106-preview"]].mean().round(3)
    assert frame["source"].value_counts().to_dict() == {"management": 103, "abstract_algebra": 100, "global_facts": 100}
    assert means.to_numpy().tolist() == [[0.32, 0.46], [0.42, 0.57], [0.845, 0.903]]
    assert frame["split"].tolist() == ["history"] * 153 + ["test"] * 150


def test_a_cost_is_tokens_times_list_price() -> None:
    workload = table("shipped:mmlu_two_models.csv", embeddings="hashing")
    tokens = workload.test.input_tokens
    expected = np.column_stack([(tokens * 0.6 + 0.6) / 1e6, (tokens * 10 + 30) / 1e6])
    assert workload.test.cost_usd == pytest.approx(expected, abs=6e-8)


@pytest.mark.filterwarnings("ignore::sim.errors.Note")
def test_the_trace_begins_as_the_published_one() -> None:
    frame = pd.read_csv(located("shipped:azure_llm_2023_conv_start.csv"))
    assert frame.head(2).to_numpy().tolist() == [[0.0, 374, 44], [4.314579, 396, 109]]
    assert len(frame) == 294
    assert frame["arrival_s"].is_monotonic_increasing


@pytest.mark.parametrize(
    "words",
    [["workload=table"], ["experiment=mmlu_two_models"], ["workload=trace", "arrivals=replay", "order=given"]],
)
def test_the_defaults_run_wherever_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run", *words, *SMALL, "out=out", "--no-report"]) == 0
    said = capsys.readouterr().err
    assert ("note: the table comes without embeddings" in said) == (words == ["workload=table"])


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["experiment=zeroeval"], "zeroeval"),
        (["experiment=mmlu_pro"], "mmlu_pro"),
        (["workload=routerbench"], "routerbench_0shot"),
        (["workload=table", "workload.embeddings=data:zeroeval_embeddings.npy"], "zeroeval"),
        (["workload=trace", "workload.path=data:traces/azure_llm_2023_code.parquet"], "azure_llm_2023_code"),
    ],
)
def test_a_public_table_that_is_not_there_is_refused_with_the_command_that_builds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SWITCHYARD_DATA", str(tmp_path / "data"))
    assert main(["run", *words, *SMALL, f"out={tmp_path / 'out'}", "--no-report"]) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"switchyard: there is no file {tmp_path / 'data'}")
    assert f"`switchyard data {name}` builds it" in said
    assert not (tmp_path / "out").exists()


def test_the_data_folder_is_the_users_cache_unless_the_environment_names_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SWITCHYARD_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert data_folder() == tmp_path / "switchyard"
    monkeypatch.setenv("SWITCHYARD_DATA", "~/tables")
    assert data_folder() == Path.home() / "tables"


def test_a_file_that_is_not_shipped_is_refused_with_those_that_are() -> None:
    with pytest.raises(OSError, match=r"no file mmlu\.csv is shipped; these are: azure.*, mmlu_two_models\.csv"):
        located("shipped:mmlu.csv")


NO_PROMPT = ["workload=table", "budget=weighted"]


@pytest.fixture
def nameless(tmp_path: Path) -> str:
    """The shipped table without its prompts, so that nothing could be embedded."""
    path = tmp_path / "nameless.csv"
    pd.read_csv(located("shipped:mmlu_two_models.csv")).drop(columns="prompt").to_csv(path, index=False)
    return f"workload.path={path}"


@pytest.mark.parametrize("words", [["policy=random"], ["policy=port", "estimator=ridge"], ["policy=model_cost"]])
def test_without_embeddings_whatever_needs_none_runs(tmp_path: Path, nameless: str, words: list[str]) -> None:
    assert main(["run", *NO_PROMPT, nameless, *words, f"out={tmp_path / 'out'}", "--no-report"]) == 0


@pytest.mark.parametrize("policy", ["port", "knn_perf", "steward"])
def test_without_embeddings_nearest_neighbours_are_refused_with_the_ways_out(
    tmp_path: Path, nameless: str, policy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *NO_PROMPT, nameless, f"policy={policy}", f"out={tmp_path / 'out'}", "--no-report"]) == 1
    said = capsys.readouterr().err
    assert "nearest neighbours (estimator=exact, hnsw or blend) and clusters need embeddings" in said
    assert "estimator=ridge" in said
    assert len(said.splitlines()) == 1
