"""Takes policies that words name by their places out of what Hydra reads, and puts them into what it composed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from sim.cli.own.policies import Place, names, node_of, place_of


@dataclass(frozen=True)
class Brought:
    """Policies that words name by their places.

    Parameters
    ----------
    order : sequence of str
        Names of all policies that the words list, in their order.
    places : mapping of str to Place
        Of those that have no YAML, by name.
    keys : sequence of str
        Words that set what their constructors take.
    """

    order: Sequence[str]
    places: Mapping[str, Place]
    keys: Sequence[str]


def without_places(words: Sequence[str], options: Callable[[], Sequence[str]]) -> tuple[list[str], Brought]:
    """Return the words that Hydra understands, and what the others bring.

    Parameters
    ----------
    words : sequence of str
    options : callable
        Returns the names that have a YAML.

    Raises
    ------
    ValueError
        If two policies would have one name.
    """
    left: list[str] = []
    order: list[str] = []
    places: dict[str, Place] = {}
    for word in words:
        found = {name: place_of(name, options()) for name in names(word)}
        if not any(found.values()):
            left.append(word)
            continue
        for name, place in found.items():
            named = name if place is None else place.name
            if named in order:
                raise ValueError(f"two policies would be named {named!r}; rename the class of {name}")
            order.append(named)
            if place is not None:
                places[named] = place
        left.append(f"policy=[{','.join(name for name, place in found.items() if place is None)}]")
    keys = [word for word in left if part_of(word) in places]
    return [word for word in left if word not in keys], Brought(order, places, keys)


def part_of(word: str) -> str:
    """Return the policy whose key a word sets; nothing if it sets none.

    >>> part_of("policy.mine.k=3"), part_of("seed=1")
    ('mine', '')
    """
    path = word.partition("=")[0].lstrip("+").split(".")
    return path[1] if path[0] == "policy" and len(path) > 2 else ""


def bring(config: DictConfig, brought: Brought) -> None:
    """Put policies into a configuration, in the order of the words.

    Raises
    ------
    ValueError
        If there is no such class, or it takes no such value.
    """
    if not brought.places:
        return
    parsed = OverridesParser.create(GlobalHydra.instance().config_loader()).parse_overrides(list(brought.keys))
    for name, place in brought.places.items():
        keys = {one.get_key_element(): one.value() for one in parsed if part_of(one.get_key_element()) == name}
        own = {key.removeprefix(f"policy.{name}."): value for key, value in keys.items()}
        node = OmegaConf.create(node_of(place, bool(config.get("estimator")), list(own)))
        for key, value in own.items():
            OmegaConf.update(node, key, value, merge=False, force_add=True)
        OmegaConf.update(config, f"policy.{name}", node, force_add=True)
    chosen = config.policy
    ordered = {**{name: chosen[name] for name in brought.order if name in chosen}, **chosen}
    OmegaConf.update(config, "policy", ordered, merge=False, force_add=True)
