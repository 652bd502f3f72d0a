"""A step along a direction that decreases a function enough, as L-BFGS-B looks for it. It knows no direction.

More and Thuente, "Line search algorithms with guaranteed sufficient decrease", ACM Transactions on Mathematical
Software 20, 1994, in the form of MINPACK-2's ``dcsrch`` and ``dcstep``, which L-BFGS-B 3.0 uses.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

DECREASE, CURVATURE, WIDTH = 1e-3, 0.9, 0.1  # L-BFGS-B's ftol, gtol and xtol
MOST = 20  # evaluations, L-BFGS-B's maxls


class End(NamedTuple):
    """One end of the interval that holds the step: the step, the function and its slope there."""

    step: float
    value: float
    slope: float


def search(along: Callable[[float], tuple[float, float]], value: float, slope: float, longest: float) -> float | None:
    """Return a step from 0 with enough decrease and little enough slope, 1 if that will do; None if none is found.

    Parameters
    ----------
    along : callable
        Value and slope at a step.
    value, slope : float
        At 0, the slope negative.
    longest : float
        No step is longer; at least 1.
    """
    least_slope = DECREASE * slope
    best = other = End(0.0, value, slope)
    step, low, high = 1.0, 0.0, 5.0
    is_bracketed, is_first_stage = False, True
    width, width_before = longest, 2 * longest
    for _ in range(MOST):
        found = End(step, *along(step))
        bound = value + step * least_slope
        if is_first_stage and found.value <= bound and found.slope >= 0:
            is_first_stage = False
        if is_bracketed and (step <= low or step >= high or high - low <= WIDTH * high):
            return step  # rounding, or the interval is short
        if step == longest and found.value <= bound and found.slope <= least_slope:
            return step
        if step == 0.0:
            return step
        if found.value <= bound and abs(found.slope) <= CURVATURE * -slope:
            return step
        if (
            is_first_stage and found.value <= best.value and found.value > bound
        ):  # look at it less the demanded decrease
            start, end, new = (less(one, least_slope) for one in (best, other, found))
            start, end, step, is_bracketed = closer(start, end, new, is_bracketed, low, high)
            best, other = less(start, -least_slope), less(end, -least_slope)
        else:
            best, other, step, is_bracketed = closer(best, other, found, is_bracketed, low, high)
        if is_bracketed:
            if abs(other.step - best.step) >= 0.66 * width_before:
                step = best.step + 0.5 * (other.step - best.step)
            width_before, width = width, abs(other.step - best.step)
            low, high = min(best.step, other.step), max(best.step, other.step)
        else:
            low, high = step + 1.1 * (step - best.step), step + 4.0 * (step - best.step)
        step = min(max(step, 0.0), longest)
        if is_bracketed and (step <= low or step >= high or high - low <= WIDTH * high):
            step = best.step
    return None


def less(end: End, slope: float) -> End:
    """Return a point of the function less a line of this slope."""
    return End(end.step, end.value - end.step * slope, end.slope - slope)


def closer(
    best: End, other: End, found: End, is_bracketed: bool, low: float, high: float
) -> tuple[End, End, float, bool]:
    """Return the two ends with a new point taken in, the next step by interpolation, and whether they bracket one."""
    away = found.step - best.step
    turns = found.slope * math.copysign(1.0, best.slope) < 0
    if found.value > best.value:  # higher: the minimum is between
        theta, gamma = cubic(best, found)
        gamma = -gamma if away < 0 else gamma
        by_cubic = best.step + ((gamma - best.slope) + theta) / (((gamma - best.slope) + gamma) + found.slope) * away
        by_square = best.step + best.slope / ((best.value - found.value) / away + best.slope) / 2 * away
        is_nearer = abs(by_cubic - best.step) <= abs(by_square - best.step)
        step = by_cubic if is_nearer else by_cubic + (by_square - by_cubic) / 2
        return best, found, step, True
    if turns:  # lower, and the slope changes its sign: likewise
        theta, gamma = cubic(best, found)
        gamma = -gamma if away > 0 else gamma
        by_cubic = found.step + ((gamma - found.slope) + theta) / (((gamma - found.slope) + gamma) + best.slope) * -away
        by_secant = found.step + found.slope / (found.slope - best.slope) * -away
        step = by_cubic if abs(by_cubic - found.step) > abs(by_secant - found.step) else by_secant
        return found, best, step, True
    if abs(found.slope) < abs(best.slope):  # lower and flatter: beyond
        theta, gamma = cubic(best, found)
        gamma = -gamma if away > 0 else gamma
        share = ((gamma - found.slope) + theta) / ((gamma + (best.slope - found.slope)) + gamma)
        far = high if found.step > best.step else low
        by_cubic = found.step + share * -away if share < 0 and gamma != 0 else far
        by_secant = found.step + found.slope / (found.slope - best.slope) * -away
        cubic_is_nearer = abs(by_cubic - found.step) < abs(by_secant - found.step)
        if is_bracketed:
            step = by_cubic if cubic_is_nearer else by_secant
            limit = found.step + 0.66 * (other.step - found.step)
            step = min(limit, step) if found.step > best.step else max(limit, step)
        else:
            step = min(max(by_secant if cubic_is_nearer else by_cubic, low), high)
        return found, other, step, is_bracketed
    if is_bracketed:  # lower and no flatter
        theta, gamma = cubic(other, found)
        gamma = -gamma if found.step > other.step else gamma
        share = ((gamma - found.slope) + theta) / (((gamma - found.slope) + gamma) + other.slope)
        return found, other, found.step + share * (other.step - found.step), True
    return found, other, high if found.step > best.step else low, False


def cubic(one: End, found: End) -> tuple[float, float]:
    """Return theta and |gamma| of the cubic through two points with their slopes."""
    theta = 3.0 * (one.value - found.value) / (found.step - one.step) + one.slope + found.slope
    scale = max(abs(theta), abs(one.slope), abs(found.slope))
    inner = (theta / scale) ** 2 - (one.slope / scale) * (found.slope / scale)
    return theta, scale * math.sqrt(max(0.0, inner))
