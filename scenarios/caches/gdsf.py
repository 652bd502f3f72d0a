"""Greedy-dual size frequency: frequency x cost / size, and a clock that lets answers grow old."""

from __future__ import annotations

from dataclasses import dataclass

from scenarios.caches.settings import CacheSettings


@dataclass(frozen=True)
class GreedyDualSizeFrequency(CacheSettings):
    """The stored answer goes first whose priority is least: clock + frequency x cost / size.

    Parameters
    ----------
    capacity, capacity_tokens, similarity, lookup_s, expires_s
        See ``CacheSettings``.

    Notes
    -----
    A priority is computed when its answer is stored and whenever it is given. The clock L begins at 0 and is the
    highest priority that was ever evicted, so what is not given again falls behind newcomers:

        priority = L + frequency x cost_usd / size

    Frequency counts from 1 when an answer is stored, and is lost with it. Size is in tokens of prompt and answer if
    the capacity is, else 1. A newcomer whose priority is not above those that would have to go is not stored, and the
    clock stays. L. Cherkasova, Improving WWW Proxies Performance with Greedy-Dual-Size-Frequency Caching Policy, HP
    Laboratories HPL-98-69R1, 1998.
    """

    def open(self) -> Priorities:
        """Return the rule's state at the beginning of a run."""
        return Priorities()


class Priorities:
    """The priority of each stored answer, and the clock; see ``sim.scenario.Eviction``."""

    def __init__(self) -> None:
        self._clock = 0.0
        self._frequency: dict[int, int] = {}
        self._density: dict[int, float] = {}  # cost over size
        self._priority: dict[int, float] = {}

    def asked(self, prompt: int) -> None:
        """Count, if the answer is stored."""
        if prompt in self._frequency:
            self._frequency[prompt] += 1
            self._rank(prompt)

    def answered(self, prompt: int, deployment: int, cost_usd: float, size: float) -> None:
        """Begin to count, or go on with a newer answer."""
        self._frequency.setdefault(prompt, 1)
        self._density[prompt] = cost_usd / size
        self._rank(prompt)

    def worth(self, prompt: int) -> float:
        """Return the priority."""
        return self._priority[prompt]

    def gone(self, prompt: int, evicted: bool) -> None:
        """Forget the prompt; an eviction moves the clock."""
        if evicted:
            self._clock = max(self._clock, self._priority[prompt])
        del self._frequency[prompt], self._density[prompt], self._priority[prompt]

    def _rank(self, prompt: int) -> None:
        self._priority[prompt] = self._clock + self._frequency[prompt] * self._density[prompt]
