"""The verb explain: where the quality of policies went, and what more budget would be worth."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence

import pandas as pd
from omegaconf import DictConfig
from rich.console import Console

from sim.cli.remarks import remark
from sim.cli.verbs.compare import (
    build_policies,
    build_scenario,
    destination,
    files_read,
    progress,
    settle_order,
    stdout_to_stderr,
    stop_on_termination,
)
from sim.cli.verbs.report import write_report
from sim.instance import realise
from sim.interface import Policy
from sim.scenario import Scenario
from sim.show.explained import price_table, quality_table
from sim.show.tables import worst_order
from sim.study.explain.explanation import Explanation, explanations
from sim.study.output.directory import Directory
from sim.study.ratio.worst_order import write as write_worst


def explain(verb: str, config: DictConfig) -> int:
    """Carry out the verb: run the policies, write the output directory, print two tables; return 0."""
    check(config)
    resolved, out = destination(verb, config)
    with stdout_to_stderr(), stop_on_termination():
        policies = build_policies(config)
        scenario = build_scenario(config)
        remark(config, scenario, policies)
        scenario, worst = settle_order(scenario, policies, config.seed)
        manifest = {"verb": verb, "config": resolved, "files": files_read(scenario)}
        with Directory(out) as directory:
            found = []
            with progress(config.replications * len(policies)) as advance:
                for explanation in configured_explanations(config, scenario, policies):
                    found.append(explanation)
                    advance(f"{explanation.policy}, replication {explanation.replication}")
            quality, prices = tables(found)
            quality.to_csv(directory.folder / "decomposition.csv", index=False)
            prices.to_csv(directory.folder / "prices.csv", index=False)
            if worst is not None:
                rows = {number: realise(scenario, config.seed, number).rows for number in range(config.replications)}
                write_worst(directory.folder, worst, rows)
            directory.write_manifest(manifest)
            write_report(directory.folder)
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    console.print(quality_table(quality))
    console.print(price_table(prices))
    if worst is not None:
        console.print(worst_order(worst), soft_wrap=True)
    console.print(f"written to {out}", soft_wrap=True)
    return 0


def configured_explanations(
    config: DictConfig, scenario: Scenario, policies: Mapping[str, Policy]
) -> Iterator[Explanation]:
    """Explain policies on a scenario with the seed, replications and moments of a configuration."""
    check(config)
    return explanations(scenario, policies, config.seed, config.replications, config.moments)


def check(config: DictConfig) -> None:
    """Raise ValueError for keys that other verbs have and this one has no use for."""
    if config.warm_up is not None:
        raise ValueError(f"warm_up is {config.warm_up!r}; explain is over all arrivals, so it must be null")
    if config.get("metric"):
        raise ValueError("metric is for run and compare; here it is nothing, as explain is about quality")


def tables(found: Sequence[Explanation]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the terms of quality, and the prices, of all explanations."""
    quality = pd.concat([explanation.quality for explanation in found], ignore_index=True)
    return quality, pd.concat([explanation.prices for explanation in found], ignore_index=True)
