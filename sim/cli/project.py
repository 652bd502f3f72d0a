"""Finds a user's own folder of configuration and code, puts it before what is shipped, and tells the manifest.

A project is a folder with ``conf/`` (groups such as ``conf/policy/mine.yaml``) and Python modules beside it. It may
hold a ``switchyard.yaml`` that names other folders: ``conf: settings`` and ``python: [src]``.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.resources
import sys
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from hydra import initialize_config_module
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin

from sim.errors import unknown

MARKER = "switchyard.yaml"
KEYS = ("conf", "python")
SHIPPED = Path(str(importlib.resources.files("conf"))).resolve()


@dataclass(frozen=True)
class Project:
    """A user's folder.

    Parameters
    ----------
    folder : Path
    conf : Path
        Of the groups; need not exist.
    python : tuple of Path
        Folders of modules that a ``_target_`` may name.
    """

    folder: Path
    conf: Path
    python: tuple[Path, ...]

    def options(self, group: str) -> list[str]:
        """Return the names that the project adds to a group, or replaces in it."""
        return sorted(path.stem for path in (self.conf / group).glob("*.yaml"))


CURRENT: ContextVar[Project | None] = ContextVar("project", default=None)


def find_project(folder: Path | None = None) -> Project | None:
    """Return the project in a folder; None if there is none.

    Parameters
    ----------
    folder : Path or None
        None for the current folder, which need not be a project.

    Raises
    ------
    ValueError
        If the folder that is named is none, or its ``switchyard.yaml`` cannot be understood.
    """
    place = Path() if folder is None else folder
    place = place.resolve()
    if (place / MARKER).is_file():
        return marked(place)
    if (place / "conf").is_dir() and (place / "conf").resolve() != SHIPPED:
        return Project(place, place / "conf", (place,))
    if folder is not None:
        raise ValueError(f"{folder} is no project: it has neither {MARKER} nor conf/")
    return None


def marked(place: Path) -> Project:
    """Return the project of a folder with a ``switchyard.yaml``."""
    try:
        content: Any = yaml.safe_load((place / MARKER).read_text()) or {}
    except yaml.YAMLError as error:
        raise ValueError(f"{place / MARKER} is no YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{place / MARKER} is {content!r}; it must be empty, or keys such as conf: conf")
    for key in content:
        if key not in KEYS:
            raise ValueError(unknown(f"key in {place / MARKER},", str(key), KEYS))
    folders, modules = content.get("conf", "conf"), content.get("python", ["."])
    modules = [modules] if isinstance(modules, str) else modules
    if not isinstance(folders, str) or not isinstance(modules, list) or not all(isinstance(m, str) for m in modules):
        raise ValueError(f"{place / MARKER} must have conf: FOLDER and python: [FOLDER, ...]")
    for name in (*([folders] if "conf" in content else []), *modules):
        if not (place / name).is_dir():
            raise ValueError(f"{place / MARKER} names {name}, and there is no such folder")
    return Project(place, place / folders, tuple((place / name).resolve() for name in modules))


@contextlib.contextmanager
def opened(folder: Path | None = None) -> Iterator[Project | None]:
    """Let Hydra find shipped groups and those of the project in a folder, the project's first; yield the project."""
    project = find_project(folder)
    token = CURRENT.set(project)
    try:
        modules = () if project is None else tuple(map(str, project.python))
        with importable(modules), initialize_config_module("conf", version_base="1.3"):
            yield project
    finally:
        CURRENT.reset(token)


@contextlib.contextmanager
def importable(folders: Iterable[str]) -> Iterator[None]:
    """Let the modules of folders be imported, before others of the same name."""
    added = [folder for folder in folders if folder not in sys.path]
    sys.path[:0] = added
    try:
        yield
    finally:
        for path in added:
            with contextlib.suppress(ValueError):
                sys.path.remove(path)


def project_files() -> dict[str, Any]:
    """Return what a manifest says of the project: its YAML files with their SHA-256, by path; nothing without one.

    Its modules are in the manifest's ``source`` digest.
    """
    project = CURRENT.get()
    if project is None:
        return {}
    files = sorted(path for path in project.conf.rglob("*.yaml") if path.is_file())
    names = [f"{project.conf.name}/{path.relative_to(project.conf).as_posix()}" for path in files]
    hashes = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in zip(names, files, strict=True)}
    return {"project": hashes}


class ProjectSearchPath(SearchPathPlugin):
    """Puts the current project's groups before those that are shipped."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Put them there."""
        project = CURRENT.get()
        if project is not None and project.conf.is_dir():
            search_path.prepend("project", f"file://{project.conf}")


Plugins.instance().register(ProjectSearchPath)
