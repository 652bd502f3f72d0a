"""Reads a trace from a file of any known format, or with columns that the user names. It knows which formats there are.

A file in Switchyard's own form is no foreign file: ``foreign`` returns None for it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scenarios.readers.formats import Format, recognised
from scenarios.readers.opened import FOLDER, Opened
from scenarios.readers.places import located
from scenarios.readers.traces import own
from scenarios.readers.traces.aiperf import AIPERF
from scenarios.readers.traces.azure import AZURE
from scenarios.readers.traces.burstgpt import BURSTGPT
from scenarios.readers.traces.genai_perf import GENAI_PERF
from scenarios.readers.traces.guidellm import GUIDELLM
from scenarios.readers.traces.inference_perf import INFERENCE_PERF
from scenarios.readers.traces.llmperf import LLMPERF
from scenarios.readers.traces.mooncake import MOONCAKE
from scenarios.readers.traces.recorded import Recorded, Trace, by_rules
from scenarios.readers.traces.servegen import SERVEGEN
from scenarios.readers.traces.serving.sglang import SGLANG
from scenarios.readers.traces.vllm import VLLM
from sim.errors import UnreadableError, note

FORMATS: tuple[Format[Recorded], ...] = (
    *(AZURE, BURSTGPT, MOONCAKE, SERVEGEN),
    *(SGLANG, VLLM, GUIDELLM, AIPERF, GENAI_PERF, INFERENCE_PERF, LLMPERF),
)
OWN = "table"


@dataclass(frozen=True)
class Source:
    """A trace and what its file was: the name of the format, and what that is."""

    trace: Trace
    format: str
    what: str


def foreign(path: str, columns: Mapping[str, str] | None = None) -> Trace | None:
    """Return the trace in a file that is not in our own form, and note what was done to its rows; else None.

    Parameters
    ----------
    path : str
    columns : mapping of str to str or None
        Our columns, each with its name in the file; a file with any is read by the rules.

    Raises
    ------
    UnreadableError
        If the file is of a known format and not as it should be, or lacks a column that is named.
    OSError
        If there is no such file.
    """
    file = located(path)
    if not columns and (not file.exists() or not is_foreign(file)):
        return None
    source = read(path, columns)
    note(f"{path} is read as {source.what}: {'; '.join(sentences(source.trace))}")
    return source.trace


def is_foreign(file: Path) -> bool:
    """Return whether a file is of a known format; raise UnreadableError if it cannot be read at all."""
    try:
        return recognised(Opened(file), FORMATS) is not None
    except ValueError as error:
        raise UnreadableError(str(error)) from error


def read(
    path: str, columns: Mapping[str, str] | None = None, name: str | None = None, duplicates: str = "keep"
) -> Source:
    """Return the trace in a file.

    Parameters
    ----------
    path : str
    columns : mapping of str to str or None
        Our columns, each with its name in the file.
    name : str or None
        The format; None finds out.
    duplicates : str
        ``keep`` or ``drop``.

    Raises
    ------
    UnreadableError
        If the file is of no known format and lacks our columns, is not as its format has it, or no request is left.
    OSError
        If there is no such file.
    """
    file = located(path)
    if not file.exists():
        raise FileNotFoundError(f"there is no file {file}")
    changed = max(one.stat().st_mtime_ns for one in (file, *(file.iterdir() if file.is_dir() else ())))
    return read_once(file, changed, tuple(sorted((columns or {}).items())), name, duplicates)


@functools.lru_cache(maxsize=2)
def read_once(
    file: Path, changed: int, columns: tuple[tuple[str, str], ...], name: str | None, duplicates: str
) -> Source:
    """Return the trace in a file as it was changed last: times and lengths are asked for one after the other."""
    try:
        opened = Opened(file)
        named = None if name == OWN else recognised(opened, FORMATS, name)
        if columns or named is None:
            if not columns and name is None and not set(own.NEEDED) <= set(opened.columns):
                raise ValueError(unrecognised(opened, [one.name for one in FORMATS], "trace "))
            return Source(by_rules(own.read(opened, dict(columns)), duplicates), OWN, "a table of requests")
        return Source(by_rules(named.read(opened), duplicates), named.name, named.what)
    except ValueError as error:
        raise UnreadableError(str(error)) from error


def unrecognised(opened: Opened, known: Sequence[str], what: str = "") -> str:
    """Return what is wrong with a file of none of the formats that are known, and what would help."""
    hint = "; name a trace's columns, as in columns={arrival_s: t, input_tokens: p, output_tokens: c}"
    return f"{opened.path} is {opened.described()}, which is no {what}file of a known format ({', '.join(known)})" + (
        "" if opened.kind == FOLDER else hint
    )


def sentences(trace: Trace) -> list[str]:
    """Return what was done to the rows of a trace, a clause each."""
    done = [f"{len(trace.frame)} of {trace.n_read} requests"]
    done += [f"{count} dropped, {reason}" for reason, count in trace.dropped.items()]
    if trace.n_unsorted:
        done.append(f"{trace.n_unsorted} came before the one above them, so all are put in order of time")
    if trace.n_alike:
        done.append(f"{trace.n_alike} equal to an earlier one, and kept")
    if trace.begins is not None:
        done.append(f"times begin with the first of them, at {trace.begins}")
    return [*done, *trace.said]
