"""Reads what one model answered, whatever the file's layout, and says in one line if it is another file."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from scenarios.public.tables import Question


class Reply(NamedTuple):
    """A question's topic and text, what a model answered to it, and the score of that."""

    source: str
    text: str
    answer: str
    score: float


def answered(
    path: Path,
    items: Callable[[Path], list[dict[str, Any]]],
    reply: Callable[[dict[str, Any]], tuple[str, str, str, str | None, float]],
) -> dict[str, Reply]:
    """Return the replies in a file by question, without those that have no text.

    Parameters
    ----------
    path : Path
    items : callable
        Returns the file's objects.
    reply : callable
        Of one object: the question's key, its topic, its text, the answer (None if there is none) and the score.

    Raises
    ------
    ValueError
        If the file is not as it was published.
    """
    found: dict[str, Reply] = {}
    try:
        for item in items(path):
            key, source, text, answer, score = reply(item)
            if answer is not None:
                found[key] = Reply(source, text, answer, score)
    except (KeyError, IndexError, TypeError, AttributeError, UnicodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not as it was published: {type(error).__name__} {error}") from error
    except zipfile.BadZipFile as error:
        raise ValueError(f"{path} is not as it was published: {error}") from error
    if not found:
        raise ValueError(f"{path} is not as it was published: it has no answers")
    return found


def agreed(replies: Mapping[str, Mapping[str, Reply]], sent: Mapping[str, str] | None) -> list[Question]:
    """Return the questions that every model answered, in the order of the first.

    Parameters
    ----------
    replies : mapping
        By model and by question.
    sent : mapping of str to str or None
        What was sent for each question, which is what is charged; None if the question was.
    """
    first = next(iter(replies.values()))
    return [
        Question(
            prompt=found.text,
            source=found.source,
            sent=found.text if sent is None else sent[key],
            answers={model: (each[key].answer, each[key].score) for model, each in replies.items()},
        )
        for key, found in first.items()
        if all(key in each for each in replies.values())
    ]
