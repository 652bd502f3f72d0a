"""Gather queries and assign them together: the least predicted cost whose mean predicted quality keeps a floor."""

from __future__ import annotations

import math
from collections.abc import Sequence

from policies.parts.batch import check_batch, decisions, estimates
from sim.assignment.floored import cheapest_above
from sim.errors import check_number
from sim.interface import Decision, Estimator, Gate, Policy, Query, State


class FloorBatch(Policy):
    """min sum_ij cost_hat_ij x_ij  s.t.  mean quality_hat >= floor,  one deployment for each query,  x binary.

    OmniRouter's batch rule (Mei et al. 2025, arXiv 2502.20576) as in the authors' released code, which has neither
    multipliers nor limits of concurrency (``policies.scored.floor_dual`` has). Where no plan keeps the floor, each
    query gets its best predicted quality, as in the rule for single queries; the released code does not look. Predicted
    floors are missed in truth, because the program picks what was predicted too well (``floor_shortfall`` of
    metric=floor). It looks at no budget and names no next choices.

    Parameters
    ----------
    estimator : Estimator
    floor : float
        Of the mean predicted quality of a batch, in [0, 1].
    size : int
        Queries in a batch.
    window_s : float
        The longest that the first query of a batch waits for the others.
    gap : float
        Relative gap at which HiGHS may stop.

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
        gap: float = 1e-4,
    ) -> None:
        check_number("floor", floor, least=0, most=1)
        check_batch(size, window_s, gap)
        self.estimator = estimator
        self.gate = Gate(size, window_s)
        self._floor = floor
        self._gap = gap

    def decide(self, query: Query, state: State) -> Decision:
        """Solve the program of one query."""
        return self.decide_batch([query], state)[0]

    def decide_batch(self, queries: Sequence[Query], state: State) -> list[Decision]:
        """Solve the program of the batch."""
        quality, cost = estimates(queries)
        plan = cheapest_above(quality, cost, self._floor, self._gap)
        return decisions(quality.argmax(axis=1) if plan is None else plan)
