"""Reads measured requests for ``switchyard fit``: the runs in a file of any format of traces, or in a table of our own.

It does not parse: foreign files are read by ``scenarios.readers.traces``, and a plain table is handed on as it is, so
that whoever checks it can name a bad cell by its row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from scenarios.readers.opened import FOLDER, Opened
from scenarios.readers.places import located
from scenarios.readers.traces.own import by_one_clock
from scenarios.readers.traces.reading import is_foreign, read, sentences
from scenarios.readers.traces.recorded import ARRIVAL, FIRST, LAST, LATENCY, OUTPUT, RUN
from scenarios.readers.traces.times import from_numbers, is_text
from sim.errors import UnreadableError

COLUMNS = (ARRIVAL, FIRST, LAST, LATENCY, OUTPUT)


@dataclass(frozen=True)
class MeasuredRun:
    """The requests of one run of a load generator.

    Parameters
    ----------
    name : str
        The file's name, with the number of the run where the file has several.
    frame : DataFrame
        The columns of ``scenarios.readers.traces.recorded.Recorded`` that the file has.
    begins : str or None
        The date at which ``arrival_s`` is 0, as ISO 8601 has it, where the file has dates; None for another clock.
    said : sequence of str
        What was done to the rows, a clause each.
    """

    name: str
    frame: pd.DataFrame
    begins: str | None = None
    said: Sequence[str] = ()


def measured_runs(
    path: str, columns: Mapping[str, str] | None = None, format: str | None = None
) -> tuple[MeasuredRun, ...]:
    """Return the runs that a file holds, one or more.

    Parameters
    ----------
    path : str
    columns : mapping of str to str or None
        Our columns, each with its name in the file.
    format : str or None
        The format; None finds out.

    Raises
    ------
    UnreadableError
        If the file cannot be read, is of no known format and lacks our columns, or has no single requests.
    OSError
        If there is no such file.
    """
    file = located(path)
    if not file.exists():
        raise FileNotFoundError(f"there is no file {file}")
    if columns or format is not None or is_foreign(file):
        source = read(path, columns, format)
        begins = source.trace.begins
        date = None if begins is None or (begins.endswith(" s") and " + " not in begins) else begins
        said = (f"read as {source.what}", *sentences(source.trace))
        whole = with_times(MeasuredRun(file.name, source.trace.frame, date, said))
    else:
        whole = plain(Opened(file))
    return tuple(parts(whole))


def plain(opened: Opened) -> MeasuredRun:
    """Return a table in our own form, dates as seconds; raise UnreadableError if it is no table of requests."""
    try:
        known = [name for name in COLUMNS if name in opened.columns]
        if opened.kind == FOLDER or not known:
            right = "needed are input_tokens, output_tokens and times; columns={arrival_s: t, ...} names other columns"
            raise ValueError(f"{opened.path} is {opened.described()}, which is no file of measured requests; {right}")
        frame, begins = opened.frame, None
        if ARRIVAL in frame and (is_text(frame[ARRIVAL]) or pd.api.types.is_datetime64_any_dtype(frame[ARRIVAL])):
            frame, begins = dated(opened)
        elif ARRIVAL in frame and numeric(frame, ARRIVAL) and len(frame):
            begins = from_numbers(frame[ARRIVAL].to_numpy(np.float64))[1]
            if begins is not None:
                clock = (ARRIVAL,) if LATENCY in frame else (ARRIVAL, FIRST, LAST)
                first_s = float(frame[ARRIVAL].min())
                there = [name for name in clock if name in frame and numeric(frame, name)]
                frame = frame.assign(**{name: frame[name] - first_s for name in there})
        is_whole = all(numeric(frame, name) for name in (ARRIVAL, FIRST, LATENCY) if name in frame)
        return MeasuredRun(opened.path.name, by_one_clock(frame) if is_whole else frame, begins)
    except ValueError as error:
        raise UnreadableError(str(error)) from error


def with_times(whole: MeasuredRun) -> MeasuredRun:
    """Return those requests of which all times are known that the file has of others."""
    times = [name for name in (FIRST, LAST, LATENCY) if name in whole.frame]
    known = whole.frame[times].notna().all(axis=1)
    if known.all() or not known.any():
        return whole
    said = (*whole.said, f"{int((~known).sum())} left out, without a time that others have")
    return replace(whole, frame=whole.frame[known].reset_index(drop=True), said=said)


def numeric(frame: pd.DataFrame, name: str) -> bool:
    """Return whether a column holds numbers."""
    return bool(pd.api.types.is_numeric_dtype(frame[name]))


def dated(opened: Opened) -> tuple[pd.DataFrame, str | None]:
    """Return a table whose times are dates, as seconds from the first arrival on, and the date of that."""
    frame = opened.frame
    dates = pd.to_datetime(frame[ARRIVAL], format="ISO8601", utc=True, errors="coerce")
    if dates.isna().any():
        row = int(np.argmax(dates.isna().to_numpy()))
        cell = str(frame[ARRIVAL].iloc[row])
        raise ValueError(f"{ARRIVAL} of {opened.path} is {cell!r} in row {row}; it must be a date or a number")
    first = dates.min()
    made = frame.assign(**{ARRIVAL: (dates - first).dt.total_seconds()})
    for name in (FIRST, LAST):
        if name in frame and not numeric(frame, name):
            made[name] = (
                pd.to_datetime(frame[name], format="ISO8601", utc=True, errors="coerce") - first
            ).dt.total_seconds()
    return made, str(first)


def parts(whole: MeasuredRun) -> list[MeasuredRun]:
    """Return the runs of a file, each with a clock of its own that begins with its first request."""
    if RUN not in whole.frame:
        return [whole]
    found: list[MeasuredRun] = []
    for number, frame in whole.frame.groupby(RUN, sort=True):
        part = frame.drop(columns=RUN).reset_index(drop=True)
        begins = whole.begins
        if ARRIVAL in part and numeric(part, ARRIVAL):
            first_s = float(part[ARRIVAL].min())
            clock = [name for name in (ARRIVAL, FIRST, LAST) if name in part and numeric(part, name)]
            part = part.assign(**{name: part[name] - first_s for name in clock})
            begins = None if begins is None else f"{begins} + {first_s:g} s"
        said = whole.said if not found else ()
        found.append(MeasuredRun(f"{whole.name}[{number}]".replace(".0]", "]"), part, begins, said))
    return found
