"""Draws a Poisson process whose rate jumps with a hidden state: bursts that last. It knows no time of day.

Rate and dispersion are those of Fischer and Meier-Hellstern, The Markov-modulated Poisson process (MMPP) cookbook,
Performance Evaluation 18, 1993; the process with two states is that of Heffes and Lucantoni, IEEE Journal on Selected
Areas in Communications 4, 1986.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import expm

from scenarios.arrivals.rates import LEAST, MOST, in_order, invert, unit_points
from sim.errors import check_number, check_pairs
from sim.interface import FloatArray


@dataclass(frozen=True)
class Mmpp:
    """Markov-modulated Poisson process that visits its states in a cycle.

    In state j queries arrive at ``rates_per_s[j]``; after an exponential stay of mean ``mean_dwell_s[j]`` the next
    state is j + 1, after the last one the first. The first state is drawn from the stationary distribution, so the
    process is stationary from time 0 on and needs no warm-up.

    Parameters
    ----------
    rates_per_s : sequence of float, (n_states,)
        Queries per second in each state: at least 0, and one of them positive (0 makes silences).
    mean_dwell_s : sequence of float, (n_states,)
        How long a stay in each state lasts on average, in seconds; positive.

    Raises
    ------
    ValueError
        If the lists differ in length or are empty, or a rate or stay cannot be right.
    """

    rates_per_s: Sequence[float]
    mean_dwell_s: Sequence[float]

    def __post_init__(self) -> None:
        """Check rates and stays."""
        check_pairs("rates_per_s", self.rates_per_s, "mean_dwell_s", self.mean_dwell_s)
        for j, (rate, dwell_s) in enumerate(zip(self.rates_per_s, self.mean_dwell_s, strict=True)):
            check_number(f"rates_per_s[{j}]", rate, least=0, most=MOST)
            check_number(f"mean_dwell_s[{j}]", dwell_s, least=LEAST, most=MOST)
        if max(self.rates_per_s) == 0:
            raise ValueError(f"rates_per_s is {list(self.rates_per_s)}; at least one rate must be positive")

    def times_s(self, n_queries: int, rng: np.random.Generator) -> FloatArray:
        """Return the times (n_queries,)."""
        rates, dwell_s = np.array(self.rates_per_s, dtype=np.float64), np.array(self.mean_dwell_s, dtype=np.float64)
        n_states = len(rates)
        units = unit_points(n_queries, rng)
        first = int(rng.choice(n_states, p=dwell_s / dwell_s.sum()))
        order = (first + np.arange(n_states)) % n_states
        # The path is drawn some cycles at a time, until the expected number of arrivals covers every unit.
        cycles = int(np.ceil(units[-1] / (rates @ dwell_s))) + 1
        stays: list[FloatArray] = []
        reached = 0.0
        while reached <= units[-1]:
            drawn = rng.exponential(dwell_s[order], (cycles, n_states))
            stays.append(drawn.ravel())
            reached += float((drawn @ rates[order]).sum())
        stay_s = np.concatenate(stays)
        starts_s = np.concatenate([[0.0], np.cumsum(stay_s[:-1])])
        path = np.tile(rates[order], len(stay_s) // n_states)
        # Nothing arrives in or after a silent last stay, as the stays before it reach every unit; invert wants a rate.
        last = int(np.flatnonzero(path)[-1]) + 1
        return in_order(invert(units, starts_s[:last], path[:last], np.zeros(last)))


def stationary_rate_per_s(process: Mmpp) -> float:
    """Return the long-run rate, sum_j pi_j lambda_j with pi_j the share of time in state j."""
    dwell_s = np.array(process.mean_dwell_s)
    return float(np.array(process.rates_per_s) @ dwell_s / dwell_s.sum())


def index_of_dispersion(process: Mmpp, window_s: float) -> float:
    """Return Var N(t) / E N(t) of the arrivals N(t) in a window of t seconds, exactly.

    With generator Q, stationary row pi, Pi = 1 pi, rates Lambda = diag(lambda), mean rate m and the deviation matrix
    D = (Pi - Q)^-1 - Pi,

        Var N(t) = m t + 2 pi Lambda [D t - D^2 (I - e^(Q t))] Lambda 1,

    because the rates at two times s apart have covariance pi Lambda (e^(Q s) - Pi) Lambda 1 and the bracket is the
    integral of (t - s) (e^(Q s) - Pi) from 0 to t. For two states with jump rates r1, r2 this is Heffes and Lucantoni's
    1 + 2 (l1 - l2)^2 r1 r2 / ((r1 + r2)^2 (l1 r2 + l2 r1)) [1 - (1 - e^(-(r1 + r2) t)) / ((r1 + r2) t)].

    Raises
    ------
    ValueError
        If window_s is not positive and finite.
    """
    check_number("window_s", window_s, least=LEAST, most=MOST)
    rates, dwell_s = np.array(process.rates_per_s), np.array(process.mean_dwell_s)
    n_states = len(rates)
    leave = np.diag(1 / dwell_s)
    generator = np.roll(leave, 1, axis=1) - leave
    share = np.tile(dwell_s / dwell_s.sum(), (n_states, 1))
    deviation = np.linalg.inv(share - generator) - share
    unsettled = np.eye(n_states) - expm(generator * window_s)
    pairs = deviation * window_s - deviation @ deviation @ unsettled
    excess = 2 * (share[0] * rates) @ pairs @ rates
    return float(1 + excess / (stationary_rate_per_s(process) * window_s))
