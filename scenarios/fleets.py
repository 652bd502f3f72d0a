"""Which deployments there are: builders from the workload's models to a fleet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sim.scenario import Deployment, Service, unknown


@dataclass(frozen=True)
class OnePerModel:
    """One deployment for each model, all with the same service.

    Parameters
    ----------
    service : Service
    queue_capacity : int or None
        How many queries may wait at each; None for any number.
    models : sequence of str or None
        The models to deploy; None for all of the workload.
    size : int or None
        Deploy a random subset of this size, another in each replication; budgets are split among the subset.
    """

    service: Service
    queue_capacity: int | None = None
    models: Sequence[str] | None = None
    size: int | None = None

    def deployments(self, models: Sequence[str], rng: np.random.Generator) -> tuple[Deployment, ...]:
        """Return the fleet, in the order of the models."""
        for model in self.models or ():
            if model not in models:
                raise ValueError(unknown("model", model, models))
        chosen = list(self.models or models)
        if self.size is not None:
            if not 1 <= self.size <= len(chosen):
                raise ValueError(f"fleet.size is {self.size}; it must be from 1 to {len(chosen)}, the number of models")
            chosen = [chosen[k] for k in np.sort(rng.choice(len(chosen), self.size, replace=False))]
        return tuple(Deployment(model, model, self.service, self.queue_capacity) for model in chosen)


@dataclass(frozen=True)
class Listed:
    """Deployments given one by one, each with its own model, service and queue."""

    members: Sequence[Deployment]

    def deployments(self, models: Sequence[str], rng: np.random.Generator) -> tuple[Deployment, ...]:
        """Return the fleet as listed."""
        return tuple(self.members)
