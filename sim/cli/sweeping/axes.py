"""Turns the words of a sweep into its points, by Hydra's grammar of multiple runs. It runs nothing.

A key with several values (``fleet.size=2,4``, ``choice(2,4)``, ``range(2,9,2)``, ``policy.port.eps=0.01,0.1``, for a
group also ``glob(*)``) is an axis; the points are all combinations, the last axis the fastest, as in Hydra's sweeper. A
list in brackets is one value.
"""

from __future__ import annotations

import copy
import itertools
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import OverrideParseException
from omegaconf import DictConfig, OmegaConf

from sim.cli.configuration import GROUPS, check_values, configure, defaults, leaves, put_estimator, set_own_estimators

NO_AXES = ("out", "store", "launcher", "axes")  # what a point does not depend on
Value = str | int | float | bool | None


@dataclass(frozen=True)
class Point:
    """One combination: the value of each axis, by its key, and the configuration."""

    values: dict[str, Value]
    config: DictConfig

    @property
    def label(self) -> str:
        """The values in words."""
        return " ".join(f"{key}={value}" for key, value in self.values.items())


def points(verb: str, words: Sequence[str]) -> tuple[DictConfig, list[Point]]:
    """Return the configuration of the whole sweep, which is that of its first point, and all points.

    Raises
    ------
    ValueError
        If there is no axis, an axis cannot be one, has a value twice, or is given twice; and for a key or option that
        does not exist, or a value of the wrong kind.
    """
    overrides = parse([spelled(word) for word in words])
    fixed, swept = separate(overrides)
    planned = configure(verb, [*fixed, *(f"{key}={texts[0]}" for key, texts in swept.items())]).get("axes") or {}
    given = {name(override) for override in overrides}
    more_fixed, more_swept = separate(parse([f"{key}={text(values)}" for key, values in planned.items()]))
    fixed += [word for word in more_fixed if word.partition("=")[0] not in given]
    swept = {key: texts for key, texts in more_swept.items() if key not in given} | swept
    if not swept:
        raise ValueError("no key has several values to sweep over; give one or more a list, such as fleet.size=2,4,8")
    for key in swept:
        if name_of(key).split(".")[0] in NO_AXES:
            raise ValueError(f"{key} cannot be swept over; results do not depend on it")
        if key in {word.partition("=")[0] for word in fixed}:
            raise ValueError(f"{key} is given twice; give it once, with all of its values")
    groups = [key for key in swept if name_of(key) in GROUPS or key[0] in "+~"]
    found: dict[tuple[str, ...], Point] = {}
    for combination in itertools.product(*(swept[key] for key in groups)):
        chosen = [f"{key}={option}" for key, option in zip(groups, combination, strict=True)]
        found |= with_values(verb, [*fixed, *chosen], dict(zip(groups, combination, strict=True)), swept)
    ordered = [found[combination] for combination in itertools.product(*swept.values())]
    for key in swept:
        values = [json.dumps(point.values[name_of(key)]) for point in ordered]
        if len(set(values)) < len(swept[key]):
            raise ValueError(f"{key} has a value twice: {', '.join(swept[key])}")
    return ordered[0].config, ordered


def with_values(
    verb: str, words: Sequence[str], options: dict[str, str], swept: dict[str, list[str]]
) -> dict[tuple[str, ...], Point]:
    """Return the points of one combination of options of groups, by the texts of all axes.

    Composing takes Hydra a third of a second, so it is done once here, and plain keys are then set.
    """
    keys = [key for key in swept if key not in options]
    base = configure(verb, [*words, *(f"{key}={swept[key][0]}" for key in keys)])
    kinds = leaves(defaults(verb, words)) if keys else {}
    found = {}
    for texts in itertools.product(*(swept[key] for key in keys)):
        assigned = dict(zip(keys, texts, strict=True))
        config = copy.deepcopy(base)
        values: dict[str, Value] = {}
        for key in swept:
            if key in options:
                values[name_of(key)] = options[key]
                continue
            value = parse([f"{key}={assigned[key]}"])[0].value()
            if key.startswith("estimator.") and config.get("estimator") is None:
                set_own_estimators(config, [f"{key}={assigned[key]}"])
            else:
                OmegaConf.update(config, key, value, merge=False)
            values[key] = value if value is None or isinstance(value, str | int | float) else assigned[key]
        put_estimator(config)
        check_values(config, lambda: kinds)
        found[tuple(options.get(key, assigned.get(key, "")) for key in swept)] = Point(values, config)
    return found


def separate(overrides: Sequence[Override]) -> tuple[list[str], dict[str, list[str]]]:
    """Return the words that hold for every point, and the texts of each axis.

    Policies are compared on the same queries inside each point, so ``policy=a,b`` is ``policy=[a,b]``.
    """
    fixed: list[str] = []
    swept: dict[str, list[str]] = {}
    for override in overrides:
        if not override.is_sweep_override():
            fixed.append(str(override.input_line))
            continue
        if not override.is_discrete_sweep():
            raise ValueError(f"{override.input_line} has no end of values; list them, as in {name(override)}=1,2,4")
        texts = list(override.sweep_string_iterator())
        if name(override) == "policy":
            plain = [re.sub(r"\\(.)", r"\1", listed) for listed in texts]  # Hydra escapes the : of ./mine.py:Mine
            names = [policy.strip() for listed in plain for policy in listed.strip("[]").split(",")]
            fixed.append(f"policy=[{','.join(dict.fromkeys(names))}]")
            continue
        if override.get_key_element() in swept:
            raise ValueError(f"{name(override)} is given twice; give it once, with all of its values")
        swept[override.get_key_element()] = texts
    return fixed, swept


def parse(words: Sequence[str]) -> list[Override]:
    """Return the words as Hydra reads them; raise ValueError for one that it cannot read."""
    try:
        return OverridesParser.create(GlobalHydra.instance().config_loader()).parse_overrides(list(words))
    except OverrideParseException as error:
        raise ValueError(
            f"cannot read the override {error.override!r}: give KEY=VALUE, as in fleet.size=2,4"
        ) from error


def spelled(word: str) -> str:
    """Return a word in this command's spelling: ``hydra/launcher=joblib`` is ``launcher=joblib``."""
    for theirs, ours in (("hydra/launcher=", "launcher="), ("hydra.launcher.", "launcher.")):
        if word.startswith(theirs):
            return ours + word.removeprefix(theirs)
    return word


def name(override: Override) -> str:
    """Return the key of an override without what says how it is set."""
    return name_of(override.get_key_element())


def name_of(key: str) -> str:
    """Return a key without what says how it is set."""
    return key.lstrip("+~").partition("@")[0]


def text(values: Any) -> str:
    """Return the values of an axis as they are on the command line: a text, or a list of them."""
    return values if isinstance(values, str) else ",".join("null" if value is None else str(value) for value in values)


def identity(config: DictConfig) -> dict[str, Any]:
    """Return all that the results of a point depend on, as plain values."""
    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)  # type: ignore[assignment]
    return {key: value for key, value in plain.items() if key not in NO_AXES}
