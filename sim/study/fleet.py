"""The fleet of one replication as a table: what metrics and checks know besides the record. It knows no run."""

from __future__ import annotations

import pandas as pd

from sim.instance import Instance


def fleet_table(instance: Instance) -> pd.DataFrame:
    """Return the deployments of an instance.

    Returns
    -------
    DataFrame
        ``deployment``, ``model``; ``unit`` and ``budget`` (``inf`` for none); ``replicas``; ``places``, how many
        queries it can serve at once (slots x replicas, ``inf`` for any number); ``price_per_hour_usd`` of one replica
        and ``energy_j_per_token`` of output, NaN where the fleet does not say.
    """
    setting = instance.setting
    replicas = [int(getattr(deployment, "replicas", 1)) for deployment in instance.fleet]
    slots = [float(getattr(deployment.service, "slots", "inf")) for deployment in instance.fleet]
    return pd.DataFrame(
        {
            "deployment": [info.name for info in setting.fleet],
            "model": [info.model for info in setting.fleet],
            "unit": [info.unit for info in setting.fleet],
            "budget": setting.budgets,
            "replicas": replicas,
            "places": [n * each for n, each in zip(replicas, slots, strict=True)],
            "price_per_hour_usd": [stated(deployment, "price_per_hour_usd") for deployment in instance.fleet],
            "energy_j_per_token": [stated(deployment, "energy_j_per_token") for deployment in instance.fleet],
        }
    )


def stated(deployment: object, what: str) -> float:
    """Return a figure of a deployment, NaN if it has none."""
    value = getattr(deployment, what, None)
    return float("nan") if value is None else float(value)
