"""Lists the closed forms that hold for a system, with the figures that they give. It knows no simulation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sim.study.theory import general, markovian, priority
from sim.study.theory.conditions import (
    System,
    alone,
    any_queue,
    exponential,
    impatient,
    in_turn,
    known_transform,
    limited_queue,
    no_queue,
    one_server,
    one_service,
    patient,
    poisson,
    preempting,
    ranked,
    series,
    sharing,
    some_servers,
    stable,
    uninterrupted,
    unlimited_servers,
    unranked,
)

P99, PERCENTILE = 0.99, "P99 of wait, s"
Condition = Callable[[System], str | None]
"""From a system to the reason why a form does not apply to it, None if there is none."""


def wait_of(rank: int) -> str:
    """Return the name of the figure that is the mean wait of a rank, from 1."""
    return f"mean wait of rank {rank}, s"


def sojourn_of(rank: int) -> str:
    """Return the name of the figure that is the mean time in the system of a rank, from 1."""
    return f"mean sojourn of rank {rank}, s"


@dataclass(frozen=True)
class Form:
    """A closed form: its conditions, and the figures that it gives for a system that meets them all."""

    name: str
    conditions: tuple[Condition, ...]
    figures: Callable[[System], dict[str, float]]

    def refusals(self, system: System) -> list[str]:
        """Return every reason why the form does not apply; none if it does."""
        return [reason for reason in (condition(system) for condition in self.conditions) if reason]


QUEUE = (alone, unranked, in_turn, patient, any_queue)
PRIORITY = (alone, ranked, in_turn, patient, any_queue, poisson, stable)


def mmc(system: System) -> dict[str, float]:
    """Return the figures of M/M/c."""
    arguments = (system.rate_per_s, system.service.mean_s, system.servers or 1)
    return {
        "mean wait, s": markovian.mmc_mean_wait_s(*arguments),
        PERCENTILE: markovian.mmc_wait_quantile_s(*arguments, P99),
        "share that waits": markovian.erlang_c(system.load, system.servers or 1),
    }


def mg1(system: System) -> dict[str, float]:
    """Return the figures of M/G/1; that the share that waits is the load is the utilisation law and PASTA."""
    wait_s = general.mg1_mean_wait_s(system.rate_per_s, system.service.mean_s, system.service.cv)
    return {"mean wait, s": wait_s, "share that waits": system.load}


def gm1(system: System) -> dict[str, float]:
    """Return the figures of G/M/1."""
    transform = general.gamma_transform(system.gap.mean_s, system.gap.cv)
    sigma = general.gm1_sigma(transform, system.gap.mean_s, system.service.mean_s)
    return {
        "mean wait, s": general.gm1_mean_wait_s(sigma, system.service.mean_s),
        PERCENTILE: general.gm1_wait_quantile_s(sigma, system.service.mean_s, P99),
        "share that waits": sigma,
    }


def loss(system: System) -> dict[str, float]:
    """Return the figures of M/G/c/c; an arrival finds the mean number (PASTA): load x (1 - blocking), Little."""
    blocking = markovian.erlang_b(system.load, system.servers or 1)
    return {"share blocked": blocking, "number found": system.load * (1 - blocking)}


def mm1k(system: System) -> dict[str, float]:
    """Return the figures of M/M/1/K."""
    places = 1 + (system.queue_capacity or 0)
    return {
        "share blocked": markovian.mm1k_blocking(system.load, places),
        "number found": markovian.mm1k_mean_number(system.load, places),
    }


def mmcm(system: System) -> dict[str, float]:
    """Return the figures of M/M/c+M."""
    patience_s = system.patience.mean_s if system.patience else float("inf")
    figures = markovian.erlang_a(system.rate_per_s, system.service.mean_s, system.servers or 1, patience_s)
    return {"share that gives up": figures.abandoned, "share that waits": figures.waiting}


def tandem(system: System) -> dict[str, float]:
    """Return the figures of M/M/1 queues in series."""
    services_s = [service.mean_s for service in (system.service, *system.after)]
    return {"mean sojourn, s": markovian.tandem_mean_sojourn_s(system.rate_per_s, services_s)}


def processor_sharing(system: System) -> dict[str, float]:
    """Return the figures of M/G/1 processor sharing."""
    return {
        "mean sojourn, s": general.sharing_mean_sojourn_s(system.service.mean_s, system.load),
        "sojourn / work": general.sharing_mean_sojourn_s(1.0, system.load),
    }


def limited_sharing(system: System) -> dict[str, float]:
    """Return the figures of limited processor sharing."""
    sojourn_s = markovian.limited_sharing_mean_sojourn_s(system.rate_per_s, system.service.mean_s)
    return {"mean sojourn, s": sojourn_s}


def infinite(system: System) -> dict[str, float]:
    """Return the figures of M/G/infinity."""
    empty = general.infinite_servers_probability(system.load, 0)
    return {"number found": system.load, "share that finds none": empty}


def of_ranks(system: System) -> tuple[list[float], list[float], list[float]]:
    """Return arrival rate, mean and variation of the service of each rank."""
    ranks = system.ranks
    return (
        [one.share * system.rate_per_s for one in ranks],
        [one.service.mean_s for one in ranks],
        [one.service.cv for one in ranks],
    )


def by_rank(values: Sequence[float], figure: Callable[[int], str]) -> dict[str, float]:
    """Return a figure of each rank, from 1."""
    return {figure(k + 1): value for k, value in enumerate(values)}


def mg1_priority(system: System) -> dict[str, float]:
    """Return the figures of M/G/1 with non-preemptive priorities."""
    return by_rank(priority.mg1_priority_waits_s(*of_ranks(system)), wait_of)


def mg1_preemptive(system: System) -> dict[str, float]:
    """Return the figures of M/G/1 with preemptive-resume priorities."""
    return by_rank(priority.mg1_preemptive_sojourns_s(*of_ranks(system)), sojourn_of)


def mmc_priority(system: System) -> dict[str, float]:
    """Return the figures of M/M/c with non-preemptive priorities."""
    rates_per_s, services_s, _ = of_ranks(system)
    return by_rank(priority.mmc_priority_waits_s(rates_per_s, services_s[0], system.servers or 1), wait_of)


def mmc_preemptive(system: System) -> dict[str, float]:
    """Return the figures of M/M/c with preemption."""
    rates_per_s, services_s, _ = of_ranks(system)
    return by_rank(priority.mmc_preemptive_sojourns_s(rates_per_s, services_s[0], system.servers or 1), sojourn_of)


FORMS = (
    Form("M/M/c", (*QUEUE, poisson, exponential, some_servers, stable), mmc),
    Form("M/G/1", (*QUEUE, poisson, one_server, stable), mg1),
    Form("G/M/1", (*QUEUE, known_transform, exponential, one_server, stable), gm1),
    Form("Erlang B", (alone, unranked, in_turn, no_queue, poisson, some_servers), loss),
    Form("M/M/1/K", (alone, unranked, in_turn, limited_queue, patient, poisson, exponential, one_server), mm1k),
    Form("M/M/c+M", (alone, unranked, in_turn, impatient, any_queue, poisson, exponential, some_servers), mmcm),
    Form(
        "Jackson tandem",
        (series, unranked, in_turn, patient, any_queue, poisson, exponential, one_server, stable),
        tandem,
    ),
    Form(
        "M/G/1-PS",
        (alone, unranked, sharing, patient, any_queue, poisson, unlimited_servers, stable),
        processor_sharing,
    ),
    Form(
        "limited PS",
        (alone, unranked, sharing, patient, any_queue, poisson, exponential, some_servers, stable),
        limited_sharing,
    ),
    Form("M/G/infinity", (alone, unranked, in_turn, poisson, unlimited_servers), infinite),
    Form("M/G/1 priority", (*PRIORITY, uninterrupted, one_server), mg1_priority),
    Form("M/G/1 preemptive-resume", (*PRIORITY, preempting, one_server), mg1_preemptive),
    Form("M/M/c priority", (*PRIORITY, uninterrupted, some_servers, exponential, one_service), mmc_priority),
    Form("M/M/c preemptive", (*PRIORITY, preempting, some_servers, exponential, one_service), mmc_preemptive),
)
