"""Finds policies that a word names by where they are, and puts them into the configuration. It makes none of them.

``policy=./mine.py:Mine`` is a class in a file, and ``policy=package.module:Mine`` one in a module. ``policy=NAME``,
where no YAML has that name, is an entry point of the group ``switchyard.policies`` of an installed package. A policy is
named after its class (``Mine`` is ``mine``), or its entry point; ``policy.mine.KEY=VALUE`` sets what its constructor
takes.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from sim.errors import unknown
from sim.interface import Policy

GROUP = "switchyard.policies"
PART = re.compile(r"[^,\[\]()'\"]+")  # of a list, whatever brackets are around it


@dataclass(frozen=True)
class Place:
    """Where a policy is.

    Parameters
    ----------
    word : str
        As it was given.
    module, attribute : str
        Dotted name of the module, and the class in it.
    file : Path or None
        Of the module, where the word names one.
    name : str
        Of the policy.
    """

    word: str
    module: str
    attribute: str
    file: Path | None
    name: str

    @property
    def target(self) -> str:
        """The class, for ``_target_``."""
        return f"{self.module}.{self.attribute}"


def names(word: str) -> list[str]:
    """Return what a word such as ``policy=[a,b]`` lists; nothing if it is another key's.

    >>> names("policy=[random,./mine.py:Mine]"), names("seed=1")
    (['random', './mine.py:Mine'], [])
    """
    key, _, value = word.partition("=")
    return [part.strip() for part in PART.findall(value) if part.strip()] if key == "policy" else []


def files_named(words: Sequence[str]) -> list[Path]:
    """Return the files that words name policies in; raise ValueError for a file without a class, OSError for none."""
    found = []
    for name in (name for word in words for name in names(word)):
        path, _, attribute = name.rpartition(":") if ":" in name else (name, "", "")
        if not path.endswith(".py"):
            continue
        if not attribute:
            raise ValueError(f"policy={name} names a file; give the class in it too, as in policy={name}:MyPolicy")
        if not Path(path).is_file():
            raise FileNotFoundError(f"there is no file {path}, which policy={name} names")
        found.append(Path(path).resolve())
    return list(dict.fromkeys(found))


def folders_named(words: Sequence[str]) -> list[Path]:
    """Return the folders to import from: those of the files, and the current one where a word names a module."""
    is_module = any(":" in name and ".py:" not in name for word in words for name in names(word))
    return [*dict.fromkeys(file.parent for file in files_named(words)), *([Path.cwd()] if is_module else [])]


def place_of(name: str, known: Sequence[str]) -> Place | None:
    """Return where the policy of a name is; None for one that has a YAML, or that nothing has.

    Parameters
    ----------
    name : str
    known : sequence of str
        Names that have a YAML.
    """
    path, _, attribute = name.rpartition(":")
    if path.endswith(".py"):
        return Place(name, Path(path).stem, attribute, Path(path).resolve(), spelled(attribute))
    if path:
        return Place(name, path, attribute, None, spelled(attribute))
    if name in known:
        return None
    offered = {point.value for point in entry_points(group=GROUP, name=name)}
    if len(offered) > 1:
        raise ValueError(f"several packages have a policy {name!r}: {', '.join(sorted(offered))}; give one of these")
    if not offered:
        return None
    module, _, attribute = offered.pop().partition(":")
    return Place(name, module, attribute, None, re.sub(r"\W", "_", name))


def spelled(name: str) -> str:
    """Return the name of a class in small letters.

    >>> spelled("MyPolicy"), spelled("UCB1Router")
    ('my_policy', 'ucb1_router')
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


@functools.cache
def offered() -> tuple[str, ...]:
    """Return the names of the policies that installed packages offer."""
    return tuple(sorted({point.name for point in entry_points(group=GROUP)}))


def class_at(place: Place) -> type[Policy]:
    """Import the class of a policy.

    Raises
    ------
    ValueError
        If it cannot be imported, there is no such class, or it is no ``Policy``.
    """
    module = imported(place)
    if not hasattr(module, place.attribute):
        mine = [name for name, value in vars(module).items() if is_policy(value) and value.__module__ == place.module]
        where = f"in {place.file or place.module}"
        if not mine:
            raise ValueError(f"there is no class {place.attribute!r}, and no other Policy, {where}")
        raise ValueError(f"{unknown('class', place.attribute, mine)} ({where})")
    found = getattr(module, place.attribute)
    if not is_policy(found):
        kind = f"a {type(found).__name__}" if not isinstance(found, type) else "no subclass of it"
        raise ValueError(f"policy={place.word} must be a Policy of sim.interface, and {place.attribute} is {kind}")
    made: type[Policy] = found
    return made


def is_policy(value: object) -> bool:
    """Return whether a value is a class of policies."""
    return isinstance(value, type) and issubclass(value, Policy)


def imported(place: Place) -> ModuleType:
    """Import the module of a policy; raise ValueError if that fails, or another module has the name of its file."""
    if place.file is not None and not place.module.isidentifier():
        raise ValueError(f"{place.file} cannot be imported, as its name is no name of a module; rename it")
    there = sys.modules.get(place.module)
    if place.file is not None and there is not None and is_left_over(there):
        del sys.modules[place.module]
    try:
        module = importlib.import_module(place.module)
    except Exception as error:  # whatever its code raises
        line = (str(error).splitlines() or [""])[0]
        raise ValueError(f"policy={place.word} cannot be imported: {type(error).__name__}: {line}") from error
    origin = getattr(module, "__file__", None)
    if place.file is not None and (origin is None or Path(origin).resolve() != place.file):
        raise ValueError(
            f"{place.file} cannot be imported, as {origin or 'a module of Python'} has its name; rename the file"
        )
    return module


def is_left_over(module: ModuleType) -> bool:
    """Return whether a module comes from a folder that an earlier command imported from, and this one does not."""
    origin = getattr(module, "__file__", None)
    return origin is not None and getattr(module, "__path__", None) is None and str(Path(origin).parent) not in sys.path


def node_of(place: Place, has_estimator: bool, keys: Sequence[str]) -> dict[str, object]:
    """Return the node of a policy in the configuration.

    Parameters
    ----------
    place : Place
    has_estimator : bool
        Whether the configuration has an estimator for every policy that takes one.
    keys : sequence of str
        What words set of it.
    """
    node: dict[str, object] = {"_target_": place.target}
    taken = inspect.signature(class_at(place)).parameters.get("estimator")
    if taken is not None and has_estimator:
        node["estimator"] = None  # which is put there with those of the other policies
    elif taken is not None and taken.default is inspect.Parameter.empty and "estimator" not in keys:
        raise ValueError(f"policy {place.name!r} needs an estimator; choose one, such as estimator=hnsw")
    return node
