"""Holds a query that has been asked, and says what its policy may do with it next. It knows no clock and no truth."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence

from sim.interface import Answer, Combine, Decision, Keep, Query

PENDING = Answer(-1, 0.0, math.nan, 0, math.nan, "pending")


class SeveralCalls(Exception):  # noqa: N818 - it is no error
    """A decision asks several deployments at once."""


class Asked:
    """A query that has been asked, with its calls so far.

    Attributes
    ----------
    query : Query
    number, fields
        Of the query: its id, and all but that.
    calls : list of int
        Their numbers, in the order of asking.
    answers : list of Answer
        Of each call; ``PENDING`` while it is under way.
    rounds, under_way : int
        How many rounds have begun, and how many calls of the last one have not ended.
    """

    __slots__ = ("answers", "calls", "fields", "number", "query", "rounds", "under_way")

    def __init__(self, query: Query) -> None:
        self.query = query
        self.number = query[0]
        self.fields = query[1:]
        self.calls: list[int] = []
        self.answers: list[Answer] = []
        self.rounds = self.under_way = 0


def check_calls(name: str, asked: Asked, calls: Sequence[Decision], n_deployments: int, max_calls: int) -> None:
    """Raise RuntimeError, naming the policy, if a call of a round goes to no deployment, or there are too many."""
    for decision in calls:
        for choice in (decision.deployment, *decision.fallbacks):
            if choice is None or not 0 <= index(choice) < n_deployments:
                declines = ", or None to decline" if len(calls) == 1 else ", as the round has several calls"
                right = f"it must be an index from 0 to {n_deployments - 1}{declines}"
                raise blamed(name, asked, f"chose deployment {choice!r} for", right)
    if len(asked.calls) + len(calls) > max_calls:
        right = f"max_calls is {max_calls}; its review must keep an answer, or give up with Decision(None)"
        raise blamed(name, asked, f"asked for call {max_calls + 1} of", right)


def kept_places(name: str, asked: Asked, outcome: object, may_combine: bool) -> Sequence[int]:
    """Return the places of the answers that a review hands over, if its outcome is no ``Decision``.

    Raises
    ------
    RuntimeError
        If the policy keeps an answer that it does not have, combines where nobody knows what that is worth, or returned
        something else; the message names the policy and the query.
    """
    if type(outcome) is Keep:
        place = outcome[0]
        if type(place) is int and 0 <= place < len(asked.answers) and asked.answers[place][5] == "served":
            return outcome  # what is right is told from the rest at once
        places: Sequence[object] = (outcome.index,)
    elif type(outcome) is Combine:
        places = tuple(outcome.indices)
        if not may_combine:
            right = "the workload does not say what a combination is worth (Workload.combined)"
            raise blamed(name, asked, "combines answers to", right)
        if not places or len(set(places)) < len(places):
            raise blamed(name, asked, f"combines answers {places!r} to", "it must name one or more, each once")
    else:
        right = "it must be a Decision, a Keep or a Combine"
        raise blamed(name, asked, f"returned {outcome!r} from its review of", right)
    n_answers, found = len(asked.answers), [index(place) for place in places]
    for place, as_given in zip(found, places, strict=True):
        if not 0 <= place < n_answers:
            has = f"it has {n_answers}, numbered from 0" if n_answers > 1 else "it has one, number 0"
            raise blamed(name, asked, f"keeps answer {as_given!r} to", has)
        if not asked.answers[place].came:
            fate = asked.answers[place].fate
            raise blamed(name, asked, f"keeps answer {place} to", f"it never came, as its call was {fate}")
    return found


def blamed(name: str, asked: Asked, what: str, right: str) -> RuntimeError:
    """Return the error that a policy has made with a query."""
    return RuntimeError(f"policy {name!r} {what} query {asked.query.id}: {right}")


def index(choice: object) -> int:
    """Return any integer type as an int; -1, which is no deployment, for what is not a whole number."""
    try:
        return operator.index(choice)  # type: ignore[arg-type]
    except TypeError:
        return -1


def checked_cap(name: str, number: int, cap: object, caps: Sequence[int]) -> int:
    """Return a decision's cap as an int.

    Parameters
    ----------
    name : str
        Of the policy.
    number : int
        Of the query.
    cap : object
        As the policy gave it.
    caps : sequence of int
        Those of the workload.

    Raises
    ------
    RuntimeError
        If it is no number of tokens, or the workload has no quality by cap; the message names the policy and the query.
    """
    try:
        tokens = operator.index(cap)  # type: ignore[arg-type]
    except TypeError:
        tokens = 0
    if tokens < 1:
        right = "it must be a whole number of at least 1, or None for the whole answer"
        raise RuntimeError(f"policy {name!r} caps query {number} at {cap!r} output tokens; {right}")
    if not caps:
        raise RuntimeError(
            f"policy {name!r} caps query {number} at {tokens} output tokens, and the workload has no quality by cap: "
            "it needs the columns 'MODEL@CAP' or workload.cap_curve"
        )
    return tokens
