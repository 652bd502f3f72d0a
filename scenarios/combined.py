"""Puts the deployments of several fleets together. It knows no catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from scenarios.editing import Change, edited
from scenarios.fleets import subset
from sim.deployment import Deployment
from sim.scenario import FleetRule


@dataclass(frozen=True)
class Combined:
    """The deployments of several fleets together.

    Parameters
    ----------
    fleets : mapping of str to FleetRule
        By a name of each.
    size : int or None
        Deploy a random subset of this size, see ``subset``.
    exclude : sequence of str
        Names of deployments to leave out.
    change : mapping of str to mapping, or None
        For a deployment's name, numbers to change, as in ``{8b-h100: {replicas: 2}}``; see ``Catalogue``.

    Raises
    ------
    ValueError
        If two deployments have one name.
    """

    fleets: Mapping[str, FleetRule]
    size: int | None = None
    exclude: Sequence[str] = ()
    change: Change | None = None

    @property
    def about(self) -> str:
        """What the fleets are, for the first lines of reports."""
        return "; ".join(getattr(fleet, "about", None) or name for name, fleet in self.fleets.items())

    def deployments(self, models: Sequence[str], rng: np.random.Generator) -> tuple[Deployment, ...]:
        """Return all of them, in the order of the fleets."""
        members: list[Deployment] = []
        for name, fleet in self.fleets.items():
            for one in fleet.deployments(models, rng):
                if one.name in (other.name for other in members):
                    raise ValueError(f"fleet {name!r} has a deployment named {one.name!r}, and so has one before it")
                members.append(one)
        return tuple(subset(edited(members, self.exclude, self.change), self.size, "deployments", rng))
