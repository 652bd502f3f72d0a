"""Least recently used: the answer goes that was not stored or given for the longest time."""

from __future__ import annotations

from dataclasses import dataclass

from scenarios.caches.settings import CacheSettings


@dataclass(frozen=True)
class LeastRecentlyUsed(CacheSettings):
    """The stored answer goes first that has been neither stored nor given for the longest time.

    Parameters
    ----------
    capacity, capacity_tokens, similarity, lookup_s, expires_s
        See ``CacheSettings``.
    """

    def open(self) -> Recency:
        """Return the rule's state at the beginning of a run."""
        return Recency()


class Recency:
    """When each prompt was last of use, as a count of uses; see ``sim.scenario.Eviction``."""

    def __init__(self) -> None:
        self._uses = 0
        self._last: dict[int, int] = {}

    def asked(self, prompt: int) -> None:
        """Take note of a use, if the answer is stored."""
        if prompt in self._last:
            self._uses += 1
            self._last[prompt] = self._uses

    def answered(self, prompt: int, deployment: int, cost_usd: float, size: float) -> None:
        """Take note of a use."""
        self._uses += 1
        self._last[prompt] = self._uses

    def worth(self, prompt: int) -> float:
        """Return the number of the last use."""
        return float(self._last[prompt])

    def gone(self, prompt: int, evicted: bool) -> None:
        """Forget the prompt."""
        del self._last[prompt]
