"""Errors and notes in one voice: checks of numbers, hints at near names, notes. It knows no setting by name."""

from __future__ import annotations

import contextlib
import difflib
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TextIO


class Note(UserWarning):
    """Something that a user should know and that is no error; the command prints it as one line on stderr."""


class UnreadableError(ValueError):
    """What a user gave says nothing that there is: a file, a name to look up, shares that are no whole.

    The command then ends with the exit code of what it does not understand.
    """


def note(text: str) -> None:
    """Tell the user something in one sentence: a warning in Python, one line on stderr from the command."""
    warnings.warn(text, Note, stacklevel=3)


def check_number(
    name: str,
    value: float | None,
    *,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    below: float | None = None,
    null: str | None = None,
) -> None:
    """Raise ValueError, naming the number, unless it is finite and within its bounds.

    Parameters
    ----------
    name : str
        As a user knows it, such as ``retry.attempts``.
    value : int, float or None
    least, above, most, below : float or None
        Bounds, the first and third of them included; None for none.
    null : str or None
        What null means there, such as ``for no limit``; None if there has to be a number.

    Examples
    --------
    >>> check_number("slots", 0, least=1, null="for no limit")
    Traceback (most recent call last):
    ValueError: slots is 0; it must be at least 1, or null for no limit
    """
    if value is None and null is not None:
        return
    if (
        value is not None
        and math.isfinite(value)
        and (least is None or value >= least)
        and (above is None or value > above)
        and (most is None or value <= most)
        and (below is None or value < below)
    ):
        return
    lower = (
        ["positive" if above == 0 and most is below is None else f"above {shown(above)}"] if above is not None else []
    )
    lower += [f"at least {shown(least)}"] if least is not None else []
    upper = [f"at most {shown(most)}"] if most is not None else []
    upper += [f"below {shown(below)}"] if below is not None else []
    words = [f"from {shown(least)} to {shown(most)}"] if least is not None and most is not None else [*lower, *upper]
    words += ["finite"] if not upper and isinstance(value, float) else []
    right = " and ".join(words) + ("" if null is None else f", or null {null}".rstrip())
    raise ValueError(f"{name} is {'null' if value is None else value}; it must be {right}")


def shown(bound: float) -> str:
    """Return a bound as a message shows it: a fraction without digits that say nothing, a whole number whole."""
    return f"{bound:g}" if isinstance(bound, float) else str(bound)


def check_numbers(
    holder: object, *names: str, least: float | None = None, above: float | None = None, null: str | None = None
) -> None:
    """Check attributes of an object, each by its own name, as ``check_number`` does."""
    for name in names:
        check_number(name, getattr(holder, name), least=least, above=above, null=null)


def check_one_of(name: str, value: str, known: Sequence[str]) -> None:
    """Raise ValueError unless a value is one of a few words."""
    if value not in known:
        raise ValueError(f"{name} is {value!r}; it must be one of {', '.join(known)}")


def check_name(what: str, name: object) -> None:
    """Raise ValueError for a name that could not stand in a column such as ``p95_latency_s[NAME]``."""
    if not str(name).strip() or set(str(name)) & set("[]<>=,"):
        raise ValueError(f"a {what} is named {str(name)!r}; a name has none of [ ] < > = and commas, and is not empty")


def check_pairs(name: str, values: Sequence[float], other_name: str, others: Sequence[float]) -> None:
    """Raise ValueError unless two lists are of one length and not empty."""
    if len(values) == 0 or len(values) != len(others):
        raise ValueError(
            f"{name} has {len(values)} entries and {other_name} has {len(others)}; "
            "they must have equally many, at least one"
        )


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
