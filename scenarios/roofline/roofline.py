"""Makes a deployment of GPUs that serve a model, from specifications alone: a roofline. It knows no clock.

An iteration of a batch of b with m tokens in the key-value cache and c prompt tokens takes W + H b + K m + P c seconds:

    W  bytes of the parameters / bandwidth, and what an iteration takes besides;
    K  bytes of a token in the cache / bandwidth;
    H  2 FLOPs for each active parameter / FLOPs a second;
    P  the same, as a prompt token is multiplied with the same parameters.

A roofline has the larger of reading and computing where this has their sum. So this errs to the slow side where a batch
is small enough to be computed while the parameters are read (Williams and others 2009, Communications of the ACM 52).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scenarios.roofline.specifications import GIB, Gpu, LanguageModel, gpu, language_model
from sim.deployment import Deployment, Service
from sim.errors import check_number, check_numbers, unknown

USED_MEMORY = 0.9  # of all, which is vLLM's gpu_memory_utilization by default
RESERVED_BYTES = 1.5 * GIB  # of each GPU, for activations and graphs; 41,408 tokens on an RTX 4090 leave 1.6
REDUCTION_S = 1e-5  # of one sum over GPUs; two of them in each layer
DIGITS = 5


@dataclass(frozen=True)
class Roofline:
    """One deployment whose service comes from what is specified of its GPUs and its model.

    Parameters
    ----------
    gpu : str
        Its name in ``scenarios/roofline/gpus.yaml``, such as ``h100``.
    model : str
        Its name in ``scenarios/roofline/models.yaml``, such as ``llama-3.1-70b``.
    service : callable
        Makes the service of the iteration's parts and the room for keys and values, all else being given, such as
        ``_partial_`` of ``sim.world.services.paged.PagedBatching`` with its slots and its tokens in one iteration.
    name : str or None
        Of the deployment; None for the model's and the GPU's, such as ``llama-3.1-70b-tp4-h100``.
    serves : str or None
        The workload's model that answers there; None for the one of the model's own name.
    tensor_parallel : int
        GPUs of a replica, over which every layer is split.
    data_parallel : int
        Engines of a replica that step together, with routed experts spread over them; each has so many GPUs.
    weight_bits, cache_bits : int
        Of a parameter, and of a number in the key-value cache.
    bandwidth_efficiency, flops_efficiency : float
        Which share of the specified figures is reached.
    iteration_overhead_s : float
        What an iteration takes besides: scheduling and launches.
    price_per_hour_usd : float or None
        Of one GPU; None for the price of ``gpus.yaml``.
    replicas : int
        How many there are in the beginning.

    Raises
    ------
    ValueError
        If a GPU or a model is not known, a number is out of range, or the weights do not fit.
    """

    gpu: str
    model: str
    service: Callable[..., Service]
    name: str | None = None
    serves: str | None = None
    tensor_parallel: int = 1
    data_parallel: int = 1
    weight_bits: int = 16
    cache_bits: int = 16
    bandwidth_efficiency: float = 0.8
    flops_efficiency: float = 0.75
    iteration_overhead_s: float = 0.001
    price_per_hour_usd: float | None = None
    replicas: int = 1

    def __post_init__(self) -> None:
        """Check the numbers, and that the weights fit."""
        check_numbers(self, "tensor_parallel", "data_parallel", "weight_bits", "cache_bits", least=1)
        for name in ("bandwidth_efficiency", "flops_efficiency"):
            check_number(name, getattr(self, name), above=0, most=1)
        check_numbers(self, "iteration_overhead_s", least=0)
        check_numbers(self, "price_per_hour_usd", least=0, null=f"for the price of {self.gpu}")
        self.kv_tokens  # noqa: B018 - which checks that there is room

    def deployments(self, models: Sequence[str], rng: np.random.Generator) -> tuple[Deployment, ...]:
        """Return the one deployment, at a model of the workload."""
        deployment = self.deployment()
        if deployment.model not in models:
            raise ValueError(f"{unknown('model', deployment.model, models)}; fleet.serves names the one that answers")
        return (deployment,)

    def deployment(self) -> Deployment:
        """Return the deployment, with the origin of each of its numbers."""
        parts = self.parts()
        ranks: dict[str, Any] = {"ranks": self.data_parallel} if self.data_parallel > 1 else {}
        return Deployment(
            name=self.label,
            model=self.serves or self.model,
            service=self.service(**parts, **ranks),
            replicas=self.replicas,
            price_per_hour_usd=self.rent_usd,
            provenance=self.provenance(),
        )

    @property
    def label(self) -> str:
        """The deployment's name."""
        ways = (("tp", self.tensor_parallel), ("dp", self.data_parallel))
        split = [f"{word}{number}" for word, number in ways if number > 1]
        return self.name or "-".join([self.model, *split, self.gpu])

    @property
    def gpus(self) -> int:
        """How many GPUs a replica has."""
        return self.tensor_parallel * self.data_parallel

    @property
    def rent_usd(self) -> float:
        """What a replica costs by the hour."""
        each = self._gpu.price_per_hour_usd if self.price_per_hour_usd is None else self.price_per_hour_usd
        return float(f"{each * self.gpus:.12g}")

    @property
    def floor_s(self) -> float:
        """The time to read the parameters once at all of the bandwidth, below which no iteration can be."""
        return floor_s(self._gpu, self._model, self.tensor_parallel, self.data_parallel, self.weight_bits)

    @property
    def kv_tokens(self) -> int:
        """Room in the key-value cache of an engine, in tokens; raise ValueError if the weights do not fit."""
        held = held_bytes(self._model, self.data_parallel, self.weight_bits, self._model.parameters)
        usable = self.tensor_parallel * (USED_MEMORY * self._gpu.memory_gib * GIB - RESERVED_BYTES)
        room = int((usable - held) / self._model.kv_bytes_per_token(self.cache_bits / 8))
        if room < 1:
            raise ValueError(
                f"the weights of {self.model} take {held / GIB:.0f} GiB with {self.weight_bits} bits, and "
                f"{self.tensor_parallel} {self.gpu} can use {usable / GIB:.0f}; give a larger tensor_parallel or fewer "
                "weight_bits"
            )
        return room

    def parts(self) -> dict[str, float]:
        """Return W, H, K, P and the room for keys and values, by the names that ``PagedBatching`` gives them."""
        bandwidth = self._gpu.bandwidth_bytes_per_s * self.bandwidth_efficiency * self.tensor_parallel
        flops = self._gpu.flops_per_s * self.flops_efficiency * self.tensor_parallel
        sums_s = 2 * self._model.layers * REDUCTION_S if self.tensor_parallel > 1 else 0.0
        compute_s = 2 * self._model.active_parameters / flops
        return {
            "iteration_base_s": short(self.floor_s / self.bandwidth_efficiency + sums_s + self.iteration_overhead_s),
            "iteration_per_sequence_s": short(compute_s),
            "iteration_per_kv_token_s": short(self._model.kv_bytes_per_token(self.cache_bits / 8) / bandwidth),
            "prefill_per_token_s": short(compute_s),
            "kv_tokens": self.kv_tokens,
        }

    def provenance(self) -> dict[str, Mapping[str, Any]]:
        """Return the origin of each number: a roofline, and the price's own."""
        origin = {
            "source": f"roofline of {self.model} with {self.weight_bits} bits on {self.gpus} {self.gpu}, "
            f"{self.bandwidth_efficiency:g} of the bandwidth and {self.flops_efficiency:g} of the FLOPs",
            "as_of": str(self._gpu.provenance["bandwidth_bytes_per_s"]["as_of"]),
            "confidence": "low",
            "note": "computed, not measured; docs/reference/fleets.md has the errors at measured servers",
        }
        found: dict[str, Mapping[str, Any]] = {f"service.{part}": origin for part in self.parts()}
        if self.price_per_hour_usd is None:
            price = dict(self._gpu.provenance["price_per_hour_usd"])
            if "range" in price:
                price["range"] = [end * self.gpus for end in price["range"]]
            found["price_per_hour_usd"] = price
        return found

    @property
    def _gpu(self) -> Gpu:
        return gpu(self.gpu)

    @property
    def _model(self) -> LanguageModel:
        return language_model(self.model)


def floor_s(machine: Gpu, model: LanguageModel, tensor_parallel: int, data_parallel: int, weight_bits: int) -> float:
    """Return the time to read a model's parameters once, in a large batch, at all of the bandwidth."""
    held = held_bytes(model, data_parallel, weight_bits, model.read_parameters)
    return held / (tensor_parallel * machine.bandwidth_bytes_per_s)


def held_bytes(model: LanguageModel, data_parallel: int, weight_bits: int, parameters: float) -> float:
    """Return the bytes of so many of the parameters that one engine has, experts being spread over engines."""
    return (parameters - model.expert_parameters * (1 - 1 / data_parallel)) * weight_bits / 8


def short(seconds: float) -> float:
    """Return a time to five digits, as more of them mean nothing.

    >>> short(0.01190625), short(4.39e-05)
    (0.011906, 4.39e-05)
    """
    return float(f"{seconds:.{DIGITS}g}")
