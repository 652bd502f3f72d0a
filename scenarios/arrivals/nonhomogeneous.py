"""Draws Poisson processes whose rate is a known function of time, by exact inversion of the cumulative rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scenarios.arrivals.rates import LEAST, MOST, in_order, in_pieces, invert, unit_points
from sim.errors import check_number, check_pairs
from sim.interface import FloatArray


@dataclass(frozen=True)
class Piecewise:
    """A rate that is constant in pieces.

    Parameters
    ----------
    rates_per_s : sequence of float, (n_pieces,)
        Queries per second in each piece: at least 0, and one of them positive.
    durations_s : sequence of float, (n_pieces,)
        How long each piece lasts, in seconds; positive.
    cyclic : bool
        Whether the pieces begin again after the last. If not, the last rate stays for ever and must be positive.

    Raises
    ------
    ValueError
        If the lists differ in length or are empty, or a rate or duration cannot be right.
    """

    rates_per_s: Sequence[float]
    durations_s: Sequence[float]
    cyclic: bool = True

    def __post_init__(self) -> None:
        """Check rates and durations."""
        check_pairs("rates_per_s", self.rates_per_s, "durations_s", self.durations_s)
        for j, (rate, duration_s) in enumerate(zip(self.rates_per_s, self.durations_s, strict=True)):
            check_number(f"rates_per_s[{j}]", rate, least=0, most=MOST)
            check_number(f"durations_s[{j}]", duration_s, least=LEAST, most=MOST)
        if max(self.rates_per_s) == 0:
            raise ValueError(f"rates_per_s is {list(self.rates_per_s)}; at least one rate must be positive")
        if not self.cyclic and self.rates_per_s[-1] == 0:
            raise ValueError("the last of rates_per_s is 0; it must be positive, as it stays for ever without cyclic")

    def times_s(self, n_queries: int, rng: np.random.Generator) -> FloatArray:
        """Return the times (n_queries,)."""
        rates, durations_s = np.array(self.rates_per_s, dtype=np.float64), np.array(self.durations_s, dtype=np.float64)
        return in_pieces(unit_points(n_queries, rng), rates, durations_s, self.cyclic)


@dataclass(frozen=True)
class Sinusoidal:
    """A rate that swings as by day and night: mean_rate_per_s (1 + a sin(2 pi t / period_s + phase_rad)).

    Its integral Lambda(t) is inverted within one period by bisection, to 2^-50 of the period.

    Parameters
    ----------
    mean_rate_per_s : float
        Queries per second on average; positive.
    period_s : float
        How long one swing takes, in seconds; positive.
    relative_amplitude : float
        a, from 0 (Poisson) to 1 (the rate touches 0).
    phase_rad : float
        0 starts at the mean and rises; pi / 2 starts at the peak, -pi / 2 in the trough.

    Raises
    ------
    ValueError
        If a parameter cannot be right.
    """

    mean_rate_per_s: float
    relative_amplitude: float
    period_s: float
    phase_rad: float = 0.0

    def __post_init__(self) -> None:
        """Check rate, amplitude, period and phase."""
        check_number("mean_rate_per_s", self.mean_rate_per_s, least=LEAST, most=MOST)
        check_number("period_s", self.period_s, least=LEAST, most=MOST)
        check_number("relative_amplitude", self.relative_amplitude, least=0, most=1)
        check_number("phase_rad", self.phase_rad)

    def times_s(self, n_queries: int, rng: np.random.Generator) -> FloatArray:
        """Return the times (n_queries,)."""
        angular = 2 * np.pi / self.period_s
        swing = self.mean_rate_per_s * self.relative_amplitude / angular
        cycles, units = np.divmod(unit_points(n_queries, rng), self.mean_rate_per_s * self.period_s)
        low_s, high_s = np.zeros(n_queries), np.full(n_queries, self.period_s)
        for _ in range(50):
            middle_s = (low_s + high_s) / 2
            waves = np.cos(self.phase_rad) - np.cos(angular * middle_s + self.phase_rad)
            late = self.mean_rate_per_s * middle_s + swing * waves > units
            low_s, high_s = np.where(late, low_s, middle_s), np.where(late, middle_s, high_s)
        return in_order(cycles * self.period_s + (low_s + high_s) / 2)


@dataclass(frozen=True)
class FlashCrowd:
    """A steady rate, a crowd that comes, stays and goes, and the steady rate again; linear in between.

    The rate is base_rate_per_s until at_s, reaches base_rate_per_s x peak_factor ramp_s later, stays there for hold_s
    and is back at the base after decay_s more.

    Parameters
    ----------
    base_rate_per_s : float
        Queries per second outside the crowd; positive.
    peak_factor : float
        The rate at the peak, in multiples of the base rate; at least 1.
    at_s : float
        When the crowd begins, in seconds after the first arrival.
    ramp_s : float
        How long the rate rises to the peak, in seconds; 0 is a jump.
    hold_s : float
        How long it stays there, in seconds.
    decay_s : float
        How long it falls back to the base rate, in seconds; 0 is a jump.

    Raises
    ------
    ValueError
        If a parameter cannot be right.
    """

    base_rate_per_s: float
    peak_factor: float
    at_s: float
    ramp_s: float
    hold_s: float
    decay_s: float

    def __post_init__(self) -> None:
        """Check the rate, the factor and the times."""
        check_number("base_rate_per_s", self.base_rate_per_s, least=LEAST, most=MOST)
        check_number("peak_factor", self.peak_factor, least=1)
        for name in ("at_s", "ramp_s", "hold_s", "decay_s"):
            check_number(name, getattr(self, name), least=0, most=MOST)

    @property
    def crowds(self) -> tuple[tuple[str, float, float], ...]:
        """The crowd, for reports, from its begin to when it has gone; nothing if it is none."""
        until_s = self.at_s + self.ramp_s + self.hold_s + self.decay_s
        what = f"crowd, up to {self.peak_factor:g} times the traffic"
        return ((what, self.at_s, until_s),) if self.peak_factor > 1 and until_s > self.at_s else ()

    def times_s(self, n_queries: int, rng: np.random.Generator) -> FloatArray:
        """Return the times (n_queries,)."""
        base, peak = self.base_rate_per_s, self.base_rate_per_s * self.peak_factor
        starts_s = np.cumsum([0.0, self.at_s, self.ramp_s, self.hold_s, self.decay_s])
        rise = (peak - base) / self.ramp_s if self.ramp_s else 0.0
        fall = (base - peak) / self.decay_s if self.decay_s else 0.0
        rates = np.array([base, base, peak, peak, base])
        slopes = np.array([0.0, rise, 0.0, fall, 0.0])
        return in_order(invert(unit_points(n_queries, rng), starts_s, rates, slopes))
