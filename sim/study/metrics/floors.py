"""Measures how far true quality falls short of a floor that a router was to keep."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sim.errors import check_number
from sim.study.metrics.counting import is_served, numbers, ratio

ROUNDING = 1e-9  # a sum of scores may be below its floor by so much


def floor_shortfall(requests: pd.DataFrame, floor: float) -> float:
    """Return the floor less the mean quality of served queries; negative above the floor, NaN if none was served.

    A router that keeps a floor of *predicted* quality is short of it in truth, as it picks what was predicted too well.

    Parameters
    ----------
    requests : DataFrame
    floor : float
        In [0, 1].

    Raises
    ------
    ValueError
        If the floor is not in [0, 1].
    """
    check_number("floor", floor, least=0, most=1)
    served = is_served(requests)
    return floor - ratio(float(numbers(requests, "quality")[served].sum()), float(served.sum()))


def floor_missed_share(requests: pd.DataFrame, floor: float, size: int) -> float:
    """Return the share of batches whose mean quality is below the floor; NaN if there is no whole batch.

    Parameters
    ----------
    requests : DataFrame
    floor : float
        In [0, 1].
    size : int
        A batch is so many arrivals in a row, as far as they were served; a last one that is not whole is left out.

    Raises
    ------
    ValueError
        If the floor is not in [0, 1], or the size is below 1.
    """
    check_number("floor", floor, least=0, most=1)
    check_number("size", size, least=1)
    n_batches = len(requests) // size
    if not n_batches:
        return float("nan")
    served = is_served(requests)[: n_batches * size].reshape(n_batches, size)
    quality = numbers(requests, "quality")[: n_batches * size].reshape(n_batches, size)
    n_served = served.sum(axis=1)
    means = np.where(served, quality, 0.0).sum(axis=1)[n_served > 0] / n_served[n_served > 0]
    return ratio(float((means < floor - ROUNDING).sum()), len(means))
