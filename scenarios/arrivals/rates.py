"""From a rate that changes with time to arrival times, exactly. It knows no process by name.

The points of a Poisson process with rate lambda(t) are t_i = Lambda^-1(u_i), where Lambda(t) is the integral of lambda
from 0 to t and u_1 < u_2 < ... are the points of a Poisson process of rate 1 (Cinlar, Introduction to Stochastic
Processes, 1975, chapter 4). There is nothing to accept or reject, so one query uses one random number, and the same
stream under another rate gives the same queries, moved.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sim.interface import FloatArray

MOST = 1e12  # of a rate, a time or a ratio: beyond, sums of gaps lose their digits or are infinite


def check_positive(name: str, value: float) -> None:
    """Raise ValueError unless a value is positive and finite."""
    if not 0 < value < float("inf"):
        raise ValueError(f"{name} is {value}; it must be positive and finite")
    if not 1 / MOST <= value <= MOST:
        raise ValueError(f"{name} is {value}; it must be from {1 / MOST:g} to {MOST:g}")


def check_not_negative(name: str, value: float) -> None:
    """Raise ValueError unless a value is at least 0 and finite."""
    if not 0 <= value < float("inf"):
        raise ValueError(f"{name} is {value}; it must be at least 0 and finite")
    if value > MOST:
        raise ValueError(f"{name} is {value}; it must be at most {MOST:g}")


def check_pairs(name: str, values: Sequence[float], other_name: str, others: Sequence[float]) -> None:
    """Raise ValueError unless two lists are of one length and not empty."""
    if len(values) == 0 or len(values) != len(others):
        raise ValueError(
            f"{name} has {len(values)} entries and {other_name} has {len(others)}; "
            "they must have equally many, at least one"
        )


def unit_points(n_queries: int, rng: np.random.Generator) -> FloatArray:
    """Return the first points (n_queries,) of a Poisson process of rate 1."""
    return np.cumsum(rng.exponential(1.0, n_queries))


def invert(units: FloatArray, starts_s: FloatArray, rates_per_s: FloatArray, slopes_per_s2: FloatArray) -> FloatArray:
    """Return Lambda^-1(units) for a rate that is linear in pieces.

    In the piece that begins at time s with rate r and slope a, Lambda grows by r x + a x^2 / 2 in x seconds; the root
    of r x + a x^2 / 2 = y is x = 2 y / (r + sqrt(r^2 + 2 a y)), which also holds for a = 0.

    Parameters
    ----------
    units : array (n,)
        At least 0, in any order.
    starts_s, rates_per_s, slopes_per_s2 : arrays (n_pieces,)
        Begin, rate at the begin and slope of each piece, the first from 0 on. The last has no end and must reach every
        unit: its rate is positive and its slope not negative.

    Returns
    -------
    array (n,)
        Times; none falls into a piece whose rate is 0.
    """
    lengths_s = np.diff(starts_s)
    grown = rates_per_s[:-1] * lengths_s + slopes_per_s2[:-1] * lengths_s**2 / 2
    reached = np.concatenate([[0.0], np.cumsum(grown)])
    piece = np.searchsorted(reached, units, side="right") - 1
    left, rate = units - reached[piece], rates_per_s[piece]
    times_s: FloatArray = starts_s[piece] + 2 * left / (rate + np.sqrt(rate**2 + 2 * slopes_per_s2[piece] * left))
    return times_s


def in_order(times_s: FloatArray) -> FloatArray:
    """Return times (n,) that are non-decreasing but for rounding, without the rounding at the borders of pieces."""
    return np.maximum.accumulate(times_s)
