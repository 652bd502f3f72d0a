"""Reads MixInstruct (LLM-Blender, ACL 2023): JSON or JSON lines, a record an instruction with candidates of models.

``id``, ``instruction``, ``input``, ``candidates``, each with ``model``, ``text`` and ``scores`` by metric, of which
``bertscore`` is taken, as it is in [0, 1]. There are no tokens and no costs; tokens are estimated from the texts, four
characters a token. Verified: the format as yuchenlin/LLM-Blender documents it. Not verified: a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from scenarios.readers.formats import Format
from scenarios.readers.opened import JSON, LINES, Opened
from scenarios.readers.tables.answers import INPUT, KEY, MODEL, OUTPUT, SCORE, Answers
from scenarios.readers.traces.measured import each, number, tokens_of

METRIC = "bertscore"


def is_mine(opened: Opened) -> bool:
    """Return whether the first record has an instruction and candidates."""
    return opened.kind in (JSON, LINES) and {"instruction", "candidates"} <= set(opened.first)


def read(opened: Opened) -> Answers:
    """Return the candidates of all models; one without the metric has failed."""
    records = opened.records
    rows = [row for part in each(opened, list(enumerate(records)), answers) for row in part["rows"]]
    for row in rows:
        number(row[SCORE], METRIC, row[KEY], opened)
    frame = pd.DataFrame(rows).astype({SCORE: float})
    prompts = [str(record.get("instruction") or "") + str(record.get("input") or "") for record in records]
    sources = [str(record.get("id", "")).partition("/")[0] for record in records]
    questions = pd.DataFrame({"prompt": prompts, "source": sources})
    said = [f"scores are {METRIC}", "tokens are estimated from the texts, four characters a token"]
    return Answers(str(opened.path), frame, questions, said)


def answers(numbered: tuple[int, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the answers of one record."""
    row, record = numbered
    asked = tokens_of(str(record.get("instruction") or "") + str(record.get("input") or ""))
    return {
        "rows": [
            {
                KEY: row,
                MODEL: one["model"],
                SCORE: one["scores"].get(METRIC),
                INPUT: asked,
                OUTPUT: tokens_of(str(one.get("text") or "")),
            }
            for one in record["candidates"]
        ]
    }


MIXINSTRUCT = Format("mixinstruct", "MixInstruct candidates", is_mine, read)
