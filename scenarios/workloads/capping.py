"""Says what answers are worth when they are cut: by scores that a table has, or by a made-up curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from scenarios.readers.cells import of
from scenarios.readers.columns import TOKENS, caps_of
from scenarios.readers.unified import in_range, table_of
from sim.errors import check_number, note
from sim.interface import FloatArray, IntArray
from sim.workload import Rows, Workload

CAPS = (10, 20, 30, 40, 50, 80, 100, 150, 200, 300, 500, 800, 1200, 2000, 4000)  # of R2-Router, arXiv 2602.02823
MOST_CURVE = 1000.0  # beyond it, one token is worth the whole answer


def retained(curve: float, share: FloatArray) -> FloatArray:
    """Return the part of its score that an answer keeps when it is cut to a share of its length.

    (1 - exp(-a s)) / (1 - exp(-a)) for a share s in [0, 1] and a curve a above 0: the larger a, the sooner the answer
    is there. Made up; it is 0 at 0, 1 at 1, and rises ever more slowly.

    >>> retained(3.0, np.array([0.0, 0.5, 1.0])).round(3).tolist()
    [0.0, 0.818, 1.0]
    """
    return np.asarray(np.expm1(-curve * share) / np.expm1(-curve))


def with_curve(workload: Workload, curve: float | None) -> Workload:
    """Return the workload with scores of answers that are cut at ``CAPS``, by the curve; as it is without one.

    Raises
    ------
    ValueError
        If the curve is out of its range, or the workload has no output tokens or knows quality by cap already.
    """
    if curve is None:
        return workload
    check_number("workload.cap_curve", curve, above=0, most=MOST_CURVE)
    if workload.caps:
        raise ValueError(
            f"workload.cap_curve is {curve}, and the workload has scores by cap already, the first at "
            f"{workload.caps[0]} tokens; leave one of the two out"
        )

    def scored(rows: Rows) -> Rows:
        if rows.output_tokens is None:
            raise ValueError(
                f"workload.cap_curve is {curve}, and the workload has no output tokens: add the columns "
                f"'MODEL|{TOKENS}' or leave the curve out"
            )
        lengths = np.maximum(rows.output_tokens, 1)[..., None]
        kept = retained(curve, np.minimum(np.array(CAPS) / lengths, 1.0))
        return replace(rows, capped_quality=rows.quality[..., None] * kept)

    return replace(workload, history=scored(workload.history), test=scored(workload.test), caps=CAPS)


def with_columns(workload: Workload, frame: pd.DataFrame, scores: str) -> Workload:
    """Return the workload with the scores of the columns ``m@CAP`` of the frame that it was built of, if there are any.

    A model's score at a cap that another model's columns have lies on the straight line between its own two nearest,
    the lowest being an answer of no token, which is worth nothing, and the highest the whole answer.

    Parameters
    ----------
    workload : Workload
        Its rows say which rows of the frame they are.
    frame : DataFrame
    scores : str
        As in ``scenarios.readers.unified.build``.

    Raises
    ------
    ValueError
        If a score is missing, no number or out of range, or the workload has no output tokens.
    """
    columns = caps_of([str(column) for column in frame.columns], workload.models)
    if not columns:
        return workload
    without = [model for model in workload.models if model not in columns]
    if without:
        note(f"no scores by cap are read, as there are none of {', '.join(without)}{of(frame)}")
        return workload
    if workload.test.output_tokens is None:
        first = next(iter(columns[workload.models[0]].values()))
        raise ValueError(
            f"the table has scores by cap, such as {first!r}, and no output tokens, so nobody knows what a cap cuts: "
            f"add the columns 'MODEL|{TOKENS}'{of(frame)}"
        )
    caps = tuple(sorted({cap for of_model in columns.values() for cap in of_model}))
    given: dict[str, FloatArray] = {}
    for model, of_model in columns.items():
        names = [of_model[cap] for cap in sorted(of_model)]
        given[model] = in_range(frame, names, table_of(frame, names), scores)

    def scored(rows: Rows) -> Rows:
        assert rows.row is not None  # it was built of the frame
        assert rows.output_tokens is not None  # or it would have been refused
        capped = np.empty((len(rows), len(workload.models), len(caps)))
        for k, model in enumerate(workload.models):
            own, scores = sorted(columns[model]), given[model][rows.row]
            capped[:, k] = between(own, scores, rows.output_tokens[:, k], rows.quality[:, k], caps)
        return replace(rows, capped_quality=capped)

    return replace(workload, history=scored(workload.history), test=scored(workload.test), caps=caps)


def between(
    own: Sequence[int], scores: FloatArray, lengths: IntArray, quality: FloatArray, caps: Sequence[int]
) -> FloatArray:
    """Return scores (n, n_caps) at caps, from those (n, n_own) at a model's own, its lengths and its scores (n,)."""
    if list(own) == list(caps):
        return scores
    found = np.empty((len(scores), len(caps)))
    for row, (length, whole) in enumerate(zip(lengths.tolist(), quality.tolist(), strict=True)):
        below = [place for place, cap in enumerate(own) if cap < length]
        at = [0, *(own[place] for place in below), length]
        found[row] = np.interp(caps, at, [0.0, *scores[row, below], whole])
    return found
