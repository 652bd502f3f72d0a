"""Describes what is done again: budgets that renew themselves, and queries that are offered again after they were lost.

It knows no clock; ``sim.world`` carries it out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sim.errors import check_number

MOST_BACKOFF_S = 1e12


@dataclass(frozen=True)
class Window:
    """Budgets that begin anew every ``length_s`` seconds.

    Parameters
    ----------
    length_s : float
        Seconds from one renewal to the next.
    rollover : bool
        Whether what is left is added to the next window.
    spread : bool
        True: the budget is for the whole run, and each window gets its share of the time between the first and the last
        arrival. False: the budget is for each window.
    """

    length_s: float
    rollover: bool = False
    spread: bool = True

    def __post_init__(self) -> None:
        """Check the length."""
        check_number("window.length_s", self.length_s, above=0)


@dataclass(frozen=True)
class TokenBucket:
    """Budgets that are given out evenly from the first arrival to the last, and may be saved up a little.

    A bucket holds at most ``burst_s`` seconds' share of its budget. It is full at the first arrival; the rest of the
    budget flows in evenly until the last one. What finds the bucket full is lost.
    """

    burst_s: float

    def __post_init__(self) -> None:
        """Check the burst."""
        check_number("window.burst_s", self.burst_s, above=0)


@dataclass(frozen=True)
class Retry:
    """Offer a query again, to the same choices, after it was rejected, abandoned, timed out or failed.

    Parameters
    ----------
    attempts : int
        In all, the first included.
    backoff_s, multiplier : float
        Wait backoff_s x multiplier^(n - 1) before attempt n + 1.
    """

    attempts: int = 1
    backoff_s: float = 1.0
    multiplier: float = 2.0

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_number("retry.attempts", self.attempts, least=1)
        check_number("retry.backoff_s", self.backoff_s, above=0)
        check_number("retry.multiplier", self.multiplier, least=1)
        if math.log(self.backoff_s) + max(self.attempts - 2, 0) * math.log(self.multiplier) > math.log(MOST_BACKOFF_S):
            raise ValueError(
                f"retry waits {self.backoff_s} s x {self.multiplier} up to {self.attempts - 2} times; "
                f"the longest wait must be at most {MOST_BACKOFF_S:g} s"
            )


UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(duration: float | str) -> float:
    """Return a duration in seconds.

    >>> seconds("8h"), seconds("90s"), seconds(12.5)
    (28800.0, 90.0, 12.5)

    Raises
    ------
    ValueError
        If it is not a positive number, with or without a unit.
    """
    try:
        number, unit = (duration[:-1], UNITS_S[duration[-1]]) if isinstance(duration, str) else (duration, 1)
        found = float(number) * unit
    except (ValueError, KeyError, IndexError):
        found = float("nan")
    if isinstance(duration, bool) or not 0 < found < float("inf"):
        raise ValueError(f"duration is {duration!r}; it must be seconds, or a text such as 90s, 30m, 8h or 7d")
    return found
