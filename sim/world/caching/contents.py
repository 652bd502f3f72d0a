"""Holds what a cache holds: which answers are stored, which goes when there is no room, and which is found.

It knows no clock but the times that it is told, and nothing of queries but their numbers.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sim.caching import CacheRule

if TYPE_CHECKING:
    from sim.world.caching.similar import Similar

SLACK = 64  # entries that are out of date and do no harm


@dataclass(eq=False)
class Stored:
    """An answer in a cache.

    Parameters
    ----------
    prompt : int
    row : int
        The test row of its query.
    query : int
        Number of its query.
    deployments : tuple of int
        Whose answer it is; several if it is a combination.
    score : float
        What it is worth.
    at_s : float
        When it was stored.
    tokens : int
        Of prompt and answer.
    cost_usd : float
        Of the query.
    slot : int
        Its place in the cache, from 0; -1 while it has none.
    ranked : int
        Number of its last ranking.
    """

    prompt: int
    row: int
    query: int
    deployments: tuple[int, ...]
    score: float
    at_s: float
    tokens: int
    cost_usd: float
    slot: int = -1
    ranked: int = -1


class Contents:
    """The answers in a cache.

    Parameters
    ----------
    rule : CacheRule
    similar : Similar or None
        Finds similar prompts; None if they must be the same.

    Notes
    -----
    There is one answer to a prompt, the latest. The least worth goes first; of equally worthy ones the one in the least
    slot. A newcomer takes the least free slot, and so the place of the one that it replaces. It is stored only if it is
    worth more than every answer that would have to go.
    """

    def __init__(self, rule: CacheRule, similar: Similar | None) -> None:
        self._rule = rule.open()
        self._similar = similar
        self._counts_tokens = rule.capacity is None
        self._capacity = (rule.capacity_tokens or 0) if rule.capacity is None else rule.capacity
        self._lasts_s = math.inf if rule.expires_s is None else rule.expires_s
        self._by_prompt: dict[int, Stored] = {}
        self._by_slot: dict[int, Stored] = {}
        self._free: list[int] = []  # slots below the highest that was ever taken
        self._used = 0
        self._in_order: deque[Stored] = deque()  # of storing, so of expiry
        self._ranking: list[tuple[float, int, int]] = []  # a heap of worth, slot and number; some are out of date
        self._n_ranked = 0

    def __len__(self) -> int:
        return len(self._by_prompt)

    def find(self, prompt: int, row: int, now_s: float) -> tuple[Stored, float] | None:
        """Look for an answer, which counts as a look-up; return it and how similar its prompt is, 1 if it is the same.

        Of similar prompts it is the most similar one, and of those the one that was asked first.
        """
        self._drop_expired(now_s)
        found, similarity = self._by_prompt.get(prompt), 1.0
        if found is None and self._similar is not None:
            near = [(similarity, -self._by_slot[slot].query, slot) for slot, similarity in self._similar.near(row)]
            if near:
                similarity, _, slot = max(near)
                found = self._by_slot[slot]
        self._rule.asked(prompt if found is None else found.prompt)
        if found is None:
            return None
        self._rank(found)
        return found, similarity

    def store(self, answer: Stored) -> None:
        """Store an answer if there is room, or if it is worth more than what would have to go."""
        self._drop_expired(answer.at_s)
        size = self._size(answer)
        if size > self._capacity:
            return
        older = self._by_prompt.get(answer.prompt)
        if older is not None:
            self._remove(older)  # the rule goes on with the newer one
        self._rule.answered(answer.prompt, answer.deployments[0], answer.cost_usd, size)
        leaving = self._leaving(self._used + size - self._capacity, self._rule.worth(answer.prompt))
        if leaving is None:
            self._rule.gone(answer.prompt, evicted=False)
            return
        for one in leaving:
            self._remove(one)
            self._rule.gone(one.prompt, evicted=True)
        answer.slot = heapq.heappop(self._free) if self._free else len(self._by_slot)
        self._by_prompt[answer.prompt] = self._by_slot[answer.slot] = answer
        self._used += size
        if self._lasts_s < math.inf:
            self._in_order.append(answer)
        if self._similar is not None:
            self._similar.add(answer.slot, answer.row)
        self._rank(answer)

    def _size(self, answer: Stored) -> int:
        return max(answer.tokens, 1) if self._counts_tokens else 1

    def _leaving(self, excess: int, worth: float) -> list[Stored] | None:
        """Return what has to go to make room for an answer of this worth; None if one of them is worth as much."""
        leaving: list[Stored] = []
        while excess > 0:
            least, slot, number = self._ranking[0]
            one = self._by_slot.get(slot)
            if one is not None and one.ranked == number:
                if least >= worth:
                    break
                leaving.append(one)
                excess -= self._size(one)
            heapq.heappop(self._ranking)
        if excess <= 0:
            return leaving
        for one in leaving:
            self._rank(one)
        return None

    def _remove(self, answer: Stored) -> None:
        del self._by_prompt[answer.prompt], self._by_slot[answer.slot]
        heapq.heappush(self._free, answer.slot)
        self._used -= self._size(answer)
        if self._similar is not None:
            self._similar.remove(answer.slot)
        answer.slot = -1

    def _rank(self, answer: Stored) -> None:
        """Note what an answer is worth now."""
        if len(self._ranking) > 2 * len(self._by_slot) + SLACK:  # most of it is out of date
            self._ranking = [item for item in self._ranking if self._is_current(item)]
            heapq.heapify(self._ranking)
        self._n_ranked += 1
        answer.ranked = self._n_ranked
        heapq.heappush(self._ranking, (self._rule.worth(answer.prompt), answer.slot, answer.ranked))

    def _is_current(self, item: tuple[float, int, int]) -> bool:
        one = self._by_slot.get(item[1])
        return one is not None and one.ranked == item[2]

    def _drop_expired(self, now_s: float) -> None:
        while self._in_order and now_s - self._in_order[0].at_s >= self._lasts_s:
            one = self._in_order.popleft()
            if one.slot >= 0:
                self._remove(one)
                self._rule.gone(one.prompt, evicted=False)
