"""Runs one point of a sweep, in whatever process a launcher has. It knows one file, and no other point."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import pandas as pd
from omegaconf import DictConfig, OmegaConf
from threadpoolctl import threadpool_limits

from sim.cli.building import build_metrics, build_policies, build_settled
from sim.cli.configuration import build
from sim.cli.project import importable
from sim.cli.sweeping.launchers import Job, Outcome
from sim.errors import notes_to
from sim.study.experiment import check_draws, replicate
from sim.study.oracles import BoundCache, EstimateCache, Oracle
from sim.study.output.directory import replace_file
from sim.study.output.source_digest import source_digest
from sim.study.output.store import Store
from sim.study.ratio.worst_order import write as write_worst
from sim.workload import Workload


def run_point(job: Job) -> Outcome:
    """Run all policies and replications of a point and write their rows; whatever goes wrong is in the outcome."""
    notes: list[str] = []
    try:
        # On one thread: points run side by side, and the last bit of a product may depend on the number of threads.
        with threadpool_limits(1), notes_to(notes.append), importable(job.modules):
            source = source_digest(job.config)
            if job.source not in (None, source):
                raise RuntimeError(f"this process has other code than the sweep: {source}, not {job.source}")
            store = None if job.cache is None else Store(Path(job.cache), source)
            rows = point_rows(OmegaConf.create(job.config), store, Path(job.file).with_suffix(""))
            replace_file(Path(job.file), lambda partial: rows.to_parquet(partial, index=False))
    except Exception as error:
        return Outcome(job.number, one_line(error), tuple(notes))
    return Outcome(job.number, None, tuple(notes))


def point_rows(config: DictConfig, store: Store | None = None, folder: Path | None = None) -> pd.DataFrame:
    """Return the summary of a comparison, a row per policy and replication; predictions and bounds are kept in a store.

    If the order is a search, what it found is written to the folder.

    Raises
    ------
    ValueError, RuntimeError, OSError, ImportError
        As ``compare`` does.
    """
    check_draws(config.seed, config.replications)
    metrics = build_metrics(config)
    oracle = Oracle(tuple(config.oracle.names), build(config.oracle.estimator, "oracle.estimator"))
    made = workload(json.dumps(OmegaConf.to_container(config.workload, resolve=True)))
    settled = build_settled(config, build_policies(config), made)
    scenario, policies, worst = settled.scenario, settled.policies, settled.worst
    estimates, bounds = EstimateCache(store), BoundCache(store)
    summary, rows = [], {}
    for replication in range(config.replications):
        for run in replicate(
            scenario,
            policies,
            config.seed,
            replication,
            oracle,
            metrics,
            config.warm_up,
            estimates=estimates,
            bounds=bounds,
        ):
            summary.append(run.summary)
            rows[replication] = run.rows
    if worst is not None and folder is not None:
        folder.mkdir(exist_ok=True)
        write_worst(folder, worst, rows)
    return pd.DataFrame(summary)


@functools.lru_cache(maxsize=1)
def workload(spec: str) -> Workload:
    """Make the workload that a JSON text describes, once for points that follow each other in a process."""
    made: Workload = build(OmegaConf.create(json.loads(spec)), "workload")
    return made


def one_line(error: Exception) -> str:
    """Return the first line of an error; with its kind where that is not one which speaks to users."""
    line = (str(error).strip().splitlines() or [""])[0]
    return line if line and isinstance(error, ValueError | OSError | ImportError | RuntimeError) else repr(error)
