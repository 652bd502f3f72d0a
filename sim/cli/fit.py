"""The verb fit: from a table of measured requests to a fleet's YAML, its residuals and a figure."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table

from sim.cli.study import progress, stop_on_termination
from sim.show.fitted import write_figure
from sim.study.archive import file_hashes
from sim.study.directory import Directory
from sim.study.fit import PARAMETERS, Limits, fit, table
from sim.study.fleet_yaml import fleet_yaml
from sim.study.measured import read


def fit_service(config: DictConfig) -> None:
    """Carry out the verb: fit, write the output directory, print the table."""
    resolved = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    digest = hashlib.sha256(json.dumps({**resolved, "out": None}, sort_keys=True).encode()).hexdigest()  # type: ignore[dict-item]
    out, path = Path(config.out or f"outputs/fit-{digest[:8]}"), Path(config.requests)
    limits = Limits(config.slots, config.kv_tokens, config.batched_tokens, config.replicas, config.in_step)
    requests = read(path)
    with stop_on_termination(), Directory(out) as directory:
        folder = directory.folder
        with progress(config.evaluations * len(limits.couplings())) as advance:
            fitted = fit(requests, limits, config.evaluations, lambda: advance("fitting"))
        residuals = table(fitted)
        residuals.to_csv(folder / "fit.csv", index=False)
        source = f"switchyard fit to {path.name}: first {fitted.n_fitted} of {len(fitted.measured)} requests"
        (folder / "fleet.yaml").write_text(
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
        write_figure(folder / "fit.png", fitted.measured, fitted.simulated, fitted.n_fitted)
        directory.write_manifest(
            {"verb": "fit", "config": resolved, "files": file_hashes((path,)), "loss": fitted.loss}
        )
    shown = Table(title="simulated over measured", title_justify="left", title_style="bold")
    for column in ("half", "metric", "figure", "measured", "simulated", "error"):
        shown.add_column(column, justify="left" if column in ("half", "metric", "figure") else "right")
    for row in residuals.itertuples():
        numbers = (f"{row.measured:.4g}", f"{row.simulated:.4g}", f"{row.relative_error:+.1%}")
        shown.add_row(str(row.half).replace("_", " "), str(row.metric), str(row.figure), *numbers)
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    console.print(shown)
    console.print(f"written to {out}; use it as fleet: copy {out / 'fleet.yaml'} into conf/fleet", soft_wrap=True)
