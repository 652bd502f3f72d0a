"""Reads what a table predicts of its own queries: ``m|quality_hat`` and ``m|cost_hat`` in USD, for every model m.

Policies then see these numbers as their estimates, and no estimator is fitted. Such a table needs no history.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from scenarios.readers.cells import numbers, of
from scenarios.readers.columns import HATS
from sim.interface import Estimates
from sim.workload import Rows
from sim.workload.tasks import Steps


def brings_estimates(frame: pd.DataFrame, names: Sequence[str]) -> bool:
    """Return whether a table predicts anything of these models."""
    return any(f"{name}|{hat}" in frame.columns for name in names for hat in HATS)


def read_hats(frame: pd.DataFrame, names: Sequence[str]) -> Estimates | None:
    """Return predicted quality and cost in USD of every row, each (n_rows, n_models); None if there are none.

    Raises
    ------
    ValueError
        If a model lacks one of the two columns, or for the first cell that is not finite, or a cost below 0.
    """
    if not brings_estimates(frame, names):
        return None
    columns = [[f"{name}|{hat}" for name in names] for hat in HATS]
    for column in (column for each in columns for column in each):
        if column not in frame.columns:
            raise ValueError(
                f"the table brings estimates and lacks the column {column!r}; "
                f"every model m needs both 'm|{HATS[0]}' and 'm|{HATS[1]}', or none has them{of(frame)}"
            )
    quality, cost = (np.column_stack([numbers(frame, column) for column in each]) for each in columns)
    for each, values, right in ((columns[0], quality, "finite"), (columns[1], cost, "finite and at least 0")):
        bad = ~np.isfinite(values) | ((values < 0) if each is columns[1] else False)
        if bad.any():
            row, k = np.argwhere(bad)[0]
            raise ValueError(
                f"{each[k]!r} is {values[row, k]} in row {row} of the table; it must be {right}{of(frame)}"
            )
    return Estimates(quality, cost)


def as_history(rows: Rows) -> Rows:
    """Return the history of a table that has none: one query, or one task of a typical length, with mean estimates.

    Whoever can type an estimate for each query knows that much beforehand. Rules that ask the history for means, such
    as the size of a cost, find them there.
    """
    assert rows.quality_hat is not None  # or the table would need a history
    assert rows.cost_hat_usd is not None
    quality = np.clip(rows.quality_hat.mean(axis=0, keepdims=True), 0.0, 1.0)
    tokens = None if rows.output_tokens is None else np.rint(rows.output_tokens.mean(axis=0, keepdims=True))
    steps = None if rows.steps is None else typical_task(rows.steps)
    one = Rows(
        embeddings=np.zeros((1, rows.embeddings.shape[1]), dtype=rows.embeddings.dtype),
        input_tokens=np.rint(rows.input_tokens.mean(keepdims=True)).astype(np.int64),
        quality=quality,
        cost_usd=rows.cost_hat_usd.mean(axis=0, keepdims=True),
        output_tokens=None if tokens is None else tokens.astype(np.int64),
    )
    return one if steps is None else replace(one.take(np.zeros(len(steps.step), dtype=np.int64)), steps=steps)


def typical_task(steps: Steps) -> Steps:
    """Return a task with the mean number of steps, of which nothing is cached."""
    n = round(len(steps.step) / len(np.unique(steps.task.astype(str))))
    mean_tool_s = float(steps.tool_s[steps.step > 1].mean()) if (steps.step > 1).any() else 0.0
    return Steps(
        task=np.full(n, "typical", dtype=object),
        step=np.arange(1, n + 1),
        tool_s=np.full(n, mean_tool_s),
        cached_tokens=np.zeros(n, dtype=np.int64),
    )
