"""Carries out the verb data: lists public tables and builds those that are asked for. It knows none by name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from omegaconf import DictConfig

from sim.cli.configuration import build
from sim.errors import unknown


class PublicTable(Protocol):
    """What the builder of a public table offers."""

    @property
    def what(self) -> str:
        """What it is, in a line."""

    @property
    def licence(self) -> str:
        """Its licence, and whom to name."""

    def build(self, name: str, folder: Path, given: Path | None, tell: Callable[[str], object]) -> list[Path]:
        """Write the files of a name into a folder, of fetched files or of those in the folder that is given."""


def data(verb: str, config: DictConfig) -> int:
    """Carry out the verb: build the tables that are named, or list all; return 0."""
    if config.get("overwrite"):
        raise ValueError("data replaces a table that it built before; leave --overwrite out")
    known = [str(name) for name in config.known]
    for name in config.tables:
        if name not in known:
            raise ValueError(unknown("public table", name, known))
    usual: Path = build(config.default_folder, "default_folder")
    folder = usual if config.folder is None else Path(config.folder).expanduser()
    given = None if config.source is None else Path(config.source)
    if given is not None and not given.is_dir():
        raise ValueError(f"source is {given}, which is no folder; give the folder of the source's files")
    tables: dict[str, PublicTable] = {
        name: build(config.known[name], f"known.{name}") for name in config.tables or known
    }
    if not config.tables:
        for name, table in tables.items():
            sys.stdout.write(f"{name:<21}{table.what}\n{'':<21}licence: {table.licence}\n")
        sys.stdout.write(f"switchyard data NAME builds one in {folder}\n")
        return 0
    for name, table in tables.items():
        files = table.build(name, folder, given, lambda text: sys.stderr.write(f"{text}\n"))
        sys.stdout.write(f"{name}: {table.what}\nlicence: {table.licence}\n")
        sys.stdout.write("".join(f"written to {file}\n" for file in files))
    if folder.resolve() != usual.resolve():
        sys.stdout.write(f"to use them, let SWITCHYARD_DATA={folder} stand in the environment\n")
    return 0
