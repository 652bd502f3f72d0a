"""Imports a foreign file: what it is, what was seen and dropped, and the same in our own form. It writes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from scenarios.readers.cells import of
from scenarios.readers.columns import COST, TOKENS
from scenarios.readers.opened import LINES, PARQUET, Opened
from scenarios.readers.places import located
from scenarios.readers.tables import reading as tables
from scenarios.readers.tables.answers import FREE, Table, charged
from scenarios.readers.tables.pricing import models_of, with_prices
from scenarios.readers.traces import own
from scenarios.readers.traces import reading as traces
from scenarios.readers.traces.recorded import BLOCKS, FIRST, LAST, LATENCY, Trace, figures
from scenarios.recorded import importing as records
from scenarios.recorded.day import KEPT_AS, Day, is_record, read_day
from sim.errors import UnreadableError, unknown


@dataclass(frozen=True)
class Imported:
    """What was read.

    Parameters
    ----------
    frame : DataFrame
        In our own form.
    lines : sequence of tuple of str
        What was seen: a name and what is to be said of it.
    uses : sequence of str
        Commands that use the file that is written, with ``FILE`` in its place.
    story : mapping
        The same as ``lines`` in figures: format, rows read, rows dropped by reason.
    """

    frame: pd.DataFrame
    lines: list[tuple[str, str]]
    uses: list[str]
    story: dict[str, Any] = field(default_factory=dict)

    @property
    def flat(self) -> pd.DataFrame:
        """The frame as CSV can keep it: lists as JSON texts; raise UnreadableError for the record of a gateway."""
        if KEPT_AS in self.frame.attrs:
            raise UnreadableError("CSV cannot keep what a record says of its day; let out end in .parquet")
        return self.frame.assign(**{BLOCKS: self.frame[BLOCKS].map(json.dumps)}) if BLOCKS in self.frame else self.frame


def imported(
    path: str,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    duplicates: str = "keep",
    prices: str | None = None,
    price_as: Mapping[str, str] | None = None,
) -> Imported:
    """Read a trace or a routing table of any known format.

    Parameters
    ----------
    path : str
    format : str or None
        Its name; None finds out. ``table`` is a trace with our columns, or with those that ``columns`` names.
    columns : mapping of str to str or None
        Of a trace: our columns, each with its name in the file.
    duplicates : str
        Of a trace: ``keep`` or ``drop`` requests that equal an earlier one in every column.
    prices : str or None
        Of a routing table: a price list; ``none`` charges nothing; None takes the file's costs.
    price_as : mapping of str to str or None
        Names of models in the price list, where they are other ones.

    Raises
    ------
    UnreadableError
        If the file is of no known format, or not as its format has it.
    OSError
        If there is no such file.
    """
    if format in (None, records.FORMAT) and not columns:
        day = record_at(path)
        if day is not None:
            return Imported(*records.told(day))
        if format is not None:
            raise UnreadableError(f"{path} is no record of a gateway: its first line must have kind day")
    known = [traces.OWN, records.FORMAT, *(one.name for one in traces.FORMATS), *(one.name for one in tables.FORMATS)]
    if format is not None and format not in known:
        raise ValueError(unknown("format", format, known))
    is_table = format in [one.name for one in tables.FORMATS]
    found = tables.read(path, format, prices, price_as) if is_table or (format is None and not columns) else None
    if found is not None:
        return of_table(found.table, found.format, found.what)
    try:
        opened = Opened(located(path))
        is_plain = format is None and not columns and bool(models_of(opened.columns))
    except ValueError as error:
        raise UnreadableError(str(error)) from error
    is_told = format is not None or bool(columns) or set(own.NEEDED) <= set(opened.columns)
    if is_plain and not is_told:
        return of_own(opened, prices, price_as)
    if not is_told and not traces.is_foreign(opened.path):
        raise UnreadableError(traces.unrecognised(opened, [*known[2:], records.FORMAT]))
    if prices is not None or price_as is not None:
        raise ValueError(
            f"prices are for routing tables, and {path} is none; workload.prices=FILE prices a trace's models"
        )
    source = traces.read(path, columns, format, duplicates)
    return of_trace(source.trace, source.format, source.what)


def record_at(path: str) -> Day | None:
    """Return the day of which a file is the record; None for another file."""
    try:
        opened = Opened(located(path))
        is_one = opened.kind in (LINES, PARQUET) and is_record(opened.columns, opened.first)
    except ValueError:
        return None  # what is wrong with it is said by whoever reads it
    return read_day(str(located(path))) if is_one else None


def of_trace(trace: Trace, name: str, what: str) -> Imported:
    """Return what is to be said of a trace, and what may be done with it."""
    seen = figures(trace)
    lines = [("format", f"{name}: {what}"), ("rows", f"{trace.n_read} read, {len(trace.frame)} kept")]
    lines += [("dropped", f"{count} {reason}") for reason, count in trace.dropped.items()] or [("dropped", "none")]
    if trace.n_alike:
        lines.append(
            ("kept", f"{trace.n_alike} that equal an earlier one in every column (duplicates=drop drops them)")
        )
    if trace.n_unsorted:
        lines.append(("order", f"{trace.n_unsorted} came before the one above them; all are put in order of time"))
    uses = []
    if trace.has_times:
        begins = "" if trace.begins is None else f"; times begin at 0 with the first, which came at {trace.begins}"
        lines.append(("span", f"{seen['span_s']:.6g} s{begins}"))
        if "rate_per_s" in seen:
            rate = f"{seen['rate_per_s']:.4g} a second; gaps have a coefficient of variation of {seen['gap_cv']:.4g}"
            lines.append(("rate", rate))
        uses.append("switchyard run trace=FILE")
    else:
        uses.append("switchyard run workload=trace workload.path=FILE arrivals=poisson")
    tokens = f"{seen['mean_input_tokens']:.6g} of input and {seen['mean_output_tokens']:.6g} of output"
    lines += [("tokens", f"{tokens}, on average"), *(("note", one) for one in trace.said)]
    if {FIRST, LAST} <= set(trace.frame):
        uses.append("switchyard fit requests=FILE")
    elif LATENCY in trace.frame:
        uses.append("switchyard fit service=hosted requests=FILE")
    story = {"format": name, "rows_read": trace.n_read, "rows": len(trace.frame), "dropped": trace.dropped}
    return Imported(trace.frame, lines, uses, {**story, "begins": trace.begins, **seen})


def of_table(table: Table, name: str, what: str) -> Imported:
    """Return what is to be said of a routing table, and what may be done with it."""
    frame = table.frame
    lines = [
        ("format", f"{name}: {what}"),
        ("rows", f"{table.n_questions} questions and {table.n_answers} answers read, {len(frame)} questions kept"),
    ]
    lines += [("dropped", f"{count} {reason}") for reason, count in table.dropped.items()] or [("dropped", "none")]
    lines += [("note", one) for one in table.said]
    story = {"format": name, "questions_read": table.n_questions, "rows": len(frame), "dropped": table.dropped}
    return shown(frame, table.models, lines, story)


def of_own(opened: Opened, prices: str | None, price_as: Mapping[str, str] | None) -> Imported:
    """Return a table in our own form, with its costs."""
    try:
        frame = with_prices(opened.frame, prices, price_as)
        lacking = [model for model in models_of(opened.columns) if f"{model}|{COST}" not in frame]
        if lacking:
            raise ValueError(
                f"model {lacking[0]!r} has no costs: prices=FILE charges its tokens, prices={FREE} nothing{of(frame)}"
            )
    except ValueError as error:
        raise UnreadableError(str(error)) from error
    lines = [
        ("format", f"table: {opened.kind} in Switchyard's own form"),
        ("rows", f"{len(frame)} read, {len(frame)} kept"),
    ]
    lines += [] if prices is None else [("note", charged(prices))]
    return shown(frame, tuple(models_of(opened.columns)), lines, {"format": "table", "rows": len(frame)})


def shown(
    frame: pd.DataFrame, models: tuple[str, ...], lines: list[tuple[str, str]], story: dict[str, Any]
) -> Imported:
    """Return a table with a line on each model."""
    for model in models:
        cost, tokens = frame[f"{model}|{COST}"].mean(), frame.get(f"{model}|{TOKENS}")
        said = f"mean score {frame[model].mean():.4g}, {cost:.4g} USD"
        lines.append((model, said + ("" if tokens is None else f", {tokens.mean():.4g} output tokens")))
    n_queries = "" if "split" in frame else f" workload.n_queries={max(1, len(frame) // 2)}"
    uses = [f"switchyard compare workload=table workload.path=FILE{n_queries}"]
    return Imported(frame, lines, uses, {**story, "models": list(models)})
