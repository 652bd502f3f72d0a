"""Says in a line what a fleet is, where its numbers are from, and how sure they are. It knows no run."""

from __future__ import annotations

from collections.abc import Sequence

from sim.deployment import CONFIDENCES, Deployment
from sim.instance import stream
from sim.scenario import Scenario


def fleet_words(scenario: Scenario, seed: int) -> str | None:
    """Return what the scenario's fleet is, with its least and most confidence; None where it says nothing of itself.

    ``about`` of the fleet says what it is; without it, its deployments are named.
    """
    fleet = scenario.fleet.deployments(scenario.workload.models, stream(seed, 0, "fleet"))
    about, sure = getattr(scenario.fleet, "about", None), confidence_words(fleet)
    if about is None and sure is None:
        return None
    name = about or ", ".join(one.name for one in fleet)
    return f"fleet {name}; {sure or 'no number says where it is from'}"


def confidence_words(fleet: Sequence[Deployment]) -> str | None:
    """Return the confidence of a fleet's numbers from the least, with a number that has it; None where none is given.

    Examples
    --------
    >>> from sim.world.services.slots import Instant
    >>> origins = {"price_per_hour_usd": {"source": "a list", "as_of": "2026-11", "confidence": "low"}}
    >>> confidence_words([Deployment("a", "m", Instant(), price_per_hour_usd=1.0, provenance=origins)])
    'confidence low'
    """
    found = {
        (CONFIDENCES.index(origin["confidence"]), one.name, number)
        for one in fleet
        for number, origin in (one.provenance or {}).items()
    }
    if not found:
        return None
    most, (least, name, number) = min(found)[0], max(found)
    if least == most:
        return f"confidence {CONFIDENCES[least]}"
    return f"confidence {CONFIDENCES[least]} ({number.removeprefix('service.')} of {name}) to {CONFIDENCES[most]}"
