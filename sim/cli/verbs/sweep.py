"""Carries out the verb sweep: a launcher runs its points, each is kept, and all make one table and its figures."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from omegaconf import OmegaConf

from sim.cli.output import place, say, write_report
from sim.cli.progress import stdout_to_stderr, stop_on_termination
from sim.cli.project import project_files
from sim.cli.sweeping.claims import claim, replace_earlier
from sim.cli.sweeping.running import Sweep, named_store
from sim.show.answers.subject import latency_column
from sim.show.sweep import point_table
from sim.study.output.directory import replace_file
from sim.study.sweep import cells


def sweep(words: Sequence[str], only_show: bool, overwrites: bool = False, reports: bool = True) -> int:
    """Carry out the verb: run what is missing, write table and figures, print the table; return 1 if a point failed.

    Parameters
    ----------
    words : sequence of str
        Overrides, at least one of them with several values.
    only_show : bool
        Print the first point's configuration and how many there are, and run nothing.
    overwrites : bool
        Replace the output of another command, once this one's is there.
    reports : bool
        Write the report and its figures beside the tables.
    """
    made = Sweep(words)
    if only_show:
        sys.stdout.write(
            f"# the first of {len(made.points)} points: {made.points[0].label}\n"
            + OmegaConf.to_yaml(made.config, resolve=True)
        )
        return 0
    made.check()
    named = place(made.config.out, "sweep", made.whole["settings"])
    if named is None:
        return without_output(made, words)
    out = named.resolve()
    more = {"config": {**made.described[0]["config"], "command": ["sweep", *words]}, **project_files()}
    replaces = claim(out, made.whole, more, overwrites)
    n_points = len(made.points)
    try:
        with stdout_to_stderr(), stop_on_termination():
            made.run(out / "points", made.config.store)
    except KeyboardInterrupt:
        sys.stderr.write(
            f"switchyard: stopped; {len(made.rows)} of {n_points} points are kept: the same command goes on\n"
        )
        return 130
    if replaces and not made.rows:
        sys.stdout.write(f"0 of {n_points} points; {named} holds what it held before\n")
        return 1
    replace_file(out / "failures.csv", lambda partial: write_failures(partial, made))
    if made.rows:
        table = made.table()
        means = cells(table, made.axes)
        replace_file(out / "sweep.parquet", lambda partial: table.to_parquet(partial, index=False))
        replace_file(out / "cells.csv", lambda partial: means.to_csv(partial, index=False))
        if replaces:
            replace_earlier(out, made.whole, more)
        if reports:
            write_report(out)
        say(point_table(means, made.axes, latency_column(more["config"], table)))
    sys.stdout.write(f"{len(made.rows)} of {n_points} points, {made.n_kept} of them kept; written to {named}\n")
    return 1 if made.failures else 0


def without_output(made: Sweep, words: Sequence[str]) -> int:
    """Run the points and print the table; write nothing, unless the words name a cache."""
    with stdout_to_stderr(), stop_on_termination(), TemporaryDirectory(prefix="switchyard-") as folder:
        made.run(Path(folder), named_store(made, words))
    if made.rows:
        table = made.table()
        config = {**made.described[0]["config"], "command": ["sweep", *words]}
        say(point_table(cells(table, made.axes), made.axes, latency_column(config, table)))
    sys.stdout.write(f"{len(made.rows)} of {len(made.points)} points\n")
    return 1 if made.failures else 0


def write_failures(path: Path, made: Sweep) -> None:
    """Write a row per point that failed: its axes and the error."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*made.axes, "error"])
        failed = sorted(made.failures)
        writer.writerows([*made.points[number].values.values(), made.failures[number]] for number in failed)
