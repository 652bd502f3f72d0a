"""Carries out the verb fit: from measured requests to a fleet's YAML, its residuals and a figure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from omegaconf import DictConfig

from sim.cli.output import Output
from sim.cli.progress import progress
from sim.show.fit import residual_table
from sim.study.fit.fit import PARAMETERS, Limits, fit, table
from sim.study.fit.fleet_yaml import fleet_yaml
from sim.study.fit.measured import read
from sim.study.output.archive import file_hashes


def fit_service(verb: str, config: DictConfig) -> int:
    """Carry out the verb: fit, write the output directory, print the table; return 0."""
    output = Output(verb, config)
    path = Path(config.requests)
    limits = Limits(config.slots, config.kv_tokens, config.batched_tokens, config.replicas, config.in_step)
    requests = read(path)
    with output.whole() as folder:
        with progress(config.evaluations * len(limits.couplings())) as advance:
            fitted = fit(requests, limits, config.evaluations, lambda: advance("fitting"))
        output.note(files=file_hashes((path,)), loss=fitted.loss)
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
        compared = pd.concat(
            [fitted.measured.add_prefix("measured_"), fitted.simulated.add_prefix("simulated_")], axis=1
        )
        compared.insert(0, "fitted", np.arange(len(compared)) < fitted.n_fitted)
        compared.to_csv(folder / "latencies.csv", index=False)
    after = "" if output.path is None else f"; use it as fleet: copy {output.path / 'fleet.yaml'} into conf/fleet"
    output.say(residual_table(residuals), after=after)
    return 0
