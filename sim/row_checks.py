"""Checks rows of a workload once, so that nothing downstream has to. It knows no task and no fleet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.interface import BoolArray

if TYPE_CHECKING:
    from sim.workload import Rows

MOST_COST_USD = 1e9
"""Of one query: a sum of costs must be a number, and one that shows each of them."""

OUTCOMES = ("quality", "cost_usd", "output_tokens")
SIGNALS = ("confidence", "latency_s", "energy_j")  # arrays (n, n_models), NaN where a model has none, or None
OF_EACH_MODEL = (*OUTCOMES, *SIGNALS, *(f"expected_{name}" for name in OUTCOMES))  # arrays (n, n_models), or None


def refuser(models: Sequence[str], split: str) -> Callable[[BoolArray, Any, str, str], None]:
    """Return what raises ValueError for the first bad value of ``what``, by its model and row, if there is any."""

    def refuse(bad: BoolArray, values: Any, what: str, right: str) -> None:
        if bad.any():
            row, k = np.argwhere(bad)[0]
            raise ValueError(
                f"{what} of model {models[k]!r} is {values[row, k]} in {split} row {row}; it must be {right}"
            )

    return refuse


def check_signals(rows: Rows, models: Sequence[str], split: str) -> None:
    """Raise ValueError for the first confidence, latency, energy or preference outside its range."""
    refuse = refuser(models, split)
    for name in SIGNALS:
        values = getattr(rows, name)
        if values is not None:
            within = np.isfinite(values) & ((values > 0) if name == "latency_s" else (values >= 0))
            least = "above 0" if name == "latency_s" else "at least 0"
            refuse(~(within | np.isnan(values).all(axis=0)), values, name, f"finite and {least}")
    if rows.preference is not None:
        bad = ~((rows.preference >= 0) & (rows.preference <= 1))
        if bad.any():
            row = int(np.argmax(bad))
            raise ValueError(f"the preference is {rows.preference[row]} in {split} row {row}; it must be in [0, 1]")


def check_rows(rows: Rows, models: Sequence[str], split: str) -> None:
    """Raise ValueError for the first score, cost, token count or embedding that cannot be right."""
    refuse = refuser(models, split)

    for name in OF_EACH_MODEL:
        array = getattr(rows, name)
        if array is not None and array.shape != (len(rows), len(models)):
            raise ValueError(f"{split} {name} has shape {array.shape}, not {(len(rows), len(models))}")
    if rows.embeddings.ndim != 2 or len(rows.embeddings) != len(rows):
        raise ValueError(
            f"{split} embeddings have shape {rows.embeddings.shape}, not ({len(rows)}, dim): one row per query"
        )
    for scores, of in ((rows.quality, "the score"), (rows.expected_quality, "the expected score")):
        if scores is not None:
            refuse(~((scores >= 0) & (scores <= 1)), scores, of, "in [0, 1]")
    for costs, of in ((rows.cost_usd, "the cost"), (rows.expected_cost_usd, "the expected cost")):
        if costs is not None:
            paid = (costs >= 0) & (costs <= MOST_COST_USD)
            refuse(~paid, costs, of, f"finite, at least 0 and at most {MOST_COST_USD:.0f} USD")
    if rows.output_tokens is not None:
        refuse(rows.output_tokens < 0, rows.output_tokens, "the number of output tokens", "at least 0")
    if rows.expected_output_tokens is not None:
        lengths = rows.expected_output_tokens
        refuse(~((lengths >= 0) & np.isfinite(lengths)), lengths, "the expected output tokens", "finite and at least 0")
    if (rows.input_tokens < 0).any():
        row = int(np.argmax(rows.input_tokens < 0))
        raise ValueError(f"input_tokens is {rows.input_tokens[row]} in {split} row {row}; it must be at least 0")
    finite = np.isfinite(rows.embeddings).all(axis=1)
    if not finite.all():
        raise ValueError(f"the embedding of {split} row {int(np.argmin(finite))} is not finite")


def check_capped(rows: Rows, models: Sequence[str], caps: Sequence[int], split: str) -> None:
    """Raise ValueError for caps that cannot be, or the first score of a cut answer outside its range."""
    if any(cap < 1 for cap in caps) or list(caps) != sorted(set(caps)):
        raise ValueError(f"caps are {', '.join(map(str, caps))}; they must be at least 1 token, and ascend")
    if not caps and rows.capped_quality is None:
        return
    shape = (len(rows), len(models), len(caps))
    if rows.capped_quality is None or rows.capped_quality.shape != shape:
        found = "missing" if rows.capped_quality is None else f"of shape {rows.capped_quality.shape}"
        raise ValueError(f"{split} capped_quality is {found}, not of shape {shape}, as there are {len(caps)} caps")
    if rows.output_tokens is None:
        raise ValueError(f"the {split} rows have quality by cap and no output tokens, so nobody knows what a cap cuts")
    for place, cap in enumerate(caps):
        scores = rows.capped_quality[..., place]
        refuser(models, split)(~((scores >= 0) & (scores <= 1)), scores, f"the score at cap {cap}", "in [0, 1]")
