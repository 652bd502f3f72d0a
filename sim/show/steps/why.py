"""Says in a clause why a policy decided as it did: from its reasons, or from what went into the decision."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sim.interface import DeploymentInfo, FloatArray, affords
from sim.show.words import listed, number
from sim.study.steps.noted import Note

NOTHING = 1e-12  # so little is what rounding leaves of 0
UNITS = {"usd": "USD", "tokens": "tokens"}


def because(note: Note, fleet: Sequence[DeploymentInfo]) -> str:
    """Return why, as a clause that goes on after "as"; the policy's own reasons first."""
    reasons = note.reasons
    words = "" if reasons is None else reasons.words
    if reasons is not None and reasons.scores is not None:
        return ": ".join(filter(None, (words, by_scores(note, reasons.scores, fleet))))
    return words or f"it gives no reasons: {by_inputs(note, fleet)}"


def by_scores(note: Note, scores: FloatArray, fleet: Sequence[DeploymentInfo]) -> str:
    """Return what the scores say of the choice."""
    names, chosen = [info.name for info in fleet], note.decision.deployment
    scores = np.where(np.abs(scores) < NOTHING, 0.0, scores)
    pays = affords(note.state.remaining, note.query.cost_hat)
    best = int(np.argmax(scores))
    shown = f"{names[best]} has the highest score, {number(scores[best])}"
    if chosen is None:
        if scores[best] <= 0:
            return f"nobody is worth its price, {names[best]} has the highest score, {number(scores[best])}"
        return shown + ("" if pays[best] else f", and cannot pay {cost_of(note, best, fleet)}")
    others = [f"{names[k]} {number(scores[k])}" for k in range(len(names)) if k != chosen]
    rest = f" ({', '.join(others)})" if 0 < len(others) <= 3 else ""
    if scores[chosen] == scores[best]:
        return f"{names[chosen]} has the highest score, {number(scores[chosen])}{rest}"
    left = " of those that can pay" if not pays[best] else ""
    return f"{names[chosen]} has the score {number(scores[chosen])}{rest}" + (f", the highest{left}" if left else "")


def by_inputs(note: Note, fleet: Sequence[DeploymentInfo]) -> str:
    """Return what was seen of the choice, of a policy that gives no reasons."""
    names, chosen, query = [info.name for info in fleet], note.decision.deployment, note.query
    quality, cost = note.believed
    if chosen is None:
        best = int(np.argmax(quality))
        return f"the best predicted was {names[best]}, with {number(quality[best])} for {cost_of(note, best, fleet)}"
    load = (note.state.queued + note.state.in_flight).astype(np.float64)
    facts = [
        fact
        for fact, values in (
            ("the best predicted quality", -quality),
            ("the lowest predicted cost", cost),
            ("the fewest queries waiting and in service", load),
        )
        if alone_least(values, chosen)
    ]
    pays = affords(note.state.remaining, query.cost_hat)
    if len(names) > 1 and pays[chosen] and pays.sum() == 1:
        facts.append("the only budget that can pay")
    seen = f"{number(quality[chosen])} for {cost_of(note, chosen, fleet)}"
    has = f" and has {listed(facts)}" if facts else ""
    return f"{names[chosen]} was predicted {seen}{has}"


def alone_least(values: FloatArray, chosen: int) -> bool:
    """Return whether one has less than every other, if there are others."""
    return len(values) > 1 and bool((np.delete(values, chosen) > values[chosen]).all())


def cost_of(note: Note, k: int, fleet: Sequence[DeploymentInfo]) -> str:
    """Return what a query is predicted to cost at a deployment, with its unit."""
    return amount(float(note.believed.cost[k]), fleet[k])


def amount(value: float, info: DeploymentInfo) -> str:
    """Return an amount of a deployment's budget with its unit.

    >>> amount(3.0, DeploymentInfo("large", "large", "usd"))
    '3 USD'
    """
    return f"{number(value)} {UNITS[info.unit]}"
