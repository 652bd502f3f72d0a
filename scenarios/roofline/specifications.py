"""Reads what is specified of GPUs and of open models: the figures of a roofline, and where they are from.

It knows no service and no clock. ``gpus.yaml`` and ``models.yaml`` beside it have the figures.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sim.deployment import check_provenance
from sim.errors import UnreadableError, check_numbers, unknown

GIB = 2**30
FIGURES = ("flops_per_s", "bandwidth_bytes_per_s", "memory_gib", "price_per_hour_usd")


@dataclass(frozen=True)
class Gpu:
    """What a vendor specifies of a GPU.

    Parameters
    ----------
    flops_per_s : float
        Of dense 16-bit matrix products, without sparsity.
    bandwidth_bytes_per_s : float
        Of its memory.
    memory_gib : float
    price_per_hour_usd : float
        What one costs.
    provenance : mapping of str to mapping
        For each figure its ``source``, ``as_of`` and ``confidence``, as for a deployment.

    Raises
    ------
    ValueError
        If a figure is not positive, or does not say where it is from.
    """

    flops_per_s: float
    bandwidth_bytes_per_s: float
    memory_gib: float
    price_per_hour_usd: float
    provenance: Mapping[str, Mapping[str, Any]] = field(hash=False)

    def __post_init__(self) -> None:
        """Check the figures."""
        check_numbers(self, *FIGURES, above=0)
        for name in FIGURES:
            check_provenance(name, self.provenance.get(name, {}))


@dataclass(frozen=True)
class LanguageModel:
    """What the size of a model is.

    Parameters
    ----------
    parameters : float
        All of them.
    embedding_parameters : float
        Of the input embedding, in which a token is looked up, so that an iteration does not read all of it.
    layers, kv_heads, head_size : int
        Of attention: a token keeps 2 x layers x kv_heads x head_size numbers in the key-value cache.
    expert_parameters : float
        Those of routed experts, of a mixture of experts.
    active_share : float
        The share of them that one token uses.

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    parameters: float
    embedding_parameters: float
    layers: int
    kv_heads: int
    head_size: int
    expert_parameters: float = 0.0
    active_share: float = 1.0

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_numbers(self, "parameters", "active_share", above=0)
        check_numbers(self, "embedding_parameters", "expert_parameters", least=0)
        check_numbers(self, "layers", "kv_heads", "head_size", least=1)
        if not self.read_parameters > self.expert_parameters:
            raise ValueError(f"parameters is {self.parameters:g}; it must be more than those of embedding and experts")

    @property
    def read_parameters(self) -> float:
        """How many parameters an iteration of a large batch reads: all but the input embedding."""
        return self.parameters - self.embedding_parameters

    @property
    def active_parameters(self) -> float:
        """How many of them one token is multiplied with."""
        return self.read_parameters - self.expert_parameters * (1 - self.active_share)

    def kv_bytes_per_token(self, bytes_each: float) -> float:
        """Return what a token takes in the key-value cache."""
        return 2 * self.layers * self.kv_heads * self.head_size * bytes_each


def gpu(name: str) -> Gpu:
    """Return a GPU by its name; raise ValueError, naming the nearest, where it is not known."""
    known = written("gpus.yaml")
    if name not in known:
        raise UnreadableError(unknown("GPU", name, list(known)))
    return Gpu(**known[name])


def language_model(name: str) -> LanguageModel:
    """Return a model by its name; raise ValueError, naming the nearest, where it is not known."""
    known = written("models.yaml")
    if name not in known:
        raise UnreadableError(unknown("model of the roofline", name, list(known)))
    return LanguageModel(**known[name])


@functools.cache
def written(file: str) -> dict[str, dict[str, Any]]:
    """Return what a file beside this module has."""
    content: dict[str, dict[str, Any]] = yaml.safe_load((Path(__file__).parent / file).read_text(encoding="utf-8"))
    return content
