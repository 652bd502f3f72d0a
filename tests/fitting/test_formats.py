"""switchyard fit on what load generators write: the parameters that made the requests come back from every format."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scenarios.readers.traces.serving.runs import measured_runs
from sim.cli.main import main
from sim.study.fit.measured import Measured, checked
from tests.fitting.written import SERVER, WITH_TIMES, guidellm, llmperf, served, sglang, table, vllm

KNOWN = ["slots=8", "batched_tokens=512"]


def parameters(out: Path) -> dict[str, dict[str, float]]:
    """The rows of parameters.csv by their names."""
    rows = pd.read_csv(out / "parameters.csv").to_dict("records")
    return {str(row["parameter"]): {str(key): value for key, value in row.items()} for row in rows}


@pytest.mark.parametrize("name", WITH_TIMES)
def test_every_format_gives_the_requests_that_were_written(name: str, tmp_path: Path) -> None:
    requests = served()
    [run] = measured_runs(str(WITH_TIMES[name](tmp_path, requests)))
    found = checked(run.frame, run.name)
    for column in Measured.__dataclass_fields__:
        np.testing.assert_allclose(getattr(found, column), getattr(requests, column), atol=1e-6)


def test_sglangs_runs_begin_as_the_ones_before_them_end(tmp_path: Path) -> None:
    line = {
        **{"total_output_tokens_retokenized": 9, "request_rate": float("inf"), "max_concurrency": 2},
        **{"input_lens": [10, 20, 30], "output_lens": [2, 2, 2], "ttfts": [1.0, 1.0, 1.0], "errors": ["", "", ""]},
        "itls": [[2.0], [0.5], [0.5]],
    }
    path = tmp_path / "sglang.jsonl"
    path.write_text(2 * (json.dumps(line) + "\n"))
    first, second = measured_runs(str(path))
    assert [first.name, second.name] == ["sglang.jsonl[0]", "sglang.jsonl[1]"]
    for run in (first, second):  # two at once: the third when the second has ended, after 1 + 0.5 s
        assert run.frame["arrival_s"].tolist() == [0.0, 0.0, 1.5]
        assert run.frame["last_token_s"].tolist() == [3.0, 1.5, 3.0]


def test_sglang_at_a_finite_rate_has_no_times_and_is_for_hosted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = sglang(tmp_path, served())
    path.write_text(path.read_text().replace("Infinity", "4.0"))
    assert "arrival_s" not in measured_runs(str(path))[0].frame
    assert main(["fit", str(path), "out=null"]) == 2
    assert "no column 'arrival_s'" in capsys.readouterr().err
    assert main(["fit", str(path), "service=hosted", f"out={tmp_path / 'out'}"]) == 0


def test_the_benchmarks_of_one_guidellm_file_are_runs_of_their_own(tmp_path: Path) -> None:
    one = json.loads(guidellm(tmp_path, served()).read_text())
    later = json.loads(guidellm(tmp_path, served(8.0), "later").read_text())
    for request in later["benchmarks"][0]["requests"]["successful"]:
        request["request_start_time"] += 1000
    path = tmp_path / "both.json"
    path.write_text(json.dumps({"benchmarks": one["benchmarks"] + later["benchmarks"]}))
    runs = measured_runs(str(path))
    assert [len(run.frame) for run in runs] == [60, 60]
    assert [run.frame["arrival_s"].iloc[0] for run in runs] == [0, 0]


def at_once(n_requests: int) -> Measured:
    """Requests that all come at one time."""
    made = served(1e9, n_requests)
    return replace(made, arrival_s=np.zeros(n_requests))


@pytest.mark.slow
def test_the_parameters_come_back_from_runs_at_two_rates(tmp_path: Path) -> None:
    paths = [vllm(tmp_path, served(rate, 100, int(rate)), f"at_{rate:g}") for rate in (2.0, 8.0)]
    out = tmp_path / "out"
    assert main(["fit", *map(str, paths), *KNOWN, f"out={out}"]) == 0
    told = parameters(out)
    assert told["iteration_base_s"]["value"] == pytest.approx(SERVER.iteration_base_s, rel=0.05)
    assert told["prefill_per_token_s"]["value"] == pytest.approx(SERVER.prefill_per_token_s, rel=0.05)
    for name, row in told.items():
        assert row["low"] / 1.1 <= getattr(SERVER, name) <= 1.1 * row["high"], name
    assert pd.read_csv(out / "fit.csv")["relative_error"].abs().max() < 0.08  # an overload, from a quiet run


@pytest.mark.slow
def test_what_a_full_batch_cannot_tell_is_said_and_the_truth_is_in_the_intervals(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["fit", str(sglang(tmp_path, at_once(120))), *KNOWN, f"out={out}"]) == 0
    said = capsys.readouterr().out
    assert re.search(
        "these requests cannot tell .*iteration_per_sequence_s", said
    )  # the batch is always of 8, so it trades against the base
    for name, row in parameters(out).items():
        assert row["low"] / 1.1 <= getattr(SERVER, name) <= 1.1 * row["high"], name
    assert pd.read_csv(out / "fit.csv")["relative_error"].abs().max() < 0.02


def test_llmperf_gives_first_token_and_time_per_token_of_a_hosted_model(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    inputs, outputs = rng.integers(100, 4000, 400), rng.integers(20, 200, 400)
    first_s = (0.3 + 1e-4 * inputs) * rng.lognormal(0, 0.2, 400)
    last_s = first_s + 0.02 * (outputs - 1) * rng.lognormal(0, 0.1, 400)
    path = llmperf(tmp_path, Measured(np.zeros(400), first_s, last_s, inputs, outputs))
    out = tmp_path / "out"
    assert main(["fit", str(path), "service=hosted", "name=api", f"out={out}"]) == 0
    told = parameters(out)
    assert told["per_output_token_s"]["value"] == pytest.approx(0.02, rel=0.1)
    assert told["per_input_token_s"]["low"] < 1e-4 < told["per_input_token_s"]["high"]
    assert told["per_input_token_s"]["value"] == pytest.approx(1e-4, rel=0.25)


def test_several_files_are_told_apart_and_each_is_predicted_by_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [vllm(tmp_path, served(2.0, 40), "slow"), table(tmp_path, served(8.0, 40, 6), "fast")]
    out = tmp_path / "out"
    assert main(["fit", *map(str, paths), *KNOWN, "evaluations=40", f"out={out}"]) == 0
    residuals = pd.read_csv(out / "fit.csv")
    assert sorted(set(residuals["run"])) == ["fast.csv", "slow.json"]
    assert len(residuals) == 2 * 2 * 6  # runs, fitted and held out, mean and p95 of three latencies
    assert not pd.read_csv(out / "latencies.csv")["fitted"].any()
    said = capsys.readouterr().out
    assert "one rate" not in said
    assert f"next: switchyard plan fleet={out}/fleet.yaml" in said.splitlines()[-1]


def test_one_rate_is_said_to_be_one_rate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", str(table(tmp_path, served(n_requests=20))), *KNOWN, "evaluations=20", "out=null"]) == 0
    assert re.search("all requests came at one rate, .* no run has checked it", capsys.readouterr().out)


def test_a_plan_takes_the_fleet_as_it_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    path = str(table(tmp_path, served()))
    assert main(["fit", path, *KNOWN, "evaluations=40", "price_per_hour_usd=2", f"out={out}"]) == 0
    small = ["workload.n_queries=60", "workload.n_history=30", "min_replications=2", "max_replications=2"]
    words = [f"fleet={out / 'fleet.yaml'}", *small, "search.high=2", "beyond=false", "out=null"]
    assert main(["plan", *words, "arrivals.rate_per_s=1", "targets=p95_ttft_s<=10"]) == 0
    said = capsys.readouterr()
    assert "1 replica of each: p95 first token" in said.out
    assert "deployment 'fitted' answers as" in said.err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "it is empty"),
        ('{"input_lens": [1, 2', "cannot read"),
        ('{"hello": 1}', "which is no file of measured requests"),
        ('{"request_throughput": 1.0, "mean_ttft_ms": 5.0}', "summary and no single requests"),
        ('{"input_lens": 3, "output_lens": [1]}', "'input_lens' of"),
        ('{"input_lens": ["many"], "output_lens": [1], "ttfts": [0.1]}', "input_tokens is 'many' in request 0"),
        ('{"sharegpt_output_len": 1, "completed": 3}', "run 0 of"),
        ('{"load_summary": {}, "successes": {}}', "percentiles and no single requests"),
    ],
)
@pytest.mark.parametrize("service", ["paged", "hosted"])
def test_a_file_that_is_not_as_it_should_be_gets_one_line(
    content: str, message: str, service: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.json"
    path.write_text(content)
    assert main(["fit", str(path), f"service={service}", f"out={tmp_path / 'out'}"]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_file_given_twice_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(table(tmp_path, served(n_requests=6)))
    assert main(["fit", path, path, "out=null"]) == 2
    assert "is given twice" in capsys.readouterr().err
