"""Computes closed forms of Markovian queues: Poisson arrivals and exponential times. It knows no simulation.

Throughout, the offered load is arrival rate x mean service time, the servers' work per second.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


def check_load(load: float, servers: int) -> None:
    """Raise ValueError unless the load is positive and the queue in front of the servers is stable."""
    if not 0 < load < servers:
        raise ValueError(
            f"the offered load is {load:g}; it must be positive and below the number of servers, {servers}"
        )


def erlang_b(load: float, servers: int) -> float:
    """Return the fraction of arrivals that M/G/c/c blocks, whatever the distribution of service times.

    Parameters
    ----------
    load : float
        Offered load, at least 0.
    servers : int

    Notes
    -----
    B(0) = 1, B(c) = load B(c - 1) / (c + load B(c - 1)): Gross, Shortle, Thompson and Harris, Fundamentals of Queueing
    Theory, 4th ed. (Wiley 2008), chapter 2; insensitivity: ibid. chapter 5.

    Examples
    --------
    >>> round(erlang_b(5, 5), 6)
    0.284868
    """
    blocking = 1.0
    for c in range(1, servers + 1):
        blocking = load * blocking / (c + load * blocking)
    return blocking


def erlang_c(load: float, servers: int) -> float:
    """Return the fraction of arrivals that wait in M/M/c: Erlang's delay formula, C = B / (1 - rho (1 - B)).

    Raises
    ------
    ValueError
        If the queue is not stable.

    Notes
    -----
    Gross et al. (2008), chapter 2. For one server C = rho.

    Examples
    --------
    >>> round(erlang_c(8, 10), 6)
    0.40918
    """
    check_load(load, servers)
    blocking = erlang_b(load, servers)
    return blocking / (1 - load / servers * (1 - blocking))


def mmc_mean_wait_s(rate_per_s: float, service_s: float, servers: int) -> float:
    """Return the mean wait in M/M/c (M/M/1 for one server), first come first served.

    W_q = C service_s / (c - load); Gross et al. (2008), chapter 2.

    Examples
    --------
    >>> round(mmc_mean_wait_s(0.8, 1.0, 1), 9)
    4.0
    """
    load = rate_per_s * service_s
    return erlang_c(load, servers) * service_s / (servers - load)


def mmc_wait_quantile_s(rate_per_s: float, service_s: float, servers: int, probability: float) -> float:
    """Return the wait that a fraction ``probability`` of arrivals does not exceed in M/M/c, first come first served.

    P(W > t) = C exp(-(c - load) t / service_s); Gross et al. (2008), chapter 2.
    """
    load = rate_per_s * service_s
    waiting = erlang_c(load, servers)
    return max(0.0, math.log(waiting / (1 - probability)) * service_s / (servers - load))


def mm1k_blocking(load: float, places: int) -> float:
    """Return the fraction of arrivals that find all places taken, that in service included, in M/M/1/K.

    P_n = rho^n / sum_{k <= K} rho^k; Gross et al. (2008), chapter 2.
    """
    return _mm1k(load, places)[-1]


def mm1k_mean_number(load: float, places: int) -> float:
    """Return the mean number of customers in M/M/1/K; Gross et al. (2008), chapter 2."""
    return sum(n * probability for n, probability in enumerate(_mm1k(load, places)))


def _mm1k(load: float, places: int) -> list[float]:
    """Return the probability of each number of customers, 0 to ``places``."""
    weights = [load**n for n in range(places + 1)]
    return [weight / sum(weights) for weight in weights]


@dataclass(frozen=True)
class ErlangA:
    """Figures of M/M/c+M, over all arrivals: the shares that wait and give up, and the length of the queue."""

    waiting: float
    abandoned: float
    mean_wait_s: float


def erlang_a(rate_per_s: float, service_s: float, servers: int, patience_s: float) -> ErlangA:
    """Return the figures of M/M/c+M: exponential patience while waiting, none once served. Always stable.

    Parameters
    ----------
    rate_per_s, service_s : float
    servers : int
    patience_s : float
        Mean patience.

    Notes
    -----
    The number of customers is a birth-death process with births at the arrival rate and deaths at
    min(n, c) / service_s + max(0, n - c) / patience_s. By PASTA P(wait) is P(n >= c); the abandonment rate is
    E[queue] / patience_s, so P(abandon) = E[queue] / (rate patience_s), and by Little's law the mean wait of all
    arrivals, served or not, is E[queue] / rate = P(abandon) patience_s (Garnett, Mandelbaum and Reiman, Designing a
    call center with impatient customers, Manufacturing & Service Operations Management 4, 2002).
    """
    weight, total, queue, waiting, n = 1.0, 1.0, 0.0, 0.0, 0
    while weight > 1e-18 * total or n <= max(servers, rate_per_s * service_s):
        n += 1
        weight *= rate_per_s / (min(n, servers) / service_s + max(0, n - servers) / patience_s)
        total += weight
        if n >= servers:
            waiting += weight
            queue += (n - servers) * weight
    mean_wait_s = queue / total / rate_per_s
    return ErlangA(waiting / total, mean_wait_s / patience_s, mean_wait_s)


def tandem_mean_sojourn_s(rate_per_s: float, services_s: Sequence[float]) -> float:
    """Return the mean time through M/M/1 queues in series: each is M/M/1 at the same rate.

    sum_k 1 / (mu_k - rate); Jackson, Networks of waiting lines, Operations Research 5 (1957): the departures of
    M/M/1 are Poisson.

    Examples
    --------
    >>> round(tandem_mean_sojourn_s(0.8, [1.0, 0.8]), 6)
    7.222222
    """
    for service_s in services_s:
        check_load(rate_per_s * service_s, 1)
    return sum(1 / (1 / service_s - rate_per_s) for service_s in services_s)


def limited_sharing_mean_sojourn_s(rate_per_s: float, service_s: float) -> float:
    """Return the mean sojourn where up to any number of customers share one server equally and others wait.

    With exponential service the number of customers is that of M/M/1, however many may share, so it is 1 / (mu - rate)
    by Little's law. Exact for exponential service only: for other distributions it depends on the number that share
    (Avi-Itzhak and Halfin, Expected response times in a non-symmetric time sharing queue with a limited number of
    service positions, Proceedings of ITC 12, 1988).
    """
    check_load(rate_per_s * service_s, 1)
    return 1 / (1 / service_s - rate_per_s)
