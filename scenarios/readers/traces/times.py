"""Reads times as files write them: seconds, milliseconds, or dates with and without an offset."""

from __future__ import annotations

import numpy as np
import pandas as pd

from scenarios.readers.cells import of
from sim.interface import FloatArray

EPOCH_S = 1e8  # times beyond are seconds since 1970, not since the beginning of a trace
NS = 1_000_000_000


def numbers_or_nan(frame: pd.DataFrame, column: str) -> FloatArray:
    """Return a column (n_rows,) as floats, NaN where a cell is empty; raise ValueError for a cell that is no number."""
    values = frame[column]
    try:
        found = pd.to_numeric(values, errors="coerce").to_numpy(np.float64, na_value=np.nan)
        bad = np.isnan(found) & ~values.isna().to_numpy() & ~values.isin([""]).to_numpy()
    except TypeError:  # a list or an object in a cell
        found, bad = np.empty(len(values)), values.map(lambda value: isinstance(value, list | dict)).to_numpy()
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(f"{column!r} is {str(values.iloc[row])[:60]!r} in row {row}; it must be a number{of(frame)}")
    return found


def seconds(frame: pd.DataFrame, column: str, per_second: float = 1.0) -> tuple[FloatArray, str | None]:
    """Return times (n_rows,) in seconds, and their origin as the file writes it; None for times that begin at 0.

    Parameters
    ----------
    frame : DataFrame
    column : str
        Of numbers, or of dates as ISO 8601 has them; dates without an offset are taken for UTC.
    per_second : float
        How many units of the numbers make a second.

    Raises
    ------
    ValueError
        For a cell that is neither.
    """
    values = frame[column]
    if not (pd.api.types.is_datetime64_any_dtype(values) or is_text(values)):
        return from_numbers(numbers_or_nan(frame, column), per_second)
    dates = pd.to_datetime(values, format="ISO8601", utc=True, errors="coerce")
    bad = dates.isna() & ~values.isna() & (values.astype(str) != "")
    if bad.any():
        row = int(np.argmax(bad.to_numpy()))
        raise ValueError(
            f"{column!r} is {str(values.iloc[row])!r} in row {row}; it must be a number or a date such as "
            f"2024-05-10 00:00:00.009930+00:00{of(frame)}"
        )
    if dates.isna().all():
        return np.full(len(dates), np.nan), None
    ticks = dates.to_numpy(dtype="datetime64[ns]")
    first = int(np.nanargmin(np.where(np.isnat(ticks), np.iinfo(np.int64).max, ticks.view(np.int64))))
    since = (ticks - ticks[first]).astype(np.int64).astype(np.float64)
    return np.where(np.isnat(ticks), np.nan, since / NS), str(values.iloc[first])


def from_numbers(times: FloatArray, per_second: float = 1.0) -> tuple[FloatArray, str | None]:
    """Return numbers (n_rows,) as seconds; those since 1970 from the first of them on, with that date as the origin."""
    if not np.isfinite(times).any() or np.nanmin(times) / per_second < EPOCH_S:
        return times / per_second, None
    first = np.nanmin(times)
    return (times - first) / per_second, since_1970(first / per_second)


def since_1970(time_s: float) -> str:
    """Return the date of a time in seconds since 1970, in UTC.

    >>> since_1970(1700000000.5)
    '2023-11-14 22:13:20.500000+00:00'
    """
    return str(pd.Timestamp(time_s, unit="s", tz="UTC"))


def is_text(values: pd.Series) -> bool:
    """Return whether a column holds texts that are no numbers."""
    there = values.dropna()
    return len(there) > 0 and not pd.api.types.is_numeric_dtype(values) and not is_number(str(there.iloc[0]))


def is_number(text: str) -> bool:
    """Return whether a text is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True
