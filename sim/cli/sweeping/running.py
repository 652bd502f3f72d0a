"""Holds the points of a sweep while they run: what each is made of, what is there already, and what became of each."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
from omegaconf import DictConfig
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from sim.cli.configuration import build
from sim.cli.project import MODULES
from sim.cli.sweeping.axes import Point, identity, points
from sim.cli.sweeping.claims import summarised
from sim.cli.sweeping.launchers import Job, Launcher
from sim.cli.sweeping.points import run_point
from sim.errors import note
from sim.study.oracles import ORACLES
from sim.study.output.archive import file_hashes
from sim.study.output.source_digest import library_versions, source_digest
from sim.study.output.store import Store
from sim.study.sweep import read_point, tidy


class Sweep:
    """The points of a sweep.

    Parameters
    ----------
    words : sequence of str
        Overrides, at least one of them with several values.

    Attributes
    ----------
    config : DictConfig
        Of the first point.
    points : list of Point
    axes : list of str
        Keys.
    rows : dict of int to DataFrame
        Of the points that are done, by number.
    failures : dict of int to str
        Of those that failed, in a line each.
    n_kept : int
        How many were there already.

    Raises
    ------
    ValueError
        As ``points`` does, and for axes that contradict the budget.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.config, self.points = points("sweep", words)
        self.axes = list(self.points[0].values)
        self.rows: dict[int, pd.DataFrame] = {}
        self.failures: dict[int, str] = {}
        self.n_kept = 0

    def check(self) -> None:
        """Raise ValueError, or ImportError, for what no point could run with."""
        if "workload.n_queries" in self.axes and self.config.budget.get("of") == "all":
            raise ValueError(
                "budget.of=all is of all test queries, whose number workload.n_queries is: sweep over n_queries"
            )
        self._launcher: Launcher = build(self.config.launcher, "launcher")

    @functools.cached_property
    def described(self) -> list[dict[str, Any]]:
        """All that the results of each point depend on."""
        return [describe(point.config) for point in self.points]

    @functools.cached_property
    def whole(self) -> dict[str, Any]:
        """What a manifest says of all points."""
        return summarised(self.axes, self.described)

    def run(self, folder: Path, cache: str | None) -> None:
        """Run the points whose rows are not in the folder yet, each to a file of its own; none of it raises.

        Parameters
        ----------
        folder : Path
            Absolute; exists.
        cache : str or None
            Folder of predictions and bounds.
        """
        if cache is not None:
            Store(Path(cache))  # raises here, once, if there can be none
        kept = None if cache is None else str(Path(cache).resolve())
        files = [folder / f"{name}.parquet" for name in self.whole["points"]]
        self.rows |= {number: table for number, file in enumerate(files) if (table := read_point(file)) is not None}
        self.n_kept = len(self.rows)
        jobs = [
            Job(number, one["config"], str(files[number]), kept, one["source"], MODULES.get())
            for number, one in reversed(
                list(enumerate(self.described))
            )  # sizes mostly ascend, and the longest should not be last
            if number not in self.rows
        ]
        self._carry_out(jobs)

    def table(self) -> pd.DataFrame:
        """Return the rows of all points that are done, with their axes."""
        return tidy([(self.points[number].values, self.rows[number]) for number in sorted(self.rows)])

    def _carry_out(self, jobs: Sequence[Job]) -> None:
        """Let the launcher run the jobs, filling in rows and failures as they end."""
        with board(len(self.points), len(self.rows)) as show:
            left = {job.number: job for job in jobs}
            show(len(self.rows), min(self._launcher.workers, len(left)), 0, "")
            leader, most = "", float("-inf")
            try:
                for outcome in self._launcher.launch(run_point, jobs):
                    job = left.pop(outcome.number)
                    table = read_point(Path(job.file))
                    for text in outcome.notes:
                        note(text)
                    if outcome.error is not None or table is None:
                        missing = f"{job.file} did not appear: machines must share the directory"
                        self.failures[job.number] = outcome.error or missing
                        complain(self.points[job.number], self.failures[job.number])
                    else:
                        self.rows[job.number] = table
                        routers = table[~table["policy"].isin(ORACLES)]
                        score = (routers["quality"] / routers["arrived"]).groupby(routers["policy"]).mean()
                        if score.max() > most:
                            most = score.max()
                            leader = f"best {score.idxmax()}, {most:.3f} per query at {self.points[job.number].label}"
                    show(len(self.rows), min(self._launcher.workers, len(left)), len(self.failures), leader)
            except (OSError, RuntimeError, ImportError) as error:  # the launcher itself broke: a worker was killed, say
                line = (str(error).strip().splitlines() or [""])[0]
                for number in left:
                    self.failures[number] = f"not run, as {type(error).__name__}: {line}"
                complain(self.points[min(left)], f"{len(left)} points did not end, {self.failures[min(left)]}")


def named_store(made: Sweep, words: Sequence[str]) -> str | None:
    """Return the store of a sweep that writes nothing else: the one that its words name, if they do."""
    store: str | None = made.config.store
    return store if any(word.startswith("store=") for word in words) else None


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


def complain(point: Point, error: str) -> None:
    """Write one line about a point to stderr."""
    sys.stderr.write(f"switchyard: {point.label}: {error}\n")


@contextmanager
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
