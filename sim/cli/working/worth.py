"""Says in how many processes a study is carried out. It goes by what is asked for, and never by the clock."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass

from omegaconf import DictConfig

from sim.errors import check_number
from sim.scenario import Scenario

# Decisions from which on processes beside this one pay, measured on two cores: one takes about two seconds to start, in
# which this one makes 80,000.
WORTH_IT = 200_000
# Rows that one replication may have if several are to be in memory at one time.
TOO_MANY = 5_000_000

EXPLAINED = 3  # what a run that is explained takes, of one that is not
CANDIDATES = 10  # of a plan


@dataclass(frozen=True)
class Amount:
    """How much a study asks for.

    Parameters
    ----------
    tasks : int
        That do not depend on each other.
    of_each : callable
        From the number of queries to how many decisions are made in one of them, each query counted for each policy.
    brings_tables : bool
        Whether each task brings a row for each of these.
    """

    tasks: int
    of_each: Callable[[int], int]
    brings_tables: bool = False


def of_runs(config: DictConfig) -> Amount:
    """Return what run and compare ask for."""
    n_runs = len(config.policy) + len(set(config.oracle.names))
    return Amount(config.replications, lambda n_queries: n_queries * n_runs, brings_tables=True)


def of_explanations(config: DictConfig) -> Amount:
    """Return what explain asks for."""
    n_runs = len(config.policy) * EXPLAINED
    return Amount(config.replications, lambda n_queries: n_queries * n_runs)


def of_ratios(config: DictConfig) -> Amount:
    """Return what ratio asks for at least."""
    sizes, n_runs = list(config.sizes), len(config.order) * len(config.policy)
    return Amount(
        config.min_replications,
        lambda n_queries: n_runs * sum(size if isinstance(size, int) else n_queries for size in sizes),
    )


def of_plan(config: DictConfig) -> Amount:
    """Return what plan asks for, more or less."""
    return Amount(config.min_replications, lambda n_queries: n_queries * CANDIDATES)


def processes(config: DictConfig, n_queries: int | None, amount: Amount) -> int:
    """Return how many processes are to share a study: what ``workers`` says, or as many as it is worth.

    Parameters
    ----------
    config : DictConfig
    n_queries : int or None
        None where that is not known.
    amount : Amount

    Raises
    ------
    ValueError
        If ``workers`` cannot be.
    """
    check_number("workers", config.workers, least=1, null="for one per core where it is worth it")
    if not sys.executable:  # as inside another program
        return 1
    if config.workers is not None:
        return min(int(config.workers), amount.tasks)
    of_each = 0 if n_queries is None else amount.of_each(n_queries)
    if of_each * amount.tasks < WORTH_IT or (amount.brings_tables and of_each > TOO_MANY):
        return 1
    return min(cores(), amount.tasks)


def cores() -> int:
    """Return on how many cores this process may run."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def queries_named(config: DictConfig) -> int | None:
    """Return how many queries a configuration says that arrive; None if it does not, as where a file has them."""
    for number in (config.get("n_queries"), config.workload.get("n_queries")):
        if isinstance(number, int):
            return number
    return None


def queries_of(scenario: Scenario) -> int:
    """Return how many queries arrive in a scenario, at most."""
    return scenario.n_queries or len(scenario.workload.test)
