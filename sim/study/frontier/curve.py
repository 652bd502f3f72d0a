"""Arithmetic of cost-quality curves: envelope, hull, area and query-normalized cost. It knows no run.

A curve is what a router gives at several settings of its knob: mean cost (n,) and mean quality (n,), in any order.
"""

from __future__ import annotations

import numpy as np

from sim.interface import FloatArray

TIE = 1e-12  # by so much two means may differ and be one: they are sums in different orders


def envelope(cost: FloatArray, quality: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the curve by rising cost, each point with the best quality that its cost or less has bought.

    >>> [part.tolist() for part in envelope(np.array([3.0, 1.0, 2.0]), np.array([0.6, 0.5, 0.7]))]
    [[1.0, 2.0, 3.0], [0.5, 0.7, 0.7]]
    """
    order = np.lexsort((quality, cost))
    return cost[order], np.maximum.accumulate(quality[order])


def hull(cost: FloatArray, quality: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the corners of the non-decreasing convex hull, by rising cost: what mixtures of the points can reach.

    RouterBench's hull (Hu et al. 2024, arXiv 2403.12031): from the cheapest point to the one of the best quality, and
    no corner lies below a line between two others. A mixture sends each query to one of two settings by a coin.

    >>> [part.tolist() for part in hull(np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.0, 0.1, 1.0, 0.9]))]
    [[0.0, 2.0], [0.0, 1.0]]
    """
    corners: list[tuple[float, float]] = []
    for x, y in zip(*(part.tolist() for part in envelope(cost, quality)), strict=True):
        if corners and y <= corners[-1][1]:
            continue
        while corners and corners[-1][0] == x:
            corners.pop()
        while len(corners) > 1 and is_below(corners[-2], corners[-1], (x, y)):
            corners.pop()
        corners.append((x, y))
    return np.array([x for x, _ in corners]), np.array([y for _, y in corners])


def is_below(left: tuple[float, float], middle: tuple[float, float], right: tuple[float, float]) -> bool:
    """Return whether a point is not above the line between two others."""
    return (middle[1] - left[1]) * (right[0] - left[0]) <= (right[1] - left[1]) * (middle[0] - left[0])


def area(cost: FloatArray, quality: FloatArray, most_cost: float) -> float:
    """Return the mean height of a curve's envelope from its own least cost to ``most_cost``; NaN where that is less.

    The area under the deferral curve (UniRoute, arXiv 2502.08773): points up to ``most_cost`` by straight lines, the
    last one's quality held up to there, divided by the range of cost.

    >>> area(np.array([1.0, 2.0]), np.array([0.5, 1.0]), 3.0)  # (0.75 + 1) / 2
    0.875
    """
    x, y = envelope(cost, quality)
    within = x <= most_cost
    if not x[0] < most_cost:
        return float("nan")
    x, y = np.append(x[within], most_cost), np.append(y[within], y[within][-1])
    return float((np.diff(x) * (y[1:] + y[:-1])).sum() / 2 / (x[-1] - x[0]))


def hull_area(cost: FloatArray, quality: FloatArray, most_cost: float) -> float:
    """Return the mean height of a curve's hull over the same range, cut at ``most_cost``; NaN where that is less.

    >>> hull_area(np.array([0.0, 4.0]), np.array([0.0, 1.0]), 2.0)
    0.25
    """
    x, y = hull(cost, quality)
    if not x[0] < most_cost:
        return float("nan")
    at_end = np.interp(most_cost, x, y)
    within = x < most_cost
    x, y = np.append(x[within], most_cost), np.append(y[within], at_end)
    return float((np.diff(x) * (y[1:] + y[:-1])).sum() / 2 / (x[-1] - x[0]))


def normalized_cost(cost: FloatArray, quality: FloatArray, best_quality: float, best_cost: float) -> float:
    """Return the least cost that has the best model's quality, as a share of that model's cost; NaN if none has.

    The query-normalized cost (QNC) of UniRoute (arXiv 2502.08773), which R2-Router uses too. Another definition under
    the same name, the cost at the router's own best quality (arXiv 2508.12491), is not comparable with it.

    >>> normalized_cost(np.array([1.0, 2.0, 4.0]), np.array([0.5, 0.8, 0.9]), 0.8, 4.0)
    0.5
    """
    reached = cost[quality >= best_quality - TIE]
    return float(reached.min() / best_cost) if len(reached) and best_cost > 0 else float("nan")
