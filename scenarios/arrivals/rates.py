"""Turns a rate that changes with time into arrival times, exactly. It knows no process by name.

The points of a Poisson process with rate lambda(t) are t_i = Lambda^-1(u_i), where Lambda(t) is the integral of lambda
from 0 to t and u_1 < u_2 < ... are the points of a Poisson process of rate 1 (Cinlar, Introduction to Stochastic
Processes, 1975, chapter 4). There is nothing to accept or reject, so one query uses one random number, and the same
stream under another rate gives the same queries, moved.
"""

from __future__ import annotations

import numpy as np

from sim.interface import FloatArray

LEAST, MOST = 1e-12, 1e12  # of a rate, a time or a ratio: beyond, sums of gaps lose their digits or are infinite


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


def in_pieces(units: FloatArray, rates_per_s: FloatArray, durations_s: FloatArray, cyclic: bool) -> FloatArray:
    """Return when a process whose points in units of its mean are ``units`` (n,) has them, its rate constant in pieces.

    Parameters
    ----------
    units : array (n,)
        In order.
    rates_per_s, durations_s : arrays (n_pieces,)
        One rate is positive.
    cyclic : bool
        Whether the pieces begin again after the last; if not, the last rate stays for ever.

    Returns
    -------
    array (n,)
    """
    cycles = np.zeros(len(units))
    if cyclic:
        cycles, units = np.divmod(units, rates_per_s @ durations_s)
    starts_s = np.concatenate([[0.0], np.cumsum(durations_s[:-1])])
    busy = int(np.flatnonzero(rates_per_s)[-1]) + 1  # a silent last piece gets no point, but invert needs a rate there
    return in_order(cycles * durations_s.sum() + invert(units, starts_s[:busy], rates_per_s[:busy], np.zeros(busy)))


def in_order(times_s: FloatArray) -> FloatArray:
    """Return times (n,) that are non-decreasing but for rounding, without the rounding at the borders of pieces."""
    return np.maximum.accumulate(times_s)
