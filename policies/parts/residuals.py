"""What outcomes say of estimates: of queries near them, and of all that are still to come.

Outcomes that are worse than their estimates have two causes, which ask for opposite expectations of the rest. Estimates
may be wrong of all queries (a model has become worse; the best of many estimates is too good): the rest will be worse
as well. Or queries that are hard come first, which the estimates tell from others in part: the rest will be better. In
the second case what the estimates do see is unusual too, and in the same direction; in the first it is not.
"""

from __future__ import annotations

import math

import numpy as np

from policies.estimators.exact import whole
from sim.interface import EmbeddingArray, Estimates, FloatArray, Query

MOST = 5000  # outcomes remembered; then the oldest make room
PRIOR = 0.5  # how many outcomes of equal direction the estimates are worth
SURPRISES = 20.0  # how many outcomes the estimates are worth, of what is wrong with all of them
EXCESSES = 6.0  # and of what an order makes of them, which may be more
LASTING = np.array([0.15, 0.3])  # by how much estimates of quality, and of cost as a share, may be wrong of all queries
LEAST = 0.2  # of its estimate, what is expected of the cost of the rest
DOUBT = 4.0  # chi-square of arrivals, of one degree of freedom, up to which chance explains them


class Residuals:
    """Corrections of quality and log cost, shared by all deployments: what a query is like, not who answered it.

    The correction at x is  sum_s w_s r_s / (sum_s w_s + PRIOR)  over the outcomes s known so far, with residual r_s and
    w_s = max(0, cos(x - m, x_s - m))^2, where m is the mean embedding of the history: kernel regression of residuals,
    drawn to 0 where nothing near has been seen. Directions are rounded so that cosines are exact, on every processor.

    Parameters
    ----------
    centre : array (dim,)
        m.
    horizon : int
        Number of queries that will arrive.
    """

    def __init__(self, centre: EmbeddingArray, horizon: int) -> None:
        size = max(1, min(horizon, MOST))
        self._centre = centre
        self._directions = np.zeros((size, len(centre)), dtype=np.float32)
        self._residuals = np.zeros((size, 2))
        self._is_known = np.zeros((size, 2))
        self._count = 0

    def add(self, embedding: EmbeddingArray, quality: float, log_cost: float) -> None:
        """Remember by how much an outcome exceeded its estimates; NaN for what is not known."""
        place = self._count % len(self._directions)
        self._directions[place] = whole(self._direction(embedding))
        self._is_known[place] = not np.isnan(quality), not np.isnan(log_cost)
        self._residuals[place] = np.nan_to_num([quality, log_cost])
        self._count += 1

    def at(self, embedding: EmbeddingArray) -> tuple[float, float]:
        """Return the corrections of quality and log cost of a query."""
        n = min(self._count, len(self._directions))
        if n == 0:
            return 0.0, 0.0
        cosines = (self._directions[:n] @ whole(self._direction(embedding))).astype(np.float64) / 2.0**24
        weights = np.maximum(cosines, 0.0) ** 2
        totals: FloatArray = np.add.reduce(weights[:, None] * self._residuals[:n], axis=0)
        corrections = totals / (np.add.reduce(weights[:, None] * self._is_known[:n], axis=0) + PRIOR)
        return float(corrections[0]), float(corrections[1])

    def _direction(self, embedding: EmbeddingArray) -> EmbeddingArray:
        length = float(np.linalg.norm(embedding))
        away: EmbeddingArray = embedding / max(length, 1e-12) - self._centre
        return away / max(float(np.linalg.norm(away)), 1e-12)


class Outlook:
    """By how much the queries to come will differ from their estimates, in quality and in cost.

    The rest is expected to differ from its estimates by

        a clip(b m, -LASTING, LASTING) - (1 - a) c m min(1, t / (T - t)),    a = min(1, DOUBT / max(z^2, y^2)),

    after t of T queries, where m is the mean surprise of arrivals, of quality and of cost as a share of its estimate
    (so that it balances as money does). z is by how many standard errors the mean estimate of all arrivals exceeds that
    of the history, if it does so in the direction of m, and y by how many the surprises fade (their slope over time,
    against the direction of m): both are signs of an order, whose surprises sum to 0 in the end. What neither shows is
    expected to last, unless it is more than estimates are ever wrong by. b and c are n / (n + SURPRISES) and n / (n +
    EXCESSES) after n outcomes.

    Parameters
    ----------
    estimates : Estimates
        Of each history row, by a fit without it.
    horizon : int
        Number of queries that will arrive.
    """

    def __init__(self, estimates: Estimates, horizon: int) -> None:
        usual = features(*estimates)
        self._usual, self._spread = usual.mean(axis=0), np.maximum(usual.std(axis=0), 1e-9)
        self._horizon = horizon
        self._n_arrived = 0
        self._arrived = np.zeros(2)
        self._n_settled, self._total, self._squares = np.zeros((3, 2))
        self._times, self._times_squared, self._moments = np.zeros((3, 2))

    def see(self, query: Query) -> None:
        """Take note of an arrival."""
        self._n_arrived += 1
        self._arrived += features(query.quality_hat[None], query.cost_hat[None])[0]

    def add(self, query: Query, quality: float, cost: float) -> None:
        """Take note of by how much an outcome exceeded its estimates, cost as a share of its own; NaN if not known."""
        surprise = np.array([quality, cost])
        is_known = ~np.isnan(surprise)
        surprise = np.nan_to_num(surprise)
        self._n_settled += is_known
        self._total += surprise
        self._squares += surprise**2
        self._times += is_known * query.id
        self._times_squared += is_known * query.id**2
        self._moments += surprise * query.id

    def rest(self) -> tuple[float, float]:
        """Return what to add to quality, and to log cost, of the queries still to come."""
        mean, fading = self._mean()
        order = np.maximum(self._unusual(mean), fading)
        lasting = np.minimum(1.0, DOUBT / np.maximum(order**2, DOUBT))
        made_up = min(1.0, self._n_arrived / max(self._horizon - self._n_arrived, 1))
        sure, surer = (self._n_settled / (self._n_settled + worth) for worth in (SURPRISES, EXCESSES))
        lasts = lasting * np.clip(sure * mean, -LASTING, LASTING)
        quality, cost = (lasts - (1 - lasting) * surer * mean * made_up).tolist()
        return quality, math.log(max(1 + cost, LEAST))

    def _mean(self) -> tuple[FloatArray, FloatArray]:
        """Return the mean surprise of all arrivals, and how clearly surprises fade, in standard errors; at least 0.

        Few of the first may have been accepted, so the mean is read off the line of surprises over arrivals, which is
        flat where little is known.
        """
        n = np.maximum(self._n_settled, 1)
        spread = np.maximum(self._times_squared - self._times**2 / n, 1e-9)
        along = self._moments - self._total * self._times / n
        slope = along / (spread + EXCESSES * (self._n_arrived**2 + 2) / 12)
        mean = self._total / n + slope * ((self._n_arrived - 1) / 2 - self._times / n)
        variance = np.maximum(self._squares / n - (self._total / n) ** 2, 1e-12)
        fading: FloatArray = np.maximum(-along * np.sign(mean) / np.sqrt(variance * spread), 0.0)
        return mean, fading

    def _unusual(self, mean: FloatArray) -> FloatArray:
        """Return how unusual arrivals look in the direction of the surprises, in standard errors; at least 0."""
        n = max(self._n_arrived, 1)
        away = (self._arrived / n - self._usual) / self._spread * np.sqrt(n)
        unusual: FloatArray = np.maximum(away * np.sign(mean), 0.0)
        return unusual


def features(quality: FloatArray, cost: FloatArray) -> FloatArray:
    """Return the mean quality and the mean log cost (n, 2) over deployments of estimates (n, n_deployments)."""
    logs = np.log(np.maximum(cost, 1e-12))
    return np.column_stack([np.add.reduce(part, axis=1) / part.shape[1] for part in (quality, logs)])
