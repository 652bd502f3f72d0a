"""Estimates that allow for what the history happens to hold: a low quantile of fits to resampled histories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from policies.parts.held_out import part
from sim.errors import check_number
from sim.interface import Estimates, Estimator, Features, History, Predictor


@dataclass(frozen=True)
class BootstrapLower:
    """Quality is a low quantile, and cost the mean, of another estimator's predictions after resampling the history.

    Each resample draws as many history rows as there are, with replacement (Efron 1979); quantiles are by linear
    interpolation. It is the bootstrap form of the lower confidence bound of robust batch-level routing (arXiv
    2603.26796), of which only notes were at hand: how many resamples and which quantile are ours. A prediction that
    rests on few or contradictory rows is lowered most, one that all resamples agree on not at all.

    Parameters
    ----------
    estimator : Estimator
        Is fitted to every resample.
    resamples : int
        At least 2.
    level : float
        Of the quantile, in (0, 1); 0.5 is the median.
    seed : int
        Of the resamples.
    """

    estimator: Estimator
    resamples: int = 20
    level: float = 0.1
    seed: int = 0

    def fit(self, history: History) -> Predictor:
        """Fit every resample.

        Raises
        ------
        ValueError
            If a number is out of range, or what the other estimator raises.
        """
        check_number("resamples", self.resamples, least=2)
        check_number("level", self.level, above=0, below=1)
        rng, n = np.random.default_rng(self.seed), len(history.features.input_tokens)
        draws = (np.sort(rng.integers(0, n, n)) for _ in range(self.resamples))
        return Resampled([self._fit(history, part(history, rows)) for rows in draws], self.level)

    def _fit(self, history: History, resampled: History) -> Predictor:
        """Fit a resample; the whole history where it lacks all that is known of a model."""
        known, drawn = (one.known.any(axis=0) for one in (history, resampled))
        return self.estimator.fit(resampled if (known == drawn).all() else history)


class Resampled:
    """An estimator that was fitted to several histories."""

    def __init__(self, fitted: Sequence[Predictor], level: float) -> None:
        self._fitted = fitted
        self._level = level

    def predict(self, features: Features) -> Estimates:
        """Return the quantile of qualities and the mean of costs, query by query."""
        predicted = [predictor.predict(features) for predictor in self._fitted]
        quality = np.quantile(np.array([estimates.quality for estimates in predicted]), self._level, axis=0)
        cost = np.zeros_like(quality)
        for estimates in predicted:  # in one order
            cost += estimates.cost
        return Estimates(quality, cost / len(predicted))
