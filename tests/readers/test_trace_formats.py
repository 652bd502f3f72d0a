"""Each foreign trace: told by what is in it, whatever its name, and read to the requests that are in it."""

from pathlib import Path

import numpy as np
import pytest

from scenarios.arrivals.replay import Replay
from scenarios.readers.traces.reading import FORMATS, read
from scenarios.readers.traces.recorded import figures
from scenarios.workloads.trace import trace
from sim.errors import Note, UnreadableError
from tests.readers.made import FIRST_S, INPUTS, LAST_S, MEASURED, OUTPUTS, TIMES_S, TRACES, azure_2024, servegen


@pytest.mark.parametrize("name", TRACES)
def test_a_file_is_told_by_its_content_and_read_to_its_requests(name: str, tmp_path: Path) -> None:
    path = TRACES[name](tmp_path)
    path = path.rename(tmp_path / "anything.txt")
    source = read(str(path))
    assert source.format == name
    frame = source.trace.frame
    assert frame["input_tokens"].tolist() == list(INPUTS)
    assert frame["output_tokens"].tolist() == list(OUTPUTS)
    if source.trace.has_times:
        assert frame["arrival_s"].to_numpy() == pytest.approx(TIMES_S, abs=1e-6)
    assert source.trace.has_times == (name != "llmperf")


@pytest.mark.parametrize("name", MEASURED)
def test_measured_requests_keep_the_times_of_their_tokens(name: str, tmp_path: Path) -> None:
    frame = read(str(TRACES[name](tmp_path))).trace.frame
    assert (frame["first_token_s"] - frame["arrival_s"]).to_numpy() == pytest.approx([FIRST_S] * 3, abs=1e-6)
    assert (frame["last_token_s"] - frame["arrival_s"]).to_numpy() == pytest.approx([LAST_S] * 3, abs=1e-6)


@pytest.mark.parametrize("name", ["burstgpt", "llmperf", *MEASURED])
def test_a_request_that_failed_is_dropped_and_counted(name: str, tmp_path: Path) -> None:
    dropped = read(str(TRACES[name](tmp_path))).trace.dropped
    assert list(dropped.values()) == [1]
    assert next(iter(dropped)).startswith("failed")


def test_the_traces_of_2024_have_an_offset(tmp_path: Path) -> None:
    source = read(str(azure_2024(tmp_path)))
    assert source.format == "azure"
    assert source.trace.frame["arrival_s"].tolist() == list(TIMES_S)
    assert source.trace.begins == "2024-05-10 00:00:00.000000+00:00"


def test_seven_decimals_are_read_to_the_last(tmp_path: Path) -> None:
    rows = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,1,1\n2023-11-16 18:15:46.6805907,1,1\n"
    (tmp_path / "t.csv").write_text(rows)
    assert read(str(tmp_path / "t.csv")).trace.frame["arrival_s"].tolist() == [0.0, 7e-7]


def test_prefix_blocks_stay_as_they_are(tmp_path: Path) -> None:
    assert read(str(TRACES["mooncake"](tmp_path))).trace.frame["prefix_blocks"].tolist() == [[0], [1], [2]]


def test_warm_up_is_no_request(tmp_path: Path) -> None:
    assert "1 requests of the warm-up are left out" in read(str(TRACES["aiperf"](tmp_path))).trace.said


def test_without_usage_tokens_are_estimated_and_that_is_said(tmp_path: Path) -> None:
    path = TRACES["genai_perf"](tmp_path)
    path.write_text(path.read_text().replace("usage", "other"))
    trace_ = read(str(path)).trace
    assert trace_.frame["input_tokens"].tolist() == list(INPUTS)  # four characters each
    assert trace_.frame["output_tokens"].tolist() == [2, 2, 2]  # responses
    assert any("estimated" in one for one in trace_.said)


def test_servegens_clients_are_drawn_to_their_rates_and_lengths(tmp_path: Path) -> None:
    source = read(str(servegen(tmp_path)))
    assert source.format == "servegen"
    assert any("drawn" in one for one in source.trace.said)
    frame = source.trace.frame
    assert set(frame["input_tokens"]) <= {10, 20}
    assert set(frame["output_tokens"]) == {3}
    assert frame["arrival_s"].iloc[-1] < 600  # of the one window that has requests


def test_servegens_gaps_have_the_clients_rate_and_law(tmp_path: Path) -> None:
    path = servegen(tmp_path)
    rows = [f"{600 * k},50,1.0,Gamma,4.0,1" for k in range(3)]
    (path / "chunk-0-trace.csv").write_text("\n".join(rows) + "\n")
    seen = figures(read(str(path)).trace)
    assert seen["rate_per_s"] == pytest.approx(50, rel=0.01)
    assert seen["gap_cv"] == pytest.approx(0.5, rel=0.02)  # of a Gamma law: 1 / sqrt(shape)
    (path / "chunk-0-trace.csv").write_text("\n".join(rows).replace("Gamma,4.0", "Weibull,1.0") + "\n")
    seen = figures(read(str(path)).trace)
    assert seen["rate_per_s"] == pytest.approx(50, rel=0.02)
    assert seen["gap_cv"] == pytest.approx(1.0, rel=0.02)  # an exponential law


@pytest.mark.parametrize("name", [name for name in TRACES if name != "llmperf"])
def test_a_foreign_file_is_a_workload_and_arrivals_as_it_is(name: str, tmp_path: Path) -> None:
    path = str(TRACES[name](tmp_path))
    with pytest.warns(Note, match="3 of [345] requests"):
        times_s = Replay(path, rate_scale=2.0).times_s(3, np.random.default_rng(0))
    assert times_s == pytest.approx(np.array(TIMES_S) / 2, abs=1e-6)
    with pytest.warns(Note):
        rows = trace(path, n_history=2, dim=4).test
    assert rows.input_tokens.tolist() == list(INPUTS)


def test_lengths_without_times_cannot_be_replayed_but_are_lengths(tmp_path: Path) -> None:
    path = str(TRACES["llmperf"](tmp_path))
    with pytest.warns(Note), pytest.raises(ValueError, match=r"lengths and no arrival times.*arrivals=poisson"):
        Replay(path)
    with pytest.warns(Note):
        assert trace(path, n_history=2, dim=4).test.input_tokens.tolist() == list(INPUTS)


def test_a_format_may_be_forced(tmp_path: Path) -> None:
    path = str(TRACES["azure"](tmp_path))
    assert read(path, name="azure").format == "azure"
    with pytest.raises(UnreadableError, match="unknown format 'azur'; did you mean 'azure'"):
        read(path, name="azur")


def test_formats_have_names_of_their_own() -> None:
    assert len({one.name for one in FORMATS}) == len(FORMATS)
