"""Checks that the parts of a scenario fit each other: fleet, workload, budgets, accounts, periods. It knows no clock.

Each part has checked its own numbers when it was made; these are the checks that need two of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sim.deployment import Deployment
from sim.errors import unknown
from sim.interface import FloatArray
from sim.renewing import Window
from sim.scenario import BudgetRule, Event, Scenario
from sim.spending.calendar import Calendar
from sim.spending.scope import TAGS, Scope, scope
from sim.traits import AutoscalerTraits, BudgetTraits, EventTraits, ServiceTraits
from sim.workload import Rows, Workload

UNITS = ("usd", "tokens")
MOST_PERIODS = 1_000_000
SHORTEST_S = {"hour": 3600.0, "day": 82800.0, "week": 601200.0, "month": 2415600.0}  # with a change to summer time


def check_fleet(fleet: Sequence[Deployment], workload: Workload) -> list[int]:
    """Return the truth column of each deployment; raise ValueError for a fleet that the workload cannot feed."""
    if not fleet:
        raise ValueError("the fleet is empty; it needs at least one deployment")
    names = [deployment.name for deployment in fleet]
    if len(set(names)) < len(names):
        raise ValueError(f"two deployments are named {max(names, key=names.count)!r}: deployment names must differ")
    for deployment in fleet:
        if deployment.model not in workload.models:
            raise ValueError(unknown("model", deployment.model, workload.models))
        if deployment.service.needs_output_tokens and workload.test.output_tokens is None:
            raise ValueError(
                f"the service of {deployment.name!r} needs output tokens, and the workload has none: "
                "add the columns 'MODEL|output_tokens' or use fleet=instant"
            )
        if ServiceTraits.of(deployment.service).replays_latency:
            check_measured(deployment, workload)
        has_slots = ServiceTraits.of(deployment.service).slots is not None
        if AutoscalerTraits.of(deployment.autoscaler).needs_slots and not has_slots:
            raise ValueError(
                f"the autoscaler of {deployment.name!r} goes by busy slots, and the service has no number of slots: "
                "give service.slots, or choose an autoscaler such as TargetTracking or QueueTracking"
            )
        is_priced = deployment.price_output_usd_per_million is not None
        if is_priced and (workload.test.output_tokens is None or workload.history.output_tokens is None):
            raise ValueError(
                f"{deployment.name!r} has a price per token, and the workload has no output tokens: "
                "add the columns 'MODEL|output_tokens' or leave the price out"
            )
    check_prefix_caches(fleet, workload.test)
    return [workload.models.index(deployment.model) for deployment in fleet]


def check_measured(deployment: Deployment, workload: Workload) -> None:
    """Raise ValueError unless the workload has measured latencies of the deployment's model."""
    latency_s = workload.test.latency_s
    if latency_s is None or np.isnan(latency_s[:, workload.models.index(deployment.model)]).any():
        raise ValueError(
            f"{deployment.name!r} serves by measured latencies, and the workload has none of {deployment.model!r}: "
            f"add the column '{deployment.model}|latency_s', or choose another service"
        )


def check_prefix_caches(fleet: Sequence[Deployment], test: Rows) -> None:
    """Raise ValueError for a prefix cache of a deployment that has nothing to hold, or that would save nothing."""
    for deployment in fleet:
        room = deployment.prefix_cache_tokens
        if room is None:
            continue
        what = f"prefix_cache_tokens of {deployment.name!r} is {room:g}"
        if test.steps is not None:
            raise ValueError(
                f"{what}, and queries are steps of tasks, whose workload says itself what is held (cached_tokens): "
                "use null"
            )
        if test.prefix is None:
            raise ValueError(
                f"{what}, and the workload has no prefix blocks: use null, workload=sessions, or a table or trace "
                "with a column 'prefix_blocks'"
            )
        if room < test.prefix.block_tokens:
            raise ValueError(f"{what}; it must be at least a block of {test.prefix.block_tokens} tokens, or null")
        if not deployment.prefills and not deployment.cheapens_prefixes:
            raise ValueError(
                f"{what}, and it would save nothing, as the service takes no time for input tokens and there is no "
                "price_cached_input_usd_per_million: use null, or a service with prefill_per_token_s"
            )


def check_units(units: Sequence[str], fleet: Sequence[Deployment], workload: Workload) -> None:
    """Raise ValueError for a budget unit that does not exist, fit the fleet, or can be charged on this workload."""
    if len(units) != len(fleet):
        raise ValueError(
            f"budget.unit has {len(units)} entries for {len(fleet)} deployments; give one unit, or one each"
        )
    for unit in units:
        if unit not in UNITS:
            raise ValueError(unknown("budget unit", unit, UNITS))
    if "tokens" in units and (workload.test.output_tokens is None or workload.history.output_tokens is None):
        raise ValueError("budget.unit=tokens needs output tokens, and the workload has none: add 'MODEL|output_tokens'")


def check_events(events: Sequence[Event], fleet: Sequence[Deployment]) -> None:
    """Raise ValueError for an event of a deployment that the fleet does not have."""
    names = [deployment.name for deployment in fleet]
    for event in events:
        deployment = EventTraits.of(event).deployment
        if deployment is not None and deployment not in names:
            raise ValueError(unknown("deployment of an event", deployment, names))


def check_periods(scenario: Scenario, fleet: Sequence[Deployment], span_s: float) -> None:
    """Raise ValueError for what goes on by itself if it would do so too often to simulate between the arrivals."""
    periods = {
        "state_refresh_s": scenario.state_refresh_s,
        "window.length_s": scenario.window.length_s if isinstance(scenario.window, Window) else None,
    }
    for key, every in [
        ("window.every=hour", scenario.window.every if isinstance(scenario.window, Calendar) else None),
        *((f"spending.limits.{name}", limit.every) for name, limit in scenario.spending.read().items()),
    ]:
        periods[key] = SHORTEST_S[every] if every is not None else None
    for event in scenario.events:
        mean_up_s, mean_down_s = EventTraits.of(event).mean_up_s, EventTraits.of(event).mean_down_s
        if mean_up_s is not None and mean_down_s is not None:
            periods[f"mean_up_s + mean_down_s of a {type(event).__name__}"] = mean_up_s + mean_down_s
    for deployment in fleet:
        if deployment.autoscaler is not None:
            interval_s = AutoscalerTraits.of(deployment.autoscaler).interval_s
            periods[f"autoscaler.interval_s of {deployment.name!r}"] = interval_s
        if deployment.spot is not None:
            name = f"the mean time between interruptions of a spot replica of {deployment.name!r}"
            periods[name] = deployment.spot.period_s
    for name, period_s in periods.items():
        if period_s is not None and span_s > period_s * MOST_PERIODS:
            raise ValueError(
                f"{name} is {period_s:g} and queries arrive for {span_s:g} s; "
                f"it must be at least {span_s / MOST_PERIODS:.3g}, for at most {MOST_PERIODS:,} times in a run"
            )


def check_budgets(budgets: FloatArray, fleet: Sequence[Deployment]) -> None:
    """Raise ValueError for budgets of the wrong length, negative or not a number."""
    if budgets.shape != (len(fleet),):
        raise ValueError(f"the budget has {budgets.size} amounts for {len(fleet)} deployments; it must have one each")
    for amount, deployment in zip(budgets, fleet, strict=True):
        if not amount >= 0:
            raise ValueError(f"the budget of {deployment.name!r} is {amount}; it must be at least 0")


def account_names(rule: BudgetRule, names: Sequence[str]) -> tuple[str, ...] | None:
    """Return the name of the account that each deployment pays from; None where none is shared."""
    name_them = BudgetTraits.of(rule).accounts
    accounts = None if name_them is None else tuple(name_them(names))
    return None if accounts is None or len(set(accounts)) == len(names) else accounts


def check_accounts(accounts: Sequence[str] | None, budgets: FloatArray, units: Sequence[str]) -> None:
    """Raise ValueError for an account whose deployments have different amounts or units."""
    known: dict[str, tuple[float, str]] = {}
    for account, amount, unit in zip(accounts or (), budgets.tolist(), units, strict=False):
        if known.setdefault(account, (amount, unit)) != (amount, unit):
            other = " ".join(map(str, known[account]))
            raise ValueError(
                f"account {account!r} has {amount} {unit} and {other}; it must have one amount, in one unit"
            )


def limit_scopes(scenario: Scenario, fleet: Sequence[Deployment], accounts: Sequence[str] | None) -> dict[str, Scope]:
    """Return which queries each limit is for; raise ValueError for one that names what there is not."""
    limits = scenario.spending.read()
    if not limits:
        return {}
    labels = [getattr(scenario.workload.test, name) for name in TAGS]
    tags = {str(tag) for of_rows in labels if of_rows is not None for tag in np.unique(of_rows.astype(str))}
    names = [{one.name, one.model} | ({accounts[k]} if accounts else set()) for k, one in enumerate(fleet)]
    return {name: scope(f"spending.limits.{name}", limit, names, tags) for name, limit in limits.items()}
