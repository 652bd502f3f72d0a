"""The two programs of StageRoute: which models to deploy, and what share of the queries each of them gets.

Both maximise sum_i reward_i d_i subject to sum_i cost_i d_i <= budget, sum_i d_i = 1, 0 <= d_i <= cap.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from sim.interface import FloatArray

DIGITS = 9  # to which a solver's shares are rounded


def deployed(reward: FloatArray, cost: FloatArray, budget: float, cap: float, most: int) -> list[int]:
    """Return the models (indices) to deploy: the support of the best shares of at most ``most`` models, filled up.

    The program with one binary variable for each model is solved by HiGHS. Where its support has fewer models than may
    be deployed, those of greatest reward are added, the first among equals. Where no shares keep the budget, the
    cheapest shares are taken.

    Parameters
    ----------
    reward, cost : arrays (n,)
    budget : float
        ``inf`` for none.
    cap : float
        In (0, 1]; raised to 1 / min(most, n), with which the shares can add up to 1.
    most : int
    """
    n = len(reward)
    size = min(most, n)
    if size == n:
        return list(range(n))
    shares = mixed_integer(-reward, cost, budget, max(cap, 1 / size), size)
    if shares is None:
        shares = mixed_integer(cost, cost, np.inf, max(cap, 1 / size), size)
    chosen = [] if shares is None else np.flatnonzero(shares > 0).tolist()
    others = sorted((k for k in range(n) if k not in chosen), key=lambda k: -reward[k])
    return sorted([*chosen, *others[: size - len(chosen)]])


def mixed_integer(loss: FloatArray, cost: FloatArray, budget: float, cap: float, size: int) -> FloatArray | None:
    """Return shares (n,) of least loss, at most ``size`` of them positive; None where no shares keep the budget."""
    n = len(loss)
    each, none = np.eye(n), np.zeros(n)
    constraints = [
        LinearConstraint(np.concatenate([np.ones(n), none])[None, :], 1.0, 1.0),
        LinearConstraint(np.hstack([each, -cap * each]), -np.inf, 0.0),
        LinearConstraint(np.concatenate([none, np.ones(n)])[None, :], -np.inf, float(size)),
    ]
    if budget < np.inf:
        constraints.append(LinearConstraint(np.concatenate([cost, none])[None, :], -np.inf, budget))
    result = milp(
        np.concatenate([loss, none]),
        constraints=constraints,
        integrality=np.concatenate([none, np.ones(n)]),
        bounds=Bounds(0.0, 1.0),
    )
    return None if result.x is None else np.round(result.x[:n], DIGITS)


def best_shares(reward: FloatArray, cost: FloatArray, budget: float, cap: float) -> tuple[FloatArray, float]:
    """Return the best shares (n,), and the price of the budget, in reward per unit of cost.

    At a price p the best shares fill models up to the cap in the order of reward - p cost. That order changes where two
    models change places, so the price is sought among these; there the shares before and after are mixed so that the
    budget is just spent. Where the cheapest shares exceed the budget, they are returned, with an infinite price.

    Parameters
    ----------
    reward, cost : arrays (n,)
        At least one model.
    budget : float
        ``inf`` for none.
    cap : float
        In (0, 1]; raised to 1 / n, with which the shares can add up to 1.

    Examples
    --------
    >>> shares, price = best_shares(np.array([0.9, 0.5]), np.array([3.0, 1.0]), 2.0, 1.0)
    >>> shares.tolist(), price
    ([0.5, 0.5], 0.2)
    """
    cap = max(cap, 1 / len(reward))
    r, c = reward.tolist(), cost.tolist()
    shares, spent = filled(r, c, 0.0, cap)
    if spent <= budget:
        return np.array(shares), 0.0
    prices = sorted({(r[i] - r[j]) / (c[i] - c[j]) for i in range(len(r)) for j in range(len(r)) if c[i] > c[j]})
    prices = [price for price in prices if price > 0]
    low, high = 0, len(prices)  # the first price after which the budget is kept
    while low < high:
        middle = (low + high) // 2
        if filled(r, c, after(prices, middle), cap)[1] <= budget:
            high = middle
        else:
            low = middle + 1
    if low == len(prices):
        return np.array(filled(r, c, after(prices, low - 1), cap)[0]), np.inf
    dear, dear_cost = filled(r, c, after(prices, low - 1), cap)
    cheap, cheap_cost = filled(r, c, after(prices, low), cap)
    part = (budget - cheap_cost) / (dear_cost - cheap_cost)
    return part * np.array(dear) + (1 - part) * np.array(cheap), prices[low]


def after(prices: list[float], place: int) -> float:
    """Return a price between one of sorted prices and the next: below the first at -1, above the last at the end."""
    if place < 0:
        return prices[0] / 2 if prices else 0.0
    return (prices[place] + prices[place + 1]) / 2 if place + 1 < len(prices) else 2 * prices[place] + 1.0


def filled(reward: list[float], cost: list[float], price: float, cap: float) -> tuple[list[float], float]:
    """Return shares that fill models to the cap by reward - price cost, the cheaper of equals first, and their cost."""
    order = sorted(range(len(reward)), key=lambda k: (price * cost[k] - reward[k], cost[k]))
    shares, left, spent = [0.0] * len(reward), 1.0, 0.0
    for k in order:
        shares[k] = min(cap, left)
        spent += shares[k] * cost[k]
        left -= shares[k]
        if left <= 0:
            break
    return shares, spent
