"""Computes closed forms with one general distribution: M/G/1, G/M/1, processor sharing, M/G/infinity."""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy.optimize import brentq

from sim.study.theory.markovian import check_load


def mg1_mean_wait_s(rate_per_s: float, service_s: float, service_cv: float) -> float:
    """Return the mean wait in M/G/1, first come first served, for service times of the given mean and variation.

    Pollaczek-Khinchine: W_q = rate E[S^2] / (2 (1 - rho)) with E[S^2] = service_s^2 (1 + cv^2); Gross, Shortle,
    Thompson and Harris, Fundamentals of Queueing Theory, 4th ed. (Wiley 2008), chapter 5. M/D/1 has cv 0, M/M/1 cv 1.

    Raises
    ------
    ValueError
        If the queue is not stable.

    Examples
    --------
    >>> [round(mg1_mean_wait_s(0.8, 1.0, cv), 9) for cv in (0, 1, 2)]
    [2.0, 4.0, 10.0]
    """
    load = rate_per_s * service_s
    check_load(load, 1)
    return rate_per_s * service_s**2 * (1 + service_cv**2) / (2 * (1 - load))


def gamma_transform(mean_s: float, cv: float) -> Callable[[float], float]:
    """Return the Laplace transform E[exp(-s X)] of a gamma time: (1 + s mean_s cv^2)^(-1 / cv^2)."""
    return lambda s: math.exp(-math.log1p(s * mean_s * cv**2) / cv**2)


def gm1_sigma(transform: Callable[[float], float], gap_s: float, service_s: float) -> float:
    """Return the fraction of arrivals that wait in G/M/1: the root in (0, 1) of sigma = A(mu (1 - sigma)).

    Parameters
    ----------
    transform : callable
        A: the Laplace transform of the gaps between arrivals, of s in 1 / s.
    gap_s, service_s : float
        Mean gap and mean service time.

    Raises
    ------
    ValueError
        If the queue is not stable.

    Notes
    -----
    Gross et al. (2008), chapter 5; Kleinrock, Queueing Systems I (Wiley 1975), chapter 6. The root 1 is not it, so the
    search ends short of it: 1 - sigma is found, in logarithms.

    Examples
    --------
    >>> round(gm1_sigma(gamma_transform(1.25, 2.0), 1.25, 1.0), 6)
    0.916355
    """
    check_load(service_s / gap_s, 1)

    def excess(log_free: float) -> float:
        free = math.exp(log_free)
        return transform(free / service_s) - (1 - free)

    return 1 - math.exp(brentq(excess, math.log(1e-9), 0.0, xtol=1e-14))


def gm1_mean_wait_s(sigma: float, service_s: float) -> float:
    """Return the mean wait in G/M/1, first come first served: sigma service_s / (1 - sigma); Gross et al. (2008)."""
    return sigma * service_s / (1 - sigma)


def gm1_wait_quantile_s(sigma: float, service_s: float, probability: float) -> float:
    """Return the wait that a fraction ``probability`` of arrivals does not exceed in G/M/1, first come first served.

    P(W > t) = sigma exp(-(1 - sigma) t / service_s); Gross et al. (2008), chapter 5.
    """
    return max(0.0, math.log(sigma / (1 - probability)) * service_s / (1 - sigma))


def sharing_mean_sojourn_s(work_s: float, load: float) -> float:
    """Return the mean time in M/G/1 processor sharing of a customer with ``work_s`` of work: work_s / (1 - rho).

    It holds for every distribution of work with the same mean (Kleinrock, Queueing Systems II, Wiley 1976, chapter 4);
    with the mean work it is the mean sojourn of all.

    Raises
    ------
    ValueError
        If the queue is not stable.
    """
    check_load(load, 1)
    return work_s / (1 - load)


def infinite_servers_probability(load: float, number: int) -> float:
    """Return the probability that ``number`` customers are in M/G/infinity: Poisson with mean ``load``.

    Whatever the distribution of service times; Gross et al. (2008), chapter 5.
    """
    return math.exp(number * math.log(load) - load - math.lgamma(number + 1))
