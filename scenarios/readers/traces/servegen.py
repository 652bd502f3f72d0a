"""Draws a trace of ServeGen's clients (NSDI 2026): a folder of rates and distributions, not of requests.

For each client i there are ``chunk-i-trace.csv``, rows of a window's begin (s), rate (1/s), coefficient of variation,
law (``Gamma`` or ``Weibull``, empty for no requests) and its two parameters, the first of them the shape; and
``chunk-i-dataset.json``, which has by time the probabilities of ``input_tokens`` and ``output_tokens``, each as a text
``{tokens: probability}``. Verified: a trace file, and ServeGen's own loader. Not verified: a data set file.

What is drawn, with a fixed seed: the first day. In each window of each client, gaps have the law with its shape,
scaled to the rate, and lengths are drawn from the newest distributions, input and output independently.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from scenarios.readers.formats import Format
from scenarios.readers.opened import FOLDER, Opened
from scenarios.readers.traces.recorded import ARRIVAL, INPUT, OUTPUT, Recorded
from sim.interface import FloatArray, IntArray

TRACE, LENGTHS = "-trace.csv", "-dataset.json"
COLUMNS = ["begin_s", "rate_per_s", "cv", "law", "shape", "other"]
LAWS = ("Gamma", "Weibull")
DAY_S = 86_400.0
SEED = 0
MOST = 10_000_000  # requests of a day
Law = tuple[IntArray, FloatArray]


def is_mine(opened: Opened) -> bool:
    """Return whether a folder has clients."""
    return opened.kind == FOLDER and any(opened.path.glob(f"chunk-*{TRACE}"))


def read(opened: Opened) -> Recorded:
    """Return the requests that the clients make on the first day.

    Raises
    ------
    ValueError
        If a client's file is missing or not as described above, or the day has too many requests.
    """
    clients = sorted(opened.path.glob(f"chunk-*{TRACE}"), key=number)
    windows = {path: windows_of(path) for path in clients}
    expected = sum(float((one["rate_per_s"] * one["for_s"]).sum()) for one in windows.values())
    if expected > MOST:
        raise ValueError(
            f"the clients in {opened.path} make about {expected:.0f} requests a day, more than {MOST}; "
            "copy some of their files into a folder of their own"
        )
    rng = np.random.default_rng(SEED)
    parts = [part for path in clients for part in drawn(path, windows[path], rng)]
    if not parts:
        raise ValueError(f"the clients in {opened.path} make no request on their first day")
    frame = pd.concat(parts, ignore_index=True)
    frame.attrs["file"] = str(opened.path)
    said = [
        f"the requests are drawn: the first day of {len(clients)} clients, with seed {SEED}, from their rates and laws"
    ]
    frame = frame.sort_values(ARRIVAL, kind="stable", ignore_index=True)
    return Recorded(frame, np.zeros(len(frame), dtype=np.bool_), said=said)


def number(path: Path) -> tuple[int, str]:
    """Return what clients are ordered by: their number."""
    digits = path.name.removeprefix("chunk-").removesuffix(TRACE)
    return (int(digits) if digits.isdigit() else 0, path.name)


def windows_of(path: Path) -> pd.DataFrame:
    """Return the windows of a client on the first day that have requests, each with its length ``for_s``."""
    try:
        frame = pd.read_csv(path, header=None, names=COLUMNS)
        frame = frame.astype({name: np.float64 for name in COLUMNS if name != "law"})
    except (ValueError, pd.errors.ParserError) as error:
        raise ValueError(f"cannot read {path} as a client of ServeGen: {str(error).splitlines()[0]}") from error
    lengths_s = np.diff(frame["begin_s"], append=np.nan)
    frame["for_s"] = np.where(np.isnan(lengths_s), lengths_s[:-1].min(initial=600.0), lengths_s)
    frame = frame[(frame["begin_s"] < DAY_S) & (frame["rate_per_s"] > 0)]
    bad = ~frame["law"].isin(LAWS) | ~(frame["shape"] > 0) | ~(frame["for_s"] > 0)
    if bad.any():
        row = int(frame.index[int(np.argmax(bad.to_numpy()))])
        raise ValueError(f"row {row} of {path} is no window of ServeGen: {', '.join(LAWS)} with a shape above 0")
    return frame


def drawn(path: Path, windows: pd.DataFrame, rng: np.random.Generator) -> Iterator[pd.DataFrame]:
    """Yield the requests of each window of a client for which lengths are known."""
    laws = lengths_of(path.with_name(path.name.replace(TRACE, LENGTHS)))
    for window in windows.to_dict("records"):
        known = [begin_s for begin_s in laws if begin_s <= window["begin_s"]]
        if not known:
            continue
        times_s = arrivals(window["law"], window["shape"], window["rate_per_s"], window["for_s"], rng)
        tokens = {name: rng.choice(law[0], len(times_s), p=law[1]) for name, law in laws[max(known)].items()}
        yield pd.DataFrame({ARRIVAL: window["begin_s"] + times_s, **tokens}).astype({INPUT: float, OUTPUT: float})


def arrivals(law: str, shape: float, rate_per_s: float, for_s: float, rng: np.random.Generator) -> FloatArray:
    """Return the times of a renewal process within a window; a uniform part of the first gap has passed before it."""
    scale_s = 1 / (rate_per_s * (shape if law == "Gamma" else math.gamma(1 + 1 / shape)))
    times_s = np.empty(0)
    begin_s = 0.0
    while begin_s < for_s:
        n = int(rate_per_s * (for_s - begin_s)) + 16
        gaps_s = scale_s * (rng.standard_gamma(shape, n) if law == "Gamma" else rng.weibull(shape, n))
        if not len(times_s):
            gaps_s[0] *= rng.random()
        times_s = np.concatenate([times_s, begin_s + np.cumsum(gaps_s)])
        begin_s = float(times_s[-1])
    return times_s[times_s < for_s]


def lengths_of(path: Path) -> dict[float, dict[str, Law]]:
    """Return by time the tokens (n,) and probabilities (n,) of input and output; times without both are left out."""
    found: dict[float, dict[str, Law]] = {}
    try:
        for begin_s, texts in Opened(path).value.items():
            laws = {name: law_of(texts[name]) for name in (INPUT, OUTPUT)}
            if all(len(law[0]) for law in laws.values()):
                found[float(begin_s)] = laws
    except (AttributeError, KeyError, TypeError, SyntaxError, ValueError) as error:
        raise ValueError(f"cannot read {path} as lengths of ServeGen: {str(error).splitlines()[0]}") from error
    return found


def law_of(text: str) -> Law:
    """Return tokens and probabilities of a text ``{tokens: probability}``."""
    weights: dict[int, float] = ast.literal_eval(text)
    shares = np.array(list(weights.values()), dtype=np.float64)
    return np.array(list(weights), dtype=np.int64), shares / shares.sum() if len(shares) else shares


SERVEGEN = Format("servegen", "ServeGen clients (drawn)", is_mine, read)
