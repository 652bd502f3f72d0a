"""switchyard fit: from measured requests to a fleet, on requests that a known service made and on real ones."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from policies.balancing.uniform_random import UniformRandom
from scenarios.arrivals import Poisson
from scenarios.budgets import Unlimited
from scenarios.orders import given as given_order
from scenarios.workloads.synthetic import synthetic
from sim.cli.main import main
from sim.scenario import Scenario
from sim.study.experiment import compare
from sim.study.fit.fit import simulate
from sim.study.fit.fleet_yaml import Named, fleet_yaml
from sim.study.fit.intervals import Told
from sim.study.fit.limits import Limits
from sim.study.fit.measured import Measured, latencies, read
from sim.study.fit.several import Judged, fit_runs
from sim.world.services.paged import PagedBatching
from tests.conftest import Beside

SERVING = Path(__file__).resolve().parents[3] / "shared" / "data" / "serving"
KNOWN = PagedBatching(8, 0.02, 0.001, 1e-6, 0.005, 4e-5, batched_tokens=512, overhead_s=0.01)


def made_by(service: PagedBatching, copies: int = 1, n_requests: int = 60) -> Measured:
    rng = np.random.default_rng(5)
    arrival_s = np.cumsum(rng.exponential(0.2, n_requests))
    inputs, outputs = rng.integers(50, 900, n_requests), rng.integers(5, 60, n_requests)
    blank = Measured(arrival_s, arrival_s, arrival_s, inputs, outputs)
    return Measured(arrival_s, *simulate(service, copies, blank), inputs, outputs)


def as_frame(requests: Measured) -> pd.DataFrame:
    return pd.DataFrame({name: getattr(requests, name) for name in Measured.__dataclass_fields__})


def fit(requests: Measured, limits: Limits, evaluations: int = 600) -> Judged:
    return fit_runs({"one": requests}, limits, evaluations)


def test_latencies_are_differences_of_times() -> None:
    requests = Measured(np.array([1.0]), np.array([3.0]), np.array([7.0]), np.array([10]), np.array([5]))
    measured = latencies(requests, requests.first_token_s, requests.last_token_s)
    assert measured.iloc[0].tolist() == [6.0, 2.0, 1.0]


@pytest.mark.slow
def test_what_a_known_service_made_is_predicted_from_its_first_half() -> None:
    residuals = fit(made_by(KNOWN, n_requests=120), Limits(slots=8, batched_tokens=512), evaluations=600).residuals
    assert residuals["relative_error"].abs().max() < 0.05
    assert set(residuals["half"]) == {"fitted", "held_out"}
    assert len(residuals) == 12  # 2 halves x 3 latencies x mean and p95


@pytest.mark.lengthy
def test_replicas_in_step_are_told_from_independent_ones() -> None:
    together = PagedBatching(4, 0.02, 0.001, 0.0, 0.005, 2e-4, batched_tokens=512, ranks=2)
    fitted = fit(made_by(together), Limits(slots=4, batched_tokens=512, replicas=2), evaluations=300)
    assert (fitted.found.service.ranks, fitted.found.copies) == (2, 1)
    apart = PagedBatching(4, 0.02, 0.001, 0.0, 0.005, 2e-4, batched_tokens=512)
    fitted = fit(made_by(apart, 2), Limits(slots=4, batched_tokens=512, replicas=2), evaluations=300)
    assert (fitted.found.service.ranks, fitted.found.copies) == (1, 2)


def test_the_fit_never_sees_latencies_of_the_second_half() -> None:
    requests = made_by(KNOWN)
    late = Measured(
        requests.arrival_s,
        np.where(np.arange(60) < 30, requests.first_token_s, requests.first_token_s + 5),
        np.where(np.arange(60) < 30, requests.last_token_s, requests.last_token_s + 50),
        requests.input_tokens,
        requests.output_tokens,
    )
    limits = Limits(slots=8, batched_tokens=512)
    assert fit(requests, limits, evaluations=40).found == fit(late, limits, evaluations=40).found


def test_the_command_writes_a_fleet_that_the_world_runs(tmp_path: Path) -> None:
    path, out = tmp_path / "measured.csv", tmp_path / "out"
    as_frame(made_by(KNOWN)).to_csv(path, index=False)
    words = [f"requests={path}", "slots=8", "batched_tokens=512", "name=mistral-7b-chat", "evaluations=40"]
    assert main(["fit", *words, f"out={out}"]) == 0
    assert sorted(file.name for file in out.iterdir()) == [
        "fit.csv",
        "fit.png",
        "fleet.yaml",
        "latencies.csv",
        "manifest.json",
        "parameters.csv",
        "report.html",
    ]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["measured.csv", "out"]
    assert json.loads((out / "manifest.json").read_text())["config"]["slots"] == 8
    scenario = Scenario(
        synthetic(n_queries=50, n_history=100),
        instantiate(OmegaConf.load(out / "fleet.yaml"), _convert_="all"),
        Unlimited(),
        Poisson(5.0),
        given_order,
    )
    assert compare(scenario, {"random": UniformRandom()})["served"].tolist() == [50]


def test_the_fleets_confidence_is_what_the_held_out_half_says() -> None:
    residuals = pd.DataFrame(
        {
            "run": "one",
            "half": ["fitted", "held_out"],
            "metric": "end_to_end_s",
            "figure": "mean",
            "relative_error": [0.9, 0.04],
        }
    )
    for error, word in ((0.04, "high"), (-0.19, "medium"), (0.3, "low")):
        residuals.loc[1, "relative_error"] = error
        told = {"iteration_base_s": Told("iteration_base_s", 0.02, 0.019, 0.021, 0.5)}
        text = fleet_yaml(Named("a", "b"), KNOWN, 1, told, residuals, "here", "now")
        assert re.findall(r"confidence: (\w+)", text) == [word]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop(columns="first_token_s"), "has no column 'first_token_s'"),
        (lambda table: table[:0], "has 0 rows; a fit and its check need at least 4"),
        (lambda table: table[::-1], "arrival_s of .* decreases at row 1"),
        (
            lambda table: table.assign(last_token_s=0.0),
            "row 0 of .* must have arrival_s < first_token_s <= last_token_s",
        ),
        (lambda table: table.assign(output_tokens=0), "output_tokens must be at least 1"),
        (lambda table: table.assign(arrival_s=np.nan), "column 'arrival_s' of .* must hold finite numbers"),
        (lambda table: table.assign(input_tokens="many"), "column 'input_tokens' of .* must hold finite numbers"),
    ],
)
def test_a_bad_table_is_refused_in_one_line(
    change: object, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "measured.csv"
    change(as_frame(made_by(KNOWN, n_requests=6))).to_csv(path, index=False)  # type: ignore[operator]
    assert main(["fit", f"requests={path}", f"out={tmp_path / 'out'}"]) == 2
    said = capsys.readouterr().err
    assert re.search(message, said)
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_bad_limit_or_no_file_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", f"requests={tmp_path / 'none.csv'}"]) == 2
    assert re.search(r"there is no file .*none\.csv", capsys.readouterr().err)
    assert main(["fit", f"requests={tmp_path / 'none.csv'}", "slots=many"]) == 1
    assert "slots is 'many'; it must be a whole number" in capsys.readouterr().err


def test_without_second_tokens_there_is_nothing_to_fit() -> None:
    made = made_by(KNOWN)
    ones = Measured(made.arrival_s, made.first_token_s, made.first_token_s, made.input_tokens, np.ones(60, np.int64))
    with pytest.raises(ValueError, match="time per token cannot be fitted"):
        fit(ones, Limits())


def test_columns_are_read_as_they_are(tmp_path: Path) -> None:
    requests = made_by(KNOWN)
    as_frame(requests).to_parquet(tmp_path / "measured.parquet")
    assert as_frame(read(tmp_path / "measured.parquet")).equals(as_frame(requests))


@pytest.mark.skipif(not SERVING.exists(), reason="the serving measurements are not at ../shared/data/serving")
@pytest.mark.parametrize(
    ("name", "limits"),
    [
        ("rtxpro6000_llama31_8b", Limits(128, None, 2048)),
        ("rtx4090_llama31_8b", Limits(256, 41408, 2048)),
        ("rtxpro6000_qwen3_30b_a3b", Limits(128, None, 2048, replicas=2, in_step=True)),
    ],
)
def test_real_requests_are_predicted_within_six_percent(name: str, limits: Limits, beside: Beside) -> None:
    residuals = fit(read(SERVING / f"{name}.parquet"), limits, evaluations=200).residuals
    held_out = residuals[residuals["half"] == "held_out"]
    assert held_out["relative_error"].abs().max() < 0.06  # docs/evidence/fit.md has the figures
    for row in held_out.to_dict(orient="records"):
        figure = f"fitted {name}: {row['metric']} {row['figure']}"
        beside("Measured servers", figure, row["simulated"], row["measured"], "vLLM 0.19.0, held out", "6%")
