"""Names the arrays of the interface, and says when a budget pays for a cost."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
EmbeddingArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

TOLERANCE = 1e-9
"""Of a budget: by so much a sum of costs may exceed it, as three times 0.1 exceeds 0.3 in binary fractions."""


def affords(remaining: FloatArray, cost: FloatArray) -> BoolArray:
    """Return where what remains of budgets pays for costs, both of one shape, by the rule of the ledger.

    >>> affords(np.array([0.3 - 0.1 - 0.1]), np.array([0.1])).tolist()  # 0.09999999999999998 pays for 0.1
    [True]
    """
    return np.asarray(cost * (1 - TOLERANCE) <= remaining)
