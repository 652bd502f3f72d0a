"""Serves each query for as long as was measured of it. It knows the clock, and neither tokens nor money."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sim.errors import check_number
from sim.interface import FloatArray, IntArray
from sim.world.moment import Clock
from sim.world.services.job import Finish, Server
from sim.world.services.slots import SlotsServer
from sim.world.services.timed import drawn_s


@dataclass(frozen=True)
class Measured:
    """Serve each query for the latency that the workload measured of it at this model (``m|latency_s``).

    What was measured at a hosted model has its waiting inside, so by default nothing waits here. An event that slows
    the deployment down stretches the measured times. The first token comes with the last: the measurement says nothing
    of its parts.

    Parameters
    ----------
    slots : int or None
        The most queries in service at once, in each replica; None for any number.
    context_tokens : int or None
        The longest query that fits; None for any length.

    Raises
    ------
    ValueError
        If there is no slot, or the context is not positive. Whether the workload has the latencies is checked when
        fleet and workload meet.
    """

    slots: int | None = None
    context_tokens: int | None = None
    needs_output_tokens = False
    replays_latency = True

    def __post_init__(self) -> None:
        """Check the hyperparameters."""
        check_number("slots", self.slots, least=1, null="for any number")
        check_number("context_tokens", self.context_tokens, least=1, null="for no limit")

    def draw(self, n_queries: int, rng: np.random.Generator) -> None:
        """Return None: the measured latencies stand in the place of random numbers."""

    def open(self, env: Clock, finish: Finish) -> Server:
        """Return the server of one run."""
        return SlotsServer(self.slots or math.inf, drawn_s, env, finish)

    def holds_s(self, output_tokens: IntArray | None, draws: FloatArray | None) -> FloatArray:
        """Return how long each of n queries holds a slot (n,): what was measured of it (n, 1)."""
        assert draws is not None  # the instance gave every arrival its latency
        return draws[:, 0]
