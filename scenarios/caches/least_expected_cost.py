"""Least expected cost: the answer goes whose prompt would cost least to answer again, by frequency x mean cost."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from scenarios.caches.settings import CacheSettings


@dataclass(frozen=True)
class LeastExpectedCost(CacheSettings):
    """The stored answer goes first whose prompt is expected to cost least: its share of look-ups x its mean cost.

    Parameters
    ----------
    capacity, capacity_tokens, similarity, lookup_s, expires_s
        See ``CacheSettings``.

    Notes
    -----
    worth = count / total x cost (/ size, in tokens, where the capacity is in tokens). The count is of all look-ups of
    the run for the prompt, kept for ever; the total is the same for all prompts and left out. The cost is the mean of
    what answers to the prompt have cost in USD, by deployment, and of these the least. A newcomer goes in only if it is
    worth more than what it would replace. Zhu and others, On Optimal Caching and Model Multiplexing for Large Model
    Inference (arXiv 2306.02003).
    """

    def open(self) -> ExpectedCosts:
        """Return the rule's state at the beginning of a run."""
        return ExpectedCosts()


class ExpectedCosts:
    """How often each prompt was asked for and what its answers cost; see ``sim.scenario.Eviction``."""

    def __init__(self) -> None:
        self._count: Counter[int] = Counter()
        self._paid: dict[int, dict[int, tuple[int, float]]] = {}  # by deployment: how many answers, and their sum
        self._size: dict[int, float] = {}

    def asked(self, prompt: int) -> None:
        """Count."""
        self._count[prompt] += 1

    def answered(self, prompt: int, deployment: int, cost_usd: float, size: float) -> None:
        """Add a cost."""
        paid = self._paid.setdefault(prompt, {})
        n, sum_usd = paid.get(deployment, (0, 0.0))
        paid[deployment] = n + 1, sum_usd + cost_usd
        self._size[prompt] = size

    def worth(self, prompt: int) -> float:
        """Return count x least mean cost / size."""
        cost_usd = min(sum_usd / n for n, sum_usd in self._paid[prompt].values())
        return self._count[prompt] * cost_usd / self._size[prompt]

    def gone(self, prompt: int, evicted: bool) -> None:
        """Keep what is known."""
