"""Reads Mooncake's traces (FAST 2025): JSON lines of requests with the blocks of their prompts.

A line has ``timestamp`` (milliseconds), ``input_length``, ``output_length`` and ``hash_ids``, one number for each
block of 512 tokens of the prompt from its beginning, the last one perhaps cut; equal numbers mean equal prompts up to
there. Verified: kvcache-ai/Mooncake (3b5a594), ``mooncake_trace.jsonl``. Traces of the Qwen services at Alibaba have
the same keys and blocks of 16 tokens (not verified). The batch traces beside ServeGen have no ``timestamp`` and are
refused.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from scenarios.readers.cells import of
from scenarios.readers.formats import Format
from scenarios.readers.opened import JSON, LINES, Opened
from scenarios.readers.traces.recorded import ARRIVAL, BLOCKS, INPUT, OUTPUT, Recorded
from scenarios.readers.traces.times import numbers_or_nan, seconds

TIME, LENGTH, ANSWER, HASHES = "timestamp", "input_length", "output_length", "hash_ids"
PER_SECOND = 1000.0


def is_mine(opened: Opened) -> bool:
    """Return whether a record has a length of its input, and hashes or a length of its output."""
    keys = set(opened.columns) if opened.kind in (JSON, LINES) else set()
    return LENGTH in keys and bool(keys & {ANSWER, HASHES})


def read(opened: Opened) -> Recorded:
    """Return the requests; the file says of none that it has failed.

    Raises
    ------
    ValueError
        If a record has no time, no length, or blocks that are no whole numbers.
    """
    frame = opened.frame
    for name in (TIME, LENGTH, ANSWER):
        if name not in frame:
            raise ValueError(
                f"the requests have no {name!r}, so they are no trace: arrivals and both lengths are needed{of(frame)}"
            )
    arrival_s, begins = seconds(frame, TIME, PER_SECOND)
    columns = {ARRIVAL: arrival_s, INPUT: numbers_or_nan(frame, LENGTH), OUTPUT: numbers_or_nan(frame, ANSWER)}
    recorded = pd.DataFrame(columns)
    said = []
    if HASHES in frame:
        bad = ~frame[HASHES].map(are_blocks).to_numpy(dtype=np.bool_)
        if bad.any():
            row = int(np.argmax(bad))
            raise ValueError(
                f"{HASHES!r} is {str(frame[HASHES].iloc[row])[:60]!r} in row {row}; "
                f"it must be a list of whole numbers{of(frame)}"
            )
        recorded[BLOCKS] = frame[HASHES]
        said = ["prefix_blocks are the hash ids of the prompts' blocks, of 512 tokens in Mooncake's files"]
    return Recorded(recorded, np.zeros(len(frame), dtype=np.bool_), begins, said=said)


def are_blocks(value: object) -> bool:
    """Return whether a cell is a list of whole numbers."""
    return isinstance(value, list) and all(isinstance(one, int) and not isinstance(one, bool) for one in value)


MOONCAKE = Format("mooncake", "Mooncake trace with prefix blocks", is_mine, read)
