"""Lets words name fleets by their files, and several fleets at once: ``fleet=mine.yaml``, ``fleet=[mine.yaml,listed]``.

Hydra reads options of groups. So a file becomes an option for the time of the process, under a name of its own, and a
list becomes an option that is made of the others. Everything else, such as ``fleet.size=2``, is then as for any option.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sim.errors import near

GROUP = "fleet"
PREFIX = "of_file_"  # of options that are files or lists
ENDINGS = (".yaml", ".yml")
EDITED = ("scenarios.fleets.Listed", "scenarios.fleets.Catalogue")
EDITS: dict[str, Any] = {
    "size": None,
    "exclude": [],
    "change": None,
}  # keys that a word may set, also where a file has none


def with_fleets(words: Sequence[str], options: Callable[[], Sequence[str]]) -> list[str]:
    """Return the words, those that name fleets by files or as a list replaced by the option that they have become.

    Parameters
    ----------
    words : sequence of str
    options : callable
        Returns the names of fleets that have an option.

    Raises
    ------
    ValueError
        If a file holds no fleet, a name in a list is not known, or a list names one twice.
    OSError
        If there is no such file.
    """
    return [with_fleet(word, options) if word.startswith(f"{GROUP}=") else word for word in words]


def with_fleet(word: str, options: Callable[[], Sequence[str]]) -> str:
    """Return a word that chooses a fleet as one that Hydra knows."""
    if not (word.startswith(f"{GROUP}=[") or word.rstrip("'\"").endswith(ENDINGS)):
        return word
    value = OverridesParser.create(GlobalHydra.instance().config_loader()).parse_override(word).value()
    given = value if isinstance(value, list) else [value]
    names = [name for name in given if isinstance(name, str)]
    if not names or len(names) < len(given):
        raise ValueError(f"{word} names no fleet; give names or files, such as fleet=[mine.yaml,listed]")
    chosen = {label(name): option(name, options) for name in names}
    if len(chosen) < len(names):
        raise ValueError(f"{word} names a fleet twice; give each once, and files of different names")
    if len(chosen) == 1 and not isinstance(value, list):
        return f"{GROUP}={next(iter(chosen.values()))}"
    parts = [{f"/{GROUP}@fleets.{name}": each} for name, each in chosen.items()]
    node = {
        "defaults": [*parts, "_self_"],
        "_target_": "scenarios.combined.Combined",
        **EDITS,
    }
    return f"{GROUP}={stored(node)}"


def label(name: str) -> str:
    """Return what a fleet is called among several: its own name, or its file's, as a key can be.

    >>> label("listed"), label("./of-mine/h100 fitted.yaml")
    ('listed', 'h100_fitted')
    """
    return re.sub(r"\W", "_", Path(name).stem if is_file(name) else name)


def is_file(name: str) -> bool:
    """Return whether a name is that of a file."""
    return name.endswith(ENDINGS)


def option(name: str, options: Callable[[], Sequence[str]]) -> str:
    """Return the option of a fleet, which is stored if it is a file."""
    if is_file(name):
        return stored(read(Path(name)))
    if name not in options():
        alike = near(name, options())
        hint = f"did you mean {' or '.join(alike)}?" if alike else f"choose from {', '.join(options())}, or give a file"
        raise ValueError(f"unknown fleet {name!r}; {hint}")
    return name


def read(path: Path) -> dict[str, Any]:
    """Return the node of a fleet that a file holds."""
    if not path.is_file():
        raise FileNotFoundError(f"{GROUP}={path}: there is no such file")
    try:
        content = OmegaConf.to_container(OmegaConf.create(path.read_text(encoding="utf-8")))  # as Hydra reads options
    except (yaml.YAMLError, UnicodeDecodeError, OmegaConfBaseException) as error:
        raise ValueError(f"{path} is no YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(content, dict) or "_target_" not in content:
        right = "_target_: scenarios.fleets.Listed and members, as switchyard fit writes it"
        raise ValueError(f"{path} holds no fleet; it must have a _target_, such as {right}")
    node = {str(key): value for key, value in content.items()}
    return {**EDITS, **node} if node["_target_"] in EDITED else node


def stored(node: dict[str, Any]) -> str:
    """Make an option of a node, for this process; return its name."""
    digest = hashlib.sha256(yaml.safe_dump(node, sort_keys=True).encode()).hexdigest()
    name = f"{PREFIX}{digest[:12]}"
    ConfigStore.instance().store(group=GROUP, name=name, node=node)
    return name
