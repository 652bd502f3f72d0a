"""Carries out the verb fit: from measured requests to a fleet's YAML, its residuals and a figure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from omegaconf import DictConfig

from sim.cli.output import Output
from sim.cli.progress import progress
from sim.errors import check_number, check_one_of
from sim.show.fit import figures_table, residual_table
from sim.study.fit import hosted
from sim.study.fit.fit import PARAMETERS, Limits, fit, table
from sim.study.fit.fleet_yaml import fleet_yaml, hosted_yaml
from sim.study.fit.measured import read
from sim.study.output.archive import file_hashes

SERVICES = ("paged", "hosted")


def fit_service(verb: str, config: DictConfig) -> int:
    """Carry out the verb: fit, write the output directory, print the table; return 0."""
    check_one_of("service", config.service, SERVICES)
    check_number("price_per_hour_usd", config.price_per_hour_usd, least=0, null="for none")
    return fit_hosted(verb, config) if config.service == "hosted" else fit_paged(verb, config)


def fit_hosted(verb: str, config: DictConfig) -> int:
    """Fit the latencies of a hosted model, by the length of its answers."""
    output = Output(verb, config)
    path = Path(config.requests)
    requests = hosted.read(path)
    with output.whole() as folder:
        fitted = hosted.fit(requests)
        output.note(files=file_hashes((path,)))
        fitted.figures.to_csv(folder / "fit.csv", index=False)
        source = f"switchyard fit to {path.name}, {len(requests.latency_s)} requests"
        name, model = config.name, config.model or config.name
        price_usd = config.price_per_hour_usd
        text = hosted_yaml(name, model, fitted.service, fitted.figures, source, str(config.as_of), price_usd)
        (folder / "fleet.yaml").write_text(text)
        compared = fitted.simulated.add_prefix("simulated_")
        for metric in fitted.simulated:
            compared.insert(0, f"measured_{metric}", getattr(requests, str(metric)))
        compared.insert(0, "output_tokens", requests.output_tokens)
        compared.to_csv(folder / "latencies.csv", index=False)
    output.say(figures_table(fitted.figures), after=after(output))
    return 0


def after(output: Output) -> str:
    """Return what can be done with what was written."""
    return "" if output.path is None else f"; use it as fleet={output.path / 'fleet.yaml'}"


def fit_paged(verb: str, config: DictConfig) -> int:
    """Fit a batching service, which is simulated with all that arrives."""
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
                config.price_per_hour_usd,
            )
        )
        compared = pd.concat(
            [fitted.measured.add_prefix("measured_"), fitted.simulated.add_prefix("simulated_")], axis=1
        )
        compared.insert(0, "fitted", np.arange(len(compared)) < fitted.n_fitted)
        compared.to_csv(folder / "latencies.csv", index=False)
    output.say(residual_table(residuals), after=after(output))
    return 0
