"""Words that error messages and notes share. It knows nothing of what they are about."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Sequence


class Note(UserWarning):
    """Something that a user should know and that is no error; the command prints it as one line on stderr."""


def note(text: str) -> None:
    """Tell the user something in one sentence: a warning in Python, one line on stderr from the command."""
    warnings.warn(text, Note, stacklevel=3)


def unknown(what: str, value: str, known: Sequence[str]) -> str:
    """Return the message for a name that does not exist, with the nearest that do."""
    near = difflib.get_close_matches(str(value), list(known), n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"known: {', '.join(known)}"
    return f"unknown {what} {value!r}; {hint}"
