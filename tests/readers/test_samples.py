"""The round trip on real files: what the tool says of one equals what pandas says of the raw file."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scenarios.readers.tables.reading import read as read_table
from scenarios.readers.traces.reading import read
from scenarios.readers.traces.recorded import figures
from sim.cli.main import main
from tests.conftest import Beside

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples"
pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples of real files are not at ../shared/samples")


def in_pandas(times_s: pd.Series, input_tokens: pd.Series, output_tokens: pd.Series) -> dict[str, float]:
    gaps_s = times_s.diff().dropna()
    return {
        "rows": len(times_s),
        "span_s": times_s.max() - times_s.min(),
        "rate_per_s": 1 / gaps_s.mean(),
        "gap_cv": gaps_s.std(ddof=0) / gaps_s.mean(),
        "mean_input_tokens": input_tokens.mean(),
        "mean_output_tokens": output_tokens.mean(),
    }


def note_figures(beside: Beside, name: str, path: Path, expected: dict[str, float]) -> None:
    for figure, value in figures(read(str(path)).trace).items():
        beside("Files", f"{name}: {figure}", value, expected[figure], "pandas", "1e-9")


def test_the_azure_trace(tmp_path: Path, beside: Beside) -> None:
    path = SAMPLES / "azure_llm_2023_conv.csv"
    raw = pd.read_csv(path)
    times = pd.to_datetime(raw["TIMESTAMP"])
    expected = in_pandas((times - times.iloc[0]).dt.total_seconds(), raw["ContextTokens"], raw["GeneratedTokens"])
    assert figures(read(str(path)).trace) == pytest.approx(expected, rel=1e-9)
    note_figures(beside, "Azure 2023 conversations", path, expected)
    assert main(["import", str(path), f"out={tmp_path / 'azure.parquet'}"]) == 0
    written = pd.read_parquet(tmp_path / "azure.parquet")
    assert in_pandas(*(written[name] for name in written)) == pytest.approx(expected, rel=1e-9)


def test_the_mooncake_trace_and_its_blocks(tmp_path: Path, beside: Beside) -> None:
    path = SAMPLES / "mooncake_trace.jsonl"
    raw = pd.read_json(path, lines=True)
    expected = in_pandas(raw["timestamp"] / 1000, raw["input_length"], raw["output_length"])
    assert figures(read(str(path)).trace) == pytest.approx(expected, rel=1e-9)
    note_figures(beside, "Mooncake", path, expected)
    assert main(["import", str(path), f"out={tmp_path / 'mooncake.parquet'}"]) == 0
    written = pd.read_parquet(tmp_path / "mooncake.parquet")
    assert [blocks.tolist() for blocks in written["prefix_blocks"]] == raw["hash_ids"].tolist()
    assert np.array_equal(written["arrival_s"], raw["timestamp"] / 1000)


def test_llmperfs_responses() -> None:
    path = SAMPLES / "llmperf_individual_responses.json"
    raw = pd.DataFrame(json.loads(path.read_text()))
    frame = read(str(path)).trace.frame
    assert frame["latency_s"].tolist() == raw["end_to_end_latency_s"].tolist()
    assert frame["first_token_s"].tolist() == raw["ttft_s"].tolist()
    assert frame["output_tokens"].mean() == raw["number_output_tokens"].mean()


def test_inference_perfs_summary_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", str(SAMPLES / "inference_perf_summary.json")]) == 2
    assert "report.request_lifecycle.per_request: true" in capsys.readouterr().err


def test_routerarenas_results() -> None:
    path = SAMPLES / "routerarena_cached_results.jsonl"
    raw = pd.read_json(path, lines=True)
    raw["score"] = raw["evaluation_result"].map(lambda result: result["score"])
    raw["usd"] = raw["evaluation_result"].map(lambda result: result["inference_cost"])
    source = read_table(str(path))
    assert source is not None
    frame = source.table.frame
    assert len(frame) == raw["global_index"].nunique()
    for model, rows in raw.groupby("llm_selected"):
        assert frame[str(model)].mean() == pytest.approx(rows["score"].mean())
        assert frame[f"{model}|total_cost"].sum() == pytest.approx(rows["usd"].sum())
