"""Makes events that change what answers are worth: a model that gets worse for a while, one that rises with its use.

They act through the controls of a world, as those of ``scenarios.events`` do, and overlap as they do. A score is given
when an answer ends, and is kept: the workload's, plus what practice adds, cut to [0, 1], times the factors of all
changes that hold then, at most 1. Costs, lengths, confidences and energy stay as they are. What a policy learns before
the run, its history and estimates, knows nothing of it, and no hindsight optimum does (``moves_quality``).
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np

from scenarios.events import check
from sim.scenario import Controls


@dataclass(frozen=True)
class QualityChange:
    """Scores of answers are ``factor`` times as high, from ``at_s`` for ``for_s`` seconds; for ever unless it is given.

    It holds for answers that end in that time. Factors of several changes multiply; no score is above 1.
    """

    at_s: float
    factor: float
    deployment: str | None = None
    for_s: float | None = None
    moves_money = False
    moves_quality = True

    def __post_init__(self) -> None:
        """Check the numbers."""
        check(self, "at_s", "factor")
        check(self, "for_s", null="for ever")

    def run(self, controls: Controls, rng: np.random.Generator) -> Generator[Any, Any, Any]:
        """Change the quality, then restore it."""
        controls.stations(self.deployment)
        yield controls.env.timeout(self.at_s)
        controls.change_quality(self.deployment, self.factor)
        if self.for_s is not None:
            yield controls.env.timeout(self.for_s)
            controls.restore_quality(self.deployment, self.factor)


@dataclass(frozen=True)
class Practice:
    """Quality that rises with use: a deployment's n-th answer of a run is worth max(behind - gain n, 0) less.

    Where the workload's scores have mean m, those of its n-th answer have mean min(m - behind + gain n, m), as far as
    no score falls under 0: the models of TI-UCB (arXiv 2403.07213). Every answer counts, also one that is not kept;
    what a cache answers does not.

    Parameters
    ----------
    behind : float
        By how much the score of the answer before the first would be below the workload's, from 0 to 1.
    gain : float
        By how much each answer brings the next one nearer.
    deployment : str or None
        None: every deployment, each by its own answers.

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    behind: float
    gain: float
    deployment: str | None = None
    moves_money = False
    moves_quality = True

    def __post_init__(self) -> None:
        """Check the numbers."""
        check(self, "behind", "gain")
        if self.behind > 1:
            raise ValueError(f"behind of a Practice is {self.behind}; it must be at most 1, as scores are")

    def run(self, controls: Controls, rng: np.random.Generator) -> Generator[Any, Any, Any]:
        """Let practice count from the first answer on."""
        controls.stations(self.deployment)
        controls.practise(self.deployment, self.shift)
        yield controls.env.timeout(0)

    def shift(self, n: int) -> float:
        """Return what is added to the score of the n-th answer.

        >>> [Practice(behind=0.5, gain=0.25).shift(n) for n in (1, 2, 3)]
        [-0.25, 0.0, 0.0]
        """
        return min(self.gain * n - self.behind, 0.0)
