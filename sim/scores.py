"""Describes what reaches a policy of the quality of its answers: all of it, or some, late, or with errors.

The record and the metrics keep the truth. Costs and latencies are always known at completion.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sim.errors import check_number
from sim.interface import BoolArray, FloatArray

MOST_DELAY_S = 1e12
MOST_NOISE = 1000.0  # of scores from 0 to 1: far more than makes them all 0 or 1


class Opinions(NamedTuple):
    """What those who score answers would say of each arrival, wherever it goes; arrays (n_queries,).

    Parameters
    ----------
    given : bool array
        Whether there is a score at all.
    error : float array
        What is added to it.
    flipped : bool array
        Whether it is one less the truth.
    """

    given: BoolArray
    error: FloatArray
    flipped: BoolArray


@dataclass(frozen=True)
class Scores:
    """How the scores of answers reach the policy (``Policy.learn`` and ``Policy.learn_score``).

    Parameters
    ----------
    share : float
        Of the served queries that get a score at all, chosen by chance.
    delay_s : float
        How long after the answer the score comes.
    noise : float
        Standard deviation of a normal error that is added to the score; the sum is cut to [0, 1].
    flipped : float
        Chance that a score is one less the truth, as of a judge who takes right for wrong.
    """

    share: float = 1.0
    delay_s: float = 0.0
    noise: float = 0.0
    flipped: float = 0.0

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_number("feedback.share", self.share, least=0, most=1)
        check_number("feedback.delay_s", self.delay_s, least=0, most=MOST_DELAY_S)
        check_number("feedback.noise", self.noise, least=0, most=MOST_NOISE)
        check_number("feedback.flipped", self.flipped, least=0, most=1)

    def draw(self, n_queries: int, rng: np.random.Generator) -> Opinions:
        """Draw what would be said of each arrival, which no policy changes."""
        return Opinions(
            given=rng.random(n_queries) < self.share,
            error=self.noise * rng.standard_normal(n_queries),
            flipped=rng.random(n_queries) < self.flipped,
        )
