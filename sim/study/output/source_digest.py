"""Makes a digest of the code behind results, so that results of old code are never passed off as new.

It covers every ``.py`` and ``.yaml`` file of Switchyard's own packages as they are installed, and of a user's own code
the modules that ``_target_`` names, with what they import from the same folder tree. It goes no farther: not to modules
imported by a computed name, compiled extensions, data that such code reads, or libraries, whose versions stand apart.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

OWN = ("conf", "policies", "scenarios", "sim")
HOME = Path(__file__).resolve().parents[3]  # not by import, as a user's folder may have a module named conf
LIBRARIES = ("faiss-cpu", "numpy", "pandas", "scikit-learn", "scipy", "simpy")  # what figures are computed with
INSTALLED = ("site-packages", "dist-packages")  # folders in which packages have nothing to do with each other


def source_digest(config: Any = None) -> str:
    """Return 16 digits of the SHA-256 of the code behind a configuration.

    Parameters
    ----------
    config : mapping or None
        As plain values. Every ``_target_`` in it outside Switchyard's packages adds its module, the packages around
        that, and what these import, directly or not, from the folder that holds the outermost of them (among installed
        packages: from the same package). None: Switchyard's own code alone.

    Returns
    -------
    str
        Read once in a process, as code is.
    """
    return digest_with(frozenset(targets(config)))


@functools.cache
def own_digest() -> str:
    """Return the digest of Switchyard's own packages, which stand side by side wherever they are installed."""
    files: dict[str, Path] = {}
    for package in OWN:
        paths = (path for path in (HOME / package).rglob("*") if path.suffix in (".py", ".yaml"))
        files |= {str(path.relative_to(HOME).as_posix()): path for path in paths if path.name[0] != "."}
    return digest_of(files)


@functools.cache
def digest_with(names: frozenset[str]) -> str:
    """Return the digest of Switchyard's own packages and of the modules of dotted names outside them."""
    files = outside_files(names)
    return hashlib.sha256(f"{own_digest()} {digest_of(files)}".encode()).hexdigest()[:16] if files else own_digest()


def known_digest(module: str) -> str | None:
    """Return the digest of the code behind a module; None if it has no source file, as in a notebook."""
    is_known = module.partition(".")[0] in OWN or outside_files((module,))
    return digest_with(frozenset({module})) if is_known else None


@functools.cache
def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that results are computed with."""
    return {library: metadata.version(library) for library in LIBRARIES}


def digest_of(files: Mapping[str, Path]) -> str:
    """Return 16 digits of the SHA-256 of files, by the names that they are given."""
    digest = hashlib.sha256()
    for name, path in sorted(files.items()):
        content = path.read_bytes()
        digest.update(f"{name} {len(content)} ".encode() + content)
    return digest.hexdigest()[:16]


def targets(config: Any) -> Iterator[str]:
    """Yield every ``_target_`` of a configuration of plain values."""
    if isinstance(config, Mapping):
        if isinstance(config.get("_target_"), str):
            yield config["_target_"]
        for value in config.values():
            yield from targets(value)
    elif isinstance(config, list | tuple):
        for value in config:
            yield from targets(value)


def outside_files(names: Iterable[str]) -> dict[str, Path]:
    """Return the source file of each module that belongs to dotted names outside Switchyard, by the module's name."""
    found: dict[str, Path] = {}
    waiting = [(name, home) for name in names if (home := base_folder(name)) is not None]
    while waiting:
        name, home = waiting.pop()
        for module, path in modules_of(name, home):
            if module in found:
                continue
            found[module] = path
            top = module.partition(".")[0]
            waiting += [
                (other, home)
                for other in imports(module, path)
                if home.name not in INSTALLED or other.partition(".")[0] == top
            ]
    return found


def base_folder(name: str) -> Path | None:
    """Return the folder that holds the outermost package or module of a dotted name; None if it has no source file."""
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names:
        return None
    try:
        spec = importlib.util.find_spec(top)  # which imports nothing, as the name has no dot
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations))).parent
    return Path(spec.origin).parent if spec.has_location and spec.origin else None


def modules_of(name: str, home: Path) -> Iterator[tuple[str, Path]]:
    """Yield the modules along a dotted name in a folder, with their files; Switchyard's own are counted elsewhere."""
    if name.partition(".")[0] in (*OWN, ""):
        return
    folder, parts = home, name.split(".")
    for number, part in enumerate(parts, start=1):
        package, module = folder / part / "__init__.py", folder / f"{part}.py"
        if package.is_file() or module.is_file():
            yield ".".join(parts[:number]), package if package.is_file() else module
        if not package.is_file() and module.is_file():
            return  # what follows are names inside the module
        folder = folder / part


def imports(module: str, path: Path) -> Iterator[str]:
    """Yield the dotted names that a source file imports; of ``from a import b`` both ``a`` and ``a.b``."""
    try:
        tree = ast.parse(path.read_bytes())
    except SyntaxError:
        return  # importing it will say so
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            around = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            origin = ".".join([*around, *([node.module] if node.module else [])])
            yield from (f"{origin}.{alias.name}" for alias in node.names)
