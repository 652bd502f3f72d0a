"""The verb ratio: from a configuration to tables and figures of competitive ratios."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

import pandas as pd
from omegaconf import DictConfig, ListConfig
from rich.console import Console

from sim.cli.configuration import build
from sim.cli.remarks import remark
from sim.cli.verbs.compare import (
    build_policies,
    build_scenarios,
    destination,
    files_read,
    progress,
    settle_order,
    stdout_to_stderr,
    stop_on_termination,
)
from sim.cli.verbs.report import write_report
from sim.errors import unknown
from sim.interface import Policy
from sim.scenario import Scenario
from sim.show.ratio import precision_reached, ratio_table, slope_table
from sim.show.tables import worst_order
from sim.study.output.directory import Directory
from sim.study.ratio.ratios import ratios
from sim.study.ratio.tables import cells, paired, slopes, worst
from sim.study.ratio.worst_order import write_search
from sim.study.sequential import Precision

# What other verbs have, and what takes its place here.
ELSEWHERE = {
    "replications": "half_width, min_replications and max_replications",
    "n_queries": "sizes",
    "warm_up": "nothing, as a ratio is over all arrivals",
    "metric": "nothing, as a ratio is of quality",
}


def ratio(verb: str, config: DictConfig) -> int:
    """Carry out the verb: simulate, write the output directory, print the tables; return 0."""
    precision = check(config)
    if config.reference is not None and config.reference not in config.policy:
        raise ValueError(unknown("reference", config.reference, list(config.policy)))
    resolved, out = destination(verb, config)
    with stdout_to_stderr(), stop_on_termination():
        policies = build_policies(config)
        unsettled = build_scenarios(config)
        remark(config, next(iter(unsettled.values())), policies)
        settled = {name: settle_order(each, policies, config.seed) for name, each in unsettled.items()}
        scenarios = {name: scenario for name, (scenario, _) in settled.items()}
        searched = [found for _, found in settled.values() if found is not None]
        with Directory(out) as directory:
            total = precision.max_replications * len(scenarios) * len(config.sizes) * (len(policies) + 2)
            with progress(total) as advance:
                rows = configured_ratios(config, scenarios, policies, advance)
            means, lines = cells(rows), slopes(rows)
            lowest = worst(means)
            rows.to_parquet(directory.folder / "ratio.parquet", index=False)
            means.to_csv(directory.folder / "cells.csv", index=False)
            paired(rows, config.reference).to_csv(directory.folder / "paired.csv", index=False)
            lowest.to_csv(directory.folder / "worst.csv", index=False)
            lines.to_csv(directory.folder / "slopes.csv", index=False)
            for found in searched:
                write_search(directory.folder, found)
            directory.write_manifest({"verb": verb, "config": resolved, "files": files_read(*scenarios.values())})
            write_report(directory.folder)
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    console.print(ratio_table(means, lowest, precision.half_width))
    console.print(precision_reached(means, precision.half_width), soft_wrap=True)
    console.print(slope_table(lines))
    for found in searched:
        console.print(worst_order(found), soft_wrap=True)
    console.print(f"written to {out}", soft_wrap=True)
    return 0


def configured_ratios(
    config: DictConfig,
    scenarios: Mapping[str, Scenario],
    policies: Mapping[str, Policy],
    done: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """Run policies on scenarios in several orders, at the sizes and to the precision of a configuration."""
    return ratios(
        scenarios,
        policies,
        list(config.sizes),
        precision=check(config),
        seed=config.seed,
        estimator=build(config.oracle.estimator, "oracle.estimator"),
        done=done,
    )


def check(config: DictConfig) -> Precision:
    """Return when to stop; raise ValueError for keys that the verb has no use for, or that cannot be."""
    for key, instead in ELSEWHERE.items():
        if config.get(key) is not None:
            raise ValueError(f"{key} is for run and compare; here it is {instead}")
    if not isinstance(config.sizes, ListConfig):
        raise ValueError(f"sizes is {config.sizes!r}; it must be a list, such as [500,1000,null]")
    return Precision(config.min_replications, config.max_replications, config.half_width)
