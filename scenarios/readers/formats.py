"""Says what a foreign format offers, and which one a file is of. It knows no format by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from scenarios.readers.opened import Opened
from sim.errors import unknown

Read = TypeVar("Read")


@dataclass(frozen=True)
class Format(Generic[Read]):
    """A foreign format.

    Parameters
    ----------
    name : str
        As ``format=`` names it.
    what : str
        What it is, in a few words.
    is_mine : callable
        Whether an opened file is of this format, by its columns, its keys or its first record.
    read : callable
        From an opened file to what it holds; raises ValueError for a file that is not as it should be.
    """

    name: str
    what: str
    is_mine: Callable[[Opened], bool]
    read: Callable[[Opened], Read]


def recognised(opened: Opened, formats: Sequence[Format[Read]], name: str | None = None) -> Format[Read] | None:
    """Return the format that a file is of; None if it is of none of these.

    Parameters
    ----------
    opened : Opened
    formats : sequence of Format
        The first that says yes is taken.
    name : str or None
        The format to take, though another one may say yes before it.

    Raises
    ------
    ValueError
        If there is no format of that name, the file is not of it, or the file cannot be read at all.
    """
    if name is not None:
        named = [one for one in formats if one.name == name]
        if not named:
            raise ValueError(unknown("format", name, [one.name for one in formats]))
        if not named[0].is_mine(opened):
            raise ValueError(f"{opened.path} is {opened.described()}, and no file of {named[0].what}")
        return named[0]
    return next((one for one in formats if one.is_mine(opened)), None)
