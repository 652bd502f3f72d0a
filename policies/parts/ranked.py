"""The decision of a rule that scores deployments: the best of those worth choosing, and the others as next choices.

A fleet is small, so that sorting a list takes a fraction of sorting an array.
"""

from __future__ import annotations

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
    >>> import numpy as np
    >>> best_first(np.array([0.2, 0.9, 0.5]), np.array([True, False, True]))
    Decision(deployment=2, fallbacks=[0], explores=False, alongside=(), max_output_tokens=None)
    """
    ranked = sorted(is_worth.nonzero()[0].tolist(), key=score.tolist().__getitem__, reverse=True)  # stable
    return Decision(ranked[0], ranked[1:]) if ranked else Decision(None)


def by_score(score: FloatArray) -> Decision:
    """Return the choice of highest score, with all others as next choices; of equals the lowest index comes first.

    >>> import numpy as np
    >>> by_score(np.array([0.2, 0.9, 0.9]))
    Decision(deployment=1, fallbacks=[2, 0], explores=False, alongside=(), max_output_tokens=None)
    """
    ranked = sorted(range(len(score)), key=score.tolist().__getitem__, reverse=True)  # stable
    return Decision(ranked[0], ranked[1:])
