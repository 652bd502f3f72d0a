"""The decision of a rule that scores deployments: the best of those worth choosing, and the others as next choices."""

from __future__ import annotations

import numpy as np

from sim.interface import BoolArray, Decision, FloatArray


def best_first(score: FloatArray, is_worth: BoolArray) -> Decision:
    """Return the choice of highest score, with the others worth choosing as next choices; decline if none is.

    Parameters
    ----------
    score : array (n_deployments,)
        Ties go to the lowest index.
    is_worth : bool array (n_deployments,)

    Examples
    --------
    >>> best_first(np.array([0.2, 0.9, 0.5]), np.array([True, False, True]))
    Decision(deployment=2, fallbacks=[0], explores=False, alongside=(), max_output_tokens=None)
    """
    ranked = np.argsort(np.where(is_worth, -score, np.inf), kind="stable")[: np.count_nonzero(is_worth)].tolist()
    return Decision(ranked[0], ranked[1:]) if ranked else Decision(None)


def by_score(score: FloatArray) -> Decision:
    """Return the choice of highest score, with all others as next choices; of equals the lowest index comes first.

    >>> by_score(np.array([0.2, 0.9, 0.9]))
    Decision(deployment=1, fallbacks=[2, 0], explores=False, alongside=(), max_output_tokens=None)
    """
    ranked = (-score).argsort(kind="stable").tolist()
    return Decision(ranked[0], ranked[1:])
