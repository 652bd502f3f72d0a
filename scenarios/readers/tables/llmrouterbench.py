"""Reads a folder of LLMRouterBench results: ``DATASET/SPLIT/MODEL/TIME.json``, at any depth below the folder.

A file has ``records``, each with ``index``, ``origin_query``, ``score``, ``prompt_tokens``, ``completion_tokens`` and
``cost`` in USD. Of several files of a model and data set the last by name, which is a time, counts. Verified: the
layout and the format as ynulihao/LLMRouterBench documents them. Not verified: a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from scenarios.readers.formats import Format
from scenarios.readers.opened import FOLDER, JSON, Opened
from scenarios.readers.tables.answers import INPUT, KEY, MODEL, OUTPUT, SCORE, USD, Answers
from scenarios.readers.traces.measured import each, number

PATTERN = "*/*/*.json"
NUMBERS = {SCORE: "score", USD: "cost", INPUT: "prompt_tokens", OUTPUT: "completion_tokens"}


def is_mine(opened: Opened) -> bool:
    """Return whether the first file that lies deep enough has records with scores."""
    if opened.kind != FOLDER:
        return False
    first = next(iter(sorted(opened.path.rglob(PATTERN))), None)
    return first is not None and bool(records_of(Opened(first), must=False))


def read(opened: Opened) -> Answers:
    """Return the answers of all models to all data sets.

    Raises
    ------
    ValueError
        If a file is not as described above, by its path and record.
    """
    newest: dict[tuple[str, str, str], Path] = {}
    for path in sorted(opened.path.rglob(PATTERN)):
        newest[(path.parts[-4], path.parts[-3], path.parts[-2])] = path
    rows: list[Mapping[str, Any]] = []
    for (dataset, split, model), path in newest.items():
        source = Opened(path)
        for row, record in enumerate(each(source, records_of(source), indexed)):
            made = {KEY: f"{dataset}/{split}/{record['index']}"}
            found = {ours: number(record.get(theirs), theirs, row, source) for ours, theirs in NUMBERS.items()}
            text = {"prompt": record.get("origin_query") or record.get("prompt") or "", "source": dataset}
            rows.append({**made, **found, **text, MODEL: model})
    frame = pd.DataFrame(rows)
    questions = frame.drop_duplicates(KEY).set_index(KEY)[["prompt", "source"]]
    return Answers(str(opened.path), frame.drop(columns=["prompt", "source"]), questions)


def indexed(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a record; raise KeyError if it has no index."""
    return {**record, "index": record["index"]}


def records_of(opened: Opened, must: bool = True) -> list[Any]:
    """Return the records of a file; raise ValueError if it must have some and has none."""
    value = opened.value if opened.kind == JSON else None
    records = value.get("records") if isinstance(value, dict) else None
    if not isinstance(records, list) or not records:
        if must:
            raise ValueError(f"{opened.path} has no records, as LLMRouterBench writes them")
        return []
    return records


LLMROUTERBENCH = Format("llmrouterbench", "LLMRouterBench results", is_mine, read)
