"""Says what is known of a deployment that is fitted, and which of its parameters are searched. It knows no requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sim.world.services.paged import PagedBatching

PARAMETERS = (
    "iteration_base_s",
    "iteration_per_sequence_s",
    "iteration_per_kv_token_s",
    "prefill_base_s",
    "prefill_per_token_s",
    "overhead_s",
)


@dataclass(frozen=True)
class Limits:
    """What is known of the deployment, not fitted; None for no limit. ``replicas`` are data-parallel engines.

    ``in_step`` says whether replicas go through iterations together (experts spread over them) or each on its own; None
    tries both and keeps what fits the first half better.
    """

    slots: int | None = None
    kv_tokens: int | None = None
    batched_tokens: int | None = None
    replicas: int = 1
    in_step: bool | None = None

    def __post_init__(self) -> None:
        """Check that each is a positive whole number, or None where that is allowed."""
        for name in ("slots", "kv_tokens", "batched_tokens", "replicas"):
            value = getattr(self, name)
            if (value is None and name != "replicas") or (type(value) is int and value >= 1):
                continue
            right = "a whole number, at least 1" + (", or null for no limit" if name != "replicas" else "")
            raise ValueError(f"{name} is {value!r}; it must be {right}")
        if self.in_step not in (None, True, False):
            raise ValueError(f"in_step is {self.in_step!r}; it must be true, false, or null to try both")

    def couplings(self) -> tuple[bool, ...]:
        """Return what to try."""
        if self.replicas == 1:
            return (False,)
        return (False, True) if self.in_step is None else (self.in_step,)

    def service(self, values: Sequence[float], *, in_step: bool) -> PagedBatching:
        """Return one replica's service, or that of all if they go in step."""
        known = PagedBatching(
            slots=self.slots,
            iteration_base_s=1.0,
            iteration_per_sequence_s=0.0,
            batched_tokens=self.batched_tokens,
            kv_tokens=self.kv_tokens,
            ranks=self.replicas if in_step else 1,
        )
        return replace(known, **dict(zip(PARAMETERS, values, strict=True)))  # type: ignore[arg-type]
