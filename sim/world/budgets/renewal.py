"""Renews budgets while a run goes on, by windows or token buckets. It knows amounts and times, and no query.

A budget for the run is given out between the first arrival and the last, and never more of it than there is: windows
get the shares of the time that they cover, and a bucket begins full and gets the rest evenly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator

import numpy as np
import simpy

from sim.instance import Instance
from sim.renewing import TokenBucket, Window
from sim.spending.calendar import Calendar
from sim.world.budgets.ledger import Ledger
from sim.world.moment import WINDOWS, Moment

ROUNDING = 1e-9  # of a window: by so much the last arrival may come after the end of the last whole one


def open_ledger(instance: Instance) -> Ledger:
    """Return the ledger of a run, with the budgets of one window where there are windows."""
    budgets, accounts, window = instance.setting.budgets, instance.setting.accounts, instance.scenario.window
    if isinstance(window, TokenBucket):
        part, finite = min(1.0, window.burst_s / span_s(instance)), np.where(np.isinf(budgets), 0.0, budgets)
        return Ledger(budgets * part, finite * (1 - part) / span_s(instance), accounts)
    if isinstance(window, Window) and window.spread:
        budgets = budgets * min(1.0, window.length_s / span_s(instance))
    return Ledger(budgets, accounts=accounts)


def renewals(
    instance: Instance, ledger: Ledger, env: simpy.Environment, renewed: Callable[[], None], ended: Callable[[], None]
) -> Generator[simpy.Event, None, None]:
    """Renew the budgets, as a SimPy process.

    ``renewed`` is called after each renewal; ``ended`` when a budget for the whole run has been given out, which is at
    the last arrival. Budgets for each window are renewed for ever. Token buckets fill whenever they are looked at.
    """
    window, length_s = instance.scenario.window, span_s(instance)
    if isinstance(window, Window):
        windows = length_s / window.length_s if window.spread else math.inf
        number = 1
        while number < windows - ROUNDING:
            yield Moment(env, max(number * window.length_s - env.now, 0.0), WINDOWS)
            ledger.renew(window.rollover, min(1.0, windows - number))
            renewed()
            number += 1
    elif isinstance(window, Calendar):
        for begins_s in window.begins_s():
            yield Moment(env, max(begins_s - env.now, 0.0), WINDOWS)
            ledger.renew(window.rollover)
            renewed()
    elif isinstance(window, TokenBucket):
        yield Moment(env, length_s, WINDOWS)
        ledger.end_inflow(env.now)
        renewed()
    ended()


def span_s(instance: Instance) -> float:
    """Return the time between the first and the last arrival, at least the shortest that a number can tell."""
    return max(float(np.cumsum(instance.gaps_s)[-1]), float(np.finfo(np.float64).tiny))  # as the clock adds them
