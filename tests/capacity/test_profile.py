"""The rate of a trace by hour of day or week, drawn anew, and the table of what the hours of a run cost."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scenarios.arrivals.profile import Profile
from sim.cli.api.simulating import done_runs
from sim.cli.main import main
from sim.errors import UnreadableError
from tests.capacity.worlds import run

HOUR_S = 3600.0
SMALL = ["workload.n_history=30", "workload.dim=4", "fleet=slots", "budget=unlimited", "policy=[random]"]


def written(folder: Path, times_s: list[float] | list[str], column: str = "arrival_s") -> str:
    frame = pd.DataFrame({column: times_s, "input_tokens": 10, "output_tokens": 20})
    frame.to_csv(folder / "trace.csv", index=False)
    return str(folder / "trace.csv")


def test_several_days_make_one_mean_day(tmp_path: Path) -> None:
    # Day 1 has two requests in hour 0 and day 2 has four; hour 23 has one each day; every other hour has none.
    times = [0.0, 60.0, 23.5 * HOUR_S, *(24 * HOUR_S + 60.0 * n for n in range(4)), 48 * HOUR_S - 1e-3]
    rates = Profile(written(tmp_path, times)).rates_per_s
    assert rates[[0, 1, 23]] * HOUR_S == pytest.approx([3.0, 0.0, 1.0], rel=1e-6)


def test_dates_say_which_day_of_the_week_it_is(tmp_path: Path) -> None:
    # From a Wednesday, 2024-05-15, at 22:30, for eight days: one request an hour, and ten more on Friday from 9 to 10.
    stamps = pd.date_range("2024-05-15 22:30", periods=8 * 24, freq="h", tz="UTC")
    more = pd.date_range("2024-05-17 09:05", periods=10, freq="min", tz="UTC")
    dates = sorted([*stamps, *more])
    frame = pd.DataFrame({"TIMESTAMP": [str(one) for one in dates], "ContextTokens": 10, "GeneratedTokens": 20})
    frame.to_csv(tmp_path / "azure.csv", index=False)
    with pytest.warns(UserWarning, match="times begin with the first of them"):
        profile = Profile(str(tmp_path / "azure.csv"), period="week")
    assert int(profile.rates_per_s.argmax()) == 4 * 24 + 9
    assert profile.rates_per_s[4 * 24 + 9] * HOUR_S == pytest.approx(11.0)


@pytest.mark.parametrize("rate_scale", [1.0, 3.0])
def test_what_is_drawn_has_the_rate_of_each_hour(rate_scale: float) -> None:
    profile = replace(Profile("shipped:made_up_day.csv"), rate_scale=rate_scale)  # as a plan's search for a rate does
    times_s = profile.times_s(20_000, np.random.default_rng(0))
    day = 24 * HOUR_S
    n_days = int(times_s[-1] // day)
    hour = (times_s[times_s < n_days * day] % day // HOUR_S).astype(int)
    expected = profile.rates_per_s * HOUR_S * rate_scale * n_days
    assert (np.abs(np.bincount(hour, minlength=24) - expected) < 4 * np.sqrt(expected)).all()  # Poisson counts


def test_gaps_may_be_as_bursty_as_those_of_the_trace(tmp_path: Path) -> None:
    # Requests in pairs, the pairs evenly spaced: on a clock that runs with the rate, gaps are 0 and 2 by turns, so
    # their standard deviation is their mean. Evenly spaced alone, it is 0.
    every_s = 100.0
    pairs = np.repeat(np.arange(0, 24 * HOUR_S, every_s), 2).tolist()
    assert Profile(written(tmp_path, pairs), gap_cv="trace").cv == pytest.approx(1.0, abs=0.01)
    even = Profile(written(tmp_path, pairs[::2]), gap_cv="trace")
    assert even.cv == pytest.approx(0.001)
    assert np.diff(even.times_s(50, np.random.default_rng(0))) == pytest.approx(every_s, rel=0.02)
    bursty = np.diff(Profile(written(tmp_path, pairs), gap_cv=3.0).times_s(20_000, np.random.default_rng(0)))
    assert bursty.std() / bursty.mean() == pytest.approx(3.0, rel=0.1)


def test_a_trace_of_less_than_its_period_is_refused(tmp_path: Path) -> None:
    times = [0.0, 22.9 * HOUR_S]
    with pytest.raises(UnreadableError, match=r"trace\.csv for arrivals\.period=day spans 22\.9 hours; it must span"):
        Profile(written(tmp_path, times))
    with pytest.raises(UnreadableError, match=r"spans 23\.9 hours; it must span at least 167, as every hour"):
        Profile("shipped:made_up_day.csv", period="week")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["arrivals.period=month"], "arrivals.period is 'month'; it must be one of day, week"),
        (["arrivals.gap_cv=own"], "arrivals.gap_cv is 'own'; it must be a number, or trace"),
        (["arrivals.gap_cv=0"], "arrivals.gap_cv is 0; it must be from 0.001 to 1000"),
        (["trace=shipped:made_up_day.csv", "trace_block=9"], "trace_block=9 draws blocks of recorded times"),
    ],
)
def test_words_that_cannot_be_are_refused(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["run", "arrivals=profile", *words, *SMALL, f"out={out}"]) != 0
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_a_day_is_one_command_and_says_what_its_hours_cost() -> None:
    words = ["arrivals=profile", "trace=shipped:made_up_day.csv", "rate_scale=0.2", "duration=1d", *SMALL]
    rented = ["fleet.price_per_hour_usd=2", "fleet.models=[gpt-4-1106-preview]"]
    [done] = done_runs("run", [*words, *rented], None)
    assert done.hours is not None
    assert done.hours["hour"].tolist() == list(range(len(done.hours)))
    assert len(done.hours) in (23, 24, 25)  # by when the first came, and the last
    assert done.hours["begins_at"][1] == "2024-01-01T01:00:00+00:00"
    assert done.hours["queries"].sum() == done.summary["arrived"]
    assert done.hours["served"].sum() == done.summary["served"]
    assert done.hours["rent_usd"].sum() == pytest.approx(float(done.summary["rent_usd"]))
    assert done.hours["tokens_usd"].sum() == pytest.approx(float(done.summary["token_cost_usd"]))


def test_the_hours_of_a_run_by_hand() -> None:
    # At 1 USD a second and replica: two queries in hour 0 and one in hour 2, which ends 100 s into it. The second waits
    # for the first.
    done = run([0.0, 10.0, 7200.0], [30.0, 30.0, 100.0])
    assert done.hours is not None
    assert done.hours["queries"].tolist() == done.hours["served"].tolist() == [2, 0, 1]
    assert done.hours["lasts_s"].tolist() == pytest.approx([3600, 3600, 100])
    assert done.hours["rent_usd"].tolist() == pytest.approx([3600, 3600, 100])
    assert done.hours["replicas"].tolist() == pytest.approx([1, 1, 1])
    assert done.hours["p95_ttft_s"].tolist() == pytest.approx([19.0, np.nan, 0.0], nan_ok=True)


def test_a_run_of_less_than_an_hour_has_no_hours() -> None:
    assert run([0.0, 3500.0], [1.0, 1.0]).hours is None
