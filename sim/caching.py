"""Says what a cache before the policy must offer: its size, what it finds, and the worth of what it holds.

``scenarios.caches`` has the implementations. It knows no clock.
"""

from __future__ import annotations

from typing import Protocol


class Eviction(Protocol):
    """Which stored answer goes first when a cache is full: the state of a cache's rule in one run.

    A prompt is a number; two queries have the same one if their prompts are the same.
    """

    def asked(self, prompt: int) -> None:
        """Take note of a look-up for this prompt; where a similar one answered, for the prompt of that."""
        ...

    def answered(self, prompt: int, deployment: int, cost_usd: float, size: float) -> None:
        """Take note of an answer that was served: what it cost, and its size in the unit of the capacity."""
        ...

    def worth(self, prompt: int) -> float:
        """Return what the answer to a prompt is worth; the least goes first."""
        ...

    def gone(self, prompt: int, evicted: bool) -> None:
        """Take note that an answer is stored no more: evicted for a better one, or expired, or never stored."""
        ...


class CacheRule(Protocol):
    """A cache before the policy; ``scenarios.caches`` has the implementations.

    Attributes
    ----------
    capacity, capacity_tokens : int or None
        How many answers it holds, or how many tokens of prompts and answers; one of the two.
    similarity : float or None
        The least cosine between the embeddings of two prompts of which one's answer serves the other; None: prompts
        must be the same.
    lookup_s : float
        How long a look-up takes, whether it finds something or not.
    expires_s : float or None
        The age at which an answer is of no use any more; None for never.
    """

    @property
    def capacity(self) -> int | None: ...  # noqa: D102 - see the class
    @property
    def capacity_tokens(self) -> int | None: ...  # noqa: D102
    @property
    def similarity(self) -> float | None: ...  # noqa: D102
    @property
    def lookup_s(self) -> float: ...  # noqa: D102
    @property
    def expires_s(self) -> float | None: ...  # noqa: D102

    def open(self) -> Eviction:
        """Return the rule's state at the beginning of a run."""
        ...
