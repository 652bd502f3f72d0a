"""Finds deployments: by their names, or the cheapest and the best on average in the history. It decides nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from sim.errors import unknown
from sim.interface import FloatArray, History, Setting


def averages(history: History) -> tuple[FloatArray, FloatArray]:
    """Return mean quality and cost (n_deployments,), exact, so that no order of addition decides between two."""
    quality, cost = (
        np.array(
            [
                math.fsum(column[known]) / known.sum() if known.any() else math.nan
                for column, known in zip(outcome.T, history.known.T, strict=True)
            ]
        )
        for outcome in (history.quality, history.cost)
    )
    return history.completed(quality, cost)


def place_of(setting: Setting, name: str, besides: Sequence[str] = ()) -> int:
    """Return the number of the deployment of a name; raise ValueError, which lists all of them and others, if none."""
    known = [info.name for info in setting.fleet]
    if name not in known:
        raise ValueError(unknown("deployment", name, [*known, *besides]))
    return known.index(name)


def check_pair(deployments: Sequence[str] | None) -> None:
    """Raise ValueError unless these are two names, or None."""
    if deployments is not None and not len(deployments) == len(set(deployments)) == 2:
        raise ValueError(f"deployments is {list(deployments)}; it must name a small and a large one, or be null")


def pair_of(setting: Setting, deployments: Sequence[str] | None) -> tuple[int, int]:
    """Return the small and the large deployment: those named, else the cheapest and the best of the history.

    Raises
    ------
    ValueError
        If the fleet has none of a name.
    """
    if deployments is None:
        quality, cost = averages(setting.history)
        return int(np.argmin(cost)), int(np.argmax(quality))
    small, large = (place_of(setting, name) for name in deployments)
    return small, large
