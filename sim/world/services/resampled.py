"""Serves as a hosted model whose requests were measured: its own latencies again, by the length of the answer.

It knows the clock and output tokens, and no money or policy. ``switchyard fit service=hosted`` makes its numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import simpy

from sim.errors import check_number, check_numbers
from sim.interface import FloatArray, IntArray
from sim.world.services.job import Finish, Job, Server
from sim.world.services.slots import SlotsServer

Bins = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Resampled:
    """Serve any number at once, each for (base + per token x output tokens) x a ratio that was measured.

    A ratio is a measured latency over that line, and comes from a request with an answer of about the same length: of
    the same bin of lengths. So the latency depends on the length as it did when it was measured, whether or not that
    was a line, and is spread as it was, heavy tails and all. What was measured has its waiting inside: nothing waits.

    Among the arrivals of a run, the queries of one bin get each of its ratios equally often, up to one, in random order
    (stratified sampling), which belongs to the pair of query and deployment, so that every policy meets the same times.

    Parameters
    ----------
    base_s, per_output_token_s : float
        The line, not both 0.
    ends_tokens : sequence of float
        The longest answer of each bin but the last, increasing; the last has all that are longer.
    ratios : sequence of sequences of float
        Those of each bin, each above 0.
    first_token_shares : sequence of sequences of float, or None
        For each ratio the share of its latency until the first token, in [0, 1]; None lets the first token come with
        the last.
    context_tokens : int or None
        Longer requests are refused; None for any length.

    Raises
    ------
    ValueError
        If a number is out of range, a bin is empty, or the lists do not fit each other.
    """

    base_s: float
    per_output_token_s: float
    ends_tokens: Sequence[float]
    ratios: Sequence[Sequence[float]]
    first_token_shares: Sequence[Sequence[float]] | None = None
    context_tokens: int | None = None
    needs_output_tokens = True
    is_hosted = True  # paid by the token

    def __post_init__(self) -> None:
        """Check the numbers, and keep them as tuples so that the service can be hashed."""
        check_numbers(self, "base_s", "per_output_token_s", least=0)
        check_number("context_tokens", self.context_tokens, least=1, null="for no limit")
        if self.base_s + self.per_output_token_s == 0:
            raise ValueError("base_s and per_output_token_s are both 0; an answer must take time")
        ends = tuple(self.ends_tokens)
        if len(self.ratios) != len(ends) + 1:
            right = f"{len(ends)} ends of bins need {len(ends) + 1}"
            raise ValueError(f"ratios has {len(self.ratios)} bins; {right}")
        for shorter, longer in pairwise(ends):
            if not shorter < longer:
                raise ValueError(f"ends_tokens has {longer} after {shorter}; they must increase")
        ratios = checked(self.ratios, "ratios", least=math.ulp(0.0), most=math.inf)
        object.__setattr__(self, "ends_tokens", ends)
        object.__setattr__(self, "ratios", ratios)
        if self.first_token_shares is not None:
            shares = checked(self.first_token_shares, "first_token_shares", least=0.0, most=1.0)
            if [len(each) for each in shares] != [len(each) for each in ratios]:
                raise ValueError("first_token_shares must have as many numbers as ratios in every bin")
            object.__setattr__(self, "first_token_shares", shares)

    def draw(self, n_queries: int, rng: np.random.Generator) -> None:
        """Return None: what is random depends on the lengths, see ``draw_by_length``."""

    def draw_by_length(self, output_tokens: IntArray, rng: np.random.Generator) -> FloatArray:
        """Return the ratio and the share until the first token (n, 2) of queries with so many output tokens (n,)."""
        drawn = np.ones((len(output_tokens), 2))
        bins = np.searchsorted(np.array(self.ends_tokens, dtype=np.float64), output_tokens)
        for number, ratios in enumerate(self.ratios):
            members = np.flatnonzero(bins == number)
            places = (rng.permutation(len(members)) + rng.random(len(members))) / max(len(members), 1)
            chosen = np.minimum((places * len(ratios)).astype(np.int64), len(ratios) - 1)
            drawn[members, 0] = np.array(ratios)[chosen]
            if self.first_token_shares is not None:
                drawn[members, 1] = np.array(self.first_token_shares[number])[chosen]
        return drawn

    def holds_s(self, output_tokens: IntArray | None, draws: FloatArray | None) -> FloatArray:
        """Return how long each of n queries with so many output tokens (n,) and draws (n, 2) takes (n,)."""
        assert output_tokens is not None  # a workload without them has been refused
        assert draws is not None
        return np.asarray((self.base_s + self.per_output_token_s * output_tokens) * draws[:, 0])

    def open(self, env: simpy.Environment, finish: Finish) -> Server:
        """Return the server of one run."""
        base_s, token_s = self.base_s, self.per_output_token_s

        def durations_s(job: Job) -> tuple[float, float]:
            assert job.draws is not None  # the instance drew them by length
            ratio, share = job.draws
            takes_s = (base_s + token_s * job.output_tokens) * ratio
            return takes_s * share, takes_s * (1 - share)

        return SlotsServer(math.inf, durations_s, env, finish)


def checked(bins: Sequence[Sequence[float]], name: str, *, least: float, most: float) -> Bins:
    """Return numbers by bin as tuples; raise ValueError for an empty bin or a number out of its range."""
    for number, values in enumerate(bins):
        if not len(values):
            raise ValueError(f"bin {number} of {name} is empty; it needs at least one number")
        for value in values:
            if not (least <= value <= most and math.isfinite(value)):
                right = "in [0, 1]" if most == 1 else "finite and above 0"
                raise ValueError(f"{name} has {value} in bin {number}; it must be {right}")
    return tuple(tuple(values) for values in bins)
