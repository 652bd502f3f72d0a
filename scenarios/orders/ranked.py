"""Sorts queries by what they cost and earn. It knows the truth of every model, and no topic."""

from __future__ import annotations

import numpy as np

from sim.interface import FloatArray, IntArray
from sim.workload import Rows


def ascending(key: FloatArray, shuffle: IntArray) -> IntArray:
    """Return the row numbers (n,) by ascending key (n,), equal ones in the order of the shuffle (n,)."""
    return shuffle[np.argsort(key[shuffle], kind="stable")]


def least_cost_usd(rows: Rows) -> FloatArray:
    """Return each query's cost (n,) at the model that is cheapest for it."""
    return np.asarray(rows.cost_usd.min(axis=1))


def mean_quality(rows: Rows) -> FloatArray:
    """Return each query's mean score (n,) over models: how easy it is."""
    return np.asarray(rows.quality.mean(axis=1))


def density(rows: Rows) -> FloatArray:
    """Return the most quality per dollar (n,) that a model has on each query, max_i quality_ij / cost_ij.

    Raises
    ------
    ValueError
        If a query costs nothing at some model.
    """
    is_free = (rows.cost_usd == 0).any(axis=1)
    if is_free.any():
        raise ValueError(
            f"{is_free.sum()} of {len(rows)} queries cost nothing at some model, so their quality per dollar is "
            "undefined; choose an order without density, such as order=cheap_first"
        )
    return np.asarray((rows.quality / rows.cost_usd).max(axis=1))


def cheap_first(rows: Rows, rng: np.random.Generator) -> IntArray:
    """Sort by ascending least cost."""
    return ascending(least_cost_usd(rows), rng.permutation(len(rows)))


def costly_first(rows: Rows, rng: np.random.Generator) -> IntArray:
    """Sort by descending least cost."""
    return ascending(-least_cost_usd(rows), rng.permutation(len(rows)))


def easy_first(rows: Rows, rng: np.random.Generator) -> IntArray:
    """Sort by descending mean quality."""
    return ascending(-mean_quality(rows), rng.permutation(len(rows)))


def hard_first(rows: Rows, rng: np.random.Generator) -> IntArray:
    """Sort by ascending mean quality."""
    return ascending(mean_quality(rows), rng.permutation(len(rows)))


def density_up(rows: Rows, rng: np.random.Generator) -> IntArray:
    """Sort by ascending density: the hard instance of online knapsack, where better queries keep coming."""
    return ascending(density(rows), rng.permutation(len(rows)))


def density_down(rows: Rows, rng: np.random.Generator) -> IntArray:
    """Sort by descending density."""
    return ascending(-density(rows), rng.permutation(len(rows)))
