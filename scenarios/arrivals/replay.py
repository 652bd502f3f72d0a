"""Replays recorded arrival times, at their own speed or another. The workload says what the queries were.

``scenarios.workloads.trace`` reads token counts from the same file; with ``order=given`` both replay together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from scenarios.arrivals.rates import LEAST, MOST
from scenarios.readers.cells import numbers
from scenarios.readers.files import read
from scenarios.readers.places import files_at, located
from scenarios.readers.traces.reading import foreign
from scenarios.readers.traces.times import EPOCH_S, since_1970
from sim.errors import check_number, note, unknown
from sim.interface import FloatArray, IntArray

COLUMN = "arrival_s"


@dataclass(frozen=True)
class Replay:
    """The times in the column ``arrival_s`` of a CSV or Parquet file, in seconds from 0 on, or of a foreign trace.

    Parameters
    ----------
    path : str
        A CSV, JSON-lines or Parquet file, or a file in one of the formats of ``scenarios.readers.traces``.
    rate_scale : float
        Positive; every gap, also the one from 0 to the first query, is divided by it.
    loop : bool
        Whether the trace begins again after its end, as often as needed: its first query then follows its last one
        after one mean gap, (last - first) / (rows - 1), so every round of n rows takes n mean gaps and the rate stays.
    by_row : bool
        Whether each query comes so long after the one before as its row in the file does, in whatever order rows come,
        so that ``order=blocks`` keeps gaps and lengths together; otherwise the times are of the first rows. The
        workload's rows must be those of the file.
    columns : mapping of str to str or None
        Our columns, each with its name in the file, as in {arrival_s: t}. A file with any is read by the rules of
        ``scenarios.readers.traces.recorded``.

    Raises
    ------
    ValueError
        If the file cannot be read, has no such column, or a time is no number, negative or before the one above it; if
        rate_scale is not positive; if a trace to be looped spans no time. From ``times_s``, if the file has fewer rows
        than there are queries and is not looped.
    OSError
        If there is no such file.
    """

    path: str
    rate_scale: float = 1.0
    loop: bool = False
    by_row: bool = False
    columns: Mapping[str, str] | None = None
    recorded_s: FloatArray = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Read the file and check the times, once."""
        check_number("rate_scale", self.rate_scale, least=LEAST, most=MOST)
        recorded_s = read_times_s(self.path, self.columns)
        if self.loop and self.by_row:
            raise ValueError("arrivals.loop and arrivals.by_row are both true; choose one")
        if self.loop and recorded_s[-1] == recorded_s[0]:
            raise ValueError(f"{self.path} spans no time; to be looped it needs two different times")
        recorded_s.setflags(write=False)
        object.__setattr__(self, "recorded_s", recorded_s)

    @property
    def files(self) -> tuple[Path, ...]:
        """What the times were read from, for the manifest."""
        return files_at(self.path)

    @property
    def times_of_rows(self) -> Callable[[IntArray], FloatArray] | None:
        """From the rows that arrive to their times, if times belong to rows; None otherwise."""
        return self._times_by_row if self.by_row else None

    def _times_by_row(self, rows: IntArray) -> FloatArray:
        if rows.max() >= len(self.recorded_s):
            raise ValueError(
                f"{self.path} has {len(self.recorded_s)} arrivals, and row {rows.max()} of the workload arrives; "
                "arrivals.by_row needs a workload with the rows of that file: trace=FILE has both"
            )
        gaps_s = np.diff(self.recorded_s, prepend=self.recorded_s[0])
        times_s: FloatArray = np.cumsum(gaps_s[rows]) / self.rate_scale
        return times_s

    def times_s(self, n_queries: int, rng: np.random.Generator) -> FloatArray:
        """Return the times (n_queries,); nothing is drawn."""
        n_rows = len(self.recorded_s)
        if not self.loop:
            if n_queries > n_rows:
                raise ValueError(
                    f"{self.path} has {n_rows} arrivals for {n_queries} queries; "
                    "use fewer queries, or let it begin again with arrivals.loop=true"
                )
            return self.recorded_s[:n_queries] / self.rate_scale
        rounds, row = np.divmod(np.arange(n_queries), n_rows)
        mean_gap_s = (self.recorded_s[-1] - self.recorded_s[0]) / (n_rows - 1)
        looped_s: FloatArray = (rounds * (n_rows * mean_gap_s) + self.recorded_s[row]) / self.rate_scale
        return looped_s


def read_times_s(path: str, columns: Mapping[str, str] | None = None) -> FloatArray:
    """Return the times (n_rows,) in a file; raise ValueError for the first that cannot be right."""
    trace = foreign(path, columns)
    if trace is not None:
        if not trace.has_times:
            raise ValueError(
                f"{path} has lengths and no arrival times, so it cannot be replayed; take its lengths at other times: "
                f"workload=trace workload.path={path} arrivals=poisson"
            )
        return np.array(trace.frame[COLUMN])
    frame = read(located(path))
    if COLUMN not in frame.columns:
        raise ValueError(f"{path}: " + unknown("column", COLUMN, [str(column) for column in frame.columns]))
    if len(frame) == 0:
        raise ValueError(f"{path} has no rows; a trace needs at least one")
    times_s = np.array(numbers(frame, COLUMN))
    for row, time_s in ((0, times_s[0]), (len(times_s) - 1, times_s[-1])):
        if not 0 <= time_s < float("inf"):
            raise ValueError(f"{COLUMN!r} is {time_s} in row {row} of {path}; it must be at least 0 and finite")
    if times_s[0] >= EPOCH_S:
        note(f"the times of {path} are since 1970; a run begins with the first of them, at {since_1970(times_s[0])}")
    back = np.flatnonzero(times_s[1:] < times_s[:-1])
    if len(back):
        row = int(back[0]) + 1
        raise ValueError(
            f"{COLUMN!r} is {times_s[row]} in row {row} of {path}, after {times_s[row - 1]}; times must not decrease: "
            f"`switchyard import {path} out=FILE` puts them in order"
        )
    return times_s
