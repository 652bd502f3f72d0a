"""Says what every cache has: how much it holds, which prompts count as the same, how long a look-up takes, expiry."""

from __future__ import annotations

from dataclasses import dataclass

from sim.errors import check_number


@dataclass(frozen=True)
class CacheSettings:
    """A cache of answers before the policy; see ``sim.world.caching`` for what it does with them.

    Parameters
    ----------
    capacity : int or None
        How many answers it holds; null: ``capacity_tokens`` says how much.
    capacity_tokens : int or None
        How many tokens it holds, of prompts and answers together; null: ``capacity`` says how much.
    similarity : float or None
        The least cosine between two prompts' embeddings with which the answer to one serves the other, above 0 and at
        most 1; null: the prompts must be the same. The search is approximate: it may miss a similar prompt, and never
        takes one that is less similar.
    lookup_s : float
        Seconds that a look-up takes, whether it finds an answer or not.
    expires_s : float or None
        Age in seconds at which an answer is of no use any more; null: never.

    Raises
    ------
    ValueError
        If a number is out of range, or there are two capacities or none.
    """

    capacity: int | None = 1000
    capacity_tokens: int | None = None
    similarity: float | None = None
    lookup_s: float = 0.0
    expires_s: float | None = None

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_number("cache.capacity", self.capacity, least=1, null="with cache.capacity_tokens")
        check_number("cache.capacity_tokens", self.capacity_tokens, least=1, null="with cache.capacity")
        if (self.capacity is None) == (self.capacity_tokens is None):
            found = "both null" if self.capacity is None else f"{self.capacity} and {self.capacity_tokens}"
            raise ValueError(
                f"cache.capacity and cache.capacity_tokens are {found}; one must be a number and the other null"
            )
        check_number("cache.similarity", self.similarity, above=0, most=1, null="for the same prompt")
        check_number("cache.lookup_s", self.lookup_s, least=0)
        check_number("cache.expires_s", self.expires_s, above=0, null="for never")
