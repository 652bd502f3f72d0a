"""What a hosted model's latency depends on: true effects of tokens and hours come back; what is not told is said."""

from dataclasses import replace

import numpy as np
import pytest

from sim.study.fit.answered import Answered, since_midnight_s
from sim.study.fit.hosted import fit, fit_runs
from sim.study.fit.line import hours_of, line_of
from sim.study.fit.tails import metrics, tail_words, tails
from sim.world.services.resampled import Resampled

N = 2000
HOUR_S, DAY_S = 3600.0, 86400.0


def requests(per_input_s: float = 2e-4, swing: float = 0.0, days: float = 3.0, seed: int = 0) -> Answered:
    """0.2 s, so much an input token, 15 ms an output token; slower in the morning by that share; lognormal spread."""
    rng = np.random.default_rng(seed)
    inputs, outputs = rng.integers(50, 4000, N), np.maximum(1, rng.lognormal(4.5, 0.7, N)).astype(np.int64)
    at_s = np.sort(rng.uniform(0, days * DAY_S, N))
    factor = 1 + swing * np.sin(2 * np.pi * np.floor(at_s / HOUR_S) / 24)
    first_s = (0.2 + per_input_s * inputs) * rng.lognormal(0, 0.25, N) * factor
    last_s = first_s + 0.015 * outputs * rng.lognormal(0, 0.2, N) * factor
    return Answered(outputs, last_s, first_s, inputs, at_s)


def test_the_true_effect_of_tokens_comes_back_within_its_interval() -> None:
    found = fit(requests())
    truth = {"base_s": 0.2, "per_output_token_s": 0.015, "per_input_token_s": 2e-4}
    for name, value in truth.items():
        low, high = found.told[name]
        assert low <= 1.05 * value, name
        assert high >= value / 1.05, name
        assert getattr(found.service, name) == pytest.approx(value, rel=0.15)
    assert found.figures.loc[found.figures["figure"] != "correlation", "error"].abs().max() < 0.1


def test_where_input_tokens_have_no_effect_none_is_written() -> None:
    found = fit(requests(per_input_s=0.0))
    assert found.service.per_input_token_s == 0
    assert "no dependence on input tokens shows" in found.words


def test_prompts_of_one_length_tell_nothing_of_input_tokens() -> None:
    found = fit(replace(requests(), input_tokens=np.full(N, 550)))
    assert found.service.per_input_token_s == 0
    assert "input tokens hardly vary, so a dependence on them cannot be told" in found.words
    assert "per_input_token_s" not in found.told


def test_the_hour_of_the_day_comes_back_and_a_flat_day_is_flat() -> None:
    found = fit(requests(swing=0.3)).service
    assert found.by_hour is not None
    truth = 1 + 0.3 * np.sin(2 * np.pi * np.arange(24) / 24)
    np.testing.assert_allclose(np.array(found.by_hour), truth / truth.mean(), rtol=0.15)
    flat = fit(requests())
    assert flat.service.by_hour is None
    assert any("no dependence on the hour of the day shows" in one for one in flat.words)


def test_what_is_not_known_of_hours_is_said() -> None:
    made = requests(swing=0.3)
    undated = replace(made, at_s=None)
    assert "no dates" in hours_of(undated, line_of(undated)).words
    assert made.at_s is not None
    short = made.take(np.flatnonzero(made.at_s < 3 * HOUR_S))
    assert "too few to tell" in hours_of(short, line_of(short)).words
    one_day = made.take(np.flatnonzero(made.at_s < DAY_S))
    assert "may have been that day's" in hours_of(one_day, line_of(one_day)).words


def test_each_run_is_predicted_by_the_others() -> None:
    found = fit_runs({"monday": requests(seed=1), "tuesday": requests(seed=2)})
    held_out = found.figures[found.figures["half"] == "held_out"]
    assert list(held_out["run"].unique()) == ["monday", "tuesday"]
    assert held_out.loc[held_out["figure"] != "correlation", "error"].abs().max() < 0.1


def test_a_heavy_tail_is_told_from_a_lognormal_one() -> None:
    rng = np.random.default_rng(0)
    tokens = np.full(5000, 100)
    for latency_s, words in (
        (rng.lognormal(0, 0.5, 5000), "about that of a lognormal law"),
        (1 + rng.pareto(1.2, 5000), "heavier than a lognormal law"),
    ):
        made = Answered(tokens, latency_s)
        assert words in tail_words(tails(made, metrics(made)))[0]


def test_a_service_by_input_and_hour_by_hand() -> None:
    factors = [1.0] * 24
    factors[14] = 2.0
    service = Resampled(
        *(1.0, 0.01, (), ((1.0,),), ((0.5,),)), per_input_token_s=0.001, by_hour=factors, starts_at_hour=13.5
    )
    draws = np.array([[1.0, 0.5], [1.0, 0.5]])
    tokens = np.array([100, 100])
    first_s, last_s = service.times_s(tokens, draws, np.array([500, 500]), np.array([0.0, 1800.0]))
    assert first_s.tolist() == [1.5, 3.0]  # 0.5 for the prompt and half of 1 + 100 x 0.01; twice that from 14:00
    assert last_s.tolist() == [2.5, 5.0]
    with pytest.raises(ValueError, match="by_hour has 2 factors; it needs 24"):
        Resampled(1.0, 0.01, (), ((1.0,),), by_hour=(1.0, 1.0))


def test_dates_are_seconds_from_one_midnight() -> None:
    assert since_midnight_s("2026-05-04 06:00:00+02:00") % DAY_S == 4 * HOUR_S
    assert since_midnight_s("2026-05-04T04:00:00Z + 90 s") % DAY_S == 4 * HOUR_S + 90
