"""Holds values to the annotations of whatever reads them, key by key. It makes no object and knows no meaning.

A configuration is YAML: ``no`` is a text there, ``1e2`` a fraction and ``true`` counts as 1 in Python's arithmetic. So
every value of a node with a ``_target_`` is compared with the annotations of that class or function before it is made.
"""

from __future__ import annotations

import collections.abc
import difflib
import inspect
import math
import pydoc
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sim.errors import unknown

LISTS = (collections.abc.Sequence, collections.abc.Iterable, collections.abc.Collection, list, tuple, set, frozenset)
MAPPINGS = (collections.abc.Mapping, dict)
PLAIN = {bool: "true or false", int: "a whole number", float: "a number", str: "text", Path: "text"}
MISSING = "???"
MOST_INT = 2**63 - 1
SHOWN = 60  # characters of a value in a message


def check(value: Any, hint: Any, key: str, examples: Mapping[str, Any], default: Any = None) -> None:
    """Raise ValueError, naming the key, unless a plain value is what an annotation says.

    Parameters
    ----------
    value : Any
        Plain: of dicts, lists, texts, numbers, truth values and None.
    hint : Any
        The annotation, such as ``int | None``.
    key : str
        Dotted.
    examples : mapping of str to Any
        What is known to be right, by key, for the message.
    default : Any
        Of the parameter; a value that is no number (NaN) is right only where this is none either.
    """
    if isinstance(value, str) and value == MISSING:
        raise ValueError(f"{key} has no value; give {key}=VALUE")
    if isinstance(value, dict) and "_target_" in value:
        check_node(value, hint, key, examples)
        return
    if isinstance(value, dict) and not any(fits(value, member) for member in members(hint)):
        raise ValueError(f"{key} has no _target_; choose an option that has one, or write {right(None, hint, None)}")
    fitting = [member for member in members(hint) if fits(value, member)]
    if not fitting:
        raise ValueError(f"{key} is {shown(value)}; it must be {right(value, hint, examples.get(key))}")
    check_number(value, key, default)
    inner = typing.get_args(fitting[0])
    if isinstance(value, list):
        for number, item in enumerate(value):
            one = inner[number] if len(inner) == len(value) and ... not in inner else (inner or (Any,))[0]
            check(item, one, f"{key}[{number}]", examples)
    elif isinstance(value, dict):
        named = typing.get_type_hints(fitting[0]) if typing.is_typeddict(fitting[0]) else {}
        for name in named:
            check(value.get(name, MISSING), named[name], f"{key}.{name}", examples)
        for name, item in value.items():
            check(item, named.get(name, inner[1] if len(inner) == 2 else Any), f"{key}.{name}", examples)


def check_number(value: Any, key: str, default: Any) -> None:
    """Raise ValueError for NaN, for a whole number that no machine word holds, and for a seed below 0."""
    if isinstance(value, float) and math.isnan(value) and not (isinstance(default, float) and math.isnan(default)):
        raise ValueError(f"{key} is nan; it must be a number")
    if isinstance(value, int) and abs(value) > MOST_INT:
        raise ValueError(f"{key} is {shown(value)}; it must be at most {MOST_INT}")
    if key.endswith("seed") and isinstance(value, int) and value < 0:
        raise ValueError(f"{key} is {value}; it must be at least 0")


def check_node(node: Mapping[str, Any], hint: Any, key: str, examples: Mapping[str, Any]) -> None:
    """Raise ValueError unless a node's ``_target_`` exists, makes what is wanted and takes the values given."""
    target = target_of(node, key)
    for flag in ("_partial_", "_recursive_"):
        check(node.get(flag, False), bool, f"{key}.{flag}", examples)
    check_product(target, node, hint, key)
    try:
        parameters = inspect.signature(target).parameters
    except (TypeError, ValueError):  # of some that are written in C
        return
    kinds = {parameter.kind for parameter in parameters.values()}
    hints = hints_of(target)
    named = [name for name, one in parameters.items() if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    given = [
        str(name) for name in node if str(name) not in ("_target_", "_partial_", "_convert_", "_recursive_", "_args_")
    ]
    for name in given:
        if name not in named and inspect.Parameter.VAR_KEYWORD not in kinds:
            raise ValueError(unknown("key", f"{key}.{name}", [f"{key}.{one}" for one in named]))
        default = parameters[name].default if name in parameters else None
        check(node[name], hints.get(name, Any), f"{key}.{name}", examples, default)
    if node.get("_partial_") or node.get("_args_"):
        return
    for name in named:
        if name not in given and parameters[name].default is inspect.Parameter.empty:
            raise ValueError(f"{key}.{name} has no value; give {key}.{name}=VALUE")


def check_product(target: Any, node: Mapping[str, Any], hint: Any, key: str) -> None:
    """Raise ValueError if what a node makes is certainly not what is wanted."""
    wanted = [member for member in members(hint) if member is not type(None)]
    made = target if isinstance(target, type) else hints_of(target).get("return")
    if any(makes(made, member, bool(node.get("_partial_"))) for member in wanted):
        return
    if node.get("_partial_"):
        raise ValueError(f"{key} is _partial_; it must be {right(None, hint, None)}, and not _partial_")
    kind = made.__name__ if isinstance(made, type) else "value"
    if isinstance(wanted[0], type) and wanted[0] not in PLAIN:
        raise ValueError(f"{key} makes a {kind}, which is not a {wanted[0].__name__} of {wanted[0].__module__}")
    raise ValueError(f"{key} makes a {kind}; it must be {right(None, hint, None)}")


def makes(made: Any, wanted: Any, is_partial: bool) -> bool:
    """Return whether a product may be what an annotation that is no union wants; a protocol wants its methods."""
    origin = typing.get_origin(wanted) or wanted
    if wanted is Any or isinstance(wanted, typing.TypeVar):
        return True
    if origin is collections.abc.Callable:
        return is_partial or not isinstance(made, type) or any("__call__" in vars(base) for base in made.__mro__)
    if is_partial or wanted in PLAIN or origin in MAPPINGS or typing.is_typeddict(wanted):
        return False
    if not isinstance(made, type) or not isinstance(origin, type):
        return True
    if not getattr(origin, "_is_protocol", False):
        return issubclass(made, origin)
    methods = [name for name, value in vars(origin).items() if not name.startswith("_") and inspect.isfunction(value)]
    return all(callable(getattr(made, name, None)) for name in methods)


def target_of(node: Mapping[str, Any], key: str) -> Any:
    """Return the class or function that a node names; raise ValueError if there is none."""
    path = node["_target_"]
    try:
        target = pydoc.locate(path) if isinstance(path, str) and path else None
    except Exception as error:  # whatever importing it raises
        raise ValueError(
            f"{key}._target_ is {shown(path)}; importing it fails: {str(error).splitlines()[0]}"
        ) from error
    if not callable(target):
        raise ValueError(f"{key}._target_ is {shown(path)}; there is no such class or function")
    return target


def hints_of(target: Any) -> dict[str, Any]:
    """Return the annotations of what a class or function takes; none where they cannot be read."""
    read = target
    if isinstance(target, type) and "__dataclass_fields__" not in vars(target):
        read = target.__init__  # type: ignore[misc]
    try:
        return typing.get_type_hints(read)
    except (NameError, TypeError, AttributeError):
        return {}


def members(hint: Any) -> tuple[Any, ...]:
    """Return the parts of a union; of anything else itself."""
    return typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)


def fits(value: Any, hint: Any) -> bool:
    """Return whether a plain value is of the kind of an annotation that is no union; its items are not looked at."""
    origin = typing.get_origin(hint) or hint
    if origin is typing.Literal:
        return value in typing.get_args(hint)
    if hint is Any or isinstance(hint, typing.TypeVar) or hint is object:
        return True
    if hint is None or hint is type(None):
        return value is None
    if hint in (bool, str, Path):
        return isinstance(value, bool if hint is bool else str)
    if hint in (int, float):
        return isinstance(value, int if hint is int else int | float) and not isinstance(value, bool)
    if origin in LISTS:
        return isinstance(value, list)
    return (origin in MAPPINGS or typing.is_typeddict(hint)) and isinstance(value, dict)


def right(value: Any, hint: Any, example: Any) -> str:
    """Return in words what a value must be, with an example where there is one."""
    words = list(dict.fromkeys(word(member) for member in members(hint) if member is not type(None)))
    nullable = " or null" if type(None) in members(hint) else ""
    if isinstance(value, float) and int in members(hint) and value.is_integer():
        return f"{' or '.join(words)}{nullable}; write {int(value)}"
    if isinstance(example, int | float) and not isinstance(example, bool):
        return f"{' or '.join(words)}, such as {example}{nullable}"
    if words[0] == "a list" and isinstance(value, str | int | float) and not isinstance(value, bool):
        return f"{' or '.join(words)}, such as [{value}]{nullable}"
    return " or ".join(words) + nullable


def word(hint: Any) -> str:
    """Return in words what an annotation that is no union wants."""
    origin, inner = typing.get_origin(hint) or hint, typing.get_args(hint)
    if hint in PLAIN:
        return PLAIN[hint]
    if origin is typing.Literal:
        return f"one of {', '.join(map(str, inner))}"
    if origin in LISTS:
        return "a list"
    if origin in MAPPINGS or typing.is_typeddict(hint):
        return "a mapping such as {NAME: VALUE}"
    name = getattr(hint, "__name__", str(hint)) if origin is not collections.abc.Callable else "function"
    spaced = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
    article = "" if spaced.endswith("s") else "an " if spaced[0] in "aeio" else "a "  # task limits, scores
    return f"{article}{spaced}, as {{_target_: CLASS, ...}}"


def shown(value: Any) -> str:
    """Return a value as a message shows it: in YAML's words, and not too long."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int) and abs(value) > MOST_INT:  # Python refuses to print very long ones
        return f"a whole number of {value.bit_length()} bits"
    text = repr(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


def check_all(values: Mapping[str, Any], hints: Mapping[str, Any], examples: Mapping[str, Any]) -> None:
    """Check every top-level key of a configuration; raise ValueError also for a key that nobody reads."""
    for key, value in values.items():
        if key not in hints:
            near = difflib.get_close_matches(key, [name for name in values if name in hints])
            raise ValueError(f"unknown key {key!r}" + (f"; did you mean {' or '.join(near)}?" if near else ""))
        check(value, hints[key], key, examples)


def takes_any_name(values: Mapping[str, Any], path: Sequence[str]) -> bool:
    """Return whether the value at a path of a configuration is, or is in, a mapping whose names are the user's."""
    node: Any = values
    for name in path:
        if isinstance(node, Mapping) and "_target_" in node:
            hint = hints_of(target_of(node, name)).get(name)
            if any((typing.get_origin(member) or member) in MAPPINGS for member in members(hint)):
                return True
        node = node.get(name) if isinstance(node, Mapping) else None
    return False
