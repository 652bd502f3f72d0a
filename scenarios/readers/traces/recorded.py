"""Makes a trace of recorded requests by rules that are the same for every format. It knows no format.

The rules, each applied to what the one before it left, and each counted:

1. A request that the file itself says has failed is dropped.
2. A request without a time or a token count is dropped.
3. A request with no input or no output token is dropped: there is nothing to serve.
4. A request that equals an earlier one in every column is kept, as two requests may be alike, or dropped if asked.
5. Requests are put in order of time; those of one time stay in the file's order.
6. Times begin at 0 with the first request that is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from scenarios.readers.cells import MOST_TOKENS, of
from sim.errors import check_one_of
from sim.interface import BoolArray, FloatArray

ARRIVAL, INPUT, OUTPUT, BLOCKS = "arrival_s", "input_tokens", "output_tokens", "prefix_blocks"
FIRST, LAST, LATENCY, RUN = "first_token_s", "last_token_s", "latency_s", "run"
DUPLICATES = ("keep", "drop")


@dataclass(frozen=True)
class Recorded:
    """Requests as a file has them, before the rules.

    Parameters
    ----------
    frame : DataFrame
        ``input_tokens`` and ``output_tokens`` (floats, NaN where there is none); ``arrival_s``, where the file has
        times, in seconds from any origin; optionally ``prefix_blocks`` (lists of whole numbers, the blocks of the
        prompt from its beginning, equal where two prompts are equal up to there); and of measured requests
        ``first_token_s`` and ``last_token_s``, times of the same clock, or without times ``latency_s`` and
        ``first_token_s`` from the request on; and ``run``, where the file has several runs of a load generator, the
        number of the request's own.
    failed : array (n_rows,) of bool
        Which requests the file says have failed.
    begins : str or None
        What the origin of ``arrival_s`` is, as the file writes it; None if the file's times begin at 0.
    failure : str
        By what the file says that a request has failed, in words.
    said : sequence of str
        What else a user should know, a sentence each.
    """

    frame: pd.DataFrame
    failed: BoolArray
    begins: str | None = None
    failure: str = "failed"
    said: Sequence[str] = ()


@dataclass(frozen=True)
class Trace:
    """Requests by the rules, and what was done to get there.

    Parameters
    ----------
    frame : DataFrame
        In order of arrival, the columns of ``Recorded`` that the file has; tokens are whole numbers of at least 1.
    n_read : int
        Requests in the file.
    dropped : dict of str to int
        How many requests were dropped, by reason; only reasons with any.
    n_alike : int
        Kept requests that equal an earlier one in every column.
    n_unsorted : int
        Requests that came before the one above them in the file.
    begins : str or None
        When the first request came, as the file writes it, if not at 0.
    said : sequence of str
    """

    frame: pd.DataFrame
    n_read: int
    dropped: dict[str, int] = field(default_factory=dict)
    n_alike: int = 0
    n_unsorted: int = 0
    begins: str | None = None
    said: Sequence[str] = ()

    @property
    def has_times(self) -> bool:
        """Whether requests have arrival times."""
        return ARRIVAL in self.frame


def by_rules(recorded: Recorded, duplicates: str = "keep") -> Trace:
    """Return the trace of recorded requests.

    Parameters
    ----------
    recorded : Recorded
    duplicates : str
        ``keep`` or ``drop``: what happens to a request that equals an earlier one in every column.

    Raises
    ------
    ValueError
        If a token count or a time is no such number, by column and row, or no request is left.
    """
    check_one_of("duplicates", duplicates, DUPLICATES)
    frame, dropped = recorded.frame, {}
    needed = [name for name in (ARRIVAL, INPUT, OUTPUT) if name in frame]

    def drop(bad: BoolArray, reason: str) -> None:
        nonlocal frame
        if bad.any():
            dropped[reason] = int(bad.sum())
            frame = frame[~bad]

    drop(recorded.failed, recorded.failure)
    drop(frame[needed].isna().any(axis=1).to_numpy(), "without a time or a token count")
    for name in (INPUT, OUTPUT):
        check_counts(frame, name)
    drop(((frame[INPUT] == 0) | (frame[OUTPUT] == 0)).to_numpy(), "without an input or an output token")
    alike = repeated(frame)
    if duplicates == "drop":
        drop(alike, "equal to an earlier one in every column")
    if not len(frame):
        reasons = "; ".join(f"{count} {reason}" for reason, count in dropped.items())
        raise ValueError(f"no request is left of {len(recorded.frame)}{f' ({reasons})' if reasons else ''}{of(frame)}")
    n_unsorted, begins = 0, None
    frame = frame.copy()
    if ARRIVAL in frame:
        times_s = frame[ARRIVAL].to_numpy(np.float64)
        check_times(frame)
        n_unsorted = int((np.diff(times_s) < 0).sum())
        frame = frame.iloc[np.argsort(times_s, kind="stable")]
        first_s = float(frame[ARRIVAL].iloc[0])
        begins = origin(recorded.begins, first_s)
        for name in (ARRIVAL, FIRST, LAST):
            if name in frame:
                frame[name] = frame[name].to_numpy(np.float64) - first_s
    frame = frame.astype({INPUT: np.int64, OUTPUT: np.int64}).reset_index(drop=True)
    n_alike = int(alike.sum()) if duplicates == "keep" else 0
    return Trace(frame, len(recorded.frame), dropped, n_alike, n_unsorted, begins, recorded.said)


def repeated(frame: pd.DataFrame) -> BoolArray:
    """Return which rows (n_rows,) equal an earlier one in every column."""
    plain = frame.assign(**{BLOCKS: frame[BLOCKS].map(tuple)}) if BLOCKS in frame else frame
    return np.asarray(plain.duplicated().to_numpy())


def origin(begins: str | None, first_s: float) -> str | None:
    """Return when the first request came, in words; None if at 0."""
    if begins is None:
        return f"{first_s:g} s" if first_s else None
    return f"{begins} + {first_s:g} s" if first_s else begins


def check_counts(frame: pd.DataFrame, name: str) -> None:
    """Raise ValueError for the first cell that is no count of tokens."""
    values = frame[name].to_numpy(np.float64)
    bad = (values < 0) | (values != np.floor(values)) | (values > MOST_TOKENS)
    if bad.any():
        row = frame.index[int(np.argmax(bad))]
        raise ValueError(
            f"{name} is {values[np.argmax(bad)]:g} in row {row}; "
            f"it must be a whole number of at least 0 and at most {MOST_TOKENS}{of(frame)}"
        )


def check_times(frame: pd.DataFrame) -> None:
    """Raise ValueError for the first arrival time that is not finite."""
    values = frame[ARRIVAL].to_numpy(np.float64)
    if not np.isfinite(values).all():
        row = frame.index[int(np.argmax(~np.isfinite(values)))]
        raise ValueError(f"the time of row {row} is not finite{of(frame)}")


def figures(trace: Trace) -> dict[str, float]:
    """Return rows, span, rate, the gaps' coefficient of variation and mean tokens of a trace, as far as it has them.

    The rate is that of the gaps: (rows - 1) / (last - first). The coefficient of variation is the standard deviation
    of the gaps (of the population: divided by their number) over their mean.
    """
    frame = trace.frame
    found: dict[str, float] = {"rows": len(frame)}
    if trace.has_times:
        times_s: FloatArray = frame[ARRIVAL].to_numpy(np.float64)
        gaps_s = np.diff(times_s)
        found["span_s"] = float(times_s[-1] - times_s[0])
        if found["span_s"] > 0:
            found["rate_per_s"] = len(gaps_s) / found["span_s"]
            found["gap_cv"] = float(gaps_s.std() / gaps_s.mean())
    found["mean_input_tokens"] = float(frame[INPUT].mean())
    found["mean_output_tokens"] = float(frame[OUTPUT].mean())
    return found
