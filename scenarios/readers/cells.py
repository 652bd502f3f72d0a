"""Turns a table's columns into checked arrays. It knows columns by name, and not what a model is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from sim.errors import check_name, unknown
from sim.interface import FloatArray, IntArray

MOST_TOKENS = 10**12  # of one query
CHARACTERS_PER_TOKEN = 4  # the usual rule of thumb for English text


def of(frame: pd.DataFrame) -> str:
    """Return the name of a frame's file, for the end of a message; nothing if it is not known."""
    return f" (in {frame.attrs['file']})" if "file" in frame.attrs else ""


def is_missing(column: pd.Series) -> pd.Series[bool]:
    """Return which cells (n_rows,) are empty."""
    return column.isna() | column.isin([""])


def numbers(frame: pd.DataFrame, column: str) -> FloatArray:
    """Return a column (n_rows,) as floats; raise ValueError for the first cell that is not a number."""
    values = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isnan(values).any():
        row = int(np.argmax(np.isnan(values)))
        raise ValueError(
            f"{column!r} is {str(frame[column].iloc[row])!r} in row {row} of the table; it must be a number{of(frame)}"
        )
    return values


def whole_numbers(frame: pd.DataFrame, column: str) -> IntArray:
    """Return a column (n_rows,) of counts, such as tokens; raise ValueError for the first cell that is not a count."""
    values = numbers(frame, column)
    bad = (values < 0) | (values != np.floor(values)) | (values > MOST_TOKENS)
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(
            f"{column!r} is {values[row]} in row {row} of the table; "
            f"it must be a whole number of at least 0 and at most {MOST_TOKENS}{of(frame)}"
        )
    return values.astype(np.int64)


def deadlines_s(frame: pd.DataFrame) -> FloatArray:
    """Return the seconds (n_rows,) from each query's arrival to its deadline; infinity for none."""
    due_s = numbers(frame, "due_s")
    if (due_s < 0).any():
        row = int(np.argmax(due_s < 0))
        raise ValueError(f"'due_s' is {due_s[row]} in row {row} of the table; it must be at least 0 seconds{of(frame)}")
    return due_s


def names(frame: pd.DataFrame, column: str) -> np.ndarray[Any, np.dtype[Any]] | None:
    """Return the names (n_rows,) in a column, such as each query's class; None without the column.

    Raises
    ------
    ValueError
        For the first empty cell, or one that could not stand in ``p95_latency_s[NAME]``.
    """
    if column not in frame.columns:
        return None
    empty = is_missing(frame[column])
    if empty.any():
        row = int(np.argmax(empty))
        raise ValueError(
            f"{column!r} is empty in row {row} of the table; give every query one, or leave it out{of(frame)}"
        )
    found = frame[column].astype(str).to_numpy(dtype=object)
    for name in dict.fromkeys(found):
        check_name(column, name)
    return found


def preferences(frame: pd.DataFrame) -> FloatArray:
    """Return the weight of quality against cost (n_rows,) of each query, in [0, 1]."""
    weights = numbers(frame, "preference")
    bad = ~((weights >= 0) & (weights <= 1))
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(f"'preference' is {weights[row]} in row {row} of the table; it must be in [0, 1]{of(frame)}")
    return weights


def input_tokens(frame: pd.DataFrame) -> IntArray:
    """Return input tokens (n_rows,); without such a column, estimated from the prompts."""
    if "input_tokens" in frame.columns:
        return whole_numbers(frame, "input_tokens")
    return text_tokens(prompts(frame))


def text_tokens(texts: pd.Series[str]) -> IntArray:
    """Estimate token counts (n,) from text lengths: four characters a token, and at least one token."""
    return np.maximum(1, texts.str.len().to_numpy(dtype=np.int64) // CHARACTERS_PER_TOKEN)


def prompts(frame: pd.DataFrame) -> pd.Series[str]:
    """Return the prompts (n_rows,); raise ValueError if the table has none."""
    if "prompt" not in frame.columns:
        raise ValueError(unknown("column", "prompt", [str(column) for column in frame.columns]) + of(frame))
    return frame["prompt"].fillna("").astype(str)
