"""From a data frame in the unified schema to a workload. It knows columns and splits, not file formats.

The schema (PORT, arXiv 2509.02718, released code): one row per query with ``prompt``, optional ``source``, ``split``
(history or test) and ``input_tokens``; for each model m a column ``m`` with the score in [0, 1], ``m|total_cost`` in
USD, optional ``m|output_tokens``. Ours besides: optional ``priority`` (0 the most urgent) and ``due_s`` (seconds from
arrival to the deadline), which do something where a discipline or a policy reads them.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from scenarios.workloads.embedder import embed
from sim.errors import note, unknown
from sim.interface import EmbeddingArray, FloatArray, IntArray
from sim.workload import Rows, Workload

SCORES = ("strict", "clip")
COST, TOKENS = "total_cost", "output_tokens"
NOT_MODELS = ("index", "prompt", "source", "split", "input_tokens", "priority", "due_s", "sample_id", "eval_name")
MOST_TOKENS = 10**12  # of one query
CHARACTERS_PER_TOKEN = 4  # the usual rule of thumb for English text


def build(
    frame: pd.DataFrame,
    *,
    embeddings: str | None,
    embedder: str | None,
    models: Sequence[str] | None,
    n_queries: int | None,
    n_history: int | None,
    split_seed: int,
    files: Sequence[str],
    scores: str = "strict",
) -> Workload:
    """Return the workload of a frame.

    Parameters
    ----------
    frame : DataFrame
        In the unified schema.
    embeddings : str or None
        A ``.npy`` file (n_rows, dim), rows aligned with the frame.
    embedder : str or None
        Name of a sentence-transformers model that embeds the prompts where there is no such file.
    models : sequence of str or None
        The models to keep; None for all.
    n_queries, n_history : int or None
        How many test and history rows to keep; None for all. A frame without ``split`` needs n_queries: that many
        test rows are drawn at random, in random order, and the others are history.
    split_seed : int
        Seed of that draw.
    files : sequence of str
        What the frame was read from.
    scores : str
        ``strict`` refuses a score outside [0, 1]; ``clip`` takes the nearest that is inside, and says how many it took.

    Raises
    ------
    ValueError
        If a column, size, split or number cannot be right.
    """
    names = find_models([str(column) for column in frame.columns], frame, models)
    history, test = split(frame, n_queries, n_history, split_seed)
    vectors = load_embeddings(frame, embeddings, embedder)
    tokens = input_tokens(frame)
    quality = in_range(frame, names, np.column_stack([numbers(frame, name) for name in names]), scores)
    cost = np.column_stack([numbers(frame, f"{name}|{COST}") for name in names])
    output: IntArray | None = None
    if all(f"{name}|{TOKENS}" in frame.columns for name in names):
        output = np.column_stack([whole_numbers(frame, f"{name}|{TOKENS}") for name in names])
    source = frame["source"].to_numpy(dtype=object) if "source" in frame.columns else None
    priority = whole_numbers(frame, "priority") if "priority" in frame.columns else None
    due_s = deadlines_s(frame) if "due_s" in frame.columns else None

    def rows(chosen: IntArray) -> Rows:
        return Rows(
            embeddings=vectors[chosen],
            input_tokens=tokens[chosen],
            quality=quality[chosen],
            cost_usd=cost[chosen],
            output_tokens=None if output is None else output[chosen],
            source=None if source is None else source[chosen],
            priority=None if priority is None else priority[chosen],
            due_s=None if due_s is None else due_s[chosen],
        )

    return Workload(tuple(names), rows(history), rows(test), tuple(map(Path, [*files, *filter(None, [embeddings])])))


def find_models(columns: Sequence[str], frame: pd.DataFrame, models: Sequence[str] | None) -> list[str]:
    """Return the models' names in column order; raise ValueError for a column without its partner."""
    for column in columns:
        name, bar, suffix = column.rpartition("|")
        if bar and suffix in (COST, TOKENS) and name not in columns:
            raise ValueError(f"column {column!r} has no score column: " + unknown("column", name, columns))
        if bar and suffix not in (COST, TOKENS, "model_response"):
            raise ValueError(unknown("column suffix", suffix, (COST, TOKENS)) + f" (in column {column!r})")
    priced = [column for column in columns if f"{column}|{COST}" in columns]
    if models is not None:
        for model in models:
            if model not in priced:
                raise ValueError(unknown("model", model, priced))
        if not models:
            raise ValueError(f"workload.models is empty; name at least one of {', '.join(priced)}, or null for all")
        return list(models)
    for column in columns:
        bare = "|" not in column and column not in NOT_MODELS and column not in priced
        if bare and pd.api.types.is_numeric_dtype(frame[column]) and frame[column].between(0, 1).all():
            raise ValueError(
                f"column {column!r} looks like a score but has no {f'{column}|{COST}'!r}; "
                "add it, or name the models to use with workload.models=[...]"
            )
    if not priced:
        raise ValueError(f"the table has no model: a model m needs the columns 'm' and 'm|{COST}'")
    return priced


def numbers(frame: pd.DataFrame, column: str) -> FloatArray:
    """Return a column as floats; raise ValueError for the first cell that is not a number."""
    values = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isnan(values).any():
        row = int(np.argmax(np.isnan(values)))
        raise ValueError(
            f"{column!r} is {str(frame[column].iloc[row])!r} in row {row} of the table; it must be a number{of(frame)}"
        )
    return values


def in_range(frame: pd.DataFrame, names: Sequence[str], quality: FloatArray, scores: str) -> FloatArray:
    """Return the scores (n_rows, n_models) with none outside [0, 1]: clipped, or refused by model and row."""
    if scores not in SCORES:
        raise ValueError(f"workload.scores is {scores!r}; it must be {' or '.join(SCORES)}")
    outside = (quality < 0) | (quality > 1)
    if not outside.any():
        return quality
    refused = outside if scores == "strict" else outside & np.isinf(quality)
    if refused.any():
        row, k = np.argwhere(refused)[0]
        raise ValueError(
            f"the score of model {names[k]!r} is {quality[row, k]} in row {row} of the table; it must be in [0, 1]; "
            f"workload.scores=clip takes the nearest that is{of(frame)}"
        )
    note(f"{int(outside.sum())} of {outside.size} scores were outside [0, 1] and are clipped to it{of(frame)}")
    return np.clip(quality, 0, 1)


def of(frame: pd.DataFrame) -> str:
    """Return the name of a frame's file, for the end of a message; nothing if it is not known."""
    return f" (in {frame.attrs['file']})" if "file" in frame.attrs else ""


def whole_numbers(frame: pd.DataFrame, column: str) -> IntArray:
    """Return a column of counts, such as tokens."""
    values = numbers(frame, column)
    bad = (values < 0) | (values != np.floor(values)) | (values > MOST_TOKENS)
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(
            f"{column!r} is {values[row]} in row {row} of the table; "
            f"it must be a whole number of at least 0 and at most {MOST_TOKENS}{of(frame)}"
        )
    return values.astype(np.int64)


def deadlines_s(frame: pd.DataFrame) -> FloatArray:
    """Return the time from each query's arrival to its deadline; infinity for none."""
    due_s = numbers(frame, "due_s")
    if (due_s < 0).any():
        row = int(np.argmax(due_s < 0))
        raise ValueError(f"'due_s' is {due_s[row]} in row {row} of the table; it must be at least 0 seconds")
    return due_s


def input_tokens(frame: pd.DataFrame) -> IntArray:
    """Return input tokens; without such a column, about four characters of the prompt a token, and at least one."""
    if "input_tokens" in frame.columns:
        return whole_numbers(frame, "input_tokens")
    return text_tokens(prompts(frame))


def text_tokens(texts: pd.Series[str]) -> IntArray:
    """Estimate token counts from text lengths."""
    return np.maximum(1, texts.str.len().to_numpy(dtype=np.int64) // CHARACTERS_PER_TOKEN)


def prompts(frame: pd.DataFrame) -> pd.Series[str]:
    """Return the prompts; raise ValueError if the table has none."""
    if "prompt" not in frame.columns:
        raise ValueError(unknown("column", "prompt", [str(column) for column in frame.columns]))
    return frame["prompt"].fillna("").astype(str)


def split(
    frame: pd.DataFrame, n_queries: int | None, n_history: int | None, split_seed: int
) -> tuple[IntArray, IntArray]:
    """Return the row numbers of history and test."""
    if "split" in frame.columns:
        values = frame["split"].to_numpy(dtype=object)
        bad = ~np.isin(values.astype(str), ("history", "test"))
        if bad.any():
            row = int(np.argmax(bad))
            raise ValueError(
                f"split is {values[row]!r} in row {row} of the table; it must be 'history' or 'test'{of(frame)}"
            )
        history, test = np.flatnonzero(values == "history"), np.flatnonzero(values == "test")
    else:
        if n_queries is None:
            raise ValueError("the table has no 'split' column: say how many rows to draw as test, workload.n_queries=N")
        if not 1 <= n_queries < len(frame):
            raise ValueError(f"workload.n_queries is {n_queries}; it must be from 1 to {len(frame) - 1} in this table")
        shuffled = np.random.default_rng(split_seed).permutation(len(frame))
        test, history = shuffled[:n_queries], np.sort(shuffled[n_queries:])
    return first(history, n_history, "n_history"), first(test, n_queries, "n_queries")


def first(rows: IntArray, n: int | None, name: str) -> IntArray:
    """Return the first n rows, all without n; raise ValueError if there are fewer."""
    if n is not None and not 1 <= n <= len(rows):
        raise ValueError(f"workload.{name} is {n}; it must be from 1 to {len(rows)}, the rows that the table has")
    return rows[:n]


def load_embeddings(frame: pd.DataFrame, path: str | None, embedder: str | None) -> EmbeddingArray:
    """Return embeddings (n_rows, dim) from the file, or from the embedder."""
    if path is None:
        if embedder is None:
            raise ValueError(
                "the table comes without embeddings: give a file with workload.embeddings=FILE.npy, "
                "or a text embedder with workload.embedder=MODEL (needs the extra 'embed')"
            )
        return embed(prompts(frame).tolist(), embedder)
    try:
        vectors = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"cannot read {path} as a .npy array: {error}") from error
    if not isinstance(vectors, np.ndarray):
        raise ValueError(f"{path} is an archive of arrays; give one array, as numpy.save writes it")
    if vectors.ndim != 2 or len(vectors) != len(frame) or not np.issubdtype(vectors.dtype, np.floating):
        raise ValueError(
            f"embeddings in {path} have shape {vectors.shape} and type {vectors.dtype}; "
            f"they must be floats of shape ({len(frame)}, dim), one row per row of the table"
        )
    single: EmbeddingArray = vectors.astype(np.float32)
    return single
