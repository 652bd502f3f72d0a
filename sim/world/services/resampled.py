"""Serves as a hosted model whose requests were measured: its own latencies again, by the length of the answer.

It knows the clock and output tokens, and no money or policy. ``switchyard fit service=hosted`` makes its numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sim.errors import check_number, check_numbers
from sim.interface import FloatArray, IntArray
from sim.world.moment import Clock
from sim.world.services.job import Finish, Job, Server
from sim.world.services.slots import SlotsServer

HOURS, HOUR_S = 24, 3600.0
Bins = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Resampled:
    """Serve any number at once, each for a line in its tokens, x a ratio that was measured, x the factor of the hour.

    The line is base + per output token x output tokens + per input token x input tokens; the last part, which is
    reading the prompt, comes before the first token. A ratio is a measured latency over that line, and comes from a
    request with an answer of about the same length: of the same bin of lengths. So the latency depends on the length as
    it did when it was measured, whether or not that was a line, and is spread as it was, heavy tails and all. What was
    measured has its waiting inside: nothing waits.

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
        the last. Of the rest of the line, apart from the input tokens' part.
    per_input_token_s : float
        The line's part of each input token.
    by_hour : sequence of 24 floats, or None
        For each hour of the day a factor of the whole latency of what begins then; None for none.
    starts_at_hour : float
        The hour of the day at the first arrival, from 0 to 24, such as 14.5 for half past two.
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
    per_input_token_s: float = 0.0
    by_hour: Sequence[float] | None = None
    starts_at_hour: float = 0.0
    needs_output_tokens = True
    is_hosted = True  # paid by the token

    def __post_init__(self) -> None:
        """Check the numbers, and keep them as tuples so that the service can be hashed."""
        check_numbers(self, "base_s", "per_output_token_s", "per_input_token_s", least=0)
        check_number("starts_at_hour", self.starts_at_hour, least=0, most=24)
        if self.by_hour is not None:
            if len(self.by_hour) != HOURS:
                raise ValueError(f"by_hour has {len(self.by_hour)} factors; it needs {HOURS}, one an hour of the day")
            [factors] = checked([self.by_hour], "by_hour", least=math.ulp(0.0), most=math.inf)
            object.__setattr__(self, "by_hour", factors)
        check_number("context_tokens", self.context_tokens, least=1, null="for no limit")
        if self.base_s + self.per_output_token_s + self.per_input_token_s == 0:
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

    def holds_s(self, output_tokens: IntArray | None, draws: FloatArray | None) -> FloatArray | None:
        """Return how long each of n queries with so many output tokens (n,) and draws (n, 2) takes (n,).

        None where that depends on the input tokens or the hour.
        """
        assert output_tokens is not None  # a workload without them has been refused
        assert draws is not None
        if self.per_input_token_s or self.by_hour is not None:
            return None
        return np.asarray((self.base_s + self.per_output_token_s * output_tokens) * draws[:, 0])

    def times_s(
        self,
        output_tokens: IntArray,
        draws: FloatArray,
        input_tokens: IntArray | None = None,
        at_s: FloatArray | None = None,
    ) -> tuple[FloatArray, FloatArray]:
        """Return the times to the first and to the last token of n queries (n,).

        Parameters
        ----------
        output_tokens, input_tokens : array (n,)
            Without input tokens they take no time.
        draws : array (n, 2)
            Ratio and share until the first token.
        at_s : array (n,) or None
            When each begins, in seconds from the first arrival; None for no factor of the hour.
        """
        prompt_s = self.per_input_token_s * (0 if input_tokens is None else input_tokens)
        rest_s = self.base_s + self.per_output_token_s * output_tokens
        scale = draws[:, 0]
        if at_s is not None and self.by_hour is not None:
            scale = scale * np.array(self.by_hour)[self.hours(at_s)]
        return (prompt_s + rest_s * draws[:, 1]) * scale, (prompt_s + rest_s) * scale

    def hours(self, at_s: FloatArray) -> IntArray:
        """Return the hour of the day (n,) at times (n,) in seconds from the first arrival."""
        return np.floor(self.starts_at_hour + at_s / HOUR_S).astype(np.int64) % HOURS

    def open(self, env: Clock, finish: Finish) -> Server:
        """Return the server of one run."""
        base_s, token_s, input_s = self.base_s, self.per_output_token_s, self.per_input_token_s
        by_hour, starts = self.by_hour, self.starts_at_hour

        def durations_s(job: Job) -> tuple[float, float]:
            assert job.draws is not None  # the instance drew them by length
            ratio, share = job.draws
            if by_hour is not None:
                ratio *= by_hour[int(starts + env.now / HOUR_S) % HOURS]
            takes_s = (base_s + token_s * job.output_tokens) * ratio
            prompt_s = input_s * job.query.input_tokens * ratio
            return prompt_s + takes_s * share, takes_s * (1 - share)

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
