"""Builds MMLU-Pro: 14 models on its questions, from the answers that the benchmark's authors released.

A score is whether the released prediction is the answer. The question is charged, and not the five examples before it.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scenarios.public.answered import Reply, agreed, answered
from scenarios.public.fetching import Files, github
from scenarios.public.tables import table_of, write
from scenarios.public.tokens import counter

LICENCE = "Apache-2.0 (code), MIT (data); cite Wang and others, MMLU-Pro, arXiv 2406.01574"
SOURCE = github("TIGER-AI-Lab/MMLU-Pro", "f418b116", LICENCE)
PRICES = {  # USD per million input and output tokens, December 2024
    "Meta-Llama-3.1-70B-Instruct": (0.9, 0.9),
    "Meta-Llama-3.1-8B-Instruct": (0.2, 0.2),
    "Mistral-7B-Instruct-v0.1": (0.2, 0.2),
    "Mistral-7B-Instruct-v0.2": (0.2, 0.2),
    "Mixtral-8x7B-Instruct-v0.1": (0.6, 0.6),
    "Phi-3-mini-4k-instruct": (0.1, 0.1),
    "Qwen1.5-72B-Chat": (0.9, 0.9),
    "Qwen1.5-7B-Chat": (0.2, 0.2),
    "Yi-6b-Chat": (0.2, 0.2),
    "c4ai-command-r-v01": (0.15, 0.6),
    "gemini-1.5-flash-002": (0.075, 0.3),
    "gemini-1.5-pro-002": (3.5, 10.5),
    "jamba-1.5-large": (2.0, 8.0),
    "mathstral-7B": (0.2, 0.2),
}
TEXTS = ("model_outputs", "generated_text")  # what older and newer files call the answer
LETTERS = "ABCDEFGHIJ"


@dataclass(frozen=True)
class MmluPro:
    """The table of MMLU-Pro.

    Parameters
    ----------
    n_test : int
        How many questions are test.
    embedder : str or None
        A sentence-transformers model, or ``hashing``. None for all-MiniLM-L6-v2 where the extra ``embed`` is installed,
        and else hashed words.
    tokenizer : str
        ``cl100k``, which needs the extra ``data``, or ``characters``, four characters a token.
    """

    n_test: int
    embedder: str | None = None
    tokenizer: str = "cl100k"

    @property
    def what(self) -> str:
        """What it is, in a line."""
        return f"MMLU-Pro, about 12,000 questions x {len(PRICES)} models: for experiment=mmlu_pro"

    @property
    def licence(self) -> str:
        """Its licence."""
        return LICENCE

    def build(self, name: str, folder: Path, given: Path | None, tell: Callable[[str], object]) -> list[Path]:
        """Write the table of the questions that every model answered, and its embeddings.

        Raises
        ------
        ValueError
            If a file is not as it was published.
        OSError, ImportError
            If a file, a vocabulary or a package cannot be had.
        """
        count = counter(self.tokenizer)
        files = Files(SOURCE, folder / "sources" / name, folder / f"{name}.lock.json", given, tell)
        replies: dict[str, dict[str, Reply]] = {}
        for model in PRICES:
            stem = f"model_outputs_{model.replace('3.1', '3_1') if 'Llama' in model else model}_5shots"
            replies[model] = answered(files.path(f"eval_results/{stem}.zip"), items, reply)
        questions = agreed(replies, None)
        frame = table_of(questions, PRICES, self.n_test, count)
        left_out = max(map(len, replies.values())) - len(questions)
        story = {"left_out": left_out, "tokenizer": self.tokenizer, "prices_usd_per_million": PRICES}
        written = write(folder, name, frame, SOURCE, story, self.embedder)
        files.remember()
        return written


def items(path: Path) -> list[dict[str, Any]]:
    """Return the answers in an archive with one JSON file."""
    with zipfile.ZipFile(path) as archive:
        inside = [each for each in archive.namelist() if each.endswith(".json") and not each.startswith("__MACOSX")]
        found: list[dict[str, Any]] = json.loads(archive.read(inside[0]))
        return found


def reply(item: dict[str, Any]) -> tuple[str, str, str, str | None, float]:
    """Return key, topic, question with its options, answer and score of an item."""
    options = [f"{letter}. {option}" for letter, option in zip(LETTERS, item["options"], strict=False)]
    text = next((item[name] for name in TEXTS if item.get(name) is not None), None)
    key, source = str(item["question_id"]), str(item["category"])
    return key, source, "\n".join([item["question"], *options]), text, float(item.get("pred") == item["answer"])
