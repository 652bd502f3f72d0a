"""The command ``switchyard``: Hydra configuration in, a study's output directory and a table out."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    InstantiationException,
    MissingConfigException,
    OverrideParseException,
)
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from sim.scenario import Scenario
from sim.show.plots import write_figures
from sim.show.tables import comparison
from sim.study.archive import Archive, file_hashes
from sim.study.experiment import Oracle, runs

VERBS = {"run": "one policy on a scenario", "compare": "several policies on the same queries at the same times"}
GROUPS = ("policy", "estimator", "workload", "fleet", "budget", "arrivals", "order", "metric", "experiment")
USER_ERRORS = (ValueError, OSError, ImportError, RuntimeError, HydraException, OmegaConfBaseException)
USAGE = """\
usage: switchyard VERB [--cfg] [--traceback] [KEY=VALUE ...]

verbs:
{verbs}

options:
  --cfg        print the configuration and do nothing
  --traceback  on an error, print where it happened
  --version    print the version

KEY=VALUE picks an option of a group or sets a key (Hydra's override grammar):
{groups}

examples:
  switchyard run policy=port_exact order=random replications=10
  switchyard compare policy=[random,port,port_exact] budget=uniform budget.total=0.5 out=results
  switchyard run policy=port estimator=ridge policy.port.eps=0.05
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code: 0 done, 1 failed, 2 not understood."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    flags = {word for word in words if word.startswith("--")} | {"-h" for word in words if word == "-h"}
    words = [word for word in words if word not in flags]
    with initialize_config_module("conf", version_base="1.3"):
        if flags & {"--help", "-h"} or not (words or flags):
            sys.stdout.write(usage())
            return 0
        if "--version" in flags:
            sys.stdout.write(f"switchyard {metadata.version('llm-switchyard')}\n")
            return 0
        unknown_flags = flags - {"--cfg", "--traceback"}
        if unknown_flags or not words or words[0] not in VERBS:
            wrong = min(unknown_flags) if unknown_flags else (words[0] if words else "")
            known = ["--cfg", "--help", "--traceback", "--version"] if unknown_flags else list(VERBS)
            return complain(f"unknown {'option' if unknown_flags else 'verb'} {wrong!r}{nearest(wrong, known)}", 2)
        try:
            config = configure(words[0], words[1:])
            if "--cfg" in flags:
                sys.stdout.write(OmegaConf.to_yaml(config, resolve=True))
                return 0
            study(words[0], config)
        except KeyboardInterrupt:
            return complain("stopped; nothing was written", 130)
        except USER_ERRORS as error:
            if "--traceback" in flags:
                raise
            return complain((str(error).strip().splitlines() or [type(error).__name__])[0], 1)
    return 0


def complain(message: str, code: int) -> int:
    """Write one line to stderr and return the code."""
    sys.stderr.write(f"switchyard: {message}\n")
    return code


def usage() -> str:
    """Return the help, with every group's options."""
    loader = GlobalHydra.instance().config_loader()
    groups = [f"  {group:<11}{', '.join(loader.get_group_options(group))}" for group in GROUPS]
    verbs = [f"  {verb:<11}{what}" for verb, what in VERBS.items()]
    return USAGE.format(verbs="\n".join(verbs), groups="\n".join(groups))


# --- configuration ----------------------------------------------------------------------------------------------------


def configure(verb: str, overrides: Sequence[str]) -> DictConfig:
    """Compose the configuration of a verb; raise ValueError, naming what is near, for what does not exist."""
    try:
        config = compose(verb, list(overrides))
    except MissingConfigException as error:
        group, _, option = (error.missing_cfg_file or "").rpartition("/")
        options = GlobalHydra.instance().config_loader().get_group_options(group) if group else []
        raise ValueError(f"unknown {group} {option!r}{nearest(option, options)}") from error
    except OverrideParseException as error:
        raise ValueError(f"cannot read the override {error.override!r}: give KEY=VALUE, as in seed=1") from error
    except ConfigCompositionException as error:
        key = str(error).partition("Could not override '")[2].partition("'")[0]
        if not key:
            raise
        known = keys(compose(verb, [word for word in overrides if word.partition("=")[0].strip("+~") in GROUPS]))
        raise ValueError(f"unknown key {key!r}{nearest(key, [*known, *GROUPS])}") from error
    if config.get("estimator") is not None:
        for policy in config.policy.values():
            if "estimator" in policy:
                policy.estimator = config.estimator
    return config


def keys(config: DictConfig, prefix: str = "") -> list[str]:
    """Return every dotted key of a configuration."""
    found = []
    for name, value in config.items_ex(resolve=False):
        found.append(f"{prefix}{name!s}")
        if isinstance(value, DictConfig):
            found += keys(value, f"{prefix}{name!s}.")
    return found


def nearest(word: str, known: Sequence[str]) -> str:
    """Return a hint at the nearest known words, or at all of them if they are few."""
    near = difflib.get_close_matches(word, known, n=3, cutoff=0.6)
    if near:
        return f"; did you mean {' or '.join(near)}?"
    return f"; known: {', '.join(known)}" if known and len(known) <= 20 else ""


# --- study ------------------------------------------------------------------------------------------------------------


def study(verb: str, config: DictConfig) -> None:
    """Carry out a verb: build the scenario, run the policies, write the output directory, print the table."""
    resolved = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    digest = hashlib.sha256(json.dumps({**resolved, "out": None}, sort_keys=True).encode()).hexdigest()  # type: ignore[dict-item]
    out = Path(config.out or f"outputs/{verb}-{digest[:8]}")
    with stdout_to_stderr(), stop_on_termination():
        scenario = Scenario(
            workload=build(config.workload, "workload"),
            fleet=build(config.fleet, "fleet"),
            budget=build(config.budget, "budget"),
            arrivals=build(config.arrivals, "arrivals"),
            order=build(config.order, "order"),
            exhausted=config.exhausted,
        )
        policies = {str(name): build(spec, f"policy.{name}") for name, spec in config.policy.items()}
        metrics = {str(name): build(spec, f"metric.{name}") for name, spec in config.get("metric", {}).items()}
        oracle = Oracle(tuple(config.oracle.names), build(config.oracle.estimator, "oracle.estimator"))
        manifest = {"verb": verb, "config": resolved, "files": file_hashes(scenario.workload.files)}
        with Archive(out, manifest) as archive:
            total = config.replications * (len(policies) + len(set(oracle.names)))
            with progress(total) as advance:
                for run in runs(scenario, policies, config.seed, config.replications, oracle, metrics):
                    archive.add(run)
                    advance(f"{run.policy}, replication {run.replication}")
            summary = archive.finish()
            write_figures(archive.folder)
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    console.print(comparison(summary))
    console.print(f"written to {out}", soft_wrap=True)


def build(spec: DictConfig, key: str) -> Any:
    """Make the object that a configuration node describes."""
    try:
        return instantiate(spec, _convert_="all")
    except InstantiationException as error:
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        if isinstance(cause, USER_ERRORS):
            raise cause from error
        raise ValueError(f"cannot make {key}: {str(cause).splitlines()[0]}") from error


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
