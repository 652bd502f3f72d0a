"""Edits the deployments of a fleet by name: leaves some out, and changes numbers of others. It knows no catalogue."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sim.deployment import TOKEN_PRICES, Deployment
from sim.errors import unknown

WHOLE = ("replicas", "queue_capacity")
WHOLE_OF_SERVICES = ("slots", "_tokens", "ranks", "_per_minute")  # how names of whole numbers of a service end
NUMBERS = (*WHOLE, "timeout_s", *TOKEN_PRICES, "price_cached_input_usd_per_million", "price_per_hour_usd")
WORDS = ("model",)
SERVICE = "service."
Change = Mapping[str, Mapping[str, Any]]
"""For a deployment's name, its numbers by their names, those of its service as ``service.slots``."""


def edited(members: Sequence[Deployment], exclude: Sequence[str], change: Change | None) -> list[Deployment]:
    """Return the deployments without those to leave out, with those changed that are to be.

    What is changed loses its origin, as it is the user's own.

    Raises
    ------
    ValueError
        For a name, a number or a value that cannot be, and if none is left.
    """
    names = [one.name for one in members]
    check_names(names, exclude, "fleet.exclude")
    check_names(names, list(change or ()), "fleet.change")
    left = [one for one in members if one.name not in exclude]
    if members and not left:
        raise ValueError(f"fleet.exclude leaves none of {', '.join(names)}")
    return [changed(one, (change or {}).get(one.name, {})) for one in left]


def check_names(names: Sequence[str], wanted: Sequence[str], key: str) -> None:
    """Raise ValueError, naming the nearest, unless all that are wanted are there."""
    for name in wanted:
        if name not in names:
            raise ValueError(unknown(f"deployment in {key},", name, names))


def changed(one: Deployment, numbers: Mapping[str, Any]) -> Deployment:
    """Return a deployment with other numbers."""
    if not numbers:
        return one
    key = f"fleet.change of {one.name!r}"
    if not isinstance(numbers, Mapping):
        raise ValueError(f"{key} is {numbers!r}; it must be a mapping such as {{replicas: 2}}")
    known = [*WORDS, *NUMBERS, *numbers_of_service(one.service)]
    for name, value in numbers.items():
        if name not in known:
            raise ValueError(unknown(f"key in {key},", str(name), known))
        check_kind(f"{name} in {key}", str(name), value)
    of_service = {name.removeprefix(SERVICE): value for name, value in numbers.items() if name.startswith(SERVICE)}
    service = replace(one.service, **of_service) if of_service else one.service  # type: ignore[type-var]
    own = {name: value for name, value in numbers.items() if not name.startswith(SERVICE)}
    origins = {name: origin for name, origin in (one.provenance or {}).items() if name not in numbers}
    return replace(one, **own, service=service, provenance=origins or None)


def numbers_of_service(service: Any) -> list[str]:
    """Return the names of what a service has, as a change names them."""
    if not dataclasses.is_dataclass(service):
        return []
    return sorted(f"{SERVICE}{field.name}" for field in dataclasses.fields(service))


def check_kind(what: str, name: str, value: Any) -> None:
    """Raise ValueError unless a value is a text where a model is named, and a number or null elsewhere."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if name in WORDS:
        right, fits = "the name of a model", isinstance(value, str)
    elif name in WHOLE or name.endswith(WHOLE_OF_SERVICES):
        null = "" if name == "replicas" else " or null"
        right, fits = f"a whole number{null}", (is_number and isinstance(value, int)) or (value is None and null != "")
    elif name == "price_per_hour_usd":
        right, fits = "a number", is_number
    else:
        right, fits = "a number or null", is_number or value is None
    if not fits:
        raise ValueError(f"{what} is {value!r}; it must be {right}")
