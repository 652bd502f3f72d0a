"""Reads from source, without importing it, what docstrings say of the parameters of a class or function."""

from __future__ import annotations

import ast
import functools
import importlib.util
import inspect
import re
from dataclasses import dataclass
from pathlib import Path

ENTRY = re.compile(r"^(?P<names>\*{0,2}\w+(?:, \w+)*)(?: : (?P<kind>.*))?$")
SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}\n", re.MULTILINE)


@dataclass(frozen=True)
class Parameter:
    """What a docstring says of a parameter: its kind, such as ``int or None``, and its meaning in a sentence or two."""

    kind: str
    meaning: str


def parameters(target: str) -> dict[str, Parameter]:
    """Return what the numpydoc of a class or function says of its parameters, by name; nothing where there is none.

    Parameters
    ----------
    target : str
        A dotted name, such as ``policies.budgeted.port.Port``.
    """
    module, _, name = target.rpartition(".")
    tree = source(module)
    definitions = {} if tree is None else {node.name: node for node in tree.body if isinstance(node, DEFINED)}
    found: dict[str, Parameter] = {}
    while name in definitions:
        node = definitions[name]
        found = of_docstring(ast.get_docstring(node) or "") | found
        bases = node.bases if isinstance(node, ast.ClassDef) else []
        name = next((base.id for base in bases if isinstance(base, ast.Name)), "")
    if tree is not None and name and name not in definitions:  # its base is of another module
        froms = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module and not node.level]
        home = next((node.module for node in froms if name in {one.name for one in node.names}), None)
        found = (parameters(f"{home}.{name}") if home else {}) | found
    return found


DEFINED = (ast.ClassDef, ast.FunctionDef)


@functools.cache
def source(module: str) -> ast.Module | None:
    """Return the parsed source of a module, which is not imported; None if it has none."""
    top, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(top) if top else None  # which imports nothing, as the name has no dot
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    folders = spec.submodule_search_locations
    path = Path(next(iter(folders))).joinpath(*rest).with_suffix(".py") if folders and rest else Path(spec.origin or "")
    try:
        return ast.parse(path.read_text(encoding="utf-8")) if path.suffix == ".py" else None
    except (OSError, SyntaxError):
        return None


def of_docstring(docstring: str) -> dict[str, Parameter]:
    r"""Return the entries of the section Parameters.

    >>> text = "Serve.\n\nParameters\n----------\nslots : int\n    Most at once.\nname, model : str\n"
    >>> of_docstring(text)["slots"]
    Parameter(kind='int', meaning='Most at once.')
    >>> of_docstring(text)["model"].kind
    'str'
    """
    parts = SECTION.split(inspect.cleandoc(docstring) + "\n")
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    entries: list[tuple[list[str], str, list[str]]] = []
    for line in sections.get("Parameters", "").splitlines():
        match = ENTRY.match(line)
        if match is not None:
            entries.append((match["names"].split(", "), match["kind"] or "", []))
        elif line.strip() and entries:
            entries[-1][2].append(line.strip())
    return {name: Parameter(kind, plain(" ".join(words))) for names, kind, words in entries for name in names}


def plain(text: str) -> str:
    """Return a text without the marks of code."""
    return text.replace("``", "")
