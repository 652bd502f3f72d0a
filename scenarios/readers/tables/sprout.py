"""Reads SPROUT (CARROT, arXiv 2502.03261): Parquet with a row a question, and for each model an object of its answer.

A model's column holds ``score``, ``num_input_tokens``, ``num_output_tokens`` (and the response); ``prompt`` and
``dataset`` are of the question. There are no costs. Verified: these names, as CARROT's own code reads them. Not
verified: a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq

from scenarios.readers.formats import Format
from scenarios.readers.opened import FOLDER, PARQUET, Opened
from scenarios.readers.tables.answers import INPUT, KEY, MODEL, OUTPUT, SCORE, Answers
from scenarios.readers.traces.times import numbers_or_nan

FIELDS = {SCORE: "score", INPUT: "num_input_tokens", OUTPUT: "num_output_tokens"}


def is_mine(opened: Opened) -> bool:
    """Return whether a column of the first row holds a score and token counts."""
    return opened.kind != FOLDER and any(is_answer(value) for value in opened.first.values())


def read(opened: Opened) -> Answers:
    """Return the answers of all models; an answer without an object has failed.

    Raises
    ------
    ValueError
        If a score or a count is no number, by its name and row.
    """
    parts = []
    for model, value in opened.first.items():
        if is_answer(value):
            told = fields_of(opened, model)
            columns = {ours: numbers_or_nan(told, theirs) for ours, theirs in FIELDS.items()}
            parts.append(pd.DataFrame({KEY: np.arange(len(told)), MODEL: model, **columns}))
    asked = {theirs: ours for ours, theirs in (("prompt", "prompt"), ("source", "dataset")) if theirs in opened.columns}
    frame = (
        pq.read_table(opened.path, columns=list(asked)).to_pandas()
        if opened.kind == PARQUET
        else opened.frame[[*asked]]
    )
    questions = frame.rename(columns=asked).reset_index(drop=True)
    return Answers(str(opened.path), pd.concat(parts, ignore_index=True), questions)


def fields_of(opened: Opened, model: str) -> pd.DataFrame:
    """Return score and counts of a model's answers; of Parquet one model is read at a time, as responses are long."""
    if opened.kind == PARQUET:
        column = pq.read_table(opened.path, columns=[model]).column(model)
        frame = pd.DataFrame({name: pc.struct_field(column, name).to_pandas() for name in FIELDS.values()})
    else:
        answers = [answer if isinstance(answer, dict) else {} for answer in opened.frame[model]]
        frame = pd.DataFrame([{name: answer.get(name) for name in FIELDS.values()} for answer in answers])
    frame.attrs["file"] = f"{model} of {opened.path}"
    return frame


def is_answer(value: Any) -> bool:
    """Return whether a cell is a model's answer."""
    return isinstance(value, Mapping) and set(FIELDS.values()) <= set(value)


SPROUT = Format("sprout", "SPROUT table", is_mine, read)
