"""Computes closed forms of queues with priorities: M/G/1 and M/M/c, with and without preemption.

Classes stand in order, the most urgent first. Within a class customers are served first come, first served.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

from sim.study.theory.markovian import check_load, erlang_c, mmc_mean_wait_s


def shares_taken(loads: Sequence[float], servers: int = 1) -> list[tuple[float, float]]:
    """Return for each class the load of all classes before it, and of these and itself, per server.

    Raises
    ------
    ValueError
        If the queue is not stable.
    """
    check_load(sum(loads), servers)
    return list(pairwise(accumulate((load / servers for load in loads), initial=0.0)))


def mg1_priority_waits_s(
    rates_per_s: Sequence[float], services_s: Sequence[float], cvs: Sequence[float]
) -> list[float]:
    """Return the mean wait of each class in M/G/1 with non-preemptive priorities.

    W_k = R / ((1 - sigma_{k-1}) (1 - sigma_k)), with R = sum_j rate_j E[S_j^2] / 2 over all classes, and sigma_k the
    load of classes 1 to k: Cobham, Priority Assignment in Waiting Line Problems, Operations Research 2:70 (1954);
    Gross et al. (2008), chapter 3.

    Parameters
    ----------
    rates_per_s, services_s, cvs : sequences of float
        Of each class: arrival rate, mean and coefficient of variation of the service.

    Examples
    --------
    >>> [round(wait_s, 9) for wait_s in mg1_priority_waits_s([0.4, 0.4], [1.0, 1.0], [1.0, 1.0])]
    [1.333333333, 6.666666667]
    """
    residual_s = residuals_s(rates_per_s, services_s, cvs)[-1]
    taken = shares_taken([rate * service_s for rate, service_s in zip(rates_per_s, services_s, strict=True)])
    return [residual_s / ((1 - before) * (1 - upto)) for before, upto in taken]


def mg1_preemptive_sojourns_s(
    rates_per_s: Sequence[float], services_s: Sequence[float], cvs: Sequence[float]
) -> list[float]:
    """Return the mean time in the system of each class in M/G/1 with preemptive-resume priorities.

    T_k = service_k / (1 - sigma_{k-1}) + R_k / ((1 - sigma_{k-1}) (1 - sigma_k)), with R_k as in
    ``mg1_priority_waits_s`` but over classes 1 to k, as others do not exist for class k: Conway, Maxwell and Miller,
    Theory of Scheduling (Addison-Wesley 1967), chapter 8; Bertsekas and Gallager, Data Networks (1992), chapter 3.

    Examples
    --------
    >>> [round(time_s, 9) for time_s in mg1_preemptive_sojourns_s([0.4, 0.4], [1.0, 1.0], [1.0, 1.0])]
    [1.666666667, 8.333333333]
    """
    taken = shares_taken([rate * service_s for rate, service_s in zip(rates_per_s, services_s, strict=True)])
    return [
        service_s / (1 - before) + residual_s / ((1 - before) * (1 - upto))
        for service_s, residual_s, (before, upto) in zip(
            services_s, residuals_s(rates_per_s, services_s, cvs), taken, strict=True
        )
    ]


def residuals_s(rates_per_s: Sequence[float], services_s: Sequence[float], cvs: Sequence[float]) -> list[float]:
    """Return for each class sum_j rate_j E[S_j^2] / 2 over the classes up to it."""
    each = zip(rates_per_s, services_s, cvs, strict=True)
    return list(accumulate(rate * service_s**2 * (1 + cv**2) / 2 for rate, service_s, cv in each))


def mmc_priority_waits_s(rates_per_s: Sequence[float], service_s: float, servers: int) -> list[float]:
    """Return the mean wait of each class in M/M/c with non-preemptive priorities and one mean service for all.

    W_k = C service / (c (1 - sigma_{k-1}) (1 - sigma_k)), with C the share that waits (Erlang C) and sigma_k the load
    of classes 1 to k per server: Cobham (1954).
    """
    loads = [rate * service_s for rate in rates_per_s]
    taken = shares_taken(loads, servers)
    found_busy_s = erlang_c(sum(loads), servers) * service_s / servers
    return [found_busy_s / ((1 - before) * (1 - upto)) for before, upto in taken]


def mmc_preemptive_sojourns_s(rates_per_s: Sequence[float], service_s: float, servers: int) -> list[float]:
    """Return the mean time in the system of each class in M/M/c with preemption and one mean service for all.

    To classes 1 to k no other exists, and exponential service forgets how much of it is done, so that together they are
    an M/M/c. With L_k the mean number in that, class k has L_k - L_{k-1}; by Little's law T_k is that over its rate.
    """
    shares_taken([rate * service_s for rate in rates_per_s], servers)
    upto_per_s = accumulate(rates_per_s)
    numbers = [0.0, *(rate * (mmc_mean_wait_s(rate, service_s, servers) + service_s) for rate in upto_per_s)]
    return [(upto - before) / rate for (before, upto), rate in zip(pairwise(numbers), rates_per_s, strict=True)]
