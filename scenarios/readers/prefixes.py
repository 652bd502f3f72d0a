"""Reads the columns ``prefix_blocks`` and ``session`` of a table or a trace. It knows columns, and no split.

``prefix_blocks`` has a list of whole numbers for each row, the blocks of tokens that its prompt begins with; JSON lines
and Parquet may have it. ``session`` has a name or number; rows of one session are its turns, in their order.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from scenarios.readers.cells import of
from sim.interface import IntArray
from sim.workload.prefixes import Prefixes, check_prefixes

BLOCKS, SESSION = "prefix_blocks", "session"


def read_prefixes(frame: pd.DataFrame, input_tokens: IntArray, block_tokens: int) -> Prefixes | None:
    """Return the prefix blocks of all rows; None for a table without them. An empty cell is no block.

    Raises
    ------
    ValueError
        For the first cell that is no list of whole numbers, or has more blocks than its prompt.
    """
    if BLOCKS not in frame.columns:
        return None
    rows = [blocks_of(cell, row, frame) for row, cell in enumerate(frame[BLOCKS])]
    prefixes = Prefixes.of(rows, block_tokens)
    check_prefixes(prefixes, input_tokens, lambda row: f"row {row} of the table{of(frame)}")
    return prefixes


def blocks_of(cell: object, row: int, frame: pd.DataFrame) -> Iterable[int]:
    """Return the blocks of one cell."""
    if isinstance(cell, list | tuple | np.ndarray):
        if all(isinstance(block, int | np.integer) and 0 <= block < 2**63 for block in cell):
            return [int(block) for block in cell]
    elif cell is None or (isinstance(cell, float) and np.isnan(cell)):
        return ()
    raise ValueError(
        f"{BLOCKS!r} is {str(cell)[:60]!r} in row {row} of the table; it must be a list of whole numbers, at least 0, "
        f"as JSON lines and Parquet can hold{of(frame)}"
    )


def read_sessions(frame: pd.DataFrame) -> IntArray | None:
    """Return a number for each row's session (n_rows,), from 0 as they appear; None for a table without them.

    A row without a session is one of its own.
    """
    if SESSION not in frame.columns:
        return None
    number = pd.factorize(frame[SESSION])[0].astype(np.int64)
    return np.where(number < 0, len(frame) + np.arange(len(frame)), number)
