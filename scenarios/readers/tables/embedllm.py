"""Reads EmbedLLM's correctness data (arXiv 2410.02223): CSV, a row a question and model.

``prompt_id``, ``prompt``, ``model_id`` (and perhaps ``model_name``), ``label`` (1 right, 0 wrong), perhaps
``category``. A question asked of a model more than once counts as right if it was once, as in the authors' own code.
There are no tokens and no costs. Verified: the columns that the authors' code reads. Not verified: a file; the
optional columns.
"""

from __future__ import annotations

import pandas as pd

from scenarios.readers.formats import Format
from scenarios.readers.opened import CSV, PARQUET, Opened
from scenarios.readers.tables.answers import KEY, MODEL, SCORE, Answers
from scenarios.readers.traces.times import numbers_or_nan

NEEDED = {"prompt_id", "model_id", "label"}


def is_mine(opened: Opened) -> bool:
    """Return whether a table has questions, models and labels."""
    return opened.kind in (CSV, PARQUET) and set(opened.columns) >= NEEDED


def read(opened: Opened) -> Answers:
    """Return the answers of all models."""
    frame = opened.frame
    names = frame["model_name" if "model_name" in frame else "model_id"].astype(str)
    columns = {KEY: frame["prompt_id"], MODEL: names, SCORE: numbers_or_nan(frame, "label")}
    named = {ours: frame[theirs] for ours, theirs in (("prompt", "prompt"), ("source", "category")) if theirs in frame}
    questions = pd.DataFrame({KEY: frame["prompt_id"], **named}).drop_duplicates(KEY).set_index(KEY)
    return Answers(str(opened.path), pd.DataFrame(columns), questions)


EMBEDLLM = Format("embedllm", "EmbedLLM correctness table", is_mine, read)
