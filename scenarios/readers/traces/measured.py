"""Makes recorded requests of a load generator's records, one after another. It knows no generator.

Times of tokens stand beside the arrivals, so that ``switchyard fit`` takes what is imported as measured requests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from scenarios.readers.opened import Opened
from scenarios.readers.traces.recorded import ARRIVAL, FIRST, INPUT, LAST, LATENCY, OUTPUT, RUN, Recorded
from scenarios.readers.traces.times import from_numbers

ESTIMATED = "token counts are estimated from the texts, four characters a token, as the file has none"


def recorded(
    opened: Opened,
    requests: Sequence[Mapping[str, Any]],
    failed: Sequence[bool],
    per_second: float = 1.0,
    said: Sequence[str] = (),
) -> Recorded:
    """Return measured requests.

    Parameters
    ----------
    opened : Opened
        Where they are from, for messages.
    requests : sequence of mapping
        Each has ``input_tokens``, ``output_tokens`` and, as far as they are known, ``arrival`` in units of the file,
        and ``first_s`` and ``last_s``, seconds from then to the first and to the last token; where there are several
        runs, ``run``, the number of its own.
    failed : sequence of bool
    per_second : float
        How many units of ``arrival`` make a second.
    said : sequence of str

    Raises
    ------
    ValueError
        If there are no requests, or a value is no number, by its name and request.
    """
    if not requests:
        raise ValueError(f"{opened.path} has no requests")

    def column(name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array([number(request.get(name), name, row, opened) for row, request in enumerate(requests)])

    columns = {INPUT: column(INPUT), OUTPUT: column(OUTPUT)}
    if any(RUN in request for request in requests):
        columns[RUN] = column(RUN)
    arrival, first_s, last_s = column("arrival"), column("first_s"), column("last_s")
    if np.isnan(arrival).all():
        said = [*said, "requests have no arrival times"]
        columns |= {name: found for name, found in ((FIRST, first_s), (LATENCY, last_s)) if not np.isnan(found).all()}
        return Recorded(framed(columns, opened), np.array(failed, dtype=np.bool_), said=said)
    arrival_s, begins = from_numbers(arrival, per_second)
    columns[ARRIVAL] = arrival_s
    for name, since_s in ((FIRST, first_s), (LAST, last_s)):
        if not np.isnan(since_s).all():
            columns[name] = arrival_s + since_s
    return Recorded(framed(columns, opened), np.array(failed, dtype=np.bool_), begins, said=said)


def framed(columns: Mapping[str, Any], opened: Opened) -> pd.DataFrame:
    """Return columns as a frame that knows its file, in the order in which they are written."""
    names = [name for name in (ARRIVAL, INPUT, OUTPUT, FIRST, LAST, LATENCY, RUN) if name in columns]
    frame = pd.DataFrame({name: columns[name] for name in names})
    frame.attrs["file"] = str(opened.path)
    return frame


def number(value: object, name: str, row: int, opened: Opened) -> float:
    """Return a value as a float, NaN for none; raise ValueError for one that is no number."""
    if value is None:
        return np.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} is {str(value)[:60]!r} in request {row} of {opened.path}; it must be a number")
    return float(value)


def each(opened: Opened, records: Sequence[Any], make: Callable[[Any], Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return what is made of each record; raise ValueError, by its number, for one that is not as it should be."""
    made = []
    for row, record in enumerate(records):
        try:
            made.append(make(record))
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            missing = f"has no {error}" if isinstance(error, KeyError) else "is not as it should be"
            raise ValueError(f"request {row} of {opened.path} {missing}") from error
    return made


def tokens_of(text: str) -> int:
    """Estimate the tokens of a text: four characters each, and at least one if there is any text."""
    return max(1, len(text) // 4) if text else 0
