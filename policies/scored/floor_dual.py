"""Gather queries and assign them by prices: least cost above a quality floor, within the places that are free."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from policies.parts.batch import check_batch, decisions, estimates
from sim.errors import check_number
from sim.interface import Decision, Estimator, FloatArray, Gate, IntArray, Policy, Query, Setting, State

TOLERANCE = 1e-9  # of the mean quality and of the places


class FloorDual(Policy):
    """OmniRouter's form with limits of concurrency: a dual price of the floor and one of each deployment's places.

        min sum_ij cost_hat_ij x_ij   s.t.   mean quality_hat >= floor,   sum_j x_ij <= places_i,   one each
        choice of j = argmin_i cost_hat_ij - floor_price x quality_hat_ij + place_price_i

    The paper (Mei et al. 2025, arXiv 2502.20576) was not at hand, and the released code has no multipliers, so this is
    the form of secondary notes: subgradient steps of size ``first_step`` / sqrt(t) raise the first price while the
    batch is below the floor, and a deployment's while it is over its places. *Inferred*: costs are in units of their
    mean; places are the slots of a deployment less what is queued and in flight there when the batch is decided; in
    every step the choices are taken query by query, among deployments with a place left, and the cheapest step that
    keeps the floor wins, or the one of best quality if none does. When all places are taken, the rest of the batch goes
    where it is cheapest by its prices, and waits. A deployment that is not available has no place.

    Parameters
    ----------
    estimator : Estimator
    floor : float
        Of the mean predicted quality of a batch, in [0, 1].
    size : int
        Queries in a batch.
    window_s : float
        The longest that the first query of a batch waits for the others.
    steps : int
        Subgradient steps for each batch.
    first_step : float
        Their size at first, in mean costs.

    Raises
    ------
    ValueError
        If a parameter is out of range.
    """

    def __init__(
        self,
        estimator: Estimator,
        floor: float = 0.7,
        size: int = 100,
        window_s: float = math.inf,
        steps: int = 300,
        first_step: float = 3.0,
    ) -> None:
        check_number("floor", floor, least=0, most=1)
        check_batch(size, window_s, gap=0.0)
        check_number("steps", steps, least=1)
        check_number("first_step", first_step, above=0)
        self.estimator = estimator
        self.gate = Gate(size, window_s)
        self._floor = floor
        self._steps = steps
        self._first_step = first_step

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Keep the slots."""
        self._slots = np.array([info.slots for info in setting.fleet])

    def decide(self, query: Query, state: State) -> Decision:
        """Assign a batch of one."""
        return self.decide_batch([query], state)[0]

    def decide_batch(self, queries: Sequence[Query], state: State) -> list[Decision]:
        """Find prices for the batch, and assign it."""
        quality, cost = estimates(queries)
        taken = state.queued + state.in_flight
        places = np.where(state.available, np.maximum(self._slots - taken, 0.0), 0.0)
        if not state.available.any():  # the world says what becomes of a query in an outage of all
            places = np.full(len(places), np.inf)
        return decisions(assigned(quality, cost, self._floor, places, self._steps, self._first_step))


def assigned(
    quality: FloatArray, cost: FloatArray, floor: float, places: FloatArray, steps: int, first_step: float
) -> IntArray:
    """Return the deployment of each query (n,) that the best of some subgradient steps gives.

    Parameters
    ----------
    quality, cost : arrays (n, n_deployments)
    floor : float
    places : array (n_deployments,)
        ``inf`` for no limit.
    steps : int
    first_step : float
    """
    n, n_deployments = quality.shape
    unit = float(cost.mean())
    cost = cost / (unit if unit > 0 else 1.0)
    each, limited = np.arange(n), np.isfinite(places)
    floor_price, place_price = 0.0, np.zeros(n_deployments)
    best: tuple[bool, float, IntArray] | None = None
    for number in range(1, steps + 1):
        priced = cost - floor_price * quality + place_price
        wanted = priced.argmin(axis=1)
        counts = np.bincount(wanted, minlength=n_deployments)
        chosen = wanted if (counts <= places).all() else within(priced, places)
        mean = float(quality[each, chosen].sum()) / n
        is_above = mean >= floor - TOLERANCE
        value = -float(cost[each, chosen].sum()) if is_above else mean
        if best is None or (is_above, value) > best[:2]:
            best = is_above, value, chosen
        step = first_step / math.sqrt(number)
        floor_price = max(0.0, floor_price + step * (floor - float(quality[each, wanted].sum()) / n))
        over = np.where(limited, counts - np.where(limited, places, 0.0), 0.0) / n
        place_price = np.maximum(0.0, place_price + step * over)
    assert best is not None
    return best[2]


def within(priced: FloatArray, places: FloatArray) -> IntArray:
    """Return the cheapest deployment with a place left, query by query (n,); without any place, the cheapest.

    >>> within(np.array([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]]), np.array([1.0, 1.0])).tolist()
    [0, 1, 0]
    """
    left = places.copy()
    chosen = np.empty(len(priced), dtype=np.int64)
    for number, row in enumerate(priced):
        has_place = left >= 1 - TOLERANCE
        chosen[number] = np.where(has_place, row, np.inf).argmin() if has_place.any() else row.argmin()
        left[chosen[number]] -= 1
    return chosen
