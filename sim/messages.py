"""Words that error messages share. It knows nothing of what they are about."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Sequence


def unknown(what: str, value: str, known: Sequence[str]) -> str:
    """Return the message for a name that does not exist, with the nearest that do."""
    near = difflib.get_close_matches(str(value), list(known), n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"known: {', '.join(known)}"
    return f"unknown {what} {value!r}; {hint}"


class Note(UserWarning):
    """Something that a user should know and that stops nothing, in one line."""


def note(text: str) -> None:
    """Warn of something that stops nothing."""
    warnings.warn(text, Note, stacklevel=2)
