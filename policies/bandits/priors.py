"""How the arms of a linear bandit begin: what the history says of them. It knows no rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from policies.bandits.ridge import RidgeArms, gram, inverse
from sim.errors import check_number
from sim.interface import FloatArray, History


class Prior(Protocol):
    """How arms begin: from the contexts (n_history, size) and the outcomes of the history."""

    def arms(self, contexts: FloatArray, history: History) -> RidgeArms:
        """Return the arms before the first arrival."""
        ...


@dataclass(frozen=True)
class FromHistory:
    """Begin with the ridge regression of each arm on the history, as if it had seen ``weight`` queries.

    With A' = I + sum x x' and b' = sum r x over the history rows on which an arm is known, and theta' = A'^-1 b',

        A = s A' + I,   b = s b' + theta',   s = weight / A'[constant, constant],

    so that theta = theta'. The constant is the last coordinate of a context. An arm that is known on no row begins with
    A = (weight + 1) I and b = (weight + 1) q in the constant alone, where q is the mean quality of the others.

    Parameters
    ----------
    weight : float
        At least 0; 1163.9 = (0.997^-500 - 1) / (1 - 0.997) is the paper's, 1 its cold start.

    Raises
    ------
    ValueError
        If the weight is negative.
    """

    weight: float = 1163.9

    def __post_init__(self) -> None:
        """Check the number."""
        check_number("weight", self.weight, least=0)

    def arms(self, contexts: FloatArray, history: History) -> RidgeArms:
        """Return the arms before the first arrival."""
        size, known = contexts.shape[1], history.known
        mean_quality, _ = history.means()
        precision, response = np.empty((known.shape[1], size, size)), np.zeros((known.shape[1], size))
        sums: dict[bytes, FloatArray] = {}  # arms that are known on the same rows share theirs
        for k, rows in enumerate(known.T):
            if not rows.any():
                precision[k] = (self.weight + 1) * np.eye(size)
                response[k, -1] = (self.weight + 1) * mean_quality[k]
                continue
            x = contexts[rows]
            if rows.tobytes() not in sums:
                sums[rows.tobytes()] = np.eye(size) + gram(x)
            total = sums[rows.tobytes()]
            seen: FloatArray = np.add.reduce(x * history.quality[rows, k][:, None], axis=0)
            theta: FloatArray = np.add.reduce(inverse(total) * seen, axis=1)
            scale = self.weight / total[-1, -1]
            precision[k], response[k] = scale * total + np.eye(size), scale * seen + theta
        return RidgeArms(precision, response)
