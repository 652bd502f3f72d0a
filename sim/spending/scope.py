"""Says which queries a limit is for, given the fleet and the sources of queries. It knows no clock."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sim.errors import unknown
from sim.spending.limits import TOTAL, Limit

TAGS = ("source", "tenant")  # what tells whose a query is: columns of the request table, and attributes of an instance


@dataclass(frozen=True)
class Scope:
    """Which queries a limit is for.

    Parameters
    ----------
    deployments : frozenset of int
        Numbers of the deployments that must take one on.
    tags : frozenset of str
        Of which a query must have one; empty for every query.
    """

    deployments: frozenset[int]
    tags: frozenset[str]


def scope(key: str, limit: Limit, fleet: Sequence[Collection[str]], tags: Collection[str]) -> Scope:
    """Return what a limit is for.

    Parameters
    ----------
    key : str
        Of the limit, for the message.
    limit : Limit
    fleet : sequence of collection of str
        The names that each deployment goes by: its own, and those of its model and its account.
    tags : collection of str
        Of all queries.

    Raises
    ------
    ValueError
        If it names something that there is not.
    """
    deployments: set[int] = set()
    of_queries: set[str] = set()
    for name in limit.of:
        those = {k for k, names in enumerate(fleet) if name in names}
        deployments |= those
        if not those and name in tags:
            of_queries.add(name)
        elif not those and name != TOTAL:
            known = [*dict.fromkeys(known for names in fleet for known in sorted(names)), *sorted(tags), TOTAL]
            raise ValueError(unknown(f"deployment, account or source of {key}", name, known))
    return Scope(frozenset(deployments or range(len(fleet))), frozenset(of_queries))
