"""Carries out the verb sweep: a launcher runs its points, each is kept, and all make one table and its figures."""

from __future__ import annotations

import contextlib
import csv
import functools
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from sim.cli.configuration import build
from sim.cli.output import say, write_report
from sim.cli.progress import stdout_to_stderr, stop_on_termination
from sim.cli.project import CURRENT, project_files
from sim.cli.sweeping.axes import Point, identity, points
from sim.cli.sweeping.claims import claim, replace_earlier, summarised
from sim.cli.sweeping.launchers import Job, Launcher
from sim.cli.sweeping.points import run_point
from sim.errors import note
from sim.show.sweep import best_table
from sim.study.experiment import ORACLES
from sim.study.output.archive import file_hashes
from sim.study.output.directory import replace_file
from sim.study.output.source_digest import library_versions, source_digest
from sim.study.output.store import Store
from sim.study.sweep import best, cells, read_point, tidy


def sweep(words: Sequence[str], only_show: bool, overwrites: bool = False) -> int:
    """Carry out the verb: run what is missing, write table and figures, print the best; return 1 if a point failed.

    Parameters
    ----------
    words : sequence of str
        Overrides, at least one of them with several values.
    only_show : bool
        Print the first point's configuration and how many there are, and run nothing.
    overwrites : bool
        Replace the output of another command, once this one's is there.
    """
    config, found = points("sweep", words)
    if only_show:
        sys.stdout.write(
            f"# the first of {len(found)} points: {found[0].label}\n" + OmegaConf.to_yaml(config, resolve=True)
        )
        return 0
    axes = list(found[0].values)
    if "workload.n_queries" in axes and config.budget.get("of") == "all":
        raise ValueError(
            "budget.of=all is of all test queries, whose number workload.n_queries is: sweep over n_queries"
        )
    launcher: Launcher = build(config.launcher, "launcher")
    described = [describe(point.config) for point in found]
    whole = summarised(axes, described)
    out = Path(config.out or f"outputs/sweep-{whole['settings'][:8]}").resolve()
    more = {"config": {**described[0]["config"], "command": ["sweep", *words]}, **project_files()}
    replaces = claim(out, whole, more, overwrites)
    if config.cache is not None:
        Store(Path(config.cache))  # raises here, once, if there can be none
    cache = None if config.cache is None else str(Path(config.cache).resolve())
    project = CURRENT.get()
    modules = () if project is None else tuple(map(str, project.python))
    files = [out / "points" / f"{name}.parquet" for name in whole["points"]]
    rows = {number: table for number, file in enumerate(files) if (table := read_point(file)) is not None}
    jobs = [
        Job(number, one["config"], str(files[number]), cache, one["source"], modules)
        for number, one in reversed(
            list(enumerate(described))
        )  # sizes mostly ascend, and the longest should not be last
        if number not in rows
    ]
    failures: dict[int, str] = {}
    try:
        with stdout_to_stderr(), stop_on_termination():
            run(launcher, jobs, found, rows, failures)
    except KeyboardInterrupt:
        sys.stderr.write(
            f"switchyard: stopped; {len(rows)} of {len(found)} points are kept: the same command goes on\n"
        )
        return 130
    shown = config.out or f"outputs/{out.name}"
    if replaces and not rows:
        sys.stdout.write(f"0 of {len(found)} points; {shown} holds what it held before\n")
        return 1
    replace_file(out / "failures.csv", lambda partial: write_failures(partial, axes, found, failures))
    if rows:
        table = tidy([(found[number].values, rows[number]) for number in sorted(rows)])
        means = cells(table, axes)
        replace_file(out / "sweep.parquet", lambda partial: table.to_parquet(partial, index=False))
        replace_file(out / "cells.csv", lambda partial: means.to_csv(partial, index=False))
        if replaces:
            replace_earlier(out, whole, more)
        write_report(out)
        say(best_table(best(means, axes), axes))
    sys.stdout.write(f"{len(rows)} of {len(found)} points, {len(found) - len(jobs)} of them kept; written to {shown}\n")
    return 1 if failures else 0


def run(
    launcher: Launcher,
    jobs: Sequence[Job],
    found: Sequence[Point],
    rows: dict[int, pd.DataFrame],
    failures: dict[int, str],
) -> None:
    """Run the jobs, filling in rows and failures by point as they end."""
    with board(len(found), len(rows)) as show:
        left = {job.number: job for job in jobs}
        show(len(rows), min(launcher.workers, len(left)), 0, "")
        leader, most = "", float("-inf")
        try:
            for outcome in launcher.launch(run_point, jobs):
                job = left.pop(outcome.number)
                table = read_point(Path(job.file))
                for text in outcome.notes:
                    note(text)
                if outcome.error is not None or table is None:
                    failures[job.number] = (
                        outcome.error or f"{job.file} did not appear: machines must share the directory"
                    )
                    complain(found[job.number], failures[job.number])
                else:
                    rows[job.number] = table
                    routers = table[~table["policy"].isin(ORACLES)]
                    score = (routers["quality"] / routers["arrived"]).groupby(routers["policy"]).mean()
                    if score.max() > most:
                        most = score.max()
                        leader = f"best {score.idxmax()}, {most:.3f} per query at {found[job.number].label}"
                show(len(rows), min(launcher.workers, len(left)), len(failures), leader)
        except (OSError, RuntimeError, ImportError) as error:  # the launcher itself broke: a worker was killed, say
            line = (str(error).strip().splitlines() or [""])[0]
            for number in left:
                failures[number] = f"not run, as {type(error).__name__}: {line}"
            complain(found[min(left)], f"{len(left)} points did not end, {failures[min(left)]}")


def describe(config: DictConfig) -> dict[str, Any]:
    """Return all that a point's results depend on: its configuration, the files it names, code and libraries."""
    plain = identity(config)
    return {
        "config": plain,
        "files": named_files(plain),
        "source": source_digest(plain),
        "versions": library_versions(),
    }


def named_files(config: Any) -> dict[str, str]:
    """Return the SHA-256 of every file whose path is a value of a configuration."""
    if isinstance(config, dict | list):
        parts = config.values() if isinstance(config, dict) else config
        return functools.reduce(lambda all_of_them, part: all_of_them | named_files(part), parts, {})
    return hash_of(config) if isinstance(config, str) else {}


@functools.lru_cache
def hash_of(name: str) -> dict[str, str]:
    """Return the SHA-256 of a file, by its name; nothing if there is none."""
    return file_hashes((Path(name),)) if Path(name).is_file() else {}


def write_failures(path: Path, axes: Sequence[str], found: Sequence[Point], failures: dict[int, str]) -> None:
    """Write a row per point that failed: its axes and the error."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*axes, "error"])
        writer.writerows([*found[number].values.values(), failures[number]] for number in sorted(failures))


def complain(point: Point, error: str) -> None:
    """Write one line about a point to stderr."""
    sys.stderr.write(f"switchyard: {point.label}: {error}\n")


@contextlib.contextmanager
def board(total: int, kept: int) -> Iterator[Any]:
    """Show on stderr, on a terminal only, what is done, running and failed, the time left and the best so far."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[leader]}"),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("", total=total, completed=kept, leader="")

        def show(done: int, running: int, failed: int, leader: str) -> None:
            description = f"{done} of {total} done, {running} running, {failed} failed"
            bar.update(task, completed=done + failed, leader=leader, description=description)

        yield show
