"""When budgets renew themselves, learned from what a run shows of them."""

from __future__ import annotations

import numpy as np

from sim.interface import FloatArray

FEW = 20  # queries: what comes more often than so many is no window, but a flow


class Renewals:
    """When budgets renew themselves, as far as a run has shown.

    Budgets that are given out over time are less than those of the whole run at the first query. When most of them
    rise together, a window has begun: the next one is expected after as long as this one has lasted, and until then as
    many queries a second as came in the last window and this one.

    Parameters
    ----------
    budgets : array (n_deployments,)
        Of the whole run.
    """

    def __init__(self, budgets: FloatArray) -> None:
        self._budgets = budgets
        self._limited = np.isfinite(budgets) & (budgets > 0)
        self._last: FloatArray | None = None
        self._most = np.zeros_like(budgets)
        self._began_s = 0.0
        self._length_s = np.inf
        self._counts = (0, 0)  # queries in the window before, and in this one
        self.are_expected = False

    def see(self, remaining: FloatArray, now_s: float) -> bool:
        """Take note of an arrival, and return whether a window has begun since the one before."""
        before, self._last = self._last, remaining.copy()
        self._most = np.maximum(self._most, remaining)
        self._counts = (self._counts[0], self._counts[1] + 1)
        if before is None:
            self.are_expected = bool((remaining < self._budgets * (1 - 1e-6))[self._limited].any())
            return False
        rose = (remaining > before * (1 + 1e-9))[self._limited]
        if not rose.any() or 2 * rose.sum() < (before < self._most * (1 - 1e-9))[self._limited].sum():
            return False
        self._length_s, self._began_s = now_s - self._began_s, now_s
        self._counts = (self._counts[1] - 1, 1)
        return True

    def queries_to_come(self, now_s: float) -> float | None:
        """Return how many queries will come before the next window, this one included; None where none is known."""
        since_s = now_s - self._began_s
        if self._counts[0] < FEW or since_s > 1.5 * self._length_s:
            return None
        rate = sum(self._counts) / (self._length_s + since_s)
        return max(1.0, rate * (self._length_s - since_s))
