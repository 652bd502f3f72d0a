"""How budgets begin anew while a run goes on: windows and token buckets. It knows amounts and times, not queries."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator

import numpy as np
import simpy

from sim.instance import Instance
from sim.scenario import TokenBucket, Window
from sim.world.ledger import Ledger

FLOW_STEP = 0.01  # token buckets fill in steps of this share of their burst


def open_ledger(instance: Instance) -> Ledger:
    """Return the ledger of a run, with the budgets of one window where there are windows."""
    budgets, window = instance.setting.budgets, instance.scenario.window
    if isinstance(window, TokenBucket):
        inflow_per_s = budgets / span_s(instance)
        return Ledger(np.minimum(inflow_per_s * window.burst_s, budgets), inflow_per_s)
    if isinstance(window, Window) and window.spread:
        return Ledger(budgets * min(1.0, window.length_s / span_s(instance)))
    return Ledger(budgets)


def renewals(
    instance: Instance, ledger: Ledger, env: simpy.Environment, renewed: Callable[[], None], ended: Callable[[], None]
) -> Generator[simpy.Event, None, None]:
    """Renew the budgets, as a SimPy process.

    ``renewed`` is called after each renewal; ``ended`` when a budget for the whole run has been given out, which is at
    the last arrival. Budgets for each window are renewed for ever.
    """
    window = instance.scenario.window
    if isinstance(window, Window):
        left = math.ceil(span_s(instance) / window.length_s) - 1 if window.spread else math.inf
        while left > 0:
            left -= 1
            yield env.timeout(window.length_s)
            ledger.renew(window.rollover)
            renewed()
    elif isinstance(window, TokenBucket):
        while env.now < span_s(instance):
            yield env.timeout(window.burst_s * FLOW_STEP)
            ledger.flow_in(min(env.now, span_s(instance)))
            renewed()
    ended()


def span_s(instance: Instance) -> float:
    """Return the time between the first and the last arrival, at least the shortest that a number can tell."""
    return max(float(instance.gaps_s[1:].sum()), float(np.finfo(np.float64).tiny))
