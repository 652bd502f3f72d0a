"""A price on cost that rises while the mean cost of a query is above a ceiling, and what prices are measured in."""

from __future__ import annotations

import math

from sim.assignment.rows import account_of
from sim.errors import check_number
from sim.interface import Setting


class Pacer:
    """e <- e + pace (cost / B - e),  price <- clip(price + pace (e - 1), 0, most),  from e = 1 and price = 0.

    Equations of arXiv 2604.00136, with e in multiples of the ceiling B, which is a mean per query: no limit on a total.
    Costs in several units are paced by the mean of their shares.

    Parameters
    ----------
    setting : Setting
    ceiling : float or None
        B in the unit of the budgets; None: the budgets over the horizon, and no price where one of them has no limit.
    pace : float
        Step of the price, and weight of the newest cost.
    most : float
        Upper limit of the price.

    Attributes
    ----------
    price : float
    """

    def __init__(self, setting: Setting, ceiling: float | None, pace: float, most: float) -> None:
        self._ceilings = ceilings(setting, ceiling)
        self._pace = pace
        self._most = most
        self._spending = 1.0
        self.price = 0.0

    def hear(self, deployment: int, cost: float) -> None:
        """Move the price by what one query cost."""
        if self._ceilings[deployment] < math.inf:
            self._spending += self._pace * (cost / self._ceilings[deployment] - self._spending)
            self.price = min(max(self.price + self._pace * (self._spending - 1.0), 0.0), self._most)


def ceilings(setting: Setting, ceiling: float | None) -> list[float]:
    """Return what a cost at each deployment is divided by, so that a mean of 1 is the ceiling of the whole.

    That is the ceiling itself where all budgets have one unit, else the ceiling of the deployment's unit times the
    number of units; ``inf`` where there is no ceiling.
    """
    units = [info.unit for info in setting.fleet]
    if ceiling is not None:
        return [ceiling] * len(units)
    _, first = account_of(len(units), setting.accounts)
    totals = dict.fromkeys(units, 0.0)
    for k in first.tolist():
        totals[units[k]] += float(setting.budgets[k])
    per_query = {unit: max(total / setting.horizon, 1e-200) * len(totals) for unit, total in totals.items()}
    return [per_query[unit] for unit in units]


class Market:
    """The prices of deployments, in logarithms from 0 at the lowest of a market to 1 at its highest, cut off at both.

    A price is the history's mean cost of a query, times what an announced change has made of it since; where units
    differ, in multiples of the cheapest of its unit. The range stays where it began.

    Parameters
    ----------
    setting : Setting
    lowest, highest : float or None
        The market's range, in the unit of costs; both None: the cheapest deployment, and 1000 times that.

    Attributes
    ----------
    price, log_price : lists (n_deployments,)

    Raises
    ------
    ValueError
        If one end alone is given, or they are not in order.
    """

    def __init__(self, setting: Setting, lowest: float | None, highest: float | None) -> None:
        check_market(lowest, highest)
        cost, units = setting.history.means()[1].tolist(), [info.unit for info in setting.fleet]
        self.price: list[float] = cost if len(set(units)) == 1 else relative(cost, units)
        if lowest is None or highest is None:
            lowest = min((one for one in self.price if one > 0), default=1.0)
            highest = 1000.0 * lowest
        self._start, self._end = math.log(lowest), math.log(highest)
        self._at_first = list(self.price)
        self._is_in_usd = [unit == "usd" for unit in units]
        self.log_price = [self._in_logarithms(price) for price in self.price]

    def change(self, deployment: int, factor: float) -> None:
        """Let a price be so many times what it was at first; one in tokens stays as it is."""
        if self._is_in_usd[deployment]:
            self.price[deployment] = factor * self._at_first[deployment]
            self.log_price[deployment] = self._in_logarithms(self.price[deployment])

    def _in_logarithms(self, price: float) -> float:
        place = (math.log(max(price, 1e-300)) - self._start) / (self._end - self._start)
        return min(max(place, 0.0), 1.0)


def check_market(lowest: float | None, highest: float | None) -> None:
    """Raise ValueError unless a market has two ends in order, or none."""
    if (lowest is None) != (highest is None):
        raise ValueError(f"lowest_price is {lowest} and highest_price {highest}; give both, or null for both")
    if lowest is not None and highest is not None:
        check_number("lowest_price", lowest, above=0)
        check_number("highest_price", highest, above=lowest)


def relative(cost: list[float], units: list[str]) -> list[float]:
    """Return costs in multiples of the cheapest of their unit.

    >>> relative([2.0, 8.0, 100.0], ["usd", "usd", "tokens"])
    [1.0, 4.0, 1.0]
    """
    paid = [(unit, c) for unit, c in zip(units, cost, strict=True) if c > 0]
    cheapest = {unit: min((c for of, c in paid if of == unit), default=1.0) for unit in units}
    return [c / cheapest[unit] for unit, c in zip(units, cost, strict=True)]
