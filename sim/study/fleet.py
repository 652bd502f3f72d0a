"""The fleet of one replication as a table: what metrics and checks know besides the record. It knows no run."""

from __future__ import annotations

import pandas as pd

from sim.deployment import Deployment
from sim.instance import Instance


def fleet_table(instance: Instance) -> pd.DataFrame:
    """Return the deployments of an instance.

    Returns
    -------
    DataFrame
        ``deployment``, ``model``; ``unit`` and ``budget`` (``inf`` for none); ``may_exceed``, whether spending may end
        above that budget, because estimates are reserved or budgets change during the run; ``replicas``; ``places``,
        how many queries it can serve at once (slots x replicas, ``inf`` for any number, NaN if replicas come and go);
        ``price_per_hour_usd`` of one replica; ``energy_j_per_token`` of output, NaN where the fleet does not say.
    """
    setting = instance.setting
    return pd.DataFrame(
        {
            "deployment": [info.name for info in setting.fleet],
            "model": [info.model for info in setting.fleet],
            "unit": [info.unit for info in setting.fleet],
            "budget": setting.budgets,
            "may_exceed": may_exceed(instance),
            "replicas": [deployment.replicas for deployment in instance.fleet],
            "places": [places(deployment) for deployment in instance.fleet],
            "price_per_hour_usd": [deployment.price_per_hour_usd for deployment in instance.fleet],
            "energy_j_per_token": [energy_j_per_token(deployment) for deployment in instance.fleet],
        }
    )


def places(deployment: Deployment) -> float:
    """Return how many queries a deployment can serve at once."""
    if deployment.autoscaler is not None:
        return float("nan")
    service = deployment.service
    slots = getattr(service, "slots", None)  # only some services have them
    if slots is None or getattr(service, "overhead_s", 0.0) > 0:  # an answer on its way to the client holds no slot
        return float("inf")
    return float(slots) * getattr(service, "ranks", 1) * deployment.replicas


def may_exceed(instance: Instance) -> bool:
    """Return whether a deployment may end above its budget without anything being wrong."""
    scenario = instance.scenario
    return scenario.reserve == "estimate" or scenario.window is not None or len(scenario.events) > 0


def energy_j_per_token(deployment: Deployment) -> float:
    """Return the energy of one output token, NaN if the fleet does not say."""
    value = getattr(deployment, "energy_j_per_token", None)
    return float("nan") if value is None else float(value)
