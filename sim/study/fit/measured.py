"""Reads measured requests, checks them, and makes latencies of them. It knows no simulator."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from sim.interface import FloatArray, IntArray

TIMES = ("arrival_s", "first_token_s", "last_token_s")
TOKENS = ("input_tokens", "output_tokens")
LATENCIES = ("end_to_end_s", "time_to_first_token_s", "time_per_output_token_s")
MOST_TOKENS = 10**12  # of one request
FIGURES = ("mean", "p95")


@dataclass(frozen=True)
class Measured:
    """Requests in order of arrival: arrays (n_requests,)."""

    arrival_s: FloatArray
    first_token_s: FloatArray
    last_token_s: FloatArray
    input_tokens: IntArray
    output_tokens: IntArray


def read(path: Path) -> Measured:
    """Read measured requests from CSV or Parquet; raise as ``checked`` does, and OSError if there is no such file."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not a file; give the table of measured requests")
    return checked(read_table(path), str(path))


def checked(table: pd.DataFrame, path: str) -> Measured:
    """Return the measured requests of a table.

    Parameters
    ----------
    table : DataFrame
        ``arrival_s``, ``first_token_s``, ``last_token_s`` (times of one clock), ``input_tokens`` and
        ``output_tokens``, a row per request in order of arrival.
    path : str
        What it is called in messages.

    Raises
    ------
    ValueError
        If a column is missing or holds no number, if there are fewer than four rows, or if times are out of order.
    """
    table = table.copy()
    missing = [name for name in (*TIMES, *TOKENS) if name not in table]
    if missing:
        hint = "; service=hosted fits requests without arrival times" if missing[0] == TIMES[0] else ""
        raise ValueError(f"{path} has no column {missing[0]!r}; needed are {', '.join((*TIMES, *TOKENS))}{hint}")
    if len(table) < 4:
        raise ValueError(f"{path} has {len(table)} rows; a fit and its check need at least 4")
    for name in (*TIMES, *TOKENS):
        values = pd.to_numeric(table[name], errors="coerce").to_numpy(np.float64, na_value=np.nan)
        bad = ~np.isfinite(values) | (
            (values != np.floor(values)) | (values > MOST_TOKENS) if name in TOKENS else False
        )
        if bad.any():
            row = int(bad.argmax())
            right = "finite numbers" + (f", whole and at most {MOST_TOKENS}," if name in TOKENS else "")
            cell = str(table[name].iloc[row])
            raise ValueError(f"column {name!r} of {path} must hold {right} in every row; row {row} has {cell!r}")
        table[name] = values
    times = [table[name].to_numpy(np.float64) for name in TIMES]
    tokens = [table[name].to_numpy(np.int64) for name in TOKENS]
    if (np.diff(times[0]) < 0).any():
        row = int(np.argmax(np.diff(times[0]) < 0)) + 1
        raise ValueError(f"arrival_s of {path} decreases at row {row}; rows must be in order of arrival")
    late = (times[0] >= times[1]) | (times[1] > times[2])
    if late.any():
        raise ValueError(f"row {int(late.argmax())} of {path} must have arrival_s < first_token_s <= last_token_s")
    if (tokens[0] < 1).any() or (tokens[1] < 1).any():
        raise ValueError(f"{path} has a request without tokens; input_tokens and output_tokens must be at least 1")
    return Measured(*times, *tokens)


def read_table(path: Path) -> pd.DataFrame:
    """Return a CSV file, perhaps compressed or with semicolons, or else a Parquet file."""
    try:
        if path.name.lower().endswith(".parquet"):
            return pd.read_parquet(path)
        return pd.read_csv(path, sep=None, engine="python")  # which finds out what is between columns
    except Exception as error:  # of whatever library reads it
        line = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"cannot read {path} as CSV or Parquet: {line}") from error


def latencies(measured: Measured, first_token_s: FloatArray, last_token_s: FloatArray) -> pd.DataFrame:
    """Return end to end, to the first token, and per further token (NaN where there is none), a row per request."""
    further = np.where(measured.output_tokens > 1, measured.output_tokens - 1.0, np.nan)
    columns = (
        last_token_s - measured.arrival_s,
        first_token_s - measured.arrival_s,
        (last_token_s - first_token_s) / further,
    )
    return pd.DataFrame(dict(zip(LATENCIES, columns, strict=True)))


def figure(name: str, values: FloatArray) -> float:
    """Return the mean, or the 95th percentile (linear interpolation), of the values there are.

    >>> figure("p95", np.arange(101.0))
    95.0
    """
    there = values[np.isfinite(values)]
    return float(there.mean() if name == "mean" else np.quantile(there, 0.95))
