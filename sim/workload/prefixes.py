"""Says which blocks of tokens each prompt begins with, so that two prompts with the same first blocks share a prefix.

Blocks are numbers, as ragged rows: one flat array and where each row begins. It knows no cache and no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sim.errors import check_number
from sim.interface import IntArray

BLOCK_TOKENS = 512
"""Tokens of a block where nothing else is said: that of the published trace of Mooncake."""


@dataclass(frozen=True)
class Prefixes:
    """The prefix blocks of rows, which may be taken like an array.

    Parameters
    ----------
    blocks : array (n_blocks,) of int
        The blocks of all rows, one row after the other, each row in the order of its prompt.
    begins : array (n + 1,) of int
        Where in ``blocks`` each row begins; the last is n_blocks.
    block_tokens : int
        Input tokens of a block; the last block of a prompt may have fewer.
    """

    blocks: IntArray
    begins: IntArray
    block_tokens: int = BLOCK_TOKENS

    def __post_init__(self) -> None:
        """Check the size of a block, and make the arrays read-only."""
        check_number("block_tokens", self.block_tokens, least=1)
        self.blocks.setflags(write=False)
        self.begins.setflags(write=False)

    @classmethod
    def of(cls, rows: Iterable[Iterable[int]], block_tokens: int = BLOCK_TOKENS) -> Prefixes:
        """Return the prefixes of rows that are given as lists.

        >>> Prefixes.of([[0, 1, 2], [], [0, 7]]).sizes.tolist()
        [3, 0, 2]
        """
        lists = [list(row) for row in rows]
        begins = np.cumsum([0, *map(len, lists)], dtype=np.int64)
        return cls(np.array([block for row in lists for block in row], dtype=np.int64), begins, block_tokens)

    def __len__(self) -> int:
        return len(self.begins) - 1

    def __getitem__(self, numbers: IntArray) -> Prefixes:
        sizes = self.sizes[numbers]
        begins = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        places = np.arange(begins[-1]) + np.repeat(self.begins[:-1][numbers] - begins[:-1], sizes)
        return Prefixes(self.blocks[places], begins, self.block_tokens)

    @property
    def sizes(self) -> IntArray:
        """How many blocks each row has (n,)."""
        return np.diff(self.begins)

    def rows(self) -> list[tuple[int, ...]]:
        """Return the blocks of each row."""
        blocks, begins = self.blocks.tolist(), self.begins.tolist()
        return [tuple(blocks[begin:end]) for begin, end in pairwise(begins)]


def check_prefixes(prefixes: Prefixes, input_tokens: IntArray, where: Callable[[int], str]) -> None:
    """Raise ValueError for the first row whose blocks cannot be those of its prompt.

    Parameters
    ----------
    prefixes : Prefixes
    input_tokens : array (n,)
    where : callable
        Says in words which row has a number.
    """
    if len(prefixes) != len(input_tokens):
        raise ValueError(
            f"there are prefix blocks of {len(prefixes)} rows and {len(input_tokens)} rows; give each its own"
        )
    most = -(-input_tokens // prefixes.block_tokens)
    bad = prefixes.sizes > most
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(
            f"there are {prefixes.sizes[row]} prefix blocks of {prefixes.block_tokens} tokens in {where(row)}, whose "
            f"prompt has {input_tokens[row]} tokens; it must have at most {most[row]}"
        )
