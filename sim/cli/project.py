"""Finds a user's own folder of configuration and code, puts it before what is shipped, and tells the manifest.

A project is a folder with ``conf/`` (groups such as ``conf/policy/mine.yaml``) and Python modules beside it. It may
hold a ``switchyard.yaml`` that names other folders: ``conf: settings`` and ``python: [src]``. A ``conf/`` without any
option of our groups is some other program's, and is left alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from hydra import initialize_config_dir
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin

from sim.cli.configuration import GROUPS
from sim.cli.own.policies import files_named, folders_named
from sim.errors import unknown
from sim.study.output.source_digest import HOME, OWN

MARKER = "switchyard.yaml"
KEYS = ("conf", "python")
SHIPPED = HOME / "conf"  # by its place, as a user's folder may have a module named conf
OF_OURS = ("_target_:", "@package")  # what every option has, and hardly any YAML of another program


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
NAMED: ContextVar[tuple[Path, ...]] = ContextVar("named", default=())  # files in which words name policies
MODULES: ContextVar[tuple[str, ...]] = ContextVar("modules", default=())  # folders of a user's own modules


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
    if has_options(place / "conf") and (place / "conf").resolve() != SHIPPED:
        return Project(place, place / "conf", (place,))
    if folder is not None:
        raise ValueError(
            f"{folder} is no project: it has neither {MARKER} nor an option in conf/, such as conf/policy/mine.yaml"
        )
    return None


def has_options(conf: Path) -> bool:
    """Return whether a folder holds an option of one of our groups."""
    files = (file for group in GROUPS for file in sorted((conf / group).glob("*.yaml")) if file.is_file())
    return any(word in file.read_text(encoding="utf-8", errors="replace") for file in files for word in OF_OURS)


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
def opened(folder: Path | None = None, words: Sequence[str] = ()) -> Iterator[Project | None]:
    """Let Hydra find shipped groups and those of the project in a folder, the project's first; yield the project.

    The words may name policies by their files, which can then be imported; files that are not there raise OSError.
    """
    project = find_project(folder)
    folders = [*(() if project is None else project.python), *folders_named(words)]
    modules = tuple(dict.fromkeys(map(str, folders)))
    current, named, of_modules = CURRENT.set(project), NAMED.set(tuple(files_named(words))), MODULES.set(modules)
    try:
        with importable(modules), initialize_config_dir(str(SHIPPED), version_base="1.3"):
            yield project
    finally:
        CURRENT.reset(current)
        NAMED.reset(named)
        MODULES.reset(of_modules)


@contextlib.contextmanager
def importable(folders: Iterable[str]) -> Iterator[None]:
    """Let the modules of folders be imported, before others of the same name, Switchyard's own packages aside."""
    for package in OWN:
        import_by_place(package)
    added = [folder for folder in folders if folder not in sys.path]
    sys.path[:0] = added
    try:
        yield
    finally:
        for path in added:
            with contextlib.suppress(ValueError):
                sys.path.remove(path)


def import_by_place(package: str) -> None:
    """Import one of Switchyard's own packages, which a user's folder of the same name must not hide."""
    if package in sys.modules:
        return
    init = HOME / package / "__init__.py"
    spec = importlib.util.spec_from_file_location(package, init, submodule_search_locations=[str(init.parent)])
    assert spec is not None and spec.loader is not None  # noqa: PT018 - of a file that is there
    sys.modules[package] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[package])


def project_files() -> dict[str, Any]:
    """Return what a manifest says of a user's own files, with their SHA-256 by path; nothing if there are none.

    They are the project's YAML files, and the files in which words name policies. The manifest's ``source`` digest is
    of all modules that take part.
    """
    project = CURRENT.get()
    of_project = [] if project is None else [(project.conf, name) for name in yaml_files(project)]
    files = {f"{conf.name}/{name}": conf / name for conf, name in of_project}
    files |= {path.name if path.parent == Path.cwd() else str(path): path for path in NAMED.get()}
    hashes = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
    return {"project": hashes} if hashes or project is not None else {}


def yaml_files(project: Project) -> list[str]:
    """Return the YAML files of a project by their paths from its ``conf``."""
    return sorted(path.relative_to(project.conf).as_posix() for path in project.conf.rglob("*.yaml") if path.is_file())


class ProjectSearchPath(SearchPathPlugin):
    """Puts the current project's groups before those that are shipped."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Put them there."""
        project = CURRENT.get()
        if project is not None and project.conf.is_dir():
            search_path.prepend("project", f"file://{project.conf}")


Plugins.instance().register(ProjectSearchPath)
