"""Reads RouterArena's cached results: JSON lines, or a folder of them, a line a question and model.

``global_index`` (``AIME_112``), ``question``, ``llm_selected``, ``token_usage`` with ``input_tokens`` and
``output_tokens``, ``evaluation_result`` with ``score`` and ``inference_cost`` in USD, and ``success``. Verified:
RouteWorks/RouterArena (4714a9a), lines of two models.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from scenarios.readers.formats import Format
from scenarios.readers.opened import FOLDER, LINES, Opened
from scenarios.readers.tables.answers import INPUT, KEY, MODEL, OUTPUT, SCORE, USD, Answers
from scenarios.readers.traces.measured import each, number

NEEDED = {"global_index", "llm_selected", "evaluation_result"}


def is_mine(opened: Opened) -> bool:
    """Return whether a line, or the first file of a folder, is such a result."""
    if opened.kind == FOLDER:
        return any(is_mine(Opened(path)) for path in files(opened)[:1])
    return opened.kind == LINES and set(opened.columns) >= NEEDED


def read(opened: Opened) -> Answers:
    """Return the answers; one that did not succeed has failed."""
    sources = [Opened(path) for path in files(opened)] if opened.kind == FOLDER else [opened]
    rows = [row for source in sources for row in each(source, source.records, answer)]
    for number_, row in enumerate(rows):
        for name in (SCORE, USD, INPUT, OUTPUT):
            number(row[name], name, number_, opened)
    frame = pd.DataFrame(rows)
    frame = frame.astype(dict.fromkeys((SCORE, USD, INPUT, OUTPUT), float))
    questions = frame.drop_duplicates(KEY).set_index(KEY)[["prompt"]]
    questions["source"] = [str(key).rpartition("_")[0] or str(key) for key in questions.index]
    return Answers(str(opened.path), frame.drop(columns="prompt"), questions)


def answer(line: Mapping[str, Any]) -> dict[str, Any]:
    """Return one answer; without a score where it failed."""
    result, usage = line["evaluation_result"] or {}, line.get("token_usage") or {}
    succeeded = line.get("success", True) and not line.get("error")
    return {
        KEY: line["global_index"],
        MODEL: line["llm_selected"],
        SCORE: result.get("score") if succeeded else None,
        USD: result.get("inference_cost"),
        INPUT: usage.get("input_tokens"),
        OUTPUT: usage.get("output_tokens"),
        "prompt": line.get("question") or "",
    }


def files(opened: Opened) -> list[Any]:
    """Return the files of a folder."""
    return sorted(opened.path.glob("*.jsonl"))


ROUTERARENA = Format("routerarena", "RouterArena cached results", is_mine, read)
