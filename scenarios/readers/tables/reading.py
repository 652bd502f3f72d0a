"""Reads a routing table of any known format as a table in our schema. It knows which formats there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scenarios.readers.formats import Format, recognised
from scenarios.readers.opened import Opened
from scenarios.readers.places import located
from scenarios.readers.tables.answers import Answers, Table, by_rules
from scenarios.readers.tables.embedllm import EMBEDLLM
from scenarios.readers.tables.llmrouterbench import LLMROUTERBENCH
from scenarios.readers.tables.mixinstruct import MIXINSTRUCT
from scenarios.readers.tables.routerarena import ROUTERARENA
from scenarios.readers.tables.routerbench import ROUTERBENCH
from scenarios.readers.tables.sprout import SPROUT
from sim.errors import UnreadableError, note

FORMATS: tuple[Format[Answers], ...] = (ROUTERBENCH, SPROUT, ROUTERARENA, LLMROUTERBENCH, EMBEDLLM, MIXINSTRUCT)


@dataclass(frozen=True)
class Source:
    """A table and what its file was: the name of the format, and what that is."""

    table: Table
    format: str
    what: str


def foreign(path: str, prices: str | None = None, price_as: Mapping[str, str] | None = None) -> Table | None:
    """Return the table in a file of a foreign format, and note what was done; None for any other file.

    ``read`` has the parameters and the errors.
    """
    source = read(path, None, prices, price_as) if located(path).exists() else None
    if source is None:
        return None
    note(f"{path} is read as {source.what}: {'; '.join(sentences(source.table))}")
    return source.table


def read(
    path: str, name: str | None = None, prices: str | None = None, price_as: Mapping[str, str] | None = None
) -> Source | None:
    """Return the table in a file; None if it is of no known format.

    Parameters
    ----------
    path : str
    name : str or None
        The format; None finds out.
    prices : str or None
        A price list, by which tokens are charged; ``none`` charges nothing; None takes the file's costs.
    price_as : mapping of str to str or None
        Names of models in the price list, where they are other ones.

    Raises
    ------
    UnreadableError
        If the file is not as its format has it, or has no costs and there are no prices, or a model has no price.
    OSError
        If there is no such file.
    """
    file = located(path)
    try:
        opened = Opened(file)
        found = recognised(opened, FORMATS, name)
        return None if found is None else Source(by_rules(found.read(opened), prices, price_as), found.name, found.what)
    except ValueError as error:
        raise UnreadableError(str(error)) from error


def sentences(table: Table) -> list[str]:
    """Return what was done to the answers of a table, a clause each."""
    done = [f"{len(table.frame)} of {table.n_questions} questions, answered by {len(table.models)} models"]
    return [*done, *(f"dropped: {count} {reason}" for reason, count in table.dropped.items()), *table.said]
