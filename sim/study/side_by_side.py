"""Says what carries out the parts of a study: one after another here, or side by side elsewhere.

It knows no part's meaning. ``sim.cli.working`` has what does it in several processes.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Protocol, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


class SideBySide(Protocol):
    """What carries out parts of a study that do not depend on each other."""

    @property
    def workers(self) -> int:
        """How many are carried out at one time."""
        ...

    def each(self, work: Callable[[Task], Iterable[Result]], tasks: Sequence[Task]) -> Generator[Result, None, None]:
        """Yield what the work yields for each task, in the order of the tasks; the first of these that fails raises."""
        ...


class OneByOne:
    """One after another, in this process; nothing is begun before it is asked for."""

    workers = 1

    def each(self, work: Callable[[Task], Iterable[Result]], tasks: Sequence[Task]) -> Generator[Result, None, None]:
        """Yield what the work yields, as it comes."""
        for task in tasks:
            yield from work(task)
