"""Carries out the verb fit: from measured requests to a fleet's YAML, its residuals and a figure."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import pandas as pd
from omegaconf import DictConfig, ListConfig, OmegaConf

from sim.cli.configuration import build
from sim.cli.output import Output, say
from sim.cli.progress import progress
from sim.cli.verbs.files.importing import filled
from sim.errors import UnreadableError, check_name, check_number, check_one_of, note
from sim.show.fit import figures_table, parameter_table, residual_table, tail_table
from sim.study.fit import answered, hosted, measured
from sim.study.fit.fleet_yaml import Named, fleet_yaml, hosted_yaml
from sim.study.fit.limits import PARAMETERS, Limits
from sim.study.fit.several import fit_runs, n_searches
from sim.study.output.archive import file_hashes

SERVICES = ("paged", "hosted")
PRICES = ("price_per_hour_usd", "price_input_usd_per_million", "price_output_usd_per_million")


class MeasuredRun(Protocol):
    """What the reader offers of each run in a file."""

    name: str
    frame: pd.DataFrame
    begins: str | None
    said: Sequence[str]


def fit_service(verb: str, config: DictConfig) -> int:
    """Carry out the verb: fit, write the output directory, print the tables; return 0.

    Raises
    ------
    UnreadableError
        If a file of measured requests cannot be used.
    """
    check_one_of("service", config.service, SERVICES)
    for name in PRICES:
        check_number(name, config[name], least=0, null="for none")
    if (config.price_input_usd_per_million is None) != (config.price_output_usd_per_million is None):
        raise ValueError("one of price_input_usd_per_million and price_output_usd_per_million is given; give both")
    check_name("deployment", config.name)
    return fit_hosted(verb, config) if config.service == "hosted" else fit_paged(verb, config)


def asked(config: DictConfig) -> list[str]:
    """Return the files to read; raise UnreadableError if there is none, or one twice."""
    given = [config.requests] if not isinstance(config.requests, ListConfig) else list(config.requests)
    paths = [str(path) for path in given]
    if not paths:
        raise UnreadableError("no file of measured requests is given: switchyard fit FILE, or several files")
    twice = [path for path in paths if paths.count(path) > 1]
    if twice:
        raise UnreadableError(f"{twice[0]} is given twice; a run that is fitted must not be its own check")
    return paths


def runs_of(paths: Sequence[str], config: DictConfig) -> dict[str, MeasuredRun]:
    """Return the runs in the files, by their names; note what was done to their rows."""
    columns = OmegaConf.to_container(config.columns) if OmegaConf.is_config(config.columns) else config.columns
    found: dict[str, MeasuredRun] = {}
    try:
        for path in paths:
            runs: Sequence[MeasuredRun] = build(config.read, "read")(path, columns, config.format)
            for run in runs:
                if run.said:
                    note(f"{path}: {'; '.join(run.said)}")
                name = run.name if run.name not in found else f"{path} ({run.name})"
                found[name] = run
    except (ValueError, OSError) as error:
        raise UnreadableError(str(error)) from error
    return found


def named(config: DictConfig) -> Named:
    """Return what the configuration says of the deployment."""
    return Named(config.name, config.model, *(config[name] for name in PRICES))


def source_of(paths: Sequence[str], n_requests: int, runs: int) -> str:
    """Return where numbers come from, in words."""
    names = ", ".join(Path(path).name for path in paths)
    first = (
        f"first {n_requests // 2} of {n_requests} requests" if runs == 1 else f"{n_requests} requests of {runs} runs"
    )
    return f"switchyard fit to {names}: {first}"


def fit_hosted(verb: str, config: DictConfig) -> int:
    """Fit the latencies of a hosted model: tokens, hours, tails."""
    output = Output(verb, config)
    paths = asked(config)
    found = runs_of(paths, config)
    try:
        runs = {name: answered.checked(run.frame, run.name, run.begins) for name, run in found.items()}
    except ValueError as error:
        raise UnreadableError(str(error)) from error
    with output.whole() as folder:
        fitted = hosted.fit_runs(runs)
        output.note(files=file_hashes(tuple(Path(path) for path in paths)), words=list(fitted.words))
        fitted.figures.to_csv(folder / "fit.csv", index=False)
        fitted.tails.to_csv(folder / "tails.csv", index=False)
        rows = [
            {"parameter": name, "value": getattr(fitted.service, name), "low": low, "high": high}
            for name, (low, high) in fitted.told.items()
        ]
        pd.DataFrame(rows).to_csv(folder / "parameters.csv", index=False)
        requests = answered.pooled(list(runs.values()))
        names = ", ".join(Path(path).name for path in paths)
        source = f"switchyard fit to {names}, {len(requests.latency_s)} requests"
        text = hosted_yaml(named(config), fitted.service, fitted.figures, fitted.told, source, str(config.as_of))
        (folder / "fleet.yaml").write_text(text)
        compared = fitted.simulated.add_prefix("simulated_")
        for metric in fitted.simulated:
            compared.insert(0, f"measured_{metric}", getattr(requests, str(metric)))
        compared.insert(0, "output_tokens", requests.output_tokens)
        compared.to_csv(folder / "latencies.csv", index=False)
    tables = (figures_table(fitted.figures), parameter_table(pd.DataFrame(rows)), tail_table(fitted.tails))
    output.say(*tables, *fitted.words, after=after(output))
    say_next(output, config, paths)
    return 0


def after(output: Output) -> str:
    """Return what can be done with what was written."""
    return "" if output.path is None else f"; use it as fleet={output.path / 'fleet.yaml'}"


def say_next(output: Output, config: DictConfig, paths: Sequence[str]) -> None:
    """Print the command that plans with what was written, if anything was."""
    if output.path is None:
        return
    fleet = output.path / "fleet.yaml"
    if config.service == "hosted":
        words = filled("search=fleet fleet=[FILE,selfhosted_a100]", fleet) + " arrivals.rate_per_s=5"
        target = "p95_latency_s<=20"
    else:
        words = filled("fleet=FILE", fleet) + " " + filled("trace=FILE", Path(paths[0]))
        words += "" if config.columns is None else f" 'columns={written(config.columns)}'"
        target = "p95_ttft_s<=1"
    say(f"next: switchyard plan {words} 'targets=[{target}]'")


def written(columns: DictConfig) -> str:
    """Return a mapping of columns as a word of the command line has it."""
    return "{" + ", ".join(f"{ours!s}: {theirs!s}" for ours, theirs in columns.items()) + "}"


def fit_paged(verb: str, config: DictConfig) -> int:
    """Fit a batching service, which is simulated with all that arrives."""
    output = Output(verb, config)
    limits = Limits(config.slots, config.kv_tokens, config.batched_tokens, config.replicas, config.in_step)
    paths = asked(config)
    found = runs_of(paths, config)
    try:
        runs = {name: measured.checked(run.frame, run.name) for name, run in found.items()}
    except ValueError as error:
        raise UnreadableError(str(error)) from error
    with output.whole() as folder:
        steps = config.evaluations * len(limits.couplings()) * n_searches(len(runs))
        with progress(steps) as advance:
            fitted = fit_runs(runs, limits, config.evaluations, lambda: advance("fitting"))
        output.note(
            files=file_hashes(tuple(Path(path) for path in paths)), loss=fitted.found.loss, words=list(fitted.words)
        )
        fitted.residuals.to_csv(folder / "fit.csv", index=False)
        told = pd.DataFrame([dataclasses.asdict(fitted.told[name]) for name in PARAMETERS])
        told = told.rename(columns={"name": "parameter"}).assign(is_told=[fitted.told[p].is_told for p in PARAMETERS])
        told.to_csv(folder / "parameters.csv", index=False)
        service, copies = fitted.found.service, fitted.found.copies
        source = source_of(paths, len(fitted.compared), len(runs))
        text = fleet_yaml(named(config), service, copies, fitted.told, fitted.residuals, source, str(config.as_of))
        (folder / "fleet.yaml").write_text(text)
        fitted.compared.to_csv(folder / "latencies.csv", index=False)
    output.say(residual_table(fitted.residuals), parameter_table(told), *fitted.words, after=after(output))
    say_next(output, config, paths)
    return 0
