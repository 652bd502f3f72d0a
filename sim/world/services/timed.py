"""Serves each query for a time drawn from a distribution. It knows the clock, and neither tokens nor money."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.distributions import Distribution
from sim.errors import check_number
from sim.interface import FloatArray, IntArray
from sim.traits import DistributionTraits
from sim.world.moment import Clock
from sim.world.services.job import Finish, Job, Server
from sim.world.services.slots import SlotsServer


@dataclass(frozen=True)
class Timed:
    """Serve up to ``slots`` queries at once, each for a time of its own drawn from ``duration``.

    The time belongs to the pair of query and deployment, so every policy meets the same one. The first token comes with
    the last: a distribution of the whole time says nothing of its parts.

    Parameters
    ----------
    slots : int
    duration : Distribution
    context_tokens : int or None
        The longest query that fits; None for any length.

    Raises
    ------
    ValueError
        If there is no slot, or the context is not positive.
    """

    slots: int
    duration: Distribution
    context_tokens: int | None = None
    needs_output_tokens = False
    may_pause = True

    def __post_init__(self) -> None:
        """Check the hyperparameters."""
        check_number("slots", self.slots, least=1)
        check_number("context_tokens", self.context_tokens, least=1, null="for no limit")

    def draw(self, n_queries: int, rng: np.random.Generator) -> FloatArray | None:
        """Return one duration per arrival (n_queries, 1), s."""
        return self.duration.draw(n_queries, rng)[:, None]

    def open(self, env: Clock, finish: Finish) -> Server:
        """Return the server of one run."""
        return SlotsServer(self.slots, drawn_s, env, finish)

    def holds_s(self, output_tokens: IntArray | None, draws: FloatArray | None) -> FloatArray:
        """Return how long each of n queries holds a slot (n,): what was drawn for it (n, 1)."""
        assert draws is not None  # ``draw`` gave every arrival one
        return draws[:, 0]

    def served_per_s(self, mean_input_tokens: float, mean_output_tokens: float) -> float | None:
        """Return slots / mean duration; None if that is 0 or not known."""
        mean_s = DistributionTraits.of(self.duration).mean_s
        return self.slots / mean_s if mean_s else None


def drawn_s(job: Job) -> tuple[float, float]:
    """Return the time to the first token of a job, which is what was drawn for it, and none from there to the last."""
    assert job.draws is not None  # Timed.draw gave every arrival one
    return job.draws[0], 0.0
