"""The verbs run and compare: from a configuration to an output directory and a table."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from sim.cli.configuration import DESCRIPTION, build, without_description
from sim.cli.remarks import remark
from sim.cli.verbs.report import write_report
from sim.errors import unknown
from sim.interface import Policy
from sim.scenario import Scenario
from sim.show.tables import comparison, worst_order
from sim.study.experiment import Oracle, Run, runs
from sim.study.metrics import Metric
from sim.study.output.archive import Archive, file_hashes
from sim.study.output.earlier import check_replaceable, described
from sim.study.output.finished import SIGNS
from sim.study.ratio.worst_order import Found, WorstOrder, find_worst
from sim.study.ratio.worst_order import write as write_worst
from sim.traits import FileTraits
from sim.workload import Workload


def study(verb: str, config: DictConfig) -> int:
    """Carry out a verb: build the scenario, run the policies, write the output directory, print the table."""
    resolved, out = destination(verb, config)
    with stdout_to_stderr(), stop_on_termination():
        policies = build_policies(config)
        scenario = build_scenario(config)
        remark(config, scenario, policies)
        scenario, worst = settle_order(scenario, policies, config.seed)
        manifest = {"verb": verb, "config": resolved, "files": files_read(scenario)}
        rows = {}
        with Archive(out, manifest) as archive:
            total = config.replications * (len(policies) + len(set(config.oracle.names)))
            with progress(total) as advance:
                for run in configured_runs(config, scenario, policies):
                    archive.add(run)
                    rows[run.replication] = run.instance.rows
                    advance(f"{run.policy}, replication {run.replication}")
            summary = archive.finish()
            if worst is not None:
                write_worst(archive.folder, worst, rows)
            write_report(archive.folder)
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    console.print(comparison(summary))
    if worst is not None:
        console.print(worst_order(worst), soft_wrap=True)
    console.print(f"written to {out}", soft_wrap=True)
    return 0


def configured_runs(config: DictConfig, scenario: Scenario, policies: Mapping[str, Policy]) -> Iterator[Run]:
    """Run policies on a scenario with the seed, replications, oracles, metrics and warm-up of a configuration."""
    metrics = build_metrics(config)
    oracle = Oracle(tuple(config.oracle.names), build(config.oracle.estimator, "oracle.estimator"))
    return runs(scenario, policies, config.seed, config.replications, oracle, metrics, config.warm_up)


def build_metrics(config: DictConfig) -> dict[str, Metric]:
    """Make the metrics that a configuration describes, by column; raise ValueError for what is none."""
    return {str(name): build_metric(str(name), spec) for name, spec in (config.get("metric") or {}).items()}


def build_metric(name: str, spec: DictConfig) -> Metric:
    """Make a metric; what its YAML says of its values beside that (``better``, ``range``) is checked here."""
    plain: dict[str, Any] = OmegaConf.to_container(spec, resolve=True)  # type: ignore[assignment]
    better, values = (plain.get(key) for key in DESCRIPTION)
    if better not in (None, *SIGNS):
        raise ValueError(f"metric.{name}.better is {better!r}; it must be more or less")
    is_range = values is None or (isinstance(values, list) and len(values) == 2)
    if not is_range or not all(end is None or isinstance(end, int | float) for end in values or ()):
        raise ValueError(f"metric.{name}.range is {values!r}; it must be the least and the most, such as [0, null]")
    metric: Metric = build(OmegaConf.create(without_description(plain)), f"metric.{name}")
    return metric


def build_policies(config: DictConfig) -> dict[str, Policy]:
    """Make the policies that a configuration describes, by name; raise ValueError for what is none."""
    return {str(name): build_policy(spec, f"policy.{name}") for name, spec in config.policy.items()}


def build_scenario(config: DictConfig, workload: Workload | None = None) -> Scenario:
    """Make the scenario that a configuration describes; raise ValueError if it names several orders."""
    scenarios = build_scenarios(config, workload)
    if len(scenarios) != 1:
        raise ValueError(f"order names {', '.join(scenarios)}; this verb needs one order, such as order=random")
    return next(iter(scenarios.values()))


def build_scenarios(config: DictConfig, workload: Workload | None = None) -> dict[str, Scenario]:
    """Make a scenario for each order that a configuration names, all else equal; raise ValueError if it names none.

    A workload that is already made may be given.
    """
    orders = {str(name): build(spec, f"order.{name}") for name, spec in (config.get("order") or {}).items()}
    if not orders:
        raise ValueError("no order is chosen; choose one or more, such as order=random")
    scenario = Scenario(
        workload=workload or build(config.workload, "workload"),
        fleet=build(config.fleet, "fleet"),
        budget=build(config.budget, "budget"),
        arrivals=build(config.arrivals, "arrivals"),
        order=next(iter(orders.values())),
        exhausted=config.exhausted,
        events=[build(spec, f"events.{name}") for name, spec in (config.get("events") or {}).items()],
        window=build(config.window, "window") if config.get("window") else None,
        reserve=config.reserve,
        retry=build(config.retry, "retry"),
        state_refresh_s=config.state_refresh_s,
        decision_s=config.decision_s,
        measure_decisions=config.measure_decisions,
        n_queries=config.n_queries,
        unseen=tuple(config.unseen),
    )
    return {name: replace(scenario, order=order) for name, order in orders.items()}


def files_read(*scenarios: Scenario) -> dict[str, str]:
    """Return the SHA-256 of every file that a part of the scenarios was read from, by its path."""
    parts = [
        part
        for one in scenarios
        for part in (one.workload, one.fleet, one.budget, one.arrivals, one.order, one.window, *one.events)
    ]
    return file_hashes(tuple(sorted({file for part in parts for file in FileTraits.of(part).files})))


def settle_order(scenario: Scenario, policies: Mapping[str, Policy], seed: int) -> tuple[Scenario, Found | None]:
    """Carry out the search if the order is one; return the scenario with an order, and what was found."""
    search = scenario.order
    if not isinstance(search, WorstOrder):
        return scenario, None
    name = search.policy or next(iter(policies))
    if name not in policies:
        raise ValueError(unknown("policy", name, list(policies)) + "; order.worst_of.policy must be among the policies")
    with progress(search.evaluations) as advance:
        worst = find_worst(scenario, name, policies[name], search, seed, advance)
    return replace(scenario, order=worst.order), worst


def destination(verb: str, config: DictConfig) -> tuple[dict[str, Any], Path]:
    """Return the configuration as plain values, and where its results go.

    Raise FileExistsError if something else lies there and the configuration does not say to overwrite it.
    """
    resolved: dict[str, Any] = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)  # type: ignore[assignment]
    overwrites = resolved.pop("overwrite", False)
    digest = hashlib.sha256(json.dumps(described(resolved), sort_keys=True).encode()).hexdigest()
    out = Path(config.out or f"outputs/{verb}-{digest[:8]}")
    if not overwrites:
        check_replaceable(out, verb, resolved)
    return resolved, out


def build_policy(spec: DictConfig, key: str) -> Policy:
    """Make a policy; raise ValueError if the configuration describes something else."""
    policy = build(spec, key)
    if not isinstance(policy, Policy):
        raise ValueError(f"{key} makes a {type(policy).__name__}, which is not a Policy of sim.interface")
    return policy


@contextlib.contextmanager
def progress(total: int) -> Iterator[Callable[[str], None]]:
    """Show a bar on stderr, on a terminal only; yield the function that advances it."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("starting", total=total)
        yield lambda done: bar.update(task, advance=1, description=done)


@contextlib.contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """Send what compiled solvers print to stderr, so that stdout holds the table and nothing else."""
    sys.stdout.flush()
    saved = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(saved, 1)
        os.close(saved)


@contextlib.contextmanager
def stop_on_termination() -> Iterator[None]:
    """Treat SIGTERM as the interrupt key, so that a stopped study cleans up."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
