"""Holds which prefixes of prompts somebody has, as blocks of tokens, and gives every session a place of its own.

A replica keeps what it has prefilled in such a tree, and a router what it has sent to a deployment. It knows no clock.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol

ROOT = 0
MASK = 2**64 - 1
OF_SESSIONS = 1  # so that session 5 and block 5 are two keys


class Prefixed(Protocol):
    """What is asked of a query."""

    @property
    def prefix_blocks(self) -> Sequence[int]:
        """The blocks that its prompt begins with."""
        ...

    @property
    def session(self) -> int | None:
        """The conversation that it is a turn of; None without."""
        ...


class PrefixTree:
    """The blocks that are held, each after the blocks before it; the least recently used is dropped first.

    A block is used with all blocks before it, and counts as used just before these. So no block is dropped before those
    that come after it: a leaf goes first.

    Parameters
    ----------
    capacity : int or None
        Most blocks; None for any number.

    Examples
    --------
    >>> tree = PrefixTree(3)
    >>> tree.add([1, 2, 3])
    >>> tree.held([1, 2, 9]), tree.held([2, 3])  # what follows a block that is not held is no prefix
    (2, 0)
    >>> tree.add([1, 7])  # the last block of the longer prompt makes room
    >>> tree.held([1, 2, 3]), tree.held([1, 7])
    (2, 2)
    """

    def __init__(self, capacity: int | None = None) -> None:
        self._capacity = capacity
        self.clear()

    def __len__(self) -> int:
        return len(self._used)

    def clear(self) -> None:
        """Drop everything."""
        self._next = ROOT + 1
        self._after: dict[tuple[int, int], int] = {}  # from a node and a block to the node that follows
        self._used: OrderedDict[int, tuple[tuple[int, int], float]] = OrderedDict()  # the least recently used first

    def held(self, blocks: Sequence[int]) -> int:
        """Return how many of these blocks, from the first on, are held; nothing counts as used."""
        node, after = ROOT, self._after
        for n_held, block in enumerate(blocks):
            following = after.get((node, block))
            if following is None:
                return n_held
            node = following
        return len(blocks)

    def add(self, blocks: Sequence[int], now_s: float = 0.0) -> None:
        """Hold these blocks, or as many of the first as there is room for, and count them as used now."""
        path, node, after, used = [], ROOT, self._after, self._used
        for block in blocks if self._capacity is None else blocks[: self._capacity]:
            key = (node, block)
            following = after.get(key)
            if following is None:
                after[key] = following = self._next
                self._next += 1
            path.append((following, key))
            node = following
        for node, key in reversed(path):
            used[node] = (key, now_s)
            used.move_to_end(node)
        while self._capacity is not None and len(used) > self._capacity:
            self._drop()

    def forget(self, before_s: float) -> None:
        """Drop what was used last before a time."""
        while self._used and next(iter(self._used.values()))[1] < before_s:
            self._drop()

    def _drop(self) -> None:
        _, (key, _) = self._used.popitem(last=False)
        del self._after[key]


def prefix_key(query: Prefixed, n_blocks: int) -> int | None:
    """Return a number that queries of one session share, or else of the same first blocks; None without both."""
    if query.session is not None:
        return mixed(query.session, OF_SESSIONS)
    key = None
    for block in query.prefix_blocks[:n_blocks]:
        key = mixed(block, 0 if key is None else key)
    return key


def place_of(key: int, numbers: Sequence[int]) -> int:
    """Return which of these numbers a key belongs to, by rendezvous hashing.

    Every key ranks all numbers in an order of its own, so that when a number is missing only its keys go elsewhere
    (Thaler and Ravishankar 1998, Using name-based mappings to increase hit rates).

    >>> first = [place_of(key, [0, 1, 2]) for key in range(300)]
    >>> [first.count(number) for number in range(3)]
    [93, 96, 111]
    >>> second = [place_of(key, [0, 2]) for key in range(300)]
    >>> all(new == old for new, old in zip(second, first) if old != 1)
    True
    """
    return max(numbers, key=lambda number: mixed(key, number))


def mixed(value: int, salt: int) -> int:
    """Return 64 bits that depend on both numbers and look random: SplitMix64 (Steele, Lea and Flood 2014), twice."""
    return scrambled(value ^ scrambled(salt))


def scrambled(value: int) -> int:
    """Return the output of SplitMix64 for a state."""
    value = (value + 0x9E3779B97F4A7C15) & MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)
