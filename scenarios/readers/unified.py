"""Makes a workload of a data frame in the unified schema. It knows columns and splits, not file formats.

The schema (PORT, arXiv 2509.02718, released code): one row per query with ``prompt``, optional ``source``, ``split``
(history or test) and ``input_tokens``; for each model m a column ``m`` with the score in [0, 1], ``m|total_cost`` in
USD, optional ``m|output_tokens``. Ours besides, all optional: ``priority`` (0 the most urgent) and ``due_s`` (seconds
from arrival to the deadline), which do something where a discipline or a policy reads them; ``preference`` (weight of
quality against cost, in [0, 1]); ``class`` and ``tenant`` (names); and for each model m, or for some, ``m|confidence``
(at least 0), ``m|latency_s`` (above 0) and ``m|energy_j`` (at least 0). ``scenarios.readers.steps`` has the columns of
tasks, ``scenarios.readers.prefixes`` those of prefixes and sessions, and ``scenarios.readers.tables.hats`` estimates of
the table's own, with which it needs neither history nor embeddings. Others are not read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from scenarios.readers.cells import deadlines_s, input_tokens, is_missing, numbers, of, preferences, whole_numbers
from scenarios.readers.cells import names as names_in
from scenarios.readers.columns import COST, TOKENS, exclusion, find_models
from scenarios.readers.embeddings import HASHING, load_embeddings
from scenarios.readers.faults import Faults
from scenarios.readers.places import located
from scenarios.readers.prefixes import read_prefixes, read_sessions
from scenarios.readers.splitting import is_history, split
from scenarios.readers.steps import read_steps
from scenarios.readers.tables.hats import as_history, brings_estimates, read_hats
from sim.errors import note
from sim.interface import EmbeddingArray, FloatArray, IntArray
from sim.workload import Rows, Workload
from sim.workload.prefixes import BLOCK_TOKENS
from sim.workload.rows import MOST_COST_USD, SIGNALS

SCORES = ("strict", "clip")


def build(
    frame: pd.DataFrame,
    *,
    embeddings: str | None,
    embedder: str | None,
    models: Sequence[str] | None,
    exclude: Sequence[str],
    n_queries: int | None,
    n_history: int | None,
    split_seed: int,
    files: Sequence[str],
    scores: str = "strict",
    block_tokens: int = BLOCK_TOKENS,
) -> Workload:
    """Return the workload of a frame.

    Parameters
    ----------
    frame : DataFrame
        In the unified schema.
    embeddings : str or None
        A ``.npy`` file (n_rows, dim), rows aligned with the frame; ``hashing`` makes them of the words of the prompts.
        None leaves it to the embedder.
    embedder : str or None
        Name of a sentence-transformers model that embeds the prompts where there is no such file; None for hashed
        words. Queries without prompts are then without embeddings, which is enough for whatever needs none.
    models : sequence of str or None
        The models to keep, in this order; None for all.
    exclude : sequence of str
        Models to leave out: of those that ``models`` names, if it names any, else of all.
    n_queries, n_history : int or None
        How many test and history rows to keep, or tasks where it has tasks; None for all. A frame without ``split``
        needs n_queries: that many are drawn at random, in random order, as test, and the others are history.
    split_seed : int
        Seed of that draw.
    files : sequence of str
        What the frame was read from.
    scores : str
        ``strict`` refuses a score outside [0, 1]; ``clip`` takes the nearest that is inside, and says how many it took.
    block_tokens : int
        Input tokens of a block of the column ``prefix_blocks``.

    Raises
    ------
    ValueError
        If a column, size, split or number cannot be right. One message has all that is wrong beside the models' names;
        rows are counted from 0, in the file.
    OSError, ImportError
        If that is the one thing that is wrong.
    """
    names = find_models([str(column) for column in frame.columns], models, exclude, of(frame))
    if scores not in SCORES:
        raise ValueError(f"workload.scores is {scores!r}; it must be {' or '.join(SCORES)}")
    faults = Faults(of(frame))
    complete = faults.of(lambda: check_complete(frame, names, exclude))
    parts = faults.of(lambda: split(frame, n_queries, n_history, split_seed, brings_estimates(frame, names)))
    vectors = faults.of(lambda: vectors_of(frame, embeddings, embedder, brings_estimates(frame, names)))
    tokens = faults.of(lambda: input_tokens(frame))
    if complete:  # a model without values has no numbers to check
        quality = faults.of(lambda: in_range(frame, names, table_of(frame, names), scores))
        cost = faults.of(lambda: affordable(frame, names, table_of(frame, [f"{name}|{COST}" for name in names])))
        output = faults.of(lambda: output_tokens(frame, names))
        confidence = faults.of(lambda: signal(frame, names, "confidence"))
        latency_s = faults.of(lambda: signal(frame, names, "latency_s", above_0=True))
        energy_j = faults.of(lambda: signal(frame, names, "energy_j"))
        hats = faults.of(lambda: read_hats(frame, names))
        steps = None
        if tokens is not None and cost is not None:
            steps = faults.of(lambda: read_steps(frame, names, tokens, cost))
    source = frame["source"].to_numpy(dtype=object) if "source" in frame.columns else None
    priority = faults.of(lambda: whole_numbers(frame, "priority") if "priority" in frame.columns else None)
    due_s = faults.of(lambda: deadlines_s(frame) if "due_s" in frame.columns else None)
    preference = faults.of(lambda: preferences(frame) if "preference" in frame.columns else None)
    class_name = faults.of(lambda: names_in(frame, "class"))
    tenant = faults.of(lambda: names_in(frame, "tenant"))
    prefix = None if tokens is None else faults.of(lambda: read_prefixes(frame, tokens, block_tokens))
    prompt, session = prompts(frame), read_sessions(frame)
    faults.tell()
    assert parts is not None  # or it was among the faults; likewise the others
    assert vectors is not None
    assert tokens is not None
    assert quality is not None
    assert cost is not None
    history, test = parts

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
            row=chosen,
            confidence=None if confidence is None else confidence[chosen],
            latency_s=None if latency_s is None else latency_s[chosen],
            energy_j=None if energy_j is None else energy_j[chosen],
            preference=None if preference is None else preference[chosen],
            steps=None if steps is None else steps[chosen],
            prompt=None if prompt is None else prompt[chosen],
            class_name=None if class_name is None else class_name[chosen],
            tenant=None if tenant is None else tenant[chosen],
            prefix=None if prefix is None else prefix[chosen],
            session=None if session is None else session[chosen],
        )

    arriving = rows(test)
    if hats is not None:
        arriving = replace(arriving, quality_hat=hats.quality[test], cost_hat_usd=hats.cost[test])
    known = rows(history) if len(history) else as_history(arriving)
    from_file = [] if embeddings in (None, HASHING) else [embeddings]
    return Workload(tuple(names), known, arriving, tuple(located(str(file)) for file in [*files, *from_file]))


def vectors_of(frame: pd.DataFrame, embeddings: str | None, embedder: str | None, is_estimated: bool) -> EmbeddingArray:
    """Return embeddings (n_rows, dim); of a table that brings estimates none, unless they are asked for."""
    if is_estimated and embeddings is None and embedder is None:
        return np.zeros((len(frame), 0), dtype=np.float32)
    return load_embeddings(frame, embeddings, embedder)


def prompts(frame: pd.DataFrame) -> IntArray | None:
    """Return a number for each row's prompt (n_rows,), the same for the same text; None without prompts.

    A row without a prompt has one of its own.
    """
    if "prompt" not in frame.columns:
        return None
    number: IntArray = pd.factorize(frame["prompt"])[0].astype(np.int64)
    return np.where(number < 0, len(frame) + np.arange(len(frame)), number)


def check_complete(frame: pd.DataFrame, names: Sequence[str], exclude: Sequence[str]) -> bool:
    """Return True, or raise ValueError if models lack values: all of them, with the words that leave them out.

    Parameters
    ----------
    frame : DataFrame
    names : sequence of str
        The models that are read.
    exclude : sequence of str
        Those that are left out already.
    """
    missing: dict[str, tuple[str, int]] = {}  # the first empty cell of each model: its column and its row
    in_history, may_be_empty = is_history(frame), True
    for name in names:
        for column in (name, *(f"{name}|{suffix}" for suffix in (COST, TOKENS, *SIGNALS))):
            if column in frame.columns and (empty := is_missing(frame[column])).any():
                missing.setdefault(name, (column, int(np.argmax(empty))))
                may_be_empty &= bool(in_history[empty].all())
    if not missing:
        return True
    column, row = next(iter(missing.values()))
    have, them = ("model {} has", "it") if len(missing) == 1 else ("models {} have", "them")
    out = f", or leave {them} out with {exclusion([*exclude, *missing])}" if len(missing) < len(names) else ""
    hint = ", with any number in history rows that profiled={NAME: 0} hides" if out and may_be_empty else ""
    raise ValueError(
        f"{have.format(', '.join(missing))} missing values, the first in {column!r} in row {row} of the table; "
        f"fill them in{hint}{out}{of(frame)}"
    )


def output_tokens(frame: pd.DataFrame, names: Sequence[str]) -> IntArray | None:
    """Return output tokens (n_rows, n_models); None, with a note of which are missing, if not every model has them."""
    without = [name for name in names if f"{name}|{TOKENS}" not in frame.columns]
    if not without:
        return np.column_stack([whole_numbers(frame, f"{name}|{TOKENS}") for name in names])
    if len(without) < len(names):
        note(f"no output tokens are read, as there are none of {', '.join(without)}{of(frame)}")
    return None


def signal(frame: pd.DataFrame, names: Sequence[str], suffix: str, above_0: bool = False) -> FloatArray | None:
    """Return a signal of each model (n_rows, n_models), NaN for a model without that column; None if none has it.

    Raises
    ------
    ValueError
        For the first value, by its column and row, that is not finite, or below its least.
    """
    values = np.full((len(frame), len(names)), np.nan)
    for k, name in enumerate(names):
        column = f"{name}|{suffix}"
        if column not in frame.columns:
            continue
        values[:, k] = given = numbers(frame, column)
        bad = ~np.isfinite(given) | (given <= 0 if above_0 else given < 0)
        if bad.any():
            row = int(np.argmax(bad))
            right = "above 0" if above_0 else "at least 0"
            raise ValueError(
                f"{column!r} is {given[row]} in row {row} of the table; it must be finite and {right}{of(frame)}"
            )
    return None if np.isnan(values).all() else values


def table_of(frame: pd.DataFrame, columns: Sequence[str]) -> FloatArray:
    """Return columns (n_rows, n_columns) as floats."""
    return np.column_stack([numbers(frame, column) for column in columns])


def affordable(frame: pd.DataFrame, names: Sequence[str], cost_usd: FloatArray) -> FloatArray:
    """Return the costs (n_rows, n_models); raise ValueError for the first that cannot be one, by model and row."""
    bad = ~((cost_usd >= 0) & (cost_usd <= MOST_COST_USD))
    if bad.any():
        row, k = np.argwhere(bad)[0]
        raise ValueError(
            f"the cost of model {names[k]!r} is {cost_usd[row, k]} in row {row} of the table; "
            f"it must be finite, at least 0 and at most {MOST_COST_USD:.0f} USD{of(frame)}"
        )
    return cost_usd


def in_range(frame: pd.DataFrame, names: Sequence[str], quality: FloatArray, scores: str) -> FloatArray:
    """Return the scores (n_rows, n_models) with none outside [0, 1]: clipped, or refused by model and row."""
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
