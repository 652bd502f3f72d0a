"""Every arrival process against its distribution: Kolmogorov-Smirnov tests, rates, dispersion, and what is refused.

Seeds are fixed. A Kolmogorov-Smirnov test passes if its p-value is above 0.01; at 20,000 gaps that resolves differences
between distribution functions of about 0.012.
"""

from collections.abc import Callable
from functools import partial
from math import exp
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra import compose, initialize_config_module
from hydra.utils import instantiate
from scipy import stats

from scenarios.arrivals.batches import Batches, Sessions
from scenarios.arrivals.modulated import Mmpp, index_of_dispersion, stationary_rate_per_s
from scenarios.arrivals.nonhomogeneous import FlashCrowd, Piecewise, Sinusoidal
from scenarios.arrivals.rates import invert
from scenarios.arrivals.renewal import Deterministic, Gamma, Poisson, Weibull
from sim.interface import FloatArray
from sim.scenario import Arrivals

N = 20_000
CONF = Path(__file__).resolve().parents[2] / "conf" / "arrivals"
WITHOUT_FILE = sorted(
    path.stem for path in CONF.glob("*.yaml") if path.stem not in ("replay", "recorded", "closed_loop")
)


def draw(process: Arrivals, n_queries: int = N, seed: int = 0) -> FloatArray:
    return process.times_s(n_queries, np.random.default_rng(seed))


def gaps(times_s: FloatArray) -> FloatArray:
    return np.diff(times_s, prepend=0.0)


def configured(name: str) -> Arrivals:
    with initialize_config_module("conf", version_base="1.3"):
        config = compose("run", [f"arrivals={name}"])
    process: Arrivals = instantiate(config.arrivals, _convert_="all")
    return process


# --- what all have in common


@pytest.mark.parametrize("name", WITHOUT_FILE)
def test_every_configured_process_returns_as_many_times_as_asked_in_order_from_0_on(name: str) -> None:
    process = configured(name)
    for n_queries in (1, 2, 5000):
        times_s = draw(process, n_queries)
        assert times_s.shape == (n_queries,)
        assert np.isfinite(times_s).all()
        assert times_s[0] >= 0
        assert (np.diff(times_s) >= 0).all()


@pytest.mark.parametrize("name", sorted({*WITHOUT_FILE} - {"deterministic"}))
def test_a_seed_gives_the_same_times_and_another_seed_gives_others(name: str) -> None:
    process = configured(name)
    first, again, other = draw(process, 100), draw(process, 100), draw(process, 100, seed=1)
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


# --- renewal processes


def test_deterministic_arrivals_are_equally_spaced_from_0_on() -> None:
    assert draw(Deterministic(4), 4).tolist() == [0, 0.25, 0.5, 0.75]


RENEWAL: dict[str, tuple[Arrivals, Any]] = {
    "poisson": (Poisson(8), stats.expon(scale=1 / 8)),
    "gamma, bursty": (Gamma(8, cv=2), stats.gamma(0.25, scale=0.5)),
    "gamma, regular": (Gamma(8, cv=0.5), stats.gamma(4, scale=1 / 32)),
    # Gamma(1 + 1/0.5) = 2 and Gamma(1 + 1/2) = sqrt(pi) / 2.
    "weibull, bursty": (Weibull(8, shape=0.5), stats.weibull_min(0.5, scale=1 / 16)),
    "weibull, regular": (Weibull(8, shape=2), stats.weibull_min(2, scale=1 / (4 * np.sqrt(np.pi)))),
}


@pytest.mark.parametrize("name", RENEWAL)
def test_gaps_have_their_distribution_and_mean_and_do_not_know_each_other(name: str) -> None:
    process, distribution = RENEWAL[name]
    gaps_s = gaps(draw(process))
    assert stats.kstest(gaps_s, distribution.cdf).pvalue > 0.01
    assert distribution.mean() == pytest.approx(1 / 8)
    # Four standard errors.
    assert gaps_s.mean() == pytest.approx(1 / 8, abs=4 * distribution.std() / np.sqrt(N))
    assert abs(np.corrcoef(gaps_s[1:], gaps_s[:-1])[0, 1]) < 4 / np.sqrt(N)


@pytest.mark.parametrize("cv", [0.5, 1.0, 2.0])
def test_gamma_gaps_have_the_coefficient_of_variation_that_was_asked_for(cv: float) -> None:
    gaps_s = gaps(draw(Gamma(8, cv), 200_000))
    assert gaps_s.std() / gaps_s.mean() == pytest.approx(cv, rel=0.02)


def test_the_burstiness_of_other_tools_is_the_shape_so_one_quarter_of_it_is_a_cv_of_2() -> None:
    burstiness, rate_per_s = 0.25, 8
    rng = np.random.default_rng(0)
    theirs = rng.gamma(burstiness, 1 / (rate_per_s * burstiness), 50)
    np.testing.assert_allclose(draw(Gamma(rate_per_s, cv=2), 50), np.cumsum(theirs), rtol=1e-9)


# --- a known rate: Lambda(t_i) are the points of a Poisson process of rate 1


def piecewise(t: FloatArray) -> FloatArray:
    """Lambda of 2 per second for 3 s, silence for 1 s and 10 per second for 2 s, again and again: 26 in 6 s."""
    cycle, s = np.divmod(t, 6)
    units: FloatArray = 26 * cycle + 2 * np.minimum(s, 3) + 10 * np.maximum(s - 4, 0)
    return units


def once(t: FloatArray) -> FloatArray:
    """Lambda of 2 per second for 3 s, silence for 1 s and then 10 per second."""
    units: FloatArray = 2 * np.minimum(t, 3) + 10 * np.maximum(t - 4, 0)
    return units


def silent_end(t: FloatArray) -> FloatArray:
    """Lambda of 5 per second for 2 s and silence for 1 s, again and again."""
    cycle, s = np.divmod(t, 3)
    units: FloatArray = 10 * cycle + 5 * np.minimum(s, 2)
    return units


def sinusoidal(t: FloatArray, amplitude: float, phase: float) -> FloatArray:
    """Lambda of mean 10 per second and period 50 s."""
    w = 2 * np.pi / 50
    units: FloatArray = 10 * t + 10 * amplitude / w * (np.cos(phase) - np.cos(w * t + phase))
    return units


def crowd(t: FloatArray, ramp_s: float, decay_s: float) -> FloatArray:
    """Lambda of 10 per second, and 40 more from a trapezium that begins at 100 s and is flat for 50 s."""
    up, stay = np.clip(t - 100, 0, ramp_s), np.clip(t - 100 - ramp_s, 0, 50)
    down = np.clip(t - 150 - ramp_s, 0, decay_s)
    ramp = up**2 / (2 * ramp_s) if ramp_s else 0 * t
    decay = down - down**2 / (2 * decay_s) if decay_s else 0 * t
    return 10 * t + 40 * (ramp + stay + decay)


KNOWN_RATE: dict[str, tuple[Arrivals, Callable[[FloatArray], FloatArray]]] = {
    "piecewise, cyclic": (Piecewise([2, 0, 10], [3, 1, 2]), piecewise),
    "piecewise, once": (Piecewise([2, 0, 10], [3, 1, 2], cyclic=False), once),
    "piecewise, with a silent end": (Piecewise([5, 0], [2, 1]), silent_end),
    "sinusoidal": (Sinusoidal(10, 0.6, 50), partial(sinusoidal, amplitude=0.6, phase=0)),
    "sinusoidal, down to 0": (Sinusoidal(10, 1, 50, -np.pi / 2), partial(sinusoidal, amplitude=1, phase=-np.pi / 2)),
    "sinusoidal, flat": (Sinusoidal(10, 0, 50, 2), partial(sinusoidal, amplitude=0, phase=2)),
    "flash crowd": (FlashCrowd(10, 5, 100, 20, 50, 80), partial(crowd, ramp_s=20, decay_s=80)),
    "flash crowd, with jumps": (FlashCrowd(10, 5, 100, 0, 50, 0), partial(crowd, ramp_s=0, decay_s=0)),
}


@pytest.mark.parametrize("name", KNOWN_RATE)
def test_times_through_the_cumulative_rate_are_a_poisson_process_of_rate_1(name: str) -> None:
    process, cumulative = KNOWN_RATE[name]
    units = gaps(cumulative(draw(process)))
    assert stats.kstest(units, stats.expon.cdf).pvalue > 0.01
    assert abs(np.corrcoef(units[1:], units[:-1])[0, 1]) < 4 / np.sqrt(N)


@pytest.mark.parametrize("name", KNOWN_RATE)
def test_the_inversion_is_exact(name: str) -> None:
    process, cumulative = KNOWN_RATE[name]
    np.testing.assert_allclose(cumulative(draw(process, 5000)), draw(Poisson(1), 5000), rtol=1e-9)


def test_inverting_a_cumulative_rate_by_hand() -> None:
    # 2 per second for 3 s, silence for 1 s, then 10 per second: the 6th unit is due when the silence ends.
    units, starts_s, rates = np.array([0.0, 2, 5, 6, 16]), np.array([0.0, 3, 4]), np.array([2.0, 0, 10])
    assert invert(units, starts_s, rates, np.zeros(3)).tolist() == [0, 1, 2.5, 4, 5]
    # A rate of 2 t has the integral t^2: 9 units by 3 s. It falls from 6 to 2 until 5 s, 8 units; then it stays at 2.
    slopes = np.array([2.0, -2, 0])
    falling = invert(np.array([4.0, 9, 14, 17, 21]), np.array([0.0, 3, 5]), np.array([0.0, 6, 2]), slopes)
    assert falling.tolist() == [2, 3, 4, 5, 7]


def test_nothing_arrives_in_a_piece_of_rate_0() -> None:
    phase_s = draw(Piecewise([2, 0, 10], [3, 1, 2])) % 6
    assert not ((phase_s > 3 + 1e-6) & (phase_s < 4 - 1e-6)).any()
    # 6 of 26 arrivals are in the first piece; four standard errors.
    assert (phase_s <= 3 + 1e-6).mean() == pytest.approx(6 / 26, abs=4 * np.sqrt(6 * 20 / 26**2 / N))


def test_one_piece_is_a_poisson_process() -> None:
    np.testing.assert_allclose(draw(Piecewise([8], [3]), 1000), draw(Poisson(8), 1000), rtol=1e-9)


def test_a_sinusoidal_rate_is_met_in_every_eighth_of_its_period() -> None:
    process = Sinusoidal(mean_rate_per_s=10, relative_amplitude=0.8, period_s=40, phase_rad=np.pi / 2)
    times_s = draw(process, 200_000)
    periods = int(times_s[-1] // 40)
    counts = np.histogram(times_s[times_s < periods * 40] % 40, bins=8, range=(0, 40))[0]
    edges = np.arange(9) * np.pi / 4
    # Mean of 10 (1 + 0.8 cos x) over each eighth.
    expected = 10 * (1 + 0.8 * np.diff(np.sin(edges)) / (np.pi / 4))
    # An eighth lasts 5 s; four standard deviations of a Poisson count, 1.2% of it at the peak and 5% in the trough.
    assert (np.abs(counts - periods * 5 * expected) < 4 * np.sqrt(periods * 5 * expected)).all()
    assert len(times_s) / times_s[-1] == pytest.approx(10, rel=0.01)


def test_a_flash_crowd_brings_its_peak_and_leaves() -> None:
    process = FlashCrowd(base_rate_per_s=100, peak_factor=4, at_s=10, ramp_s=10, hold_s=20, decay_s=40)
    times_s = draw(process, 40_000)
    counts = np.histogram(times_s, bins=[0, 10, 20, 40, 80, 120])[0]
    # 100/s; 250/s on the way up; 400/s; 250/s on the way down; 100/s. Four standard deviations of a Poisson count.
    for count, expected in zip(counts, [1000, 2500, 8000, 10_000, 4000], strict=True):
        assert count == pytest.approx(expected, abs=4 * np.sqrt(expected))


# --- Markov-modulated


def two_state_dispersion(l1: float, l2: float, r1: float, r2: float, t: float) -> float:
    """Heffes and Lucantoni (1986): Var N(t) / E N(t) of two states that are left at rates r1 and r2."""
    r = r1 + r2
    limit = 2 * (l1 - l2) ** 2 * r1 * r2 / (r**2 * (l1 * r2 + l2 * r1))
    return 1 + limit * (1 - (1 - exp(-r * t)) / (r * t))


@pytest.mark.parametrize("window_s", [0.1, 3.0, 60.0, 1e6])
def test_with_two_states_the_dispersion_is_the_published_formula(window_s: float) -> None:
    process = Mmpp([20, 5], [2, 8])
    assert index_of_dispersion(process, window_s) == pytest.approx(two_state_dispersion(20, 5, 1 / 2, 1 / 8, window_s))


def test_the_stationary_rate_weighs_rates_by_the_time_in_each_state() -> None:
    assert stationary_rate_per_s(Mmpp([20, 5], [2, 8])) == pytest.approx((20 * 2 + 5 * 8) / 10)


MODULATED = {
    "two states": Mmpp([20, 5], [2, 8]),
    "on and off": Mmpp([16, 0], [1, 1]),
    "three states, a silent last one": Mmpp([2, 30, 0], [5, 1, 1]),
}


@pytest.mark.parametrize("name", MODULATED)
def test_rate_and_index_of_dispersion_meet_their_formulas(name: str) -> None:
    process = MODULATED[name]
    times_s = draw(process, 1_000_000)
    # Over 20 other seeds the rate has a standard deviation of at most 0.5%, the dispersion of at most 0.9%.
    assert len(times_s) / times_s[-1] == pytest.approx(stationary_rate_per_s(process), rel=0.02)
    for window_s in (0.5, 5.0):
        counts = np.bincount((times_s / window_s).astype(np.int64))[:-1]
        assert counts.var() / counts.mean() == pytest.approx(index_of_dispersion(process, window_s), rel=0.04)


def test_the_states_follow_each_other_in_a_cycle() -> None:
    # Silence is followed by the fast state (gaps of 1 ms), never by the slow one (gaps of 20 ms).
    gaps_s = gaps(draw(Mmpp([1000, 50, 0], [1, 1, 1]), 200_000))
    after_silence_s = gaps_s[1:][gaps_s[:-1] > 0.3]
    assert len(after_silence_s) > 100
    # Four standard errors of the mean of exponential gaps.
    assert after_silence_s.mean() == pytest.approx(0.001, rel=4 / np.sqrt(len(after_silence_s)))


def test_a_modulated_process_is_stationary_from_time_0_on() -> None:
    process = Mmpp([40, 1], [1, 9])
    counts = [int((draw(process, 60, seed) < 1).sum()) for seed in range(4000)]
    # (40 + 9) / 10 = 4.9 arrivals are expected in the first second, whichever state comes first.
    standard_error = np.sqrt(4.9 * index_of_dispersion(process, 1.0) / 4000)
    assert np.mean(counts) == pytest.approx(4.9, abs=4 * standard_error)


def test_states_that_share_a_rate_are_a_poisson_process() -> None:
    process = Mmpp([8, 8, 8], [1, 2, 3])
    assert index_of_dispersion(process, 7.0) == pytest.approx(1)
    assert stats.kstest(gaps(draw(process)), stats.expon(scale=1 / 8).cdf).pvalue > 0.01


def test_the_configured_mmpp_has_the_rate_and_dispersion_of_the_conversation_trace() -> None:
    process = configured("mmpp")
    assert isinstance(process, Mmpp)
    assert stationary_rate_per_s(process) == pytest.approx(5.53)
    assert index_of_dispersion(process, 60.0) == pytest.approx(16.1, abs=0.05)


# --- batches and sessions


def test_batches_of_a_fixed_size_arrive_at_one_instant_and_the_last_is_cut() -> None:
    times_s = draw(Batches(rate_per_s=2, mean_size=3, fixed=True), 11)
    instants, sizes = np.unique(times_s, return_counts=True)
    assert len(instants) == 4
    assert sizes.tolist() == [3, 3, 3, 2]


@pytest.mark.parametrize("fixed", [True, False])
def test_batches_are_a_poisson_process_whatever_their_sizes(fixed: bool) -> None:
    times_s = draw(Batches(rate_per_s=2, mean_size=4, fixed=fixed), 4 * N)
    instants = np.unique(times_s)
    assert stats.kstest(gaps(instants), stats.expon(scale=1 / 2).cdf).pvalue > 0.01
    assert len(times_s) / times_s[-1] == pytest.approx(8, rel=0.05)


def test_geometric_batches_have_their_distribution_of_sizes() -> None:
    _, sizes = np.unique(draw(Batches(rate_per_s=2, mean_size=4), 4 * N), return_counts=True)
    seen = np.bincount(np.minimum(sizes[:-1], 12), minlength=13)[1:]  # sizes 1 to 11, and 12 or more
    probability = np.append(stats.geom(1 / 4).pmf(np.arange(1, 12)), stats.geom(1 / 4).sf(11))
    assert stats.chisquare(seen, seen.sum() * probability).pvalue > 0.01


def test_batches_of_one_are_a_poisson_process() -> None:
    assert draw(Batches(8, mean_size=1, fixed=True), 100).tolist() == draw(Poisson(8), 100).tolist()


def test_sessions_of_one_turn_are_a_poisson_process() -> None:
    assert stats.kstest(gaps(draw(Sessions(8, mean_turns=1, mean_gap_s=5))), stats.expon(scale=1 / 8).cdf).pvalue > 0.01


def test_turns_of_a_lone_session_are_exponential_gaps_apart() -> None:
    # One session in about 10^9 s with about 10^5 turns, each 2 s after the one before: no other session is near.
    times_s = draw(Sessions(rate_per_s=1e-9, mean_turns=1e5, mean_gap_s=2), 5000)
    assert stats.kstest(np.diff(times_s), stats.expon(scale=2).cdf).pvalue > 0.01


def test_sessions_warm_up_as_their_docstring_says() -> None:
    rate_per_s, turns, gap_s = 3.0, 4.0, 20.0
    process = Sessions(rate_per_s, turns, gap_s)
    runs = [draw(process, 1000, seed) for seed in range(400)]  # about 130 s each
    w = turns * gap_s
    for t in (5.0, 40.0, 100.0):
        expected = rate_per_s * (turns * t - (turns - 1) * w * (1 - np.exp(-t / w)))
        counts = np.array([(times_s < t).sum() for times_s in runs])
        assert counts.mean() == pytest.approx(expected, abs=4 * counts.std() / np.sqrt(len(runs)))


def test_long_sessions_reach_the_rate_of_sessions_times_turns() -> None:
    times_s = draw(Sessions(rate_per_s=2, mean_turns=5, mean_gap_s=3), 200_000)
    steady_s = times_s[times_s > 5 * 5 * 3]
    assert len(steady_s) / (steady_s[-1] - 5 * 5 * 3) == pytest.approx(10, rel=0.03)


# --- what is refused

REFUSED: dict[str, tuple[Callable[[], Arrivals], str]] = {
    "a gamma rate below 0": (lambda: Gamma(-1, 2), r"rate_per_s is -1; it must be from 1e-12 to 1e\+12"),
    "a CV of 0": (lambda: Gamma(1, 0), r"cv is 0; it must be from 1e-12 to 1e\+12"),
    "a CV that is no number": (lambda: Gamma(1, float("nan")), r"cv is nan"),
    "a Weibull rate of 0": (lambda: Weibull(0, 1), r"rate_per_s is 0"),
    "a Weibull shape of 0": (lambda: Weibull(1, 0), r"shape is 0; it must be at least 0\.05"),
    "no states": (lambda: Mmpp([], []), r"rates_per_s has 0 entries and mean_dwell_s has 0"),
    "a state without a stay": (lambda: Mmpp([1, 2], [1]), r"rates_per_s has 2 entries and mean_dwell_s has 1"),
    "a negative rate in a state": (
        lambda: Mmpp([1, -2], [1, 1]),
        r"rates_per_s\[1\] is -2; it must be from 0 to 1e\+12",
    ),
    "a stay of 0": (lambda: Mmpp([1, 2], [1, 0]), r"mean_dwell_s\[1\] is 0; it must be from 1e-12 to 1e\+12"),
    "silence in all states": (lambda: Mmpp([0, 0], [1, 1]), r"\[0, 0\]; at least one rate must be positive"),
    "no durations": (lambda: Piecewise([1], []), r"rates_per_s has 1 entries and durations_s has 0"),
    "a negative rate in a piece": (lambda: Piecewise([-1], [1]), r"rates_per_s\[0\] is -1"),
    "a duration of 0": (lambda: Piecewise([1], [0]), r"durations_s\[0\] is 0; it must be from 1e-12 to 1e\+12"),
    "silence in all pieces": (lambda: Piecewise([0], [1]), r"at least one rate must be positive"),
    "silence for ever": (lambda: Piecewise([1, 0], [1, 1], cyclic=False), r"the last of rates_per_s is 0"),
    "a mean rate of 0": (lambda: Sinusoidal(0, 0.5, 60), r"mean_rate_per_s is 0"),
    "an amplitude above 1": (lambda: Sinusoidal(1, 1.1, 60), r"relative_amplitude is 1\.1; it must be from 0 to 1"),
    "a negative amplitude": (lambda: Sinusoidal(1, -0.1, 60), r"relative_amplitude is -0\.1"),
    "a period of 0": (lambda: Sinusoidal(1, 0.5, 0), r"period_s is 0"),
    "an infinite phase": (lambda: Sinusoidal(1, 0.5, 60, float("inf")), r"phase_rad is inf; it must be finite"),
    "a base rate of 0": (lambda: FlashCrowd(0, 5, 1, 1, 1, 1), r"base_rate_per_s is 0"),
    "a peak below the base": (lambda: FlashCrowd(1, 0.5, 1, 1, 1, 1), r"peak_factor is 0\.5; it must be at least 1"),
    "a ramp before it begins": (lambda: FlashCrowd(1, 5, 1, -1, 1, 1), r"ramp_s is -1; it must be from 0 to 1e\+12"),
    "a negative rate of batches": (lambda: Batches(-1, 2), r"rate_per_s is -1"),
    "batches of none": (lambda: Batches(1, 0.5), r"mean_size is 0\.5; it must be at least 1"),
    "a fixed size of a half": (lambda: Batches(1, 2.5, fixed=True), r"mean_size is 2\.5; it must be a whole number"),
    "sessions at no rate": (lambda: Sessions(0, 2, 1), r"rate_per_s is 0"),
    "sessions of no turns": (lambda: Sessions(1, 0, 1), r"mean_turns is 0; it must be at least 1"),
    "turns without a gap": (lambda: Sessions(1, 2, 0), r"mean_gap_s is 0; it must be from 1e-12 to 1e\+12"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused(name: str) -> None:
    make, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("window_s", [0.0, float("inf")])
def test_dispersion_needs_a_window(window_s: float) -> None:
    with pytest.raises(ValueError, match=f"window_s is {window_s}"):
        index_of_dispersion(Mmpp([1, 2], [1, 1]), window_s)


@pytest.mark.parametrize("mean", [1e9, 1e18, 1e308])
def test_batches_and_sessions_larger_than_all_queries_need_no_more_memory(mean: float) -> None:
    rng = np.random.default_rng(0)
    assert len(set(Batches(1.0, mean).times_s(5, rng).tolist())) == 1
    assert len(set(Batches(1.0, mean, fixed=True).times_s(5, rng).tolist())) == 1
    assert len(Sessions(1.0, mean, 1.0).times_s(5, rng)) == 5
