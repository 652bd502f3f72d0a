"""Carries out ``explain DIR --query ID``: what the policies of a finished study did with one query, and why.

The study is run again from its configuration, with notes of what its policies see; its records say whether that is
still the same run. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from omegaconf import DictConfig, OmegaConf
from rich.console import RenderableType

from sim.cli.building import build_policies, build_settled
from sim.cli.output import named, say
from sim.cli.progress import stdout_to_stderr
from sim.errors import unknown
from sim.show.steps.query import candidate_table, sentences
from sim.study.experiment import Run, replicate
from sim.study.oracles import ORACLES, BoundCache, EstimateCache, Oracle
from sim.study.output.finished import read_manifest
from sim.study.output.records import REQUESTS, read_requests
from sim.study.steps.hindsight import hindsight
from sim.study.steps.noted import Noted

EXAMPLE = "as in: switchyard explain outputs/demo --query 17"
SAME = ["id", "deployment", "fate", "arrived_at_s", "quality", "cost_usd"]  # columns by which a run is known again


@dataclass(frozen=True)
class Asked:
    """What is asked: a directory, a query, and of which policies and replication."""

    folder: Path
    query: int
    policies: tuple[str, ...]
    replication: int


def explain_query(words: Sequence[str], query: str) -> int:
    """Carry it out: print a table of candidates and three sentences for each policy; return 0.

    Raises
    ------
    ValueError, FileNotFoundError
        If the words cannot be understood, the directory has no records, the query never arrived, or the study can no
        longer be run as it was.
    """
    asked, manifest, recorded = understood(words, query)
    config: Any = OmegaConf.create(manifest["config"])
    with stdout_to_stderr():
        shown = list(told(config, asked, recorded))
    say(*(named(one, dict(manifest["config"])) for one in shown))
    return 0


def understood(words: Sequence[str], query: str) -> tuple[Asked, Mapping[str, Any], pd.DataFrame]:
    """Return what is asked, the manifest of the directory, and its request tables in that replication."""
    folders = [word for word in words if "=" not in word or Path(word).is_dir()]
    given = dict(word.split("=", 1) for word in words if word not in folders)
    for key in given:
        if key not in ("policy", "replication"):
            raise ValueError(f"{unknown('key', key, ['policy', 'replication'])} (of explain DIR --query ID)")
    if len(folders) != 1:
        raise ValueError(f"--query needs one directory that run or compare wrote, {EXAMPLE}")
    folder = Path(folders[0])
    manifest = read_manifest(folder)
    if manifest["verb"] not in ("run", "compare") or not (folder / REQUESTS).is_file():
        raise ValueError(
            f"{folder} is of {manifest['verb']} and has no {REQUESTS}, so no query can be explained; "
            "give a directory of run or compare"
        )
    replication = whole("replication", given.get("replication", "0"))
    recorded = read_requests(folder, replication)
    if recorded.empty:
        n = int(manifest["config"]["replications"])
        raise ValueError(f"replication is {replication}; {folder} has replications 0 to {n - 1}")
    there = [str(name) for name in recorded["policy"].unique() if name not in ORACLES]
    wanted = given.get("policy")
    chosen = there if wanted is None else [name.strip() for name in wanted.strip("[]").split(",")]
    for name in chosen:
        if name not in there:
            raise ValueError(f"{unknown('policy', name, there)} (in {folder})")
    number, n_queries = whole("--query", query), int(recorded["id"].max()) + 1
    if not (recorded["policy"].isin(chosen) & (recorded["id"] == number)).any():
        raise ValueError(f"query {number} never arrived in {folder}; its queries are 0 to {n_queries - 1}")
    return Asked(folder, number, tuple(chosen), replication), manifest, recorded


def whole(name: str, text: str) -> int:
    """Return a number that a word gives; raise ValueError for what is no whole number of at least 0."""
    if not text.isdecimal():
        raise ValueError(f"{name} is {text!r}; it must be a whole number of at least 0")
    return int(text)


def told(config: DictConfig, asked: Asked, recorded: pd.DataFrame) -> Iterator[RenderableType]:
    """Run the policies that are asked about again, and yield what each did with the query."""
    built, in_order = build_policies(config), [str(name) for name in recorded["policy"].unique()]
    first = {name: built[name] for name in in_order if name in built}  # a manifest has keys in order of the alphabet
    settled = build_settled(config, first | built)
    noted = {name: Noted(settled.policies[name], (asked.query,)) for name in asked.policies}
    runs = replicate(
        *(settled.scenario, noted, config.seed, asked.replication, Oracle(()), {}),
        estimates=EstimateCache(),
        bounds=BoundCache(),
    )
    best = None
    for run in runs:
        check_same(run, recorded[recorded["policy"] == run.policy], asked.folder)
        if asked.query >= len(run.requests):
            yield f"Under {run.policy} query {asked.query} never arrived."
            continue
        best = hindsight(run.instance) if best is None else best
        note = noted[run.policy].notes.get(asked.query)
        if note is not None:
            yield candidate_table(run, note)
        yield from sentences(run, note, best, asked.query)


def check_same(run: Run, recorded: pd.DataFrame, folder: Path) -> None:
    """Raise ValueError unless a run is the one that the records are of."""
    ours, theirs = (
        table[SAME].astype({"deployment": str, "fate": str}).reset_index(drop=True)
        for table in (run.requests, recorded)
    )
    if not ours.equals(theirs):
        raise ValueError(
            f"{run.policy} no longer does what {folder} has on record: its files or the code have changed since, or "
            "measure_decisions made it a run that nothing repeats; run it again"
        )
