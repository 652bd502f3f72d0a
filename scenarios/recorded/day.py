"""Reads the record of a day at a gateway (``sim.live.record``), as it was written or as ``import`` keeps it.

docs/live.md has every key. It knows no world.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from scenarios.readers.files import json_records
from sim.errors import UnreadableError, note
from sim.interface import BoolArray, FloatArray, IntArray

VERSION = 1
KINDS = ("day", "query", "answer", "failure", "score")
KEPT_AS = "day"  # the attribute of a frame, and of a Parquet file, that has the first line
OF_DAY = ("version", "mode", "deployments", "budgets_usd", "expected_queries", "seed")
OF_QUERY = ("id", "at_s", "input_tokens", "chosen", "taken", "served", "available", "quality_hat", "cost_hat_usd")
LISTS = ("available", "quality_hat", "cost_hat_usd", "embedding")
OUTCOMES = ("ended_at_s", "cost_usd", "output_tokens", "score", "scored_at_s", "latency_s")
NOBODY = -1


@dataclass(frozen=True)
class Day:
    """A day, a row per query in order of arrival.

    Parameters
    ----------
    path : Path
    about : mapping
        The first line of the record.
    frame : DataFrame
        Columns ``OF_QUERY``, ``embedding``, ``OUTCOMES`` and ``fate``: ``answered``, ``failed``, ``open`` (no answer by
        the end of the record) or ``refused``. Times are in seconds from the first query.
    end_s : float
        Time of the last line.
    """

    path: Path
    about: Mapping[str, Any]
    frame: pd.DataFrame
    end_s: float

    @property
    def names(self) -> list[str]:
        """The deployments."""
        return [str(name) for name in self.about["deployments"]]

    def place(self, column: str) -> IntArray:
        """Return ``chosen``, ``taken`` or ``served`` (n_queries,); ``NOBODY`` for none."""
        values: IntArray = self.frame[column].fillna(NOBODY).to_numpy(dtype=np.int64)
        return values

    def table(self, column: str) -> FloatArray:
        """Return a list of each query as an array (n_queries, n)."""
        return np.array(self.frame[column].tolist(), dtype=np.float64)

    @property
    def available(self) -> BoolArray:
        """Which deployments accepted queries at each (n_queries, n_deployments)."""
        return np.array(self.frame["available"].tolist(), dtype=np.bool_)


def is_record(columns: Any, first: Mapping[str, Any]) -> bool:
    """Return whether a file is a record, by its columns and its first object."""
    return first.get("kind") == "day" or set(OF_QUERY) <= set(columns)


@functools.lru_cache(maxsize=2)
def _read(path: Path, changed_ns: int) -> Day:
    day = of_parquet(path) if path.suffix == ".parquet" else of_lines(path)
    check(day)
    return day


def read_day(path: str | None) -> Day:
    """Read a record.

    Raises
    ------
    UnreadableError
        If none is given, it is none, or a line cannot be right; a last line that is cut off is left out, and a note
        says so.
    OSError
        If there is no such file.
    """
    if path is None:
        raise UnreadableError("workload.path is null; give the record of a day, as in record=FILE")
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    return _read(file, file.stat().st_mtime_ns)


def of_lines(path: Path) -> Day:
    """Return the day that a record has, as it was written."""
    try:
        lines = json_records(path)
    except ValueError as error:
        lines = whole_lines(path, error)
    except UnicodeDecodeError as error:
        raise UnreadableError(f"{path} is no record of a gateway: {error}") from error
    if not lines or lines[0].get("kind") != "day":
        raise UnreadableError(f"{path} is no record of a gateway: its first line must have kind day")
    about = {key: value for key, value in lines[0].items() if key != "kind"}
    rows: dict[int, dict[str, Any]] = {}
    end_s = 0.0
    for number, line in enumerate(lines[1:], start=2):
        kind, where = line.get("kind"), f"line {number} of {path}"
        if kind not in KINDS[1:]:
            raise UnreadableError(f"{where} has kind {kind!r}; it must be one of {', '.join(KINDS[1:])}")
        at_s = line.get("at_s")
        if not isinstance(at_s, int | float) or not math.isfinite(at_s) or at_s < end_s:
            raise UnreadableError(f"{where} has at_s {at_s!r}; it must be a number of at least {end_s}, as above it")
        end_s = float(at_s)
        add(rows, line, where)
    frame = pd.DataFrame(list(rows.values()), columns=[*OF_QUERY, "embedding", *OUTCOMES, "error", "fate"])
    return Day(path, about, frame, end_s)


def whole_lines(path: Path, error: ValueError) -> list[dict[str, Any]]:
    """Return the lines of a record whose last one is cut off, as when a process ends; else raise what was wrong."""
    *whole, last = path.read_text(encoding="utf-8").rstrip("\n").split("\n")
    try:
        lines = [json.loads(line) for line in whole]
    except json.JSONDecodeError:
        raise UnreadableError(str(error)) from error
    if not lines or not all(isinstance(line, dict) for line in lines):
        raise UnreadableError(f"{path} is no record of a gateway: {error}") from error
    note(f"the last line of {path} is cut off after {len(last)} characters and left out")
    return lines


def add(rows: dict[int, dict[str, Any]], line: Mapping[str, Any], where: str) -> None:
    """Add a line to the rows of queries; raise UnreadableError for one that cannot be right."""
    kind, number = line["kind"], line.get("id")
    if kind == "query":
        missing = [key for key in (*OF_QUERY, "embedding") if key not in line]
        if missing or number != len(rows):
            what = f"no {missing[0]}" if missing else f"id {number!r}, where {len(rows)} comes next"
            raise UnreadableError(f"{where} has {what}")
        fate = "refused" if line["served"] is None else "open"
        rows[number] = {key: line.get(key) for key in (*OF_QUERY, "embedding", "error")} | {"fate": fate}
        return
    row = rows.get(number) if isinstance(number, int) else None
    if row is None:
        raise UnreadableError(f"{where} is of query {number!r}, which has not come")
    before = "answered" if kind == "score" else "open"
    if row["fate"] != before or (kind == "score" and row.get("score") is not None):
        raise UnreadableError(f"{where} is another {kind} of query {number}, or comes before its answer")
    if kind == "failure":
        row |= {"fate": "failed", "ended_at_s": line["at_s"]}
    elif kind == "answer":
        score = line.get("score")
        row |= {"fate": "answered", "ended_at_s": line["at_s"], "scored_at_s": None if score is None else line["at_s"]}
        row |= {key: line.get(key) for key in ("cost_usd", "output_tokens", "score", "latency_s")}
    else:
        row |= {"score": line.get("score"), "scored_at_s": line["at_s"]}


def of_parquet(path: Path) -> Day:
    """Return the day that ``import`` has kept."""
    try:
        held = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise UnreadableError(f"cannot read {path} as Parquet: {str(error).splitlines()[0]}") from error
    attributes = json.loads((held.schema.metadata or {}).get(b"PANDAS_ATTRS", b"{}"))
    if KEPT_AS not in attributes or not set(OF_QUERY) <= set(held.column_names):
        raise UnreadableError(f"{path} is no record of a gateway, nor one that switchyard import has kept")
    frame = held.to_pandas()
    about = dict(attributes[KEPT_AS])
    return Day(path, about, frame, float(about.pop("end_s")))


def check(day: Day) -> None:
    """Raise UnreadableError for a day without what a simulation needs, or with a number that cannot be."""
    lacking = [key for key in OF_DAY if key not in day.about]
    if lacking or day.about["version"] != VERSION:
        what = f"has no {lacking[0]}" if lacking else f"is of version {day.about['version']}, not {VERSION}"
        raise UnreadableError(f"the first line of {day.path} {what}")
    if len(day.frame) == 0:
        raise UnreadableError(f"{day.path} has no query")
    n_deployments = len(day.names)
    if n_deployments == 0 or len(day.about["budgets_usd"]) != n_deployments:
        raise UnreadableError(f"{day.path} has {n_deployments} deployments and {len(day.about['budgets_usd'])} budgets")
    for column in ("available", "quality_hat", "cost_hat_usd"):
        wrong = [row for row, cell in enumerate(day.frame[column]) if not is_list(cell, n_deployments)]
        if wrong:
            raise UnreadableError(f"{column} of query {wrong[0]} in {day.path} must be a list of {n_deployments}")
    dim = len(day.frame["embedding"].iloc[0])
    wrong = [row for row, cell in enumerate(day.frame["embedding"]) if not is_list(cell, dim)]
    if wrong:
        raise UnreadableError(f"embedding of query {wrong[0]} in {day.path} must be a list of {dim} numbers")
    for column in ("chosen", "taken", "served"):
        place = day.place(column)
        if ((place < NOBODY) | (place >= n_deployments)).any():
            row = int(np.argmax((place < NOBODY) | (place >= n_deployments)))
            raise UnreadableError(f"{column} of query {row} in {day.path} is {place[row]}; it must be null or an index")


def is_list(cell: object, length: int) -> bool:
    """Return whether a cell is a list of so many numbers."""
    if not isinstance(cell, list | np.ndarray) or len(cell) != length:
        return False
    return all(isinstance(one, bool | int | float | np.number | np.bool_) and math.isfinite(one) for one in cell)
