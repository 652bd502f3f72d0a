"""Holds the arrival processes, which say when queries arrive. They do not say which query arrives: an order does.

One file per family: ``renewal`` (independent gaps), ``modulated`` (a hidden state sets the rate), ``nonhomogeneous``
(the rate is a function of time), ``batches`` (several queries belong together) and ``replay`` (times from a file). All
are open loop: no time depends on what was served. Every process is a frozen dataclass whose ``times_s(n_queries, rng)``
returns n_queries non-decreasing times from 0 on.
"""

from scenarios.arrivals.renewal import Deterministic, Poisson

__all__ = ["Deterministic", "Poisson"]
