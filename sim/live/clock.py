"""Tells the time of a day that can be simulated to the last bit. It knows nothing that happens."""

from __future__ import annotations

import time
from collections.abc import Callable

TICKS_PER_S = 2**20
"""Sums and differences of whole multiples of 1 / 2**20 s are exact in binary fractions, for more than 200 years."""


class TickClock:
    """Times since the first event, each a whole number of ticks of about a microsecond and later than the one before.

    So no two events are at one time, and a simulation that adds the gaps between them shows the same times.

    Parameters
    ----------
    seconds : callable
        Returns seconds that never decrease, from any origin.

    Examples
    --------
    >>> clock = TickClock(iter([100.0, 100.5, 100.5]).__next__)
    >>> clock.now_s(), clock.now_s(), clock.now_s() - 0.5 == 1 / TICKS_PER_S
    (0.0, 0.5, True)
    """

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._origin_s: float | None = None
        self._ticks = -1

    def now_s(self) -> float:
        """Return the time of an event that happens now."""
        seconds = self._seconds()
        if self._origin_s is None:
            self._origin_s = seconds
        self._ticks = max(self._ticks + 1, round((seconds - self._origin_s) * TICKS_PER_S))
        return self._ticks / TICKS_PER_S
