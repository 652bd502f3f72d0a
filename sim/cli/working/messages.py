"""Packs what processes of one study tell each other. What all of them have already travels by its number.

The tables of a workload are the same in all processes, which made them from the same configuration.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sim.scenario import Scenario


@dataclass(frozen=True)
class Begin:
    """What a study is made of, for a process that is to have the same one.

    Parameters
    ----------
    make : callable
        Makes the study of configuration, scenarios and policies.
    config : dict
        Resolved.
    policies : tuple of str
        The names of those that run.
    orders : mapping of str to order
        Those that were searched for, which is not done again.
    """

    make: Any
    config: dict[str, Any]
    policies: tuple[str, ...]
    orders: Mapping[str, Any]


@dataclass(frozen=True)
class Done:
    """What became of a task: what it gave, the notes for the user, and the error that ended it, with its traceback."""

    results: Sequence[Any]
    notes: Sequence[str] = ()
    error: BaseException | None = None
    traceback: str = ""


def packed(message: object, shared: Sequence[object] = ()) -> bytes:
    """Return a message as bytes; what is shared is named by its place.

    Raises
    ------
    Exception
        Whatever pickle or a class of the user's own raises if something in it cannot travel.
    """
    stream = io.BytesIO()
    places = {id(one): place for place, one in enumerate(shared)}

    class Packer(pickle.Pickler):
        def persistent_id(self, one: object) -> int | None:
            return places.get(id(one))

    Packer(stream, protocol=pickle.HIGHEST_PROTOCOL).dump(message)
    return stream.getvalue()


def unpacked(message: bytes, shared: Sequence[object] = ()) -> Any:
    """Return the message that ``packed`` made, with what is shared as this process has it."""

    class Unpacker(pickle.Unpickler):
        def persistent_load(self, place: Any) -> object:
            return shared[place]

    return Unpacker(io.BytesIO(message)).load()


def shared_by(study: object, scenarios: Mapping[str, Scenario]) -> tuple[object, ...]:
    """Return what all processes have, which no message brings along: the study and the tables of its workload."""
    return study, next(iter(scenarios.values())).workload
