"""Gathers what is wrong with a table, so that one message says all of it. It knows no columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Made = TypeVar("Made")


class Faults:
    """What is wrong with a table, in the order of the steps that found it.

    Parameters
    ----------
    where : str
        The table's name, which ends the message of each step that has one.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self._found: list[Exception] = []

    def of(self, step: Callable[[], Made]) -> Made | None:
        """Return what a step makes, or None if it cannot, which is then among the faults."""
        try:
            return step()
        except (ValueError, OSError, ImportError) as error:
            self._found.append(error)
            return None

    def tell(self) -> None:
        """Raise the fault if there is one, and a ValueError that lists them if there are several.

        Raises
        ------
        ValueError, OSError, ImportError
        """
        if len(self._found) == 1:
            raise self._found[0]
        if self._found:
            each = [f"({n}) {str(error).removesuffix(self._where)}" for n, error in enumerate(self._found, start=1)]
            raise ValueError(f"the table cannot be used as it is: {'; '.join(each)}{self._where}")
