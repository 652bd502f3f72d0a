"""Leads a verb's output through its life: its place, the hidden directory, manifest and report, the last line."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from omegaconf import DictConfig, OmegaConf
from rich.console import Console, RenderableType
from rich.table import Table

from sim.cli.progress import stdout_to_stderr, stop_on_termination
from sim.cli.project import project_files
from sim.show.words import in_currency
from sim.study.output.directory import Directory
from sim.study.output.earlier import check_replaceable, described

WIDTH = 200  # of tables where stdout is no terminal


class Output:
    """Where a verb writes, and what its manifest says.

    Parameters
    ----------
    verb : str
    config : DictConfig
        Its ``out`` is the directory; ``auto`` for ``outputs/VERB-DIGEST``, null to write nothing.

    Raises
    ------
    FileExistsError
        If something else lies there and the configuration does not say to overwrite it.

    Attributes
    ----------
    path : Path or None
        None if nothing is to be written.
    """

    def __init__(self, verb: str, config: DictConfig) -> None:
        resolved: dict[str, Any] = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)  # type: ignore[assignment]
        overwrites = resolved.pop("overwrite", False)
        self._reports = resolved.pop("reports", True)
        resolved.pop("workers", None)  # on which no result depends
        if "command" in resolved:
            resolved["command"] = [word for word in resolved["command"] if not word.startswith("workers=")]
        digest = hashlib.sha256(json.dumps(described(resolved), sort_keys=True).encode()).hexdigest()
        self.path = place(config.out, verb, digest)
        if self.path is not None and not overwrites:
            check_replaceable(self.path, verb, resolved)
        self._manifest: dict[str, Any] = {"verb": verb, "config": resolved}

    @contextlib.contextmanager
    def whole(self) -> Iterator[Path]:
        """Yield the hidden folder to write to; at the end it gets its name, a manifest and, if wanted, a report.

        An error, an interrupt or SIGTERM leaves nothing. What compiled solvers print meanwhile goes to stderr. Where
        nothing is to be written, the folder is a temporary one, and goes at the end.
        """
        if self.path is None:
            with stdout_to_stderr(), stop_on_termination(), TemporaryDirectory(prefix="switchyard-") as folder:
                yield Path(folder)
            return
        with stdout_to_stderr(), stop_on_termination(), Directory(self.path) as directory:
            yield directory.folder
            directory.write_manifest({**self._manifest, **project_files()})
            if self._reports:
                write_report(directory.folder)

    def get_ready(self) -> None:
        """Import what a report is drawn with, if one is wanted, which takes more than a second."""
        if self._reports and self.path is not None:
            import sim.cli.verbs.report  # noqa: F401

    @property
    def config(self) -> Mapping[str, Any]:
        """The configuration as plain values."""
        found: Mapping[str, Any] = self._manifest["config"]
        return found

    def note(self, **more: Any) -> None:
        """Let the manifest say more than verb and configuration."""
        self._manifest |= more

    def say(self, *shown: RenderableType | None, after: str = "") -> None:
        """Print tables and sentences, then where the files are, if there are any; None is left out."""
        say(*(named(one, self._manifest["config"]) for one in shown))
        if self.path is not None:
            console().print(f"written to {self.path}{after}", soft_wrap=True)


def named(shown: RenderableType | None, config: dict[str, Any]) -> RenderableType | None:
    """Return a sentence or a table with the configuration's name of the money in the place of USD."""
    if isinstance(shown, str):
        return in_currency(shown, config)
    if isinstance(shown, Table):
        for column in shown.columns:
            column.header = in_currency(str(column.header), config)
        shown.title = None if shown.title is None else in_currency(str(shown.title), config)
    return shown


def place(out: str | None, verb: str, digest: str) -> Path | None:
    """Return the directory that ``out`` names; None for none."""
    return None if out is None else Path(f"outputs/{verb}-{digest[:8]}" if out in ("auto", "") else out)


def say(*shown: RenderableType | None) -> None:
    """Print tables and sentences; a sentence is not broken, nor read as markup."""
    out = console()
    for one in shown:
        if one is not None:
            out.print(one, soft_wrap=isinstance(one, str), markup=False)


def console() -> Console:
    """Return the console of stdout, wide where that is no terminal."""
    return Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)


def write_report(folder: Path) -> None:
    """Write the report and the figures of an output directory."""
    from sim.cli.verbs.report import write_report as write  # drawing takes a while to import

    write(folder)
