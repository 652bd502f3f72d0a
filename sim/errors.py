"""Words that error messages share, and notes, which stop nothing. It knows nothing of what they are about."""

from __future__ import annotations

import contextlib
import difflib
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TextIO


class Note(UserWarning):
    """Something that a user should know and that is no error; the command prints it as one line on stderr."""


def note(text: str) -> None:
    """Tell the user something in one sentence: a warning in Python, one line on stderr from the command."""
    warnings.warn(text, Note, stacklevel=3)


def unknown(what: str, value: str, known: Sequence[str]) -> str:
    """Return the message for a name that does not exist, with the nearest that do."""
    alike = near(value, known)
    hint = f"did you mean {' or '.join(map(repr, alike))}?" if alike else f"known: {', '.join(known)}"
    return f"unknown {what} {value!r}; {hint}"


def near(value: str, known: Sequence[str], cutoff: float = 0.5) -> list[str]:
    """Return the known names that are near a name, at most three, the nearest first; a cutoff of 1 is for equals."""
    return difflib.get_close_matches(str(value), list(known), n=3, cutoff=cutoff)


@contextlib.contextmanager
def notes_to(tell: Callable[[str], object]) -> Iterator[None]:
    """Hand each different note to a function, once, instead of warning of it."""
    told: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("always", Note)
        show = warnings.showwarning

        def hand(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if not issubclass(category, Note):
                show(message, category, filename, lineno, file, line)
            elif str(message) not in told:
                told.add(str(message))
                tell(str(message))

        warnings.showwarning = hand
        yield
