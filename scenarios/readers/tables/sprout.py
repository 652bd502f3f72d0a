"""Reads SPROUT (CARROT, arXiv 2502.03261): Parquet with a row a question, and for each model an object of its answer.

A model's column holds ``score``, ``num_input_tokens``, ``num_output_tokens`` (and the response); ``prompt`` and
``dataset`` are of the question. There are no costs. Verified: these names, as CARROT's own code reads them. Not
verified: a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from scenarios.readers.formats import Format
from scenarios.readers.opened import FOLDER, PARQUET, Opened
from scenarios.readers.tables.answers import INPUT, KEY, MODEL, OUTPUT, SCORE, Answers

FIELDS = {SCORE: "score", INPUT: "num_input_tokens", OUTPUT: "num_output_tokens"}


def is_mine(opened: Opened) -> bool:
    """Return whether a column of the first row holds a score and token counts."""
    return opened.kind != FOLDER and any(is_answer(value) for value in opened.first.values())


def read(opened: Opened) -> Answers:
    """Return the answers of all models; an answer without an object has failed.

    Raises
    ------
    ValueError
        If a score or a count is no number, by model and row.
    """
    models = [name for name, value in opened.first.items() if is_answer(value)]
    frame = without_texts(opened, models) if opened.kind == PARQUET else opened.frame
    parts = []
    for model in models:
        columns = {name: values(frame, model, inner, opened) for name, inner in FIELDS.items()}
        parts.append(pd.DataFrame({KEY: frame.index, MODEL: model, **columns}))
    named = {ours: frame[theirs] for ours, theirs in (("prompt", "prompt"), ("source", "dataset")) if theirs in frame}
    questions = pd.DataFrame(named, index=frame.index)
    return Answers(str(opened.path), pd.concat(parts, ignore_index=True), questions)


def without_texts(opened: Opened, models: Sequence[str]) -> pd.DataFrame:
    """Return a Parquet file without the responses, which are most of it."""
    inner = [f"{model}.{name}" for model in models for name in FIELDS.values()]
    asked = [name for name in ("prompt", "dataset") if name in opened.columns]
    frame: pd.DataFrame = pq.read_table(opened.path, columns=[*asked, *inner]).to_pandas()
    return frame


def values(frame: pd.DataFrame, model: str, inner: str, opened: Opened) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return one number of each answer of a model (n_rows,), NaN where there is none."""
    found = np.full(len(frame), np.nan)
    for row, answer in enumerate(frame[model]):
        value = answer.get(inner) if isinstance(answer, dict) else None
        if value is None:
            continue
        if isinstance(value, str | list | dict):
            raise ValueError(f"{inner} of {model!r} is {str(value)[:60]!r} in row {row} of {opened.path}, no number")
        found[row] = float(value)
    return found


def is_answer(value: Any) -> bool:
    """Return whether a cell is a model's answer."""
    return isinstance(value, Mapping) and set(FIELDS.values()) <= set(value)


SPROUT = Format("sprout", "SPROUT table", is_mine, read)
