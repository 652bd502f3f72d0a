"""Hydra configuration: composed, checked key by key, and made into objects. It knows no verb's meaning."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra import compose
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import (
    ConfigCompositionException,
    InstantiationException,
    MissingConfigException,
    OverrideParseException,
)
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

GROUPS = (
    "policy",
    "estimator",
    "workload",
    "fleet",
    "budget",
    "window",
    "arrivals",
    "order",
    "events",
    "metric",
    "experiment",
    "search",
    "launcher",
)


COMPARISON = re.compile("[<>]")


def configure(verb: str, overrides: Sequence[str]) -> DictConfig:
    """Compose the configuration of a verb, inside Hydra's initialisation.

    Raises
    ------
    ValueError
        For an option, key or type that does not exist, naming what is near, and for a key without a value.
    """
    overrides = [quoted(word) for word in overrides]
    try:
        config = compose(verb, overrides)
        without_keys = defaults(verb, overrides)
    except MissingConfigException as error:
        group, _, option = (error.missing_cfg_file or "").rpartition("/")
        raise ValueError(f"unknown {group} {option!r}{nearest(option, options(group))}") from error
    except OverrideParseException as error:
        raise ValueError(f"cannot read the override {error.override!r}: give KEY=VALUE, as in seed=1") from error
    except ConfigCompositionException as error:
        key = str(error).partition("Could not override '")[2].partition("'")[0]
        if not key:
            raise
        known = [*leaves(defaults(verb, overrides)), *GROUPS]
        raise ValueError(f"unknown key {key!r}{nearest(key, known)}") from error
    nullable = {key for key, value in leaves(compose(verb)).items() if value is None}  # whatever an experiment sets
    check_values(leaves(config), {key: value for key, value in leaves(without_keys).items() if key not in nullable})
    if "workload" in config and not config.get("policy"):  # what has queries needs somebody to decide
        raise ValueError(f"no policy is chosen; choose one or more of {', '.join(options('policy'))}")
    put_estimator(config)
    return config


def defaults(verb: str, overrides: Sequence[str]) -> DictConfig:
    """Compose what a verb has with these options of groups, before any key is set."""
    return compose(verb, [word for word in overrides if word.partition("=")[0].strip("+~").partition("@")[0] in GROUPS])


def put_estimator(config: DictConfig) -> None:
    """Give the configuration's estimator, if it has one, to every chosen policy that needs one."""
    if config.get("estimator"):
        for policy in config.policy.values():
            if "estimator" in policy:
                policy.estimator = config.estimator


def quoted(word: str) -> str:
    """Return an override with its comparisons in quotes, without which Hydra cannot read them.

    >>> quoted("targets=[p95_latency_s<=2,served_share>=1]")
    "targets=['p95_latency_s<=2','served_share>=1']"
    """
    key, _, value = word.partition("=")
    if not COMPARISON.search(value) or "'" in value or '"' in value:
        return word
    return f"{key}=[{','.join(repr(item.strip()) for item in value.strip().strip('[]').split(','))}]"


def with_directories(words: Sequence[str]) -> list[str]:
    """Return overrides in which the words that are directories have become the list ``directories``.

    >>> with_directories(["results", "older results", "out=difference"])
    ['out=difference', "directories=['results','older results']"]
    """
    plain = [word for word in words if "=" not in word or Path(word).is_dir()]
    overrides = [word for word in words if word not in plain]
    quoted = ["'" + word.replace("'", "\\'") + "'" for word in plain]
    return [*overrides, f"directories=[{','.join(quoted)}]"] if plain else overrides


def check_values(values: dict[str, Any], defaults: dict[str, Any]) -> None:
    """Raise ValueError for a key without a value, and for a value that is no number where the default is one."""
    for key, value in values.items():
        if value == "???":
            raise ValueError(f"{key} has no value; give {key}=VALUE")
        default = defaults.get(key)
        if isinstance(default, int | float) and not isinstance(default, bool):
            kinds: tuple[type, ...] = (int,) if isinstance(default, int) else (int, float)
            if not isinstance(value, kinds) or isinstance(value, bool):
                kind = "whole number" if kinds == (int,) else "number"
                raise ValueError(f"{key} is {value!r}; it must be a {kind}, such as {default}")


def leaves(config: DictConfig, prefix: str = "") -> dict[str, Any]:
    """Return every dotted key of a configuration with its value; a group has an empty value."""
    found: dict[str, Any] = {}
    for name, value in OmegaConf.to_container(config, resolve=False).items():  # type: ignore[union-attr]
        found[f"{prefix}{name!s}"] = None if isinstance(value, dict) else value
        if isinstance(value, dict):
            found |= leaves(OmegaConf.create(value), f"{prefix}{name!s}.")
    return found


def options(group: str) -> list[str]:
    """Return the names that a group offers."""
    return list(GlobalHydra.instance().config_loader().get_group_options(group)) if group else []


def nearest(word: str, known: Sequence[str]) -> str:
    """Return a hint at the nearest known words, or at all of them if they are few."""
    near = difflib.get_close_matches(word, sorted(set(known)), n=3, cutoff=0.6)
    if near:
        return f"; did you mean {' or '.join(near)}?"
    return f"; known: {', '.join(known)}" if known and len(known) <= 20 else ""


def build(spec: DictConfig, key: str) -> Any:
    """Make the object that a configuration node describes; raise what its constructor raises."""
    try:
        return instantiate(spec, _convert_="all")
    except InstantiationException as error:
        cause: BaseException = error
        while isinstance(cause, InstantiationException) and cause.__cause__ is not None:
            cause = cause.__cause__
        if isinstance(cause, ValueError | OSError | ImportError | RuntimeError):
            raise cause from error
        raise ValueError(f"cannot make {key}: {str(cause).splitlines()[0]}") from error
