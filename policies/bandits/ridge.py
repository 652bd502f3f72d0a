"""Ridge regressions of reward on context, one for each arm, kept up to date one outcome at a time.

What linear bandits share. It knows no rule. All sums are made in one order (``numpy.add.reduce``, no BLAS), so that the
same outcomes give the same arms to the last bit on every processor.
"""

from __future__ import annotations

import numpy as np

from sim.interface import FloatArray

ROWS = 512  # of a sum of outer products at a time


class RidgeArms:
    """theta_k = A_k^-1 b_k for every arm k, with A_k^-1 kept by the formula of Sherman and Morrison.

    Parameters
    ----------
    precision : array (n_arms, dim, dim)
        A_k at the start: symmetric, positive definite.
    response : array (n_arms, dim)
        b_k at the start.

    Attributes
    ----------
    theta : array (n_arms, dim)
    """

    def __init__(self, precision: FloatArray, response: FloatArray) -> None:
        self._inverse = np.stack([inverse(one) for one in precision])
        self._response = np.array(response, dtype=np.float64)
        self.theta: FloatArray = np.add.reduce(self._inverse * self._response[:, None, :], axis=2)

    @classmethod
    def fresh(cls, n_arms: int, dim: int, ridge: float) -> RidgeArms:
        """Return arms that have seen nothing: A = ridge x identity, b = 0."""
        return cls(np.tile(ridge * np.eye(dim), (n_arms, 1, 1)), np.zeros((n_arms, dim)))

    def means(self, x: FloatArray) -> FloatArray:
        """Return theta_k . x (n_arms,) of a context (dim,)."""
        result: FloatArray = np.add.reduce(self.theta * x, axis=1)
        return result

    def variances(self, x: FloatArray) -> FloatArray:
        """Return x' A_k^-1 x (n_arms,) of a context (dim,)."""
        turned: FloatArray = np.add.reduce(self._inverse * x, axis=2)
        result: FloatArray = np.add.reduce(turned * x, axis=1)
        return np.maximum(result, 0.0)

    def bounds(self, x: FloatArray, alpha: float) -> FloatArray:
        """Return the upper bounds theta_k . x + alpha sqrt(x' A_k^-1 x) (n_arms,) of a context (dim,)."""
        return self.means(x) + alpha * np.sqrt(self.variances(x))

    def learn(self, arm: int, x: FloatArray, reward: float) -> None:
        """Take in an outcome: A += x x', b += reward x."""
        self._response[arm] += reward * x
        self._widen(arm, x)
        self._solve(arm)

    def forget(self, arm: int, factor: float) -> None:
        """Multiply A and b by a factor in (0, 1]; theta stays what it is."""
        self._inverse[arm] /= factor
        self._response[arm] *= factor

    def regularise(self, arm: int, amount: float) -> None:
        """Add an amount of the identity to A."""
        for axis in np.eye(len(self._response[arm])):
            self._widen(arm, np.sqrt(amount) * axis)
        self._solve(arm)

    def _widen(self, arm: int, x: FloatArray) -> None:
        turned: FloatArray = np.add.reduce(self._inverse[arm] * x, axis=1)
        scale = 1.0 + float(np.add.reduce(turned * x))
        self._inverse[arm] -= turned[:, None] * (turned / scale)

    def _solve(self, arm: int) -> None:
        self.theta[arm] = np.add.reduce(self._inverse[arm] * self._response[arm], axis=1)


def inverse(matrix: FloatArray) -> FloatArray:
    """Return the inverse of a symmetric, positive definite matrix (dim, dim), by elimination in one order.

    >>> inverse(np.array([[4.0, 2.0], [2.0, 2.0]])).tolist()
    [[0.5, -0.5], [-0.5, 1.0]]
    """
    dim = len(matrix)
    work = np.hstack([matrix, np.eye(dim)])
    for k in range(dim):
        work[k] /= work[k, k]
        column = work[:, k].copy()
        column[k] = 0.0
        work -= column[:, None] * work[k]
    return work[:, dim:]


def gram(contexts: FloatArray) -> FloatArray:
    """Return the sum of x x' (dim, dim) over contexts (n, dim), row after row."""
    total = np.zeros((contexts.shape[1], contexts.shape[1]))
    for start in range(0, len(contexts), ROWS):
        part = contexts[start : start + ROWS]
        total += np.add.reduce(part[:, :, None] * part[:, None, :], axis=0)
    return total
