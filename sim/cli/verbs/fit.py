"""The verb fit: from a table of measured requests to a fleet's YAML, its residuals and a figure."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from omegaconf import DictConfig
from rich.console import Console

from sim.cli.verbs.compare import destination, progress, stop_on_termination
from sim.cli.verbs.report import write_report
from sim.show.fitted import residual_table
from sim.study.fit.fit import PARAMETERS, Limits, fit, table
from sim.study.fit.fleet_yaml import fleet_yaml
from sim.study.fit.measured import read
from sim.study.output.archive import file_hashes
from sim.study.output.directory import Directory


def fit_service(verb: str, config: DictConfig) -> int:
    """Carry out the verb: fit, write the output directory, print the table; return 0."""
    resolved, out = destination(verb, config)
    path = Path(config.requests)
    limits = Limits(config.slots, config.kv_tokens, config.batched_tokens, config.replicas, config.in_step)
    requests = read(path)
    with stop_on_termination(), Directory(out) as directory:
        with progress(config.evaluations * len(limits.couplings())) as advance:
            fitted = fit(requests, limits, config.evaluations, lambda: advance("fitting"))
        residuals = table(fitted)
        residuals.to_csv(directory.folder / "fit.csv", index=False)
        source = f"switchyard fit to {path.name}: first {fitted.n_fitted} of {len(fitted.measured)} requests"
        (directory.folder / "fleet.yaml").write_text(
            fleet_yaml(
                config.name,
                config.model or config.name,
                fitted.service,
                fitted.copies,
                PARAMETERS,
                residuals,
                source,
                str(config.as_of),
            )
        )
        compared = pd.concat(
            [fitted.measured.add_prefix("measured_"), fitted.simulated.add_prefix("simulated_")], axis=1
        )
        compared.insert(0, "fitted", np.arange(len(compared)) < fitted.n_fitted)
        compared.to_csv(directory.folder / "latencies.csv", index=False)
        manifest = {"verb": verb, "config": resolved, "files": file_hashes((path,)), "loss": fitted.loss}
        directory.write_manifest(manifest)
        write_report(directory.folder)
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    console.print(residual_table(residuals))
    console.print(f"written to {out}; use it as fleet: copy {out / 'fleet.yaml'} into conf/fleet", soft_wrap=True)
    return 0
