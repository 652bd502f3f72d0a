"""Least frequently used: the answer goes whose prompt was asked for least often."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from scenarios.caches.settings import CacheSettings


@dataclass(frozen=True)
class LeastFrequentlyUsed(CacheSettings):
    """The stored answer goes first whose prompt was asked for least often, hits and misses of the whole run counted.

    Parameters
    ----------
    capacity, capacity_tokens, similarity, lookup_s, expires_s
        See ``CacheSettings``.

    Notes
    -----
    Counts are kept for ever, also of prompts that are not stored, as in arXiv 2306.02003. So a newcomer goes in only if
    it was asked for more often than what it would replace.
    """

    def open(self) -> Frequency:
        """Return the rule's state at the beginning of a run."""
        return Frequency()


class Frequency:
    """How often each prompt was asked for; see ``sim.scenario.Eviction``."""

    def __init__(self) -> None:
        self._count: Counter[int] = Counter()

    def asked(self, prompt: int) -> None:
        """Count."""
        self._count[prompt] += 1

    def answered(self, prompt: int, deployment: int, cost_usd: float, size: float) -> None:
        """Costs do not matter."""

    def worth(self, prompt: int) -> float:
        """Return the count."""
        return float(self._count[prompt])

    def gone(self, prompt: int, evicted: bool) -> None:
        """Keep the count."""
