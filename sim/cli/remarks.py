"""Notes settings that do nothing beside the others, or not what they seem to: a line about each. It runs nothing."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from omegaconf import DictConfig

from sim.deployment import Deployment
from sim.errors import note
from sim.instance import stream
from sim.interface import Policy, reviews
from sim.scenario import Scenario
from sim.scores import Scores
from sim.study.experiment import check_draws
from sim.study.metrics.groups.classes import SUFFIX
from sim.traits import ArrivalsTraits, FileTraits, OrderTraits, ServiceTraits
from sim.workload.tasks import TaskLimits

TRACE = "scenarios.workloads.trace.trace"
PROFILE = "scenarios.arrivals.profile.Profile"
UNLIMITED = "scenarios.budgets.Unlimited"
WEIGHTED = "scenarios.budgets.Weighted"
OF_BUDGETS = ("window", "reserve=estimate", "exhausted=wait")


def remark(config: DictConfig, scenario: Scenario, policies: Mapping[str, Policy]) -> None:
    """Note every setting that does nothing, or not what it seems to do."""
    for text in remarks(config, scenario, policies):
        note(text)


def remarks(config: DictConfig, scenario: Scenario, policies: Mapping[str, Policy]) -> Iterator[str]:
    """Yield a line about each setting that does nothing, or not what it seems to do.

    Parameters
    ----------
    config : DictConfig
        Of the verb.
    scenario : Scenario
        What it describes, with any of its orders.
    policies : mapping of str to Policy
    """
    check_draws(config.seed, 1)
    fleet = scenario.fleet.deployments(scenario.workload.models, stream(config.seed, 0, "fleet"))
    yield from about_traces(config, scenario)
    yield from about_classes(config, scenario)
    yield from about_queues(scenario, fleet, policies.values(), map(str, config.get("metric") or {}))
    if config.budget.get("_target_") == UNLIMITED:
        chosen = (scenario.window is not None, scenario.reserve == "estimate", scenario.exhausted == "wait")
        chosen = chosen if not scenario.spending.limits else (chosen[0], False, False)  # the others are of limits too
        for word in (word for word, is_chosen in zip(OF_BUDGETS, chosen, strict=True) if is_chosen):
            yield f"{word} does nothing, as budget=unlimited has no budgets"
    if scenario.retry.attempts > 1 and not scenario.events and not any(map(can_lose, fleet)):
        yield (
            f"retry.attempts={scenario.retry.attempts} does nothing, as no try can be lost: no deployment has a "
            "queue_capacity, a patience or a timeout_s, none rejects, and there are no events"
        )
    if config.get("warm_up") is not None and not config.get("metric"):
        yield f"warm_up={config.warm_up} does nothing, as it is for metrics; choose some, as in metric=latency"
    yield from about_cache(scenario)
    yield from about_times(config, scenario)
    yield from about_spending(config, scenario)
    if scenario.feedback != Scores() and not any(learns(policy) for policy in policies.values()):
        yield f"feedback= does nothing, as {' and '.join(policies)} learn nothing from outcomes"
    yield from about_tasks(scenario)
    if scenario.workload.test.confidence is None:
        for name in (name for name, policy in policies.items() if reviews(policy) and mentions(policy, ".confidence")):
            yield f"{name} looks at the confidence of answers, and the workload has none, so that each is NaN to it"
    curve = config.workload.get("cap_curve")
    if curve is not None and not any(mentions(policy, "max_output_tokens") for policy in policies.values()):
        yield f"workload.cap_curve={curve} does nothing, as {' and '.join(map(str, policies))} cap no answer"
    if config.get("estimator") and scenario.workload.test.quality_hat is not None:
        yield "estimator= does nothing, as the workload brings estimates of its own"
    elif config.get("estimator") and not any("estimator" in spec for spec in config.policy.values()):
        yield f"estimator= does nothing, as {' and '.join(map(str, config.policy))} make no use of estimates"


def about_tasks(scenario: Scenario) -> Iterator[str]:
    """Yield what limits of tasks do without tasks."""
    if scenario.workload.test.steps is None and scenario.task != TaskLimits():
        yield "task.budget_usd and task.deadline_s do nothing, as the workload has no tasks"


def about_times(config: DictConfig, scenario: Scenario) -> Iterator[str]:
    """Yield which events, and which crowd, begin after the last query has come, or are not over then."""
    arrivals, traits = scenario.arrivals, ArrivalsTraits.of(scenario.arrivals)
    named = [*zip((f"events.{name}" for name in config.get("events") or {}), scenario.events, strict=True)]
    begun = [(name, event, getattr(event, "at_s", None)) for name, event in (*named, ("the crowd", arrivals))]
    timed = [(name, event, at_s) for name, event, at_s in begun if isinstance(at_s, int | float)]
    if not timed or traits.users is not None or traits.times_of_rows is not None or scenario.duration is not None:
        return
    n_queries = scenario.n_queries or len(scenario.workload.test)
    try:
        came_s = arrivals.times_s(n_queries, stream(config.seed, 0, "arrivals"))
    except ValueError:
        return  # the run says why
    last_s = float(came_s[-1] - came_s[0])
    for name, event, at_s in timed:
        lasts_s = sum(getattr(event, key, None) or 0.0 for key in ("for_s", "ramp_s", "hold_s", "decay_s"))
        if at_s > last_s:
            yield f"{name} begins at {at_s:g} s, after the last query, which comes at {last_s:.4g} s"
        elif at_s + lasts_s > last_s:
            yield f"{name} ends at {at_s + lasts_s:g} s, after the last query, which comes at {last_s:.4g} s"


def about_spending(config: DictConfig, scenario: Scenario) -> Iterator[str]:
    """Yield what limits and the name of the money do not do."""
    spending = scenario.spending
    if spending.limits and config.budget.get("_target_") == WEIGHTED:
        yield (
            "deployments have budgets besides spending.limits, as budget=weighted is the default; with "
            "budget=unlimited the limits stand alone"
        )
    if spending.currency != "USD":
        yield f"amounts are in {spending.currency}, also in columns whose names end in _usd; nothing is converted"


def about_cache(scenario: Scenario) -> Iterator[str]:
    """Yield that a cache for the same prompt does nothing where none comes twice."""
    cache = scenario.cache
    if cache is None or cache.similarity is not None:
        return
    if not OrderTraits.of(scenario.order).with_replacement and not scenario.workload.repeats_prompts:
        yield (
            "cache= answers nothing, as no prompt comes twice; draw some again and again with order=zipf, or let "
            "similar ones count with cache.similarity=0.95"
        )


def about_traces(config: DictConfig, scenario: Scenario) -> Iterator[str]:
    """Yield how the times of a recorded trace and its lengths come apart.

    Times are recorded by place and lengths by row. They belong to each other only if both are of one file, all of its
    first rows arrive, and they do so in its order.
    """
    times, lengths = FileTraits.of(scenario.arrivals).files, scenario.workload.files
    if not times or config.workload.get("_target_") != TRACE:
        return
    if {file.resolve() for file in times}.isdisjoint(file.resolve() for file in lengths):
        yield (f"the times are of {times[0]} and the lengths of {lengths[0]}; trace={lengths[0]} replays one trace")
        return
    if ArrivalsTraits.of(scenario.arrivals).times_of_rows is not None or config.arrivals.get("_target_") == PROFILE:
        return
    others = [str(name) for name in config.order if name not in ("given", "saved")]
    if others:
        yield f"order={','.join(others)} gives the trace's lengths to other times than their own; use order=given"
    key, available = ("sizes" if config.get("sizes") else "n_queries"), len(scenario.workload.test)
    sizes = [size for size in (scenario.n_queries, *(config.get("sizes") or ())) if size is not None]
    for size in [size for size in sizes if size < available][:1]:
        yield (
            f"{key} draws {size} of the trace's {available} rows, and their times are those of its first {size}; "
            f"workload.n_queries={size} replays its first rows at their own times"
        )


def about_classes(config: DictConfig, scenario: Scenario) -> Iterator[str]:
    """Yield which chosen metrics have no figure, as the queries have no classes or tenants."""
    test, chosen = scenario.workload.test, config.get("metric") or {}
    if config.get("targets") is not None:  # a plan makes what its targets name
        return
    if test.class_name is None and any(str(name).endswith(SUFFIX) for name in chosen):
        yield "metric=classes adds no column for a class, as the queries have none: give classes={NAME: {share: ...}}"
    if test.tenant is None and any(str(name).startswith("jain_") for name in chosen):
        yield "metric=fairness has no figures, as the queries have no tenants: give tenants={NAME: SHARE}"


def about_queues(
    scenario: Scenario, fleet: Iterable[Deployment], policies: Iterable[Policy], metrics: Iterable[str]
) -> Iterator[str]:
    """Yield which columns of the queries nobody looks at, though they tell queries apart."""
    measured = {"due_s" for name in metrics if name.startswith("deadline_met_share")}
    test = scenario.workload.test
    for column, values, attribute, discipline in (
        ("priority", test.priority, "priority", "highest_priority"),
        ("due_s", test.due_s, "deadline_s", "earliest_deadline"),
    ):
        if values is None or len(np.unique(values)) < 2 or column in measured:
            continue
        readers = [deployment.discipline for deployment in fleet if deployment.discipline is not None]
        if not any(mentions(reader, f".{attribute}") for reader in (*readers, *policies)):
            yield (
                f"the queries have a column {column}, and it does nothing: no policy reads it, and no deployment has a "
                f"discipline that does, such as sim.world.stations.queue.{discipline}"
            )
    keepers = [deployment for deployment in fleet if deployment.prefix_cache_tokens is not None]
    choosers = [deployment.balancer for deployment in fleet if deployment.balancer is not None]
    if test.prefix is not None and not keepers and not any(mentions(one, "prefix_") for one in (*choosers, *policies)):
        yield (
            "the queries have prefix blocks, and they do nothing: no deployment keeps prefixes (prefix_cache_tokens), "
            "and no policy or balancer reads them"
        )
    weights = test.preference
    if weights is not None and len(np.unique(weights)) > 1 and not any(mentions(p, ".preference") for p in policies):
        yield "the queries have a column preference, and it does nothing: no policy reads it"


def learns(policy: Policy) -> bool:
    """Return whether a policy takes note of outcomes."""
    kind = type(policy)
    return kind.learn is not Policy.learn or kind.learn_score is not Policy.learn_score


def can_lose(deployment: Deployment) -> bool:
    """Return whether a try may be rejected, abandoned, timed out or, on spot replicas, failed at a deployment."""
    limits = (deployment.queue_capacity, deployment.patience, deployment.timeout_s, deployment.spot)
    return any(limit is not None for limit in limits) or not ServiceTraits.of(deployment.service).may_wait


def mentions(reader: Any, word: str) -> bool:
    """Return whether a discipline, or the module of a policy, has a word in its source; True without a source."""
    while isinstance(reader, functools.partial):
        reader = reader.func
    try:
        if inspect.isroutine(reader):
            return word in inspect.getsource(reader)
        modules = {sys.modules[kind.__module__] for kind in type(reader).__mro__ if kind not in (Policy, object)}
        return any(word in inspect.getsource(module) for module in modules)
    except (OSError, TypeError, KeyError):
        return True
