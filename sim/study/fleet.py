"""Makes the fleet table: what metrics and checks know besides the request table. It knows no run."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from sim.deployment import Deployment
from sim.instance import Instance
from sim.renewing import TokenBucket, Window
from sim.scenario import Scenario
from sim.spending.calendar import Calendar
from sim.traits import EventTraits, FleetTraits, ServiceTraits


def fleet_table(instance: Instance) -> pd.DataFrame:
    """Return the deployments of an instance.

    Returns
    -------
    DataFrame
        ``deployment``, ``model``; ``account``, the name of what it pays from, its own unless it shares one; ``unit``
        and ``budget`` of that account (``inf`` for none); ``window_s``, the length of the windows that each have that
        budget, NaN where it is for the whole run; ``calendar``, the same of windows by the calendar, as
        ``sim.spending.Calendar.words`` has it; and ``rolls_over``, whether what a window leaves is added to the
        next; ``may_exceed``, whether spending may end above that budget, because estimates are reserved or something
        may be added to it during the run; ``replicas``; ``slots``, how many queries it can serve at once
        (slots x replicas, ``inf`` for any number, NaN if replicas come and go);
        ``kv_tokens``, the room of its key-value caches, likewise; ``kv_holds``, when a query takes room there
        (``sim.traits.ServiceTraits``), None without a limit; ``reserved_output_tokens``, what it takes for the output,
        NaN for its true length;
        ``may_overlap``, whether the request table may show more than that in service at once;
        ``price_per_hour_usd`` of one replica, and ``on_demand_per_hour_usd`` of one that is no spot replica;
        ``charges_queries``, whether queries are paid for as well, see ``charges_queries``; ``energy_j_per_token`` of
        output, NaN where the fleet does not say; ``history_share`` of history rows that it is known on, 1 unless its
        model is new.
    """
    setting, fleet, window = instance.setting, instance.fleet, instance.scenario.window
    services = [ServiceTraits.of(deployment.service) for deployment in fleet]
    if isinstance(window, TokenBucket) or (window is not None and window.spread):
        window = None  # the budget is for the whole run
    return pd.DataFrame(
        {
            "deployment": [info.name for info in setting.fleet],
            "model": [info.model for info in setting.fleet],
            "account": [info.account or info.name for info in setting.fleet],
            "unit": [info.unit for info in setting.fleet],
            "budget": setting.budgets,
            "window_s": window.length_s if isinstance(window, Window) else math.nan,
            "calendar": window.words if isinstance(window, Calendar) else None,
            "rolls_over": window is not None and window.rollover,
            "may_exceed": may_exceed(instance),
            "replicas": [deployment.replicas for deployment in fleet],
            "slots": [deployment.total_slots if deployment.has_fixed_replicas else math.nan for deployment in fleet],
            "kv_tokens": [
                deployment.total_kv_tokens if deployment.has_fixed_replicas else math.nan for deployment in fleet
            ],
            "kv_holds": [None if service.kv_tokens is None else service.kv_holds for service in services],
            "reserved_output_tokens": np.array([service.reserved_output_tokens for service in services], dtype=float),
            "may_overlap": [
                service.may_overlap or deployment.preemptive
                for service, deployment in zip(services, fleet, strict=True)
            ],
            "price_per_hour_usd": [deployment.rent_per_hour_usd for deployment in fleet],
            "on_demand_per_hour_usd": [deployment.price_per_hour_usd for deployment in fleet],
            "charges_queries": [charges_queries(deployment) for deployment in fleet],
            "energy_j_per_token": np.array([deployment.energy_j_per_token for deployment in fleet], dtype=np.float64),
            "history_share": setting.history.known.mean(axis=0),
        }
    )


def charges_queries(deployment: Deployment) -> bool:
    """Return whether a deployment is paid by the query or token: unless it is rented by the hour and nothing else.

    It is paid by both if it is rented and has token prices of its own, or is a hosted API.
    """
    has_token_prices = deployment.price_output_usd_per_million is not None
    return not deployment.price_per_hour_usd > 0 or has_token_prices or ServiceTraits.of(deployment.service).is_hosted


def may_exceed(instance: Instance) -> bool:
    """Return whether a deployment may end above its budget without anything being wrong."""
    scenario = instance.scenario
    events = [EventTraits.of(event) for event in scenario.events]
    return scenario.reserve == "estimate" or any(event.moves_money and not event.only_cuts for event in events)


def unbounded(scenario: Scenario) -> str | None:
    """Return the setting with which no hindsight optimum bounds a run, and what to do about it; None without one."""
    if scenario.workload.test.steps is not None:
        return "queries are steps of tasks, whose cost and number depend on the policy: use a workload without tasks"
    if scenario.cache is not None:
        return "a cache answers queries at no cost: use cache=none"
    if FleetTraits.of(scenario.fleet).cheapens_prefixes:
        return "prompts cost less where their prefix is held: use prefix_cache_tokens=null"
    if scenario.window is not None:
        return "budgets renew themselves: use window=null"
    if scenario.spending.refuses:
        return "limits stand beside the budgets: leave spending.limits out, or make them soft"
    if scenario.reserve == "estimate":
        return "budgets may be overshot: use reserve=true_cost"
    for event in scenario.events:
        if EventTraits.of(event).moves_money:
            return f"a {type(event).__name__} may change budgets or prices: leave it out"
        if EventTraits.of(event).moves_quality:
            return f"a {type(event).__name__} changes what answers are worth: leave it out"
    return None
