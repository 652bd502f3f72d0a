"""Draws how sure made-up models are of their answers: margins, mostly larger for right answers than for wrong ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sim.errors import check_number
from sim.interface import FloatArray
from sim.workload import Rows, Workload

MOST_SEPARATION = 0.9999
SEPARATION = 0.696  # of the margins of one small model on 10,000 questions, see ``margins``
MEAN_WHEN_WRONG = 0.47  # likewise, in logits


def margins(quality: FloatArray, separation: float, rng: np.random.Generator) -> FloatArray:
    """Draw a margin for each score: exponential, with a mean that grows from wrong answers to right ones.

    mean = ``MEAN_WHEN_WRONG`` x (1 - score) + ``MEAN_WHEN_WRONG`` x s / (1 - s) x score, so that a right answer has
    the larger margin than a wrong one with chance s (the area under the receiver's curve): for exponentials that chance
    is the one mean over the sum of both.

    Parameters
    ----------
    quality : array of any shape
        Scores in [0, 1].
    separation : float
        s, from 0.5 (margins say nothing) to below 1.
    rng : Generator

    Returns
    -------
    array of the same shape
        At least 0.

    Notes
    -----
    The law is made up, and meets one data set: the margins between the two best of six logits of Qwen-1.8B on the
    10,000 MMLU questions of LLM-Uncertainty-Bench, where right means that it agrees with the plurality of five large
    models. There s is 0.696, and margins of right and wrong answers have means 1.05 and 0.47 and standard deviations
    0.96 and 0.47, nearly those of exponentials. Others separate better: about 0.8 fits Yi-6B.
    """
    ratio = separation / (1 - separation)
    return rng.exponential(size=quality.shape) * MEAN_WHEN_WRONG * (1 + (ratio - 1) * quality)


def with_margins(workload: Workload, separation: float, seed: int) -> Workload:
    """Return the workload with confidences of every answer, drawn from a stream of their own.

    Raises
    ------
    ValueError
        If the separation is below 0.5 or above ``MOST_SEPARATION``.
    """
    check_number("workload.separation", separation, least=0.5, most=MOST_SEPARATION)
    history_rng, test_rng = (np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(2))

    def sure(rows: Rows, rng: np.random.Generator) -> Rows:
        return replace(rows, confidence=margins(rows.quality, separation, rng))

    return replace(workload, history=sure(workload.history, history_rng), test=sure(workload.test, test_rng))
