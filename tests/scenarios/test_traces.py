"""Recorded traces: replayed times, token counts in the file's order, and the two Azure traces' published statistics."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scenarios.arrivals.replay import Replay, read_times_s
from scenarios.workloads.synthetic import ROUTERBENCH
from scenarios.workloads.trace import PricedModel, trace
from sim.cli.main import main
from sim.interface import FloatArray

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "traces"

needs_data = pytest.mark.skipif(
    not (DATA / "azure_llm_2023_conv.parquet").exists(), reason="the Azure traces are not at ../shared/data/traces"
)

CHEAP, DEAR = PricedModel("cheap", 0.25, 1.0, 2.0), PricedModel("dear", 0.75, 10.0, 30.0)


def write(folder: Path, times_s: Sequence[object], name: str = "trace.csv") -> str:
    """A trace whose i-th request has 10 (i + 1) input tokens and i + 1 output tokens."""
    n = len(times_s)
    frame = pd.DataFrame(
        {"arrival_s": times_s, "input_tokens": [10 * (i + 1) for i in range(n)], "output_tokens": range(1, n + 1)}
    )
    path = folder / name
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    return str(path)


def replayed(process: Replay, n_queries: int) -> list[float]:
    return [float(time_s) for time_s in process.times_s(n_queries, np.random.default_rng(0))]


# --- times


@pytest.mark.parametrize("name", ["trace.csv", "trace.parquet"])
def test_recorded_times_come_back_as_they_are(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, [0.5, 1.25, 1.25, 4.0], name)
    assert replayed(Replay(path), 4) == [0.5, 1.25, 1.25, 4.0]
    assert replayed(Replay(path), 2) == [0.5, 1.25]


def test_twice_the_rate_halves_every_gap_also_the_first(tmp_path: Path) -> None:
    assert replayed(Replay(write(tmp_path, [0.5, 1.5, 4.0]), rate_scale=2), 3) == [0.25, 0.75, 2.0]


def test_a_looped_trace_begins_again_one_mean_gap_after_its_end(tmp_path: Path) -> None:
    # Gaps of 1 and 3 s have a mean of 2 s, so a round takes 6 s.
    path = write(tmp_path, [1, 2, 5])
    assert replayed(Replay(path, loop=True), 8) == [1, 2, 5, 7, 8, 11, 13, 14]
    assert replayed(Replay(path, rate_scale=2, loop=True), 4) == [0.5, 1, 2.5, 3.5]


def test_more_queries_than_rows_need_a_loop(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has 2 arrivals for 3 queries; use fewer queries.*arrivals\.loop=true"):
        replayed(Replay(write(tmp_path, [0, 1])), 3)


@pytest.mark.parametrize(
    ("times_s", "message"),
    [
        ([0, 2, 1.5], r"'arrival_s' is 1\.5 in row 2 of .*, after 2\.0; times must not decrease"),
        ([-1, 0, 1], r"'arrival_s' is -1\.0 in row 0 of .*; it must be at least 0 and finite"),
        ([0, None, 1], r"'arrival_s' is .*nan.* in row 1 of the table; it must be a number"),
        ([0, "soon", 1], r"'arrival_s' is 'soon' in row 1 of the table; it must be a number"),
        ([0, 1, float("inf")], r"'arrival_s' is inf in row 2"),
        ([], "has no rows; a trace needs at least one"),
    ],
)
def test_times_that_cannot_be_are_refused(tmp_path: Path, times_s: list[object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Replay(write(tmp_path, times_s))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = str(tmp_path / "nowhere.csv")
    for make in (Replay, trace):
        with pytest.raises(FileNotFoundError, match=r"there is no file .*nowhere\.csv"):
            make(path)


def test_a_missing_column_brings_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_text("arrivals_s,input_tokens,output_token\n0,1,2\n")
    with pytest.raises(ValueError, match="unknown column 'arrival_s'; did you mean 'arrivals_s'"):
        Replay(str(path))
    with pytest.raises(ValueError, match="unknown column 'output_tokens'; did you mean 'output_token'"):
        trace(str(path))


def test_only_a_trace_that_takes_time_can_be_looped(tmp_path: Path) -> None:
    path = write(tmp_path, [3, 3])
    assert replayed(Replay(path), 2) == [3, 3]
    with pytest.raises(ValueError, match="spans no time; to be looped it needs two different times"):
        Replay(path, loop=True)


@pytest.mark.parametrize("rate_scale", [0.0, -1.0, float("nan")])
def test_a_rate_scale_that_cannot_be_is_refused(tmp_path: Path, rate_scale: float) -> None:
    with pytest.raises(ValueError, match=rf"rate_scale is {rate_scale}; it must be from 1e-12 to 1e\+12"):
        Replay(write(tmp_path, [0, 1]), rate_scale)


# --- token counts


def test_token_counts_are_the_files_in_the_files_order_and_the_same_for_every_model(tmp_path: Path) -> None:
    path = write(tmp_path, range(4))
    rows = trace(path, [CHEAP, DEAR], n_history=5, dim=4).test
    assert rows.input_tokens.tolist() == [10, 20, 30, 40]
    assert rows.output_tokens is not None
    assert rows.output_tokens.tolist() == [[1, 1], [2, 2], [3, 3], [4, 4]]
    assert trace(path, [CHEAP], n_queries=2, n_history=5).test.input_tokens.tolist() == [10, 20]


def test_a_cost_is_tokens_times_the_list_price(tmp_path: Path) -> None:
    rows = trace(write(tmp_path, range(2)), [CHEAP, DEAR], n_history=1).test
    # 10 input and 1 output token, then 20 and 2, at 1 and 2 and at 10 and 30 USD per million.
    np.testing.assert_allclose(rows.cost_usd * 1e6, [[12, 130], [24, 260]])


def test_scores_meet_the_models_means_and_history_has_lengths_of_the_trace(tmp_path: Path) -> None:
    workload = trace(write(tmp_path, range(40)), [CHEAP, DEAR], n_history=200)
    for rows in (workload.history, workload.test):
        assert rows.quality.mean(axis=0).tolist() == [0.25, 0.75]
        assert rows.output_tokens is not None
        assert (rows.input_tokens == 10 * rows.output_tokens[:, 0]).all()
    assert len(workload.history) == 200
    drawn = set(workload.history.input_tokens.tolist())
    assert drawn <= {10 * (i + 1) for i in range(40)}
    assert len(drawn) > 30  # of 40 rows, in 200 draws


def test_a_looped_trace_repeats_its_lengths_under_new_questions(tmp_path: Path) -> None:
    rows = trace(write(tmp_path, range(3)), [CHEAP], n_queries=7, n_history=1, loop=True).test
    assert rows.input_tokens.tolist() == [10, 20, 30, 10, 20, 30, 10]
    assert len(np.unique(rows.embeddings, axis=0)) == 7


def test_the_seed_moves_what_is_made_up_and_nothing_that_is_real(tmp_path: Path) -> None:
    path = write(tmp_path, range(50))
    first, again, other = (trace(path, n_history=20, seed=seed).test for seed in (5, 5, 6))
    assert first.embeddings.tobytes() == again.embeddings.tobytes()
    assert first.quality.tolist() == again.quality.tolist()
    assert first.embeddings.tobytes() != other.embeddings.tobytes()
    assert first.quality.tolist() != other.quality.tolist()
    assert first.cost_usd.tolist() == other.cost_usd.tolist()


def test_without_a_list_the_models_are_those_of_routerbench(tmp_path: Path) -> None:
    workload = trace(write(tmp_path, range(2)), n_history=1)
    assert workload.models == tuple(model.name for model in ROUTERBENCH)
    assert [path.name for path in workload.files] == ["trace.csv"]


def test_sizes_that_cannot_be_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, range(3))
    with pytest.raises(ValueError, match=r"workload\.n_queries is 4 and .* has 3 rows.*workload\.loop=true"):
        trace(path, n_queries=4)
    with pytest.raises(ValueError, match=r"workload\.n_queries is 0; it must be from 1 to 100000000"):
        trace(path, n_queries=0)
    with pytest.raises(ValueError, match=r"workload\.n_history is 0; it must be from 1 to 100000000"):
        trace(path, n_history=0)
    with pytest.raises(ValueError, match=r"workload\.dim is 1; it must be from 2 to 100000"):
        trace(path, dim=1)
    with pytest.raises(ValueError, match="the workload has no models"):
        trace(path, [])


def test_token_counts_that_cannot_be_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_text("arrival_s,input_tokens,output_tokens\n0,5,1\n1,5,-2\n")
    with pytest.raises(ValueError, match=r"'output_tokens' is -2\.0 in row 1 of the table; it must be a whole number"):
        trace(str(path))
    path.write_text("arrival_s,input_tokens,output_tokens\n")
    with pytest.raises(ValueError, match="has no rows; a trace needs at least one"):
        trace(str(path))


def test_a_model_that_cannot_be_is_refused_by_its_name() -> None:
    with pytest.raises(ValueError, match=r"the mean score of model 'm' is 1\.5; it must be from 0 to 1"):
        PricedModel("m", 1.5, 1, 1)
    with pytest.raises(ValueError, match=r"a price of model 'm' is -1; it must be at least 0 and finite, USD"):
        PricedModel("m", 0.5, 1, -1)


def test_times_and_lengths_replay_together_through_the_command(tmp_path: Path) -> None:
    path = write(tmp_path, [0, 1.5, 1.5, 4])
    models = [
        f"{{_target_: scenarios.workloads.trace.PricedModel, name: {name}, quality: {quality}, "
        "input_usd_per_million: 1.0, output_usd_per_million: 2.0}"
        for name, quality in (("one", 0.25), ("two", 0.75))
    ]
    words = ["run", "policy=random", "workload=trace", "arrivals=replay", "order=given", "budget=unlimited"]
    words += [f"workload.path={path}", f"arrivals.path={path}", "arrivals.rate_scale=2.0"]
    words += ["workload.n_queries=6", "workload.loop=true", "arrivals.loop=true", "workload.n_history=20"]
    words += [f"workload.models=[{','.join(models)}]".replace(": ", ":"), f"out={tmp_path / 'o'}"]
    assert main(words) == 0
    requests = pd.read_parquet(tmp_path / "o" / "requests.parquet").sort_values("id")
    assert requests["arrived_at_s"].to_numpy() == pytest.approx(np.array([0, 1.5, 1.5, 4, 16 / 3, 16 / 3 + 1.5]) / 2)
    assert requests["input_tokens"].tolist() == [10, 20, 30, 40, 10, 20]
    assert requests["output_tokens"].tolist() == [1, 2, 3, 4, 1, 2]


def test_the_manifest_tells_which_trace_the_times_were_read_from(tmp_path: Path) -> None:
    path = write(tmp_path, [0, 1, 2])
    words = ["run", "policy=random", "arrivals=replay", f"arrivals.path={path}", "arrivals.loop=true"]
    assert main([*words, "workload.n_queries=5", f"out={tmp_path / 'o'}", "--no-report"]) == 0
    assert list(json.loads((tmp_path / "o" / "manifest.json").read_text())["files"]) == [path]


# --- the Azure traces of 2023: each number as printed


def published(values: FloatArray) -> list[float]:
    """Mean, and the 50th, 90th and 99th percentile: the lower of the two values beside each, as they were printed."""
    return [round(float(values.mean()), 1), *(float(p) for p in np.percentile(values, [50, 90, 99], method="lower"))]


AZURE: dict[str, dict[str, object]] = {
    "conv": {
        "requests": 19_366,
        "span_s": 3501.7,
        "rate_per_s": 5.53,
        "gap_cv": 1.094,
        "input_tokens": [1154.7, 1020, 2734, 4142],
        "output_tokens": [211.1, 129, 424, 601],
        "dispersion_per_minute": 16.1,
        "correlation": -0.112,
    },
    "code": {
        "requests": 8_819,
        "span_s": 3435.9,
        "rate_per_s": 2.567,
        "gap_cv": 13.15,
        "input_tokens": [2047.8, 1469, 5186, 7436],
        "output_tokens": [27.9, 13, 55, 249],
        "dispersion_per_minute": 164,
        "correlation": 0.001,
    },
}
DIGITS = {
    "conv": {"rate_per_s": 2, "gap_cv": 3, "dispersion": 1},
    "code": {"rate_per_s": 3, "gap_cv": 2, "dispersion": 0},
}


@needs_data
@pytest.mark.parametrize("name", AZURE)
def test_the_azure_traces_have_their_published_statistics(name: str) -> None:
    path = str(DATA / f"azure_llm_2023_{name}.parquet")
    times_s, rows = read_times_s(path), trace(path, [CHEAP], n_history=1).test
    assert rows.output_tokens is not None
    tokens_in, tokens_out = rows.input_tokens.astype(np.float64), rows.output_tokens[:, 0].astype(np.float64)
    gaps_s = np.diff(times_s)
    whole_minutes = np.bincount((times_s // 60).astype(np.int64))[:-1]
    digits = DIGITS[name]
    assert {
        "requests": len(times_s),
        "span_s": round(float(times_s[-1]), 1),
        "rate_per_s": round(len(times_s) / float(times_s[-1]), digits["rate_per_s"]),
        "gap_cv": round(float(gaps_s.std() / gaps_s.mean()), digits["gap_cv"]),
        "input_tokens": published(tokens_in),
        "output_tokens": published(tokens_out),
        "dispersion_per_minute": round(float(whole_minutes.var() / whole_minutes.mean()), digits["dispersion"]),
        "correlation": round(float(np.corrcoef(tokens_in, tokens_out)[0, 1]), 3),
    } == AZURE[name]


@needs_data
def test_a_day_of_the_conversation_trace_at_twice_its_rate_is_about_950_000_requests() -> None:
    process = Replay(str(DATA / "azure_llm_2023_conv.parquet"), rate_scale=2, loop=True)
    times_s = process.times_s(960_000, np.random.default_rng(0))
    assert (np.diff(times_s) >= 0).all()
    # 86,400 s at 2 x 19,365 gaps in 3,501.72 s.
    assert np.searchsorted(times_s, 86_400) == pytest.approx(86_400 * 2 * 19_365 / 3501.72, rel=0.01)
