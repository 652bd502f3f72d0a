"""Says what a gateway may ask of a policy, and what became of a decision. It knows no clock and no budget."""

from __future__ import annotations

from typing import NamedTuple

from sim.errors import check_number
from sim.interface import Decision, Policy, reviews


class Routed(NamedTuple):
    """What a policy decided on one query.

    Parameters
    ----------
    id : int
        Of the query, by which its answer is told; from 0, in order of arrival.
    chosen : int or None
        What the policy decided; None declines.
    taken : int or None
        What took the query: the choice or the first of its fallbacks whose budget pays and which is available; None
        where there is none.
    served : int or None
        Where the query really goes; None refuses it.
    error : str or None
        What the policy raised; the query then goes where it would go without it.
    """

    id: int
    chosen: int | None
    taken: int | None
    served: int | None = None
    error: str | None = None


def check_policy(policy: Policy) -> None:
    """Raise ValueError for a policy that needs more than a gateway with one call a query can give."""
    if policy.gate.size > 1:
        raise ValueError(
            f"{type(policy).__name__} decides on {policy.gate.size} queries at once; a gateway routes one by one: "
            "choose another policy"
        )
    if reviews(policy):
        raise ValueError(
            f"{type(policy).__name__} looks at answers and may ask again; a gateway makes one call a query: choose "
            "another policy"
        )


def check_score(score: float | None) -> None:
    """Raise ValueError for a score outside [0, 1]."""
    check_number("score", score, least=0, most=1, null="for none")


def checked(decision: object, n_deployments: int) -> list[int]:
    """Return a decision's choices, best first; raise ValueError for what is no decision, or none for one call."""
    if type(decision) is not Decision:
        raise ValueError(f"the policy returned {decision!r}; it must be a Decision")
    if decision.alongside or decision.max_output_tokens is not None:
        raise ValueError(f"the policy returned {decision!r}; a gateway makes one whole call a query")
    choices = [] if decision.deployment is None else [int(decision.deployment), *map(int, decision.fallbacks)]
    for k in choices:
        if not 0 <= k < n_deployments:
            raise ValueError(f"the policy chose deployment {k}; it must be from 0 to {n_deployments - 1}")
    return choices
