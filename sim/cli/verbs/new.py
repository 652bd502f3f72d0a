"""Carries out the verb new: it writes a part of a user's own, its YAML and its test, and says what to run next."""

from __future__ import annotations

import importlib.resources
import importlib.util
import keyword
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from sim.cli.configuration import options
from sim.cli.project import CURRENT, Project
from sim.errors import unknown

KINDS = {  # and what to run next
    "policy": ("switchyard check policy=NAME", "switchyard compare policy=[random,port,NAME]"),
    "metric": ("switchyard run metric=[latency,NAME] fleet=slots",),
    "workload": ("switchyard compare workload=NAME",),
    "arrivals": ("switchyard run arrivals=NAME fleet=slots",),
    "fleet": ("switchyard run fleet=NAME policy=least_loaded budget=unlimited",),
}


def new(words: Sequence[str], folder: Path) -> int:
    """Write the files of a new part into a project, and say what to run next; return 0.

    Parameters
    ----------
    words : sequence of str
        The kind and the name.
    folder : Path
        Where there is no project yet, it begins here.

    Raises
    ------
    ValueError
        If the kind is unknown, the name cannot be one, or a file is there already.
    """
    if len(words) != 2:
        raise ValueError("give a kind and a name, as in: switchyard new policy mine")
    kind, name = words
    if kind not in KINDS:
        raise ValueError(unknown("kind", kind, list(KINDS)))
    project = CURRENT.get() or Project(folder.resolve(), folder.resolve() / "conf", (folder.resolve(),))
    files = texts(kind, name, project)
    check_name(kind, name, project)
    for path in files:
        if path.exists():
            raise ValueError(f"{path} exists; choose another name")
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        sys.stdout.write(f"wrote {shown(path)}\n")
    test = os.path.relpath(next(path for path in files if path.name.startswith("test_")), project.folder)
    commands = [f"python -m pytest {test}", *(command.replace("NAME", name) for command in KINDS[kind])]
    place = [] if project.folder == Path.cwd() else [f"cd {project.folder}"]
    sys.stdout.write("\n  ".join(["next:", *place, *commands]) + "\n")
    return 0


def texts(kind: str, name: str, project: Project) -> dict[Path, str]:
    """Return the files to write, each with its text; a fleet needs no code."""
    title = "".join(part.capitalize() for part in name.split("_"))
    code = project.python[0]
    targets = {
        f"{kind}.py.txt": code / f"{name}.py",
        f"{kind}.yaml.txt": project.conf / kind / f"{name}.yaml",
        f"{kind}_test.py.txt": code / f"test_{name}.py",
    }
    up = os.path.relpath(project.folder, code)
    folder = "Path(__file__).parent" if up == "." else f'Path(__file__).parent / "{Path(up).as_posix()}"'
    words = {"CLASS": title, "NAME": name, "FOLDER": folder}
    templates = importlib.resources.files("sim.cli") / "templates"
    return {
        path: re.sub("|".join(words), lambda found: words[found[0]], (templates / template).read_text(encoding="utf-8"))
        for template, path in targets.items()
        if (templates / template).is_file()
    }


def check_name(kind: str, name: str, project: Project) -> None:
    """Raise ValueError for a name that cannot be a module's, or that something else has already."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise ValueError(f"the name is {name!r}; it must be small letters, digits and _, and begin with a letter")
    if name in options(kind):
        where = "this project" if name in project.options(kind) else "Switchyard"
        raise ValueError(f"{where} has a {kind} {name!r} already; choose another name")
    if kind != "fleet" and (name in sys.stdlib_module_names or importlib.util.find_spec(name) is not None):
        raise ValueError(f"the name is {name!r}, which Python has a module for; choose another")


def shown(path: Path) -> str:
    """Return a path as it is written from here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
