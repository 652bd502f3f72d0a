"""Builds ZeroEval: 27 models on GSM, CRUX and MATH level 5, from the answers that its authors released."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from scenarios.public.answered import Reply, agreed, answered
from scenarios.public.fetching import Files, github
from scenarios.public.judging import answer_in, same_literal, same_number
from scenarios.public.tables import table_of, write
from scenarios.public.tokens import counter

LICENCE = "Apache-2.0; cite Lin, ZeroEval: A unified framework for evaluating language models, 2024"
SOURCE = github("WildEval/ZeroEval", "8c1485ed", LICENCE)
TASKS = {"crux": same_literal, "gsm": same_number, "math-l5": same_number}
PRICES = {  # USD per million input and output tokens, December 2024
    "Athene-70B": (0.9, 0.9),
    "Llama-3.1-405B-Inst@sambanova": (3.5, 3.5),
    "Meta-Llama-3-70B-Instruct": (0.9, 0.9),
    "Meta-Llama-3-8B-Instruct": (0.2, 0.2),
    "Meta-Llama-3.1-70B-Instruct": (0.9, 0.9),
    "Meta-Llama-3.1-8B-Instruct": (0.2, 0.2),
    "Mistral-Large-2": (3.0, 9.0),
    "Phi-3.5-mini-instruct": (0.1, 0.1),
    "Qwen2-72B-Instruct": (0.9, 0.9),
    "Qwen2-7B-Instruct": (0.2, 0.2),
    "Yi-1.5-34B-Chat": (0.8, 0.8),
    "Yi-1.5-9B-Chat": (0.3, 0.3),
    "claude-3-5-haiku-20241022": (1.0, 5.0),
    "claude-3-5-sonnet-20240620": (3.0, 15.0),
    "claude-3-5-sonnet-20241022": (3.0, 15.0),
    "claude-3-haiku-20240307": (0.25, 1.25),
    "claude-3-opus-20240229": (15.0, 75.0),
    "deepseek-v2.5-0908": (0.14, 0.28),
    "gemini-1.5-flash": (0.075, 0.3),
    "gemini-1.5-pro": (3.5, 10.5),
    "gemma-2-27b-it": (0.8, 0.8),
    "gemma-2-2b-it": (0.1, 0.1),
    "gemma-2-9b-it": (0.3, 0.3),
    "gpt-3.5-turbo-0125": (0.5, 1.5),
    "gpt-4o-2024-05-13": (5.0, 15.0),
    "gpt-4o-2024-08-06": (2.5, 10.0),
    "gpt-4o-mini-2024-07-18": (0.15, 0.6),
}
ALSO = {"Llama-3.1-405B-Inst@sambanova": "Llama-3.1-405B-Inst-SN"}  # what some commits call the file


@dataclass(frozen=True)
class ZeroEval:
    """The table of ZeroEval.

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
        return f"ZeroEval, 2,840 questions x {len(PRICES)} models: for experiment=zeroeval"

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
        sent: dict[str, str] = {}
        replies: dict[str, dict[str, Reply]] = {model: {} for model in PRICES}
        for task in TASKS:
            for model in PRICES:
                names = [f"result_dirs/{task}/{each}.json" for each in (model, ALSO.get(model)) if each is not None]
                replies[model] |= answered(files.path(*names), items, partial(reply, task, model, sent))
        questions = agreed(replies, sent)
        frame = table_of(questions, PRICES, self.n_test, count)
        left_out = max(map(len, replies.values())) - len(questions)
        story = {"left_out": left_out, "tokenizer": self.tokenizer, "prices_usd_per_million": PRICES}
        written = write(folder, name, frame, SOURCE, story, self.embedder)
        files.remember()
        return written


def items(path: Path) -> list[dict[str, Any]]:
    """Return the answers in a JSON file."""
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return found


def reply(task: str, model: str, sent: dict[str, str], item: dict[str, Any]) -> tuple[str, str, str, str | None, float]:
    """Return key, topic, question, answer and score of an item, and keep what was sent, which is what is charged."""
    key = f"{task} {item['id']}"
    sent.setdefault(key, item["chat_history"][0])
    text = item["output"][0]
    given = None if text is None else answer_in(text, model)
    score = 0.0 if given is None else float(TASKS[task](given, str(item["answer"])))
    return key, task, item["question"], text, score
