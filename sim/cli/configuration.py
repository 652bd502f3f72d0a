"""Composes Hydra's configuration, checks it key by key, and makes objects of it. It knows no verb's meaning."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hydra import compose
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import (
    ConfigCompositionException,
    InstantiationException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError

from sim.cli.own.fleets import PREFIX, with_fleets
from sim.cli.own.policies import offered
from sim.cli.own.words import Brought, bring, without_places
from sim.cli.renamed import follow_moves
from sim.cli.trace_words import EVENTS, check_trace, with_record, with_trace
from sim.cli.types import check, check_all, shown, takes_any_name
from sim.cli.words import nearest, of_own_estimators, quoted

GROUPS = (
    "policy",
    "estimator",
    "workload",
    "fleet",
    "budget",
    "window",
    "arrivals",
    "order",
    "cache",
    "events",
    "metric",
    "experiment",
    "search",
    "launcher",
)


INFINITE = ("inf", ".inf", "+inf", "+.inf", "-inf", "-.inf")
BY_NAME = ("profiled.", "knobs.", "classes.", "tenants.")  # begin keys whose last names are the user's
DESCRIPTION = ("better", "range", "by")  # of a metric's values, beside what makes the metric


def configure(verb: str, overrides: Sequence[str]) -> DictConfig:
    """Compose the configuration of a verb and check every value, inside Hydra's initialisation.

    Raises
    ------
    ValueError
        For an option, key or type that does not exist, naming what is near, and for a key without a value.
    """
    config, words = composed(verb, overrides)
    if "workload" in config and not config.get("policy"):  # what has queries needs somebody to decide
        raise ValueError(f"no policy is chosen; choose one or more of {', '.join(options('policy'))}")
    if config.get("axes") and verb != "sweep":
        raise ValueError(f"axes, with {', '.join(map(str, config.axes))}, is for sweep and not for {verb}")
    if config.get("trace") == EVENTS and verb not in ("run", "compare"):
        raise ValueError(
            f"trace=events is for run and compare and not for {verb}; a file of that name is trace=./events"
        )
    if verb in ("ratio", "explain", "plan", "export", "frontier") and config.oracle.get("names"):
        raise ValueError(f"oracle.names is for run, compare and sweep and not for {verb}; leave it out")
    if verb not in ("run", "compare") and any(word.lstrip("+").startswith("roundings=") for word in words):
        raise ValueError(f"roundings is for run and compare and not for {verb}; leave it out")
    check_values(config, lambda: leaves(defaults(verb, words)))
    return config


def composed(verb: str, overrides: Sequence[str]) -> tuple[DictConfig, list[str]]:
    """Compose the configuration of a verb without looking at its values.

    Returns
    -------
    config : DictConfig
    words : list of str
        The overrides as Hydra read them.

    Raises
    ------
    ValueError
        For an option or key that does not exist, naming what is near.
    """
    overrides, own = of_own_estimators([quoted(word) for word in overrides])
    overrides, brought = of_places(overrides)
    config, words = of_options(verb, with_trace(with_record(overrides)))
    check_trace(config)
    bring(config, brought)
    put_infinity(config)
    put_estimator(config)
    set_own_estimators(config, own)
    return config, words


def of_options(verb: str, overrides: Sequence[str]) -> tuple[DictConfig, list[str]]:
    """Compose what Hydra finds; return it and the overrides, and raise as ``composed`` does."""
    try:
        check_options(overrides)
        nodes = whole_nodes(overrides)
        overrides = [word for word in overrides if word not in nodes]
        config = compose(verb, overrides)
    except MissingConfigException as error:
        group, _, option = (error.missing_cfg_file or "").rpartition("/")
        raise ValueError(f"unknown {group} {option!r}{nearest(option, options(group))}") from error
    except OverrideParseException as error:
        raise ValueError(f"cannot read the override {error.override!r}: give KEY=VALUE, as in seed=1") from error
    except ConfigCompositionException as error:
        key = str(error).partition("Could not override '")[2].partition("'")[0]
        if not key:
            raise ValueError(unmerged(error)) from error
        for word in ("trace", "record"):
            if key == "workload" and any(each.startswith(f"{word}=") for each in overrides):
                raise ValueError(f"{verb} has no {word}; leave {word} out") from error
        if key.partition("@")[0] in GROUPS:
            raise ValueError(f"{verb} has no {key}; leave {key} out") from error
        without_keys = defaults(verb, overrides)
        opened = [f"++{word}" if word.partition("=")[0] == key else word for word in overrides]
        values: dict[str, Any] = OmegaConf.to_container(without_keys)  # type: ignore[assignment]
        if opened != overrides and (takes_any_name(values, key.split(".")) or key.startswith(BY_NAME)):
            return of_options(verb, [*opened, *nodes])
        known = [*leaves(without_keys), *GROUPS]
        if key.rpartition(".")[2] in values:
            raise ValueError(f"unknown key {key!r}; did you mean {key.rpartition('.')[2]}?") from error
        raise ValueError(f"unknown key {key!r}{nearest(key, known)}") from error
    for key, node in nodes.values():
        put_node(config, key, node)
    follow_moves(config)
    return config, list(overrides)


def unmerged(error: ConfigCompositionException) -> str:
    """Return the message for what Hydra could not put together: an option, or a list in the place of a mapping."""
    key, _, value = str(error).partition("Error merging override ")[2].partition("=")
    if key:
        kind = (
            "a mapping such as {NAME: VALUE}" if "DictConfig with List" in str(error.__cause__) else "of another kind"
        )
        return f"{key} is {value}; it must be {kind}"
    option = str(error).partition("In '")[2].partition("'")[0].replace("/", "=")
    return f"{option} sets keys that the other chosen options do not have; choose others"


def set_own_estimators(config: DictConfig, words: Sequence[str]) -> None:
    """Set the keys that these words name in the estimators of all policies that have them."""
    for override in OverridesParser.create(GlobalHydra.instance().config_loader()).parse_overrides(list(words)):
        key = override.get_key_element().removeprefix("estimator.")
        estimators = [policy.estimator for policy in (config.get("policy") or {}).values() if "estimator" in policy]
        having = [one for one in estimators if OmegaConf.select(one, key, default=estimators) is not estimators]
        if not having:
            known = sorted({f"estimator.{name}" for one in estimators for name in leaves(one) if name != "_target_"})
            lacks = nearest(f"estimator.{key}", known) if estimators else "; no chosen policy has an estimator"
            raise ValueError(f"unknown key 'estimator.{key}'{lacks}")
        for estimator in having:
            OmegaConf.update(estimator, key, override.value(), merge=False)


def whole_nodes(overrides: Sequence[str]) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return the overrides that give a whole node, a mapping with a ``_target_``, each with its key and the node."""
    parser = OverridesParser.create(GlobalHydra.instance().config_loader())
    found = {}
    for word in overrides:
        if "_target_" in word.partition("=")[2] and word[:1] not in "+~":
            override = parser.parse_override(word)
            node = override.value()
            if isinstance(node, dict) and override.key_or_group not in GROUPS:
                found[word] = override.key_or_group, node
    return found


def put_node(config: DictConfig, key: str, node: dict[str, Any]) -> None:
    """Put a node in the place of what is there; into it, if both make the same. Hydra would mix the two."""
    parent, _, name = key.rpartition(".")
    around = OmegaConf.select(config, parent) if parent else config
    if not isinstance(around, DictConfig) or name not in around:
        raise ValueError(f"unknown key {key!r}{nearest(key, [*leaves(config), *GROUPS])}")
    there = around[name]
    is_same = isinstance(there, DictConfig) and there.get("_target_") == node.get("_target_")
    OmegaConf.update(config, key, node, merge=is_same, force_add=True)


def check_options(overrides: Sequence[str]) -> None:
    """Raise ValueError for a group that is set to something else than names of its options."""
    for override in OverridesParser.create(GlobalHydra.instance().config_loader()).parse_overrides(list(overrides)):
        group, value = override.get_key_element().lstrip("+~").partition("@")[0], override.value()
        names = value if isinstance(value, list) else [value]
        if group in GROUPS and not override.is_sweep_override() and not all(isinstance(name, str) for name in names):
            if value is None and override.is_delete():
                continue
            raise ValueError(f"{group} is {shown(value)}; choose from {', '.join(options(group))}")


def of_places(overrides: Sequence[str]) -> tuple[list[str], Brought]:
    """Return the words that Hydra understands, files of fleets being options, and the policies that others bring."""
    return without_places(with_fleets(overrides, lambda: with_yaml("fleet")), lambda: with_yaml("policy"))


def defaults(verb: str, overrides: Sequence[str]) -> DictConfig:
    """Compose what a verb has with these options of groups, before any key is set."""
    overrides, _ = of_places(overrides)
    return compose(verb, [word for word in overrides if word.partition("=")[0].strip("+~").partition("@")[0] in GROUPS])


def put_infinity(config: Any) -> None:
    """Make numbers of the texts ``inf`` and ``.inf``: Hydra's grammar has the one and YAML the other."""
    for key in range(len(config)) if isinstance(config, ListConfig) else list(config):
        if OmegaConf.is_missing(config, key) or OmegaConf.is_interpolation(config, key):
            continue
        value = config[key]
        if isinstance(value, str) and value in INFINITE:
            config[key] = float(value.replace(".", ""))
        elif isinstance(value, DictConfig | ListConfig):
            put_infinity(value)


def put_estimator(config: DictConfig) -> None:
    """Give the configuration's estimator, if it has one, to every chosen policy that needs one."""
    if config.get("estimator"):
        for policy in config.policy.values():
            if "estimator" in policy:
                policy.estimator = config.estimator


def check_values(config: DictConfig, examples: Callable[[], Mapping[str, Any]]) -> None:
    """Raise ValueError, naming the key, for a value that is missing or not what its reader's annotations say.

    ``examples`` returns right values by key, for the message; Hydra takes a while to make them.
    """
    try:
        values: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    except InterpolationResolutionError as error:
        where = re.sub(r"\s*full_key: .*", "", str(error), flags=re.DOTALL)
        if missing := re.search(r"Interpolation key '(.*?)' not found", where):
            where = f"there is no {missing[1]}; choose what has it, or give {error.full_key}=VALUE"
        raise ValueError(f"cannot read {error.full_key}, which takes another key's value: {where}") from error
    if isinstance(values.get("metric"), dict):
        values["metric"] = {name: without_description(node) for name, node in values["metric"].items()}
    from sim.cli.settings import hints  # which imports what simulates

    try:
        check_all(values, hints(), {})
    except ValueError:
        check_all(values, hints(), examples())
        raise


def without_description(metric: Any) -> Any:
    """Return a metric's node without what it says of its values: ``better``, ``range`` and ``by``."""
    return (
        {key: value for key, value in metric.items() if key not in DESCRIPTION} if isinstance(metric, dict) else metric
    )


def leaves(config: DictConfig, prefix: str = "") -> dict[str, Any]:
    """Return every dotted key of a configuration with its value; a group has an empty value."""
    found: dict[str, Any] = {}
    for name, value in OmegaConf.to_container(config, resolve=False).items():  # type: ignore[union-attr]
        found[f"{prefix}{name!s}"] = None if isinstance(value, dict) else value
        if isinstance(value, dict):
            found |= leaves(OmegaConf.create(value), f"{prefix}{name!s}.")
    return found


def options(group: str) -> list[str]:
    """Return the names that a group offers; of policies also those that installed packages offer."""
    return [*with_yaml(group), *(offered() if group == "policy" else ())]


def with_yaml(group: str) -> list[str]:
    """Return the names in a group that have a YAML."""
    names = GlobalHydra.instance().config_loader().get_group_options(group) if group else []
    return [name for name in names if not name.startswith(PREFIX)]


def build(spec: DictConfig, key: str) -> Any:
    """Make the object that a configuration node describes; raise what its constructor raises."""
    values = OmegaConf.to_container(spec, resolve=True) if OmegaConf.is_config(spec) else spec
    check(values, Any, key, {})
    from hydra.utils import instantiate  # not for --help

    try:
        return instantiate(spec, _convert_="all")
    except InstantiationException as error:
        cause: BaseException = error
        while isinstance(cause, InstantiationException) and cause.__cause__ is not None:
            cause = cause.__cause__
        if isinstance(cause, MemoryError):
            raise ValueError(f"{key} is too large for the memory: {cause}") from error
        if isinstance(cause, ValueError | OSError | ImportError | RuntimeError):
            raise cause from error
        raise ValueError(f"cannot make {key}: {str(cause).splitlines()[0]}") from error
