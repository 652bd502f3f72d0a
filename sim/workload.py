"""Holds the truth table: queries with the outcome of every model, validated once. It knows no fleet and no policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sim.interface import BoolArray, EmbeddingArray, FloatArray, IntArray

MOST_COST_USD = 1e9
"""Of one query: a sum of costs must be a number, and one that shows each of them."""


@dataclass(frozen=True)
class Rows:
    """Queries with the outcome of every model: the truth.

    Parameters
    ----------
    embeddings : array (n, dim), float32
    input_tokens : array (n,)
    quality, cost_usd : arrays (n, n_models)
        Score in [0, 1]; cost of at least 0 and at most ``MOST_COST_USD``.
    output_tokens : array (n, n_models) or None
        Needed by token budgets and by services with a clock.
    source : array (n,) of str or None
        Topic or data set of each query.
    priority : array (n,) of int or None
        Class of each query, 0 the most urgent.
    due_s : array (n,) or None
        Time from arrival to each query's deadline.
    """

    embeddings: EmbeddingArray
    input_tokens: IntArray
    quality: FloatArray
    cost_usd: FloatArray
    output_tokens: IntArray | None = None
    source: np.ndarray[Any, np.dtype[Any]] | None = None
    priority: IntArray | None = None
    due_s: FloatArray | None = None

    def __post_init__(self) -> None:
        """Make every array read-only."""
        for array in vars(self).values():
            if array is not None:
                array.setflags(write=False)

    def __len__(self) -> int:
        return len(self.input_tokens)

    def take(self, numbers: IntArray) -> Rows:
        """Return these rows, in this order."""
        if len(numbers) == len(self) and (np.diff(numbers) == 1).all():
            return self
        return replace(self, **{name: array[numbers] for name, array in vars(self).items() if array is not None})


@dataclass(frozen=True)
class Workload:
    """History and test queries of one data set; test rows arrive, history rows are known beforehand.

    Parameters
    ----------
    models : tuple of str
        Column names of the truth arrays.
    history, test : Rows
    files : tuple of Path
        What it was read from, for the manifest.
    tells_on_arrival : bool
        Whether a query tells on arrival what it would get and cost everywhere, as bids do in the AdWords model. Then
        the estimates of every estimator are the truth, and the history may be of other queries.

    Raises
    ------
    ValueError
        If a score, cost, embedding or size cannot be right; the message names the row and the model.
    """

    models: tuple[str, ...]
    history: Rows
    test: Rows
    files: tuple[Path, ...] = ()
    tells_on_arrival: bool = False

    def __post_init__(self) -> None:
        """Check the truth once, so that nothing downstream has to."""
        twice = {model for model in self.models if self.models.count(model) > 1}
        if twice:
            raise ValueError(f"two models are named {min(twice)!r}: model names must differ")
        if not self.models:
            raise ValueError("the workload has no models")
        for split, rows in (("history", self.history), ("test", self.test)):
            if len(rows) == 0:
                raise ValueError(f"the workload has no {split} rows; it needs at least one")
            check_rows(rows, self.models, split)
        if self.history.embeddings.shape[1] != self.test.embeddings.shape[1]:
            raise ValueError(
                f"test embeddings have {self.test.embeddings.shape[1]} dimensions, "
                f"history embeddings {self.history.embeddings.shape[1]}; they must agree"
            )


def check_rows(rows: Rows, models: Sequence[str], split: str) -> None:
    """Raise ValueError for the first score, cost, token count or embedding that cannot be right."""

    def refuse(bad: BoolArray, values: Any, what: str, right: str) -> None:
        if bad.any():
            row, k = np.argwhere(bad)[0]
            raise ValueError(
                f"{what} of model {models[k]!r} is {values[row, k]} in {split} row {row}; it must be {right}"
            )

    for name, array in (("quality", rows.quality), ("cost_usd", rows.cost_usd), ("output_tokens", rows.output_tokens)):
        if array is not None and array.shape != (len(rows), len(models)):
            raise ValueError(f"{split} {name} has shape {array.shape}, not {(len(rows), len(models))}")
    if rows.embeddings.ndim != 2 or len(rows.embeddings) != len(rows):
        raise ValueError(
            f"{split} embeddings have shape {rows.embeddings.shape}, not ({len(rows)}, dim): one row per query"
        )
    refuse(~((rows.quality >= 0) & (rows.quality <= 1)), rows.quality, "the score", "in [0, 1]")
    paid = (rows.cost_usd >= 0) & (rows.cost_usd <= MOST_COST_USD)
    refuse(~paid, rows.cost_usd, "the cost", f"finite, at least 0 and at most {MOST_COST_USD:.0f} USD")
    if rows.output_tokens is not None:
        refuse(rows.output_tokens < 0, rows.output_tokens, "the number of output tokens", "at least 0")
    if (rows.input_tokens < 0).any():
        row = int(np.argmax(rows.input_tokens < 0))
        raise ValueError(f"input_tokens is {rows.input_tokens[row]} in {split} row {row}; it must be at least 0")
    finite = np.isfinite(rows.embeddings).all(axis=1)
    if not finite.all():
        raise ValueError(f"the embedding of {split} row {int(np.argmin(finite))} is not finite")
