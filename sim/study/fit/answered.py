"""Checks measured requests to a hosted model, whose server nobody sees. It knows no fitting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sim.errors import unknown
from sim.interface import FloatArray, IntArray
from sim.study.fit.measured import MOST_TOKENS

FEWEST = 20  # requests: two halves of two bins
BY_CLOCK = ("arrival_s", "last_token_s")


@dataclass(frozen=True)
class Answered:
    """Requests that a hosted model answered: arrays (n_requests,).

    Parameters
    ----------
    output_tokens, latency_s
    first_token_s, input_tokens
        None if not measured.
    at_s
        When each was sent, in seconds from some midnight, UTC; None without dates.
    """

    output_tokens: IntArray
    latency_s: FloatArray
    first_token_s: FloatArray | None = None
    input_tokens: IntArray | None = None
    at_s: FloatArray | None = None

    def take(self, chosen: IntArray) -> Answered:
        """Return some of the requests."""
        return Answered(
            self.output_tokens[chosen],
            self.latency_s[chosen],
            *(None if one is None else one[chosen] for one in (self.first_token_s, self.input_tokens, self.at_s)),  # type: ignore[arg-type]
        )


def checked(table: pd.DataFrame, path: str, begins: str | None = None) -> Answered:
    """Return the answered requests of a table: ``output_tokens``, and ``latency_s`` or times of a clock.

    ``latency_s`` is from the request to the last token, and ``first_token_s``, optional, to the first. Instead of
    latencies there may be ``arrival_s`` and ``last_token_s``; then ``first_token_s`` is a time of the same clock.
    ``input_tokens`` is optional.

    Parameters
    ----------
    table : DataFrame
    path : str
        What it is called in messages.
    begins : str or None
        The date at which ``arrival_s`` is 0; None for another clock.

    Raises
    ------
    ValueError
        If a column is missing or a number cannot be, by column and row; or if there are too few requests.
    """
    by_clock = "latency_s" not in table and all(name in table for name in BY_CLOCK)
    for name in ("output_tokens", *(BY_CLOCK if by_clock else ("latency_s",))):
        if name not in table:
            raise ValueError(f"{unknown('column', name, [str(column) for column in table.columns])} (in {path})")
    if len(table) < FEWEST:
        raise ValueError(f"{path} has {len(table)} rows; a fit and its check need at least {FEWEST}")

    def column(name: str) -> FloatArray:
        values = pd.to_numeric(table[name], errors="coerce").to_numpy(np.float64, na_value=np.nan)
        refuse(~np.isfinite(values), name, "a finite number")
        return values

    def refuse(bad: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], name: str, right: str) -> None:
        if bad.any():
            row = int(np.argmax(bad))
            raise ValueError(f"{name} is {str(table[name].iloc[row])!r} in row {row} of {path}; it must be {right}")

    def counts(name: str) -> IntArray:
        tokens = column(name)
        whole = (tokens >= 0) & (tokens <= MOST_TOKENS) & (tokens == np.floor(tokens))
        refuse(~whole, name, f"a whole number of at least 0 and at most {MOST_TOKENS}")
        return tokens.astype(np.int64)

    arrival_s = column("arrival_s") if by_clock else np.zeros(len(table))
    latency_s = column("last_token_s" if by_clock else "latency_s") - arrival_s
    refuse(latency_s <= 0, "last_token_s" if by_clock else "latency_s", "above " + ("arrival_s" if by_clock else "0"))
    first_s = None
    if "first_token_s" in table:
        first_s = column("first_token_s") - arrival_s
        refuse((first_s < 0) | (first_s > latency_s), "first_token_s", "between the request and its last token")
    at_s = None
    if begins is not None and "arrival_s" in table:
        at_s = column("arrival_s") + since_midnight_s(begins)
    inputs = counts("input_tokens") if "input_tokens" in table else None
    return Answered(counts("output_tokens"), latency_s, first_s, inputs, at_s)


def since_midnight_s(begins: str) -> float:
    """Return the time of a date, perhaps with seconds added, from a midnight that is the same for all dates, UTC.

    >>> since_midnight_s("2000-01-02 01:00:00+00:00 + 30 s")
    90030.0
    """
    date, _, more = begins.partition(" + ")
    stamp = pd.Timestamp(date)
    stamp = stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp.tz_convert("UTC")
    added = sum(float(one.removesuffix(" s")) for one in more.split(" + ") if one)
    return float((stamp - pd.Timestamp("2000-01-01", tz="UTC")).total_seconds() + added)


def pooled(runs: Sequence[Answered]) -> Answered:
    """Return the requests of all runs together, with what all of them know."""

    def joined(name: str) -> FloatArray | None:
        found = [getattr(run, name) for run in runs]
        return None if any(one is None for one in found) else np.concatenate(found)

    tokens, inputs = np.concatenate([run.output_tokens for run in runs]), joined("input_tokens")
    latency_s = np.concatenate([run.latency_s for run in runs])
    return Answered(tokens, latency_s, joined("first_token_s"), inputs, joined("at_s"))  # type: ignore[arg-type]
