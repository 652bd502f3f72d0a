"""Hosted models fitted to measured requests: the service, the fit, and the command."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from scenarios.budgets import Unlimited
from scenarios.fleets import Listed
from scenarios.orders import given
from sim.cli.main import main
from sim.deployment import Deployment
from sim.instance import realise
from sim.interface import FloatArray, IntArray
from sim.scenario import Scenario
from sim.study.fit.answered import Answered
from sim.study.fit.hosted import fit, fitted
from sim.workload import Workload
from sim.world.services.resampled import Resampled
from tests.scripted import At, Scripted
from tests.signals.test_what_a_policy_sees import TWO, record

TWO_BINS = Resampled(1.0, 0.01, ends_tokens=(50,), ratios=((1.0,), (0.5, 2.0)))


def test_the_shorter_bin_has_its_ratio_and_the_longer_one_each_of_its_two_equally_often() -> None:
    drawn = TWO_BINS.draw_by_length(np.array([50, 51, 10, 400, 60, 70]), np.random.default_rng(0))
    assert drawn[[0, 2], 0].tolist() == [1.0, 1.0]
    assert sorted(drawn[[1, 3, 4, 5], 0]) == [0.5, 0.5, 2.0, 2.0]
    np.testing.assert_array_equal(drawn[:, 1], 1.0)  # the first token comes with the last


def test_the_world_serves_the_line_times_the_ratio_with_the_first_token_at_its_share() -> None:
    service = Resampled(1.0, 0.01, ends_tokens=(), ratios=((2.0,),), first_token_shares=((0.25,),))
    scenario = Scenario(
        Workload(("a", "b"), TWO, TWO),
        Listed([Deployment("a", "a", service)]),
        Unlimited(),
        At((0.0, 1.0, 2.0)),
        given,
    )
    requests = record(Scripted([0, 0, 0]), realise(scenario, 0, 0))
    assert requests["finished_at_s"].tolist() == [4.0, 5.0, 6.0]  # 2 x (1 + 0.01 x 100 tokens), all at once
    assert requests["first_token_at_s"].tolist() == [1.0, 2.0, 3.0]


def test_the_world_serves_the_part_of_the_prompt_before_the_first_token_and_by_the_hour() -> None:
    factors = [1.0] * 23 + [2.0]
    service = Resampled(
        *(1.0, 0.01, (), ((2.0,),), ((0.25,),)), per_input_token_s=0.1, by_hour=factors, starts_at_hour=23.5
    )
    fleet = Listed([Deployment("a", "a", service)])
    scenario = Scenario(Workload(("a", "b"), TWO, TWO), fleet, Unlimited(), At((0.0, 1.0, 1800.0)), given)
    requests = record(Scripted([0, 0, 0]), realise(scenario, 0, 0))
    prompts_s = 0.1 * TWO.input_tokens
    took_s = (requests["finished_at_s"] - requests["arrived_at_s"]).to_numpy()
    first_s = (requests["first_token_at_s"] - requests["arrived_at_s"]).to_numpy()
    factor = 2.0 * np.array([2.0, 2.0, 1.0])  # the ratio, and from midnight on the hour's 1
    np.testing.assert_allclose(took_s, factor * (prompts_s[: len(took_s)] + 2.0))
    np.testing.assert_allclose(first_s, factor * (prompts_s[: len(took_s)] + 0.5))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"base_s": 0.0, "per_output_token_s": 0.0}, "both 0; an answer must take time"),
        ({"base_s": -1.0}, "base_s is -1.0"),
        ({"ends_tokens": (9,)}, "ratios has 1 bins; 1 ends of bins need 2"),
        ({"ends_tokens": (9, 9), "ratios": ((1.0,),) * 3}, "ends_tokens has 9 after 9; they must increase"),
        ({"ratios": ((),)}, "bin 0 of ratios is empty"),
        ({"ratios": ((0.0,),)}, "ratios has 0.0 in bin 0; it must be finite and above 0"),
        ({"first_token_shares": ((1.5,),)}, r"first_token_shares has 1.5 in bin 0; it must be in \[0, 1\]"),
        ({"first_token_shares": ((0.5, 0.5),)}, "as many numbers as ratios in every bin"),
    ],
)
def test_numbers_that_cannot_be_are_refused(settings: dict[str, object], message: str) -> None:
    right: dict[str, object] = {"base_s": 1.0, "per_output_token_s": 0.1, "ends_tokens": (), "ratios": ((1.0,),)}
    with pytest.raises(ValueError, match=message):
        Resampled(**{**right, **settings})  # type: ignore[arg-type]


# --- the fit

Law = Callable[[FloatArray, np.random.Generator], FloatArray]

LAWS: dict[str, Law] = {
    "a line with a spread": lambda n, rng: (0.5 + 0.02 * n) * rng.lognormal(0, 0.3, len(n)),
    "a line and a wait before it": lambda n, rng: 0.6 + 0.01 * n + rng.exponential(0.4, len(n)),
    "heavy tails": lambda n, rng: (0.5 + 0.02 * n) * (1 + 0.2 * rng.pareto(1.5, len(n))),
    "a retry after a minute, one time in a hundred": lambda n, rng: 0.5 + 0.02 * n + 60 * (rng.random(len(n)) < 0.01),
    "times that level off": lambda n, rng: (1 + np.log1p(n / 30)) * rng.lognormal(0, 0.25, len(n)),
    "longer answers that come sooner": lambda n, rng: (0.5 + 20 / np.sqrt(n)) * rng.lognormal(0, 0.3, len(n)),
    "no dependence on the length": lambda n, rng: rng.lognormal(0, 0.6, len(n)),
}


def answered(law: Law, n_requests: int, seed: int = 0) -> Answered:
    """Return requests of a known law, with answers of log-normal length."""
    rng = np.random.default_rng(seed)
    tokens: IntArray = np.maximum(1, rng.lognormal(4, 0.8, n_requests)).astype(np.int64)
    return Answered(tokens, law(tokens.astype(np.float64), rng))


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("n_requests", [1000, 12_000])
def test_percentiles_and_the_correlation_with_length_are_those_measured(law: str, n_requests: int) -> None:
    figures = fit(answered(LAWS[law], n_requests)).figures
    errors = figures[figures["half"] == "fitted"].set_index("figure")["error"]
    assert errors[["p50", "p95"]].abs().max() < 0.05
    assert abs(errors["correlation"]) < 0.05


def test_a_line_without_spread_is_found_again_and_predicts_what_was_held_out() -> None:
    found = fit(answered(lambda n, rng: 0.5 + 0.02 * n, 200))
    assert found.service.base_s == pytest.approx(0.5, rel=1e-3)
    assert found.service.per_output_token_s == pytest.approx(0.02, rel=1e-3)
    assert found.figures["error"].abs().max() < 1e-3


def test_a_fit_keeps_at_most_so_many_ratios_and_never_splits_equal_lengths() -> None:
    tokens = np.repeat(np.array([10, 20]), [3000, 3000])
    service = fitted(Answered(tokens, np.random.default_rng(0).lognormal(0, 1, 6000)))
    assert list(service.ends_tokens) == [10]
    assert [len(ratios) for ratios in service.ratios] == [200, 200]


def test_first_tokens_stay_with_the_latencies_that_they_were_measured_with() -> None:
    plain = answered(LAWS["a line with a spread"], 1000)
    found = fit(Answered(plain.output_tokens, plain.latency_s, 0.3 * plain.latency_s))
    assert found.simulated["first_token_s"].to_numpy() == pytest.approx(0.3 * found.simulated["latency_s"].to_numpy())


# --- the command


def table(**columns: float) -> pd.DataFrame:
    """Return forty requests as a user's table."""
    requests = answered(LAWS["a line with a spread"], 40)
    return pd.DataFrame({"output_tokens": requests.output_tokens, "latency_s": requests.latency_s}).assign(**columns)


def test_the_command_writes_a_fleet_and_a_report(tmp_path: Path) -> None:
    table().to_csv(tmp_path / "api.csv", index=False)
    words = ["fit", "service=hosted", f"requests={tmp_path / 'api.csv'}", "name=a", f"out={tmp_path / 'out'}"]
    assert main(words) == 0
    [member] = instantiate(OmegaConf.load(tmp_path / "out" / "fleet.yaml"), _convert_="all").deployments(["a"], None)
    requests = answered(LAWS["a line with a spread"], 40)
    assert member.service == fitted(requests)
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["config"]["service"] == "hosted"
    assert "Which latencies, by the length of the answer" in (tmp_path / "out" / "report.html").read_text()


def test_times_of_a_clock_do_instead_of_latencies(tmp_path: Path) -> None:
    plain = table()
    by_clock = pd.DataFrame(
        {
            "output_tokens": plain["output_tokens"],
            "arrival_s": 1.7e9,
            "last_token_s": 1.7e9 + plain["latency_s"],
        }
    )
    by_clock.to_parquet(tmp_path / "api.parquet")
    assert (
        main(
            ["fit", "service=hosted", f"requests={tmp_path / 'api.parquet'}", f"out={tmp_path / 'out'}", "--no-report"]
        )
        == 0
    )
    measured = pd.read_csv(tmp_path / "out" / "latencies.csv")["measured_latency_s"]
    assert measured.to_numpy() == pytest.approx(plain["latency_s"].to_numpy(), abs=1e-6)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (table().rename(columns={"latency_s": "latency"}), "unknown column 'latency_s'; did you mean 'latency'?"),
        (table(latency_s=0.0), "latency_s is '0.0' in row 0 of"),
        (table(output_tokens=1.5), "output_tokens is '1.5' in row 0 of"),
        (table(first_token_s=1e9), "first_token_s is '1000000000.0' in row 0 of"),
        (table().head(5), "has 5 rows; a fit and its check need at least 20"),
    ],
)
def test_a_table_that_cannot_be_fitted_is_refused_in_one_line_and_nothing_is_written(
    frame: pd.DataFrame, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame.to_csv(tmp_path / "api.csv", index=False)
    assert main(["fit", "service=hosted", f"requests={tmp_path / 'api.csv'}", f"out={tmp_path / 'out'}"]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_another_word_for_the_service_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "service=api", f"requests={tmp_path / 'api.csv'}", "out=null"]) == 1
    assert "service is 'api'; it must be one of paged, hosted" in capsys.readouterr().err
