"""The verb explain: where the quality of policies went, and what more budget would be worth."""

from __future__ import annotations

import sys

import pandas as pd
from omegaconf import DictConfig
from rich.console import Console

from sim.cli.report import write_report
from sim.cli.study import (
    build_policy,
    build_scenario,
    destination,
    progress,
    stdout_to_stderr,
    stop_on_termination,
)
from sim.show.explained import price_table, quality_table
from sim.study.archive import file_hashes
from sim.study.directory import Directory
from sim.study.explanation import explanations


def explain(verb: str, config: DictConfig) -> int:
    """Carry out the verb: run the policies, write the output directory, print two tables; return 0."""
    resolved, out = destination(verb, config)
    if config.warm_up is not None:
        raise ValueError(f"warm_up is {config.warm_up!r}; explain is over all arrivals, so it must be null")
    with stdout_to_stderr(), stop_on_termination():
        scenario = build_scenario(config)
        policies = {str(name): build_policy(spec, f"policy.{name}") for name, spec in config.policy.items()}
        files = scenario.workload.files + getattr(scenario.arrivals, "files", ())
        manifest = {"verb": verb, "config": resolved, "files": file_hashes(files)}
        with Directory(out) as directory:
            found = []
            with progress(config.replications * len(policies)) as advance:
                for explanation in explanations(scenario, policies, config.seed, config.replications, config.moments):
                    found.append(explanation)
                    advance(f"{explanation.policy}, replication {explanation.replication}")
            quality = pd.concat([explanation.quality for explanation in found], ignore_index=True)
            prices = pd.concat([explanation.prices for explanation in found], ignore_index=True)
            quality.to_csv(directory.folder / "decomposition.csv", index=False)
            prices.to_csv(directory.folder / "prices.csv", index=False)
            directory.write_manifest(manifest)
            write_report(directory.folder)
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    console.print(quality_table(quality))
    console.print(price_table(prices))
    console.print(f"written to {out}", soft_wrap=True)
    return 0
