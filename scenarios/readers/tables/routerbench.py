"""Reads RouterBench's tables (arXiv 2403.12031), the pickle or a CSV of it: a row a question, columns by model.

``sample_id``, ``prompt``, ``eval_name``, ``oracle_model_to_route_to``, and for each model m its score ``m``,
``m|model_response`` and ``m|total_cost``. There are no token counts; output tokens are a quarter of each response's
characters. Verified: the published 0-shot pickle.
"""

from __future__ import annotations

import pandas as pd

from scenarios.readers.cells import text_tokens
from scenarios.readers.columns import COST
from scenarios.readers.formats import Format
from scenarios.readers.opened import CSV, PARQUET, PICKLE, Opened
from scenarios.readers.tables.answers import KEY, MODEL, OUTPUT, SCORE, USD, Answers
from scenarios.readers.traces.times import numbers_or_nan

ORACLE, SOURCE, RESPONSE = "oracle_model_to_route_to", "eval_name", "model_response"


def is_mine(opened: Opened) -> bool:
    """Return whether a table has the columns of sources and of the oracle."""
    return opened.kind in (CSV, PARQUET, PICKLE) and {ORACLE, SOURCE} <= set(opened.columns)


def read(opened: Opened) -> Answers:
    """Return the answers of all models; raise ValueError if there is no model."""
    frame = opened.frame
    models = [name.removesuffix(f"|{COST}") for name in frame.columns if name.endswith(f"|{COST}")]
    models = [model for model in models if model in frame.columns]
    if not models:
        raise ValueError(f"{opened.path} has no model: a model m needs the columns 'm' and 'm|{COST}'")
    parts = []
    for model in models:
        part = {
            KEY: frame.index,
            MODEL: model,
            SCORE: numbers_or_nan(frame, model),
            USD: numbers_or_nan(frame, f"{model}|{COST}"),
        }
        if f"{model}|{RESPONSE}" in frame:
            part[OUTPUT] = text_tokens(frame[f"{model}|{RESPONSE}"].fillna("").astype(str))
        parts.append(pd.DataFrame(part))
    questions = pd.DataFrame({"prompt": frame.get("prompt"), "source": frame[SOURCE]}, index=frame.index)
    said = ["output tokens are estimated from the responses, four characters a token"]
    return Answers(str(opened.path), pd.concat(parts, ignore_index=True), questions.dropna(axis=1, how="all"), said)


ROUTERBENCH = Format("routerbench", "RouterBench table", is_mine, read)
