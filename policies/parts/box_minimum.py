"""The minimum of a function in a box by L-BFGS-B, with the same result to the last bit on every processor.

SciPy's L-BFGS-B multiplies by BLAS and LAPACK, whose inner loops add in an order that depends on the processor. On a
function with kinks, such as PORT's, the last bit decides where the method stops. This is the same method in arithmetic
of a fixed order: products of single numbers, and NumPy's sums, whose order does not depend on the processor.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from policies.parts.line_search import search
from sim.interface import BoolArray, FloatArray

MEMORY = 10  # pairs of steps and changes of the gradient that are remembered
EPSILON = float(np.finfo(np.float64).eps)

Function = Callable[[FloatArray], tuple[float, FloatArray]]


def box_minimum(
    function: Function,
    start: FloatArray,
    highest: FloatArray,
    *,
    iterations: int = 15_000,
    value_tolerance: float = 2.220446049250313e-09,
    slope_tolerance: float = 1e-5,
) -> FloatArray:
    """Return where L-BFGS-B stops between 0 and ``highest``; the defaults are SciPy's.

    Byrd, Lu, Nocedal and Zhu, "A limited memory algorithm for bound constrained optimization", SIAM Journal on
    Scientific Computing 16, 1995: the first minimum of a quadratic model along the projected gradient, then the model's
    minimum over the variables that are not at a bound there, projected (Morales and Nocedal, ACM Transactions on
    Mathematical Software 38, 2011), then a line search. The model's matrix is written out, as there are few variables.

    Parameters
    ----------
    function : callable
        Value and gradient (n,) at a point (n,).
    start, highest : arrays (n,)
    iterations : int
        At most so many.
    value_tolerance : float
        It stops when a step lowers the value by no more than this, relative to the value or to 1.
    slope_tolerance : float
        It stops when no entry of the projected gradient is larger.
    """
    point = np.clip(start, 0.0, highest)
    value, slope = function(point)
    steps: list[FloatArray] = []
    changes: list[FloatArray] = []
    n_done = 0
    while n_done < iterations:
        if np.abs(np.clip(point - slope, 0.0, highest) - point).max(initial=0.0) <= slope_tolerance:
            break
        model = hessian(steps, changes, len(point))
        towards = target(point, slope, highest, model, bool(steps)) - point
        before = point
        descent = dot(slope, towards)
        found = None
        if descent < 0:
            longest = 1.0 if n_done == 0 else room(point, towards, highest)
            tried: dict[float, tuple[FloatArray, float, FloatArray]] = {}

            def along(step: float) -> tuple[float, float]:
                there = np.clip(before + step * towards, 0.0, highest)  # noqa: B023 - called in this round only
                tried[step] = (there, *function(there))  # noqa: B023
                return tried[step][1], dot(tried[step][2], towards)  # noqa: B023

            found = search(along, value, descent, longest)
        if found is None:
            if not steps:
                break
            steps, changes = [], []  # begin again with the gradient alone
            continue
        value_before, slope_before = value, slope
        point, value, slope = tried[found]
        n_done += 1
        if value_before - value <= value_tolerance * max(abs(value_before), abs(value), 1.0):
            break
        step, change = found * towards, slope - slope_before
        if dot(change, step) > EPSILON * -descent * found:
            steps, changes = [*steps, step][-MEMORY:], [*changes, change][-MEMORY:]
    return point


def hessian(steps: list[FloatArray], changes: list[FloatArray], n: int) -> FloatArray:
    """Return the matrix (n, n) of the quadratic model after these steps, by BFGS's update from a multiple of 1."""
    matrix = np.eye(n)
    if steps:
        matrix *= dot(changes[-1], changes[-1]) / dot(changes[-1], steps[-1])
    for step, change in zip(steps, changes, strict=True):
        seen = times(matrix, step)
        matrix = matrix - np.outer(seen, seen) / dot(step, seen) + np.outer(change, change) / dot(change, step)
    return matrix


def target(point: FloatArray, slope: FloatArray, highest: FloatArray, model: FloatArray, has_model: bool) -> FloatArray:
    """Return where to go: the model's minimum over what is free at its first minimum along the projected gradient."""
    first, is_free = cauchy(point, slope, highest, model)
    if not has_model or not is_free.any():
        return first
    away = first - point
    rest = -(slope + times(model, away))[is_free]
    newton = np.zeros(len(point))
    newton[is_free] = solve(model[np.ix_(is_free, is_free)], rest)
    projected = np.where(is_free, np.clip(first + newton, 0.0, highest), first)
    if dot(projected - point, slope) <= 0:
        return projected
    return first + min(1.0, room(first, newton, highest)) * newton


def cauchy(
    point: FloatArray, slope: FloatArray, highest: FloatArray, model: FloatArray
) -> tuple[FloatArray, BoolArray]:
    """Return the model's first minimum along the projected gradient (n,), and which variables are at no bound."""
    with np.errstate(divide="ignore", invalid="ignore"):
        reached = np.where(slope < 0, (point - highest) / slope, np.where(slope > 0, point / slope, np.inf))
    direction = np.where(reached > 0, -slope, 0.0)
    place = point.copy()
    ends = np.unique(reached[(reached > 0) & np.isfinite(reached)]).tolist()
    for since, until in pairwise([0.0, *ends]):
        bent = times(model, direction)
        falls, curves = dot(slope, direction) + dot(place - point, bent), dot(direction, bent)
        if falls >= 0:
            break
        if curves > 0 and -falls / curves < until - since:
            place = place + -falls / curves * direction
            break
        place = place + (until - since) * direction
        arrived = reached == until
        place[arrived] = np.where(slope[arrived] < 0, highest[arrived], 0.0)
        direction[arrived] = 0.0
    return place, direction != 0


def room(point: FloatArray, towards: FloatArray, highest: FloatArray) -> float:
    """Return the longest step that stays in the box."""
    ahead = np.where(towards > 0, highest - point, point)
    moves = towards != 0
    return float((ahead[moves] / np.abs(towards[moves])).min(initial=1e10))


def solve(matrix: FloatArray, right: FloatArray) -> FloatArray:
    """Solve with a positive definite matrix, by elimination."""
    table = np.column_stack([matrix, right])
    n = len(right)
    for k in range(n):
        table[k] = table[k] / table[k, k]
        others = np.arange(n) != k
        table[others] -= table[others, k][:, None] * table[k]
    return table[:, n].copy()


def times(matrix: FloatArray, vector: FloatArray) -> FloatArray:
    """Return matrix x vector, added in one order."""
    total: FloatArray = np.add.reduce(matrix * vector, axis=1)
    return total


def dot(one: FloatArray, other: FloatArray) -> float:
    """Return the inner product, added in one order."""
    return float(np.add.reduce(one * other))
