"""Makes a table in the unified schema of answers to questions, with its embeddings, and writes both with their story.

It knows no source. Costs are tokens times list prices of December 2024, so they are consistent, and no invoices.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scenarios.public.fetching import Source, whole
from scenarios.readers.embeddings import HASHING, embed, hashed
from sim.errors import note
from sim.interface import EmbeddingArray

MINI_LM = "sentence-transformers/all-MiniLM-L6-v2"
LONGEST_PROMPT = 2000  # characters that are kept
SPLIT_SEED = 0

Prices = Mapping[str, tuple[float, float]]
"""USD per million input and output tokens, by model."""


@dataclass(frozen=True)
class Question:
    """A question and what every model answered: text, topic, what was sent, and by model the answer and its score."""

    prompt: str
    source: str
    sent: str
    answers: Mapping[str, tuple[str, float]]


def table_of(questions: Sequence[Question], prices: Prices, n_test: int, count: Callable[[str], int]) -> pd.DataFrame:
    """Return the table of questions: ``history`` in their order, then ``test`` as they arrive.

    Parameters
    ----------
    questions : sequence of Question
        Each answered by every model that has a price.
    prices : mapping of str to tuple of float
        USD per million input and output tokens.
    n_test : int
        How many are test: the first so many of ``numpy.random.default_rng(0).permutation``, in its order.
    count : callable
        Counts the tokens of a text.

    Raises
    ------
    ValueError
        If there are not more questions than that.
    """
    if len(questions) <= n_test:
        raise ValueError(
            f"the source has {len(questions)} questions that every model answered; {n_test} are to be test and at "
            "least one history: take a smaller n_test"
        )
    shuffled = np.random.default_rng(SPLIT_SEED).permutation(len(questions))
    order = np.concatenate([np.sort(shuffled[n_test:]), shuffled[:n_test]])
    asked = [questions[row] for row in order]
    input_tokens = np.array([count(question.sent) for question in asked])
    columns: dict[str, Any] = {
        "index": np.arange(len(asked)),
        "split": ["history"] * (len(asked) - n_test) + ["test"] * n_test,
        "prompt": [question.prompt[:LONGEST_PROMPT] for question in asked],
        "source": [question.source for question in asked],
        "input_tokens": input_tokens.astype(np.int32),
    }
    output: dict[str, Any] = {}
    for model, (input_usd, output_usd) in prices.items():
        output_tokens = np.array([count(text) if text else 0 for text, _ in (each.answers[model] for each in asked)])
        columns[model] = np.array([each.answers[model][1] for each in asked], dtype=np.float32)
        columns[f"{model}|total_cost"] = (input_tokens * input_usd + output_tokens * output_usd) / 1e6
        output[f"{model}|output_tokens"] = output_tokens.astype(np.float32)
    return pd.DataFrame({**columns, **output})


def embedded(prompts: Sequence[str], embedder: str | None) -> tuple[EmbeddingArray, str]:
    """Return the embeddings (n, dim) of prompts and the name of what made them.

    Without a name it is all-MiniLM-L6-v2 where sentence-transformers is installed, and else hashed words, with a note.
    """
    if embedder is None:
        embedder = MINI_LM if find_spec("sentence_transformers") is not None else HASHING
        if embedder == HASHING:
            note(f"prompts are embedded by hashed words; {MINI_LM} needs: pip install 'llm-switchyard[embed]'")
    return (hashed(prompts) if embedder == HASHING else embed(prompts, embedder)), embedder


def write(
    folder: Path, name: str, frame: pd.DataFrame, source: Source, story: Mapping[str, Any], embedder: str | None
) -> list[Path]:
    """Write a table, its embeddings in half precision, its story and its licence, each when it is whole."""
    vectors, made_by = embedded(frame["prompt"].tolist(), embedder)
    files = [folder / f"{name}_embeddings.npy", folder / f"{name}.parquet"]
    whole(files[0], lambda path: saved(vectors.astype(np.float16), path))
    whole(files[1], lambda path: frame.to_parquet(path, index=False))
    return [*files, *write_story(folder, name, source, {"rows": len(frame), "embedder": made_by, **story})]


def saved(array: np.ndarray[Any, Any], path: Path) -> None:
    """Write an array to a path as it is named."""
    with path.open("wb") as stream:
        np.save(stream, array)


def write_story(folder: Path, name: str, source: Source, story: Mapping[str, Any]) -> list[Path]:
    """Write what a file was made of and how, and its licence, beside it."""
    told = {"source": source.name, "version": source.version, "address": source.address, "licence": source.licence}
    text = json.dumps({**told, **story}, indent=2) + "\n"
    licence = f"{name} is made of {source.name} ({source.address}).\nLicence: {source.licence}\n"
    files = [folder / f"{name}.json", folder / f"{name}.licence.txt"]
    whole(files[0], lambda path: path.write_text(text, encoding="utf-8"))
    whole(files[1], lambda path: path.write_text(licence, encoding="utf-8"))
    return files
