"""Reads a table of requests whose columns the user names, or that is in Switchyard's own form.

The own form has ``arrival_s`` (seconds from any origin, or dates), ``input_tokens`` and ``output_tokens``; optionally
``prefix_blocks``, a list of whole numbers a row, as Parquet keeps lists or as a JSON text in CSV; and the columns of
measured requests, ``first_token_s``, ``last_token_s``, ``latency_s`` and ``run``. Where there is ``latency_s``, it and
``first_token_s`` are from the request on; else the latter is a time of the clock of ``arrival_s``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import pandas as pd

from scenarios.readers.cells import of
from scenarios.readers.opened import FOLDER, Opened
from scenarios.readers.traces.mooncake import are_blocks
from scenarios.readers.traces.recorded import ARRIVAL, BLOCKS, FIRST, INPUT, LAST, LATENCY, OUTPUT, RUN, Recorded
from scenarios.readers.traces.times import numbers_or_nan, seconds
from sim.errors import unknown

NEEDED = (INPUT, OUTPUT)
KNOWN = (ARRIVAL, *NEEDED, BLOCKS, FIRST, LAST, LATENCY, RUN)


def check_mapping(columns: Mapping[str, str]) -> None:
    """Raise ValueError for a column of ours that there is none of."""
    for name in columns:
        if name not in KNOWN:
            raise ValueError(unknown("column of a trace", name, KNOWN) + f" (in columns={{{name}: {columns[name]}}})")


def read(opened: Opened, columns: Mapping[str, str]) -> Recorded:
    """Return the requests of a table.

    Parameters
    ----------
    opened : Opened
    columns : mapping of str to str
        Our columns, each with its name in the file; one that is not here has our name.

    Raises
    ------
    ValueError
        If the file is no table, a column that is named or needed is missing, or a cell cannot be.
    """
    check_mapping(columns)
    if opened.kind == FOLDER:
        raise ValueError(f"{opened.path} is a folder of no known format")
    there = opened.frame
    names = {ours: columns.get(ours, ours) for ours in KNOWN}
    for ours in (*columns, *NEEDED):
        if names[ours] not in there:
            raise ValueError(unknown("column", names[ours], [str(name) for name in there.columns]) + of(there))
    made: dict[str, object] = {}
    begins = None
    if names[ARRIVAL] in there:
        made[ARRIVAL], begins = seconds(there, names[ARRIVAL])
        first_s = offset_of(there, names[ARRIVAL], begins)
    for ours in (INPUT, OUTPUT, LATENCY, FIRST, LAST, RUN):
        if names[ours] in there:
            values = numbers_or_nan(there, names[ours])
            is_clock = ARRIVAL in made and (ours == LAST or (ours == FIRST and LATENCY not in made))
            made[ours] = values - first_s if is_clock else values
    frame = by_one_clock(pd.DataFrame(made))
    frame.attrs["file"] = str(opened.path)
    if names[BLOCKS] in there:
        frame[BLOCKS] = blocks(there, names[BLOCKS])
    return Recorded(frame, np.zeros(len(frame), dtype=np.bool_), begins)


def by_one_clock(frame: pd.DataFrame) -> pd.DataFrame:
    """Return requests whose latencies stand beside arrivals with times of tokens instead, as others have them."""
    if ARRIVAL not in frame or LATENCY not in frame or LAST in frame:
        return frame
    made = frame.assign(**{LAST: frame[ARRIVAL] + frame[LATENCY]}).drop(columns=LATENCY)
    return made.assign(**{FIRST: frame[ARRIVAL] + frame[FIRST]}) if FIRST in made else made


def offset_of(frame: pd.DataFrame, column: str, begins: str | None) -> float:
    """Return what was taken from numbers in a column, which other times of the same clock lose too."""
    is_number = begins is not None and pd.api.types.is_numeric_dtype(frame[column])
    return float(np.nanmin(frame[column].to_numpy(np.float64))) if is_number else 0.0


def blocks(frame: pd.DataFrame, column: str) -> pd.Series:
    """Return a column of lists of whole numbers; raise ValueError for the first cell that is none."""
    found = frame[column].map(as_list)
    bad = ~found.map(are_blocks).to_numpy(dtype=np.bool_)
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(
            f"{column!r} is {str(frame[column].iloc[row])[:60]!r} in row {row}; "
            f"it must be a list of whole numbers{of(frame)}"
        )
    return found


def as_list(value: object) -> object:
    """Return a cell as a list if it is one: an array, or the JSON text of a list."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    try:
        return json.loads(value) if isinstance(value, str) else value
    except json.JSONDecodeError:
        return value
