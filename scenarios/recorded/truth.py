"""Makes a workload of a recorded day: what was seen is kept, and what was not asked is filled in by a stated rule.

What is known of a query is the answer of the deployment that served it. Of every other deployment it is taken that it
would have scored and cost what was estimated when the query came, and taken as long as the one that served; nobody
scores such an answer, so no policy hears of a score that is made up.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from scenarios.readers.cells import input_tokens, whole_numbers
from scenarios.readers.columns import COST, TOKENS, find_models
from scenarios.readers.embeddings import HASHING, load_embeddings
from scenarios.readers.files import read
from scenarios.readers.places import located
from scenarios.readers.unified import affordable, in_range, table_of
from scenarios.recorded.day import NOBODY, Day, read_day
from sim.errors import UnreadableError, note
from sim.interface import FloatArray
from sim.workload import Rows, Workload

PAUSE_S = 1.0
"""How long after the last line a call breaks off that has no answer by then, so that it is in flight all the time."""


def history_rows(
    path: str,
    embeddings: str | None,
    models: Sequence[str],
    prices_usd: Sequence[Sequence[float]] = (),
) -> Rows:
    """Return the history of a table in the unified schema: its history rows, or all where it has no ``split``.

    Parameters
    ----------
    path : str
    embeddings : str or None
        A ``.npy`` file, ``hashing``, or None for hashed words of the prompts.
    models : sequence of str
        For each deployment, the model of the table that answers there; several may have the same one.
    prices_usd : sequence of (float, float)
        What an input and an output token cost at each deployment, in the place of the costs of the table, where it has
        the model's output tokens; empty for its costs.

    Raises
    ------
    ValueError
        If a model is not in the table, or a value cannot be right.
    OSError
        If there is no such file.
    """
    frame = read(located(path))
    where = f" (in {path})"
    find_models([str(column) for column in frame.columns], list(dict.fromkeys(models)), (), where)
    vectors = load_embeddings(frame, embeddings, None)
    kept = np.arange(len(frame))
    if "split" in frame.columns:
        kept = np.flatnonzero((frame["split"] == "history").to_numpy())
    if len(kept) == 0:
        raise ValueError(f"{path} has no history rows; its column 'split' must say history in some")
    asked, cost_usd = input_tokens(frame), table_of(frame, [f"{model}|{COST}" for model in models])
    for k, (model, prices) in enumerate(zip(models, prices_usd, strict=False)):
        if f"{model}|{TOKENS}" in frame.columns:
            cost_usd[:, k] = asked * prices[0] + whole_numbers(frame, f"{model}|{TOKENS}") * prices[1]
    return Rows(
        embeddings=vectors[kept],
        input_tokens=asked[kept],
        quality=in_range(frame, models, table_of(frame, models), "strict")[kept],
        cost_usd=affordable(frame, models, cost_usd)[kept],
    )


def columns_of(path: str) -> list[str]:
    """Return the names of a table's columns."""
    return [str(column) for column in read(located(path)).columns]


def recorded(
    path: str | None = None,
    history: str | None = None,
    embeddings: str | None = None,
    models: Sequence[str] | None = None,
) -> Workload:
    """Return the queries of a recorded day, with the history that its estimates were learned from.

    Parameters
    ----------
    path : str or None
        A record, or what ``switchyard import`` made of it.
    history : str or None
        Its history, a table in the unified schema; None for the one that the record names.
    embeddings : str or None
        Of the history: a ``.npy`` file or ``hashing``; None for what the record names.
    models : sequence of str or None
        For each deployment, its model in the history; None for what the record names.

    Raises
    ------
    UnreadableError
        If the file is no record, or the history does not fit it.
    OSError
        If there is no such file.
    """
    day = read_day(path)
    columns = list(models or day.about.get("history_models") or day.names)
    source = history or day.about.get("history")
    if source is None:
        raise UnreadableError(f"{path} names no history; give the table with workload.history=FILE")
    if len(columns) != len(day.names):
        raise UnreadableError(
            f"workload.models has {len(columns)} names; it must have {len(day.names)}, one for each of "
            f"{', '.join(day.names)}"
        )
    of_history = embeddings or (None if history else day.about.get("history_embeddings"))
    known = history_rows(str(source), of_history, columns, day.about.get("token_prices_usd") or ())
    test = of_day(day)
    if known.embeddings.shape[1] != test.embeddings.shape[1]:
        raise UnreadableError(
            f"the queries of {path} have embeddings of {test.embeddings.shape[1]} numbers, and its history {source} "
            f"of {known.embeddings.shape[1]}; workload.embeddings=FILE.npy names those of the history"
        )
    n_scored = int(day.frame["score"].notna().sum())
    if n_scored < len(day.frame):
        note(
            f"{n_scored} of {len(day.frame)} answers of {path} have a score; in the place of every other one stands "
            "the estimate of that day"
        )
    files = [day.path, located(str(source)), *([Path(of_history)] if of_history not in (None, HASHING) else [])]
    return Workload(
        models=tuple(day.names),
        history=known,
        test=test,
        files=tuple(files),
        horizon=int(day.about["expected_queries"]),
    )


def of_day(day: Day) -> Rows:
    """Return the queries of a day with the outcome at every deployment, see above."""
    frame, served = day.frame, day.place("served")
    n_queries = np.arange(len(frame))
    arrived_s = number(frame, "at_s")
    ended_s, scored_s = number(frame, "ended_at_s"), number(frame, "scored_at_s")
    quality = np.clip(day.table("quality_hat"), 0.0, 1.0)
    cost_usd = np.maximum(day.table("cost_hat_usd"), 0.0)
    scored_after_s = np.full(quality.shape, np.nan)
    is_scored, is_answered = ~np.isnan(scored_s), (frame["fate"] == "answered").to_numpy()
    real = n_queries[is_answered], served[is_answered]
    cost_usd[real] = number(frame, "cost_usd")[is_answered]
    graded = n_queries[is_scored], served[is_scored]
    quality[graded] = number(frame, "score")[is_scored]
    scored_after_s[graded] = (scored_s - ended_s)[is_scored]
    took_s = ended_s - arrived_s
    usual_s = float(np.median(took_s[is_answered])) if is_answered.any() else PAUSE_S
    breaks_s = np.where((frame["fate"] == "failed").to_numpy(), took_s, np.nan)
    breaks_s = np.where((frame["fate"] == "open").to_numpy(), day.end_s + PAUSE_S - arrived_s, breaks_s)
    lasts_s = np.where(is_answered, took_s, np.where(np.isnan(breaks_s), usual_s, breaks_s + PAUSE_S))
    tokens = frame["output_tokens"].astype("float64")
    output_tokens = None
    if tokens.notna().any():
        of_row = tokens.fillna(round(tokens.mean())).to_numpy().astype(np.int64)
        output_tokens = np.repeat(of_row[:, None], quality.shape[1], axis=1)
    return Rows(
        embeddings=np.array(frame["embedding"].tolist(), dtype=np.float32).reshape(len(frame), -1),
        input_tokens=frame["input_tokens"].to_numpy(dtype=np.int64),
        quality=quality,
        cost_usd=cost_usd,
        output_tokens=output_tokens,
        row=n_queries,
        latency_s=np.repeat(lasts_s[:, None], quality.shape[1], axis=1),
        scored_after_s=scored_after_s,
        fails_after_s=None if np.isnan(breaks_s).all() else np.repeat(breaks_s[:, None], quality.shape[1], axis=1),
    )


def number(frame: pd.DataFrame, column: str) -> FloatArray:
    """Return a column (n_queries,) as numbers, NaN where it is empty."""
    return np.asarray(frame[column].astype("float64"), dtype=np.float64)


def spent(day: Day) -> dict[str, float]:
    """Return what the day cost and was worth, as it was served and as the policy would have had it.

    Costs are true where they are known and else estimated; qualities are estimates for both, so that they compare.
    """
    quality, cost = np.clip(day.table("quality_hat"), 0.0, 1.0), np.maximum(day.table("cost_hat_usd"), 0.0)
    served, taken = day.place("served"), day.place("taken")
    paid = number(day.frame, "cost_usd")
    figures: dict[str, float] = {"elsewhere": float((served != taken).sum())}
    for name, place in (("served", served), ("chosen", taken)):
        rows = np.flatnonzero(place != NOBODY)
        known = (place[rows] == served[rows]) & ~np.isnan(paid[rows])
        figures[f"{name}_cost_usd"] = float(np.where(known, paid[rows], cost[rows, place[rows]]).sum())
        figures[f"{name}_quality"] = float(quality[rows, place[rows]].sum())
    return figures
