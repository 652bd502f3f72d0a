"""Runs policies x replications on one scenario, with common random numbers. It knows policies only by their names."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields

import numpy as np
import pandas as pd

from sim.errors import check_number
from sim.instance import Instance, realise, stream
from sim.interface import Estimates, IntArray, Policy, reviews
from sim.scenario import Scenario
from sim.study.fleet import fleet_table, unbounded
from sim.study.metrics import IN_EVERY_SUMMARY, Alone, Metric, counts, evaluate, totals
from sim.study.metrics.checks import check_metrics
from sim.study.metrics.counting import ratio, share_of_optimum
from sim.study.metrics.groups.classes import by_column
from sim.study.metrics.load import money
from sim.study.metrics.warm_up import check_warm_up, discard_warm_up
from sim.study.oracles import (
    APPROXIMATE,
    BAYES,
    ON_ESTIMATES,
    OPTIMUM,
    ORACLES,
    PUBLISHED,
    BoundCache,
    EstimateCache,
    Oracle,
    Parts,
)
from sim.study.record.checks import check
from sim.study.record.hours import by_hour
from sim.study.record.limit_checks import check_limits
from sim.study.record.task_checks import check_tasks
from sim.study.record.window import interrupted, rented
from sim.study.replay import losing, replayed
from sim.study.rounding import ROUNDED, quality_range
from sim.traits import moves_quality
from sim.workload.classes import class_names
from sim.world.record import RequestTable, frame
from sim.world.record.calls import call_frame
from sim.world.record.happenings import event_frame, no_events
from sim.world.record.limits import limit_frames
from sim.world.record.replicas import replica_frame
from sim.world.record.tasks import task_frame
from sim.world.world import simulate

ALWAYS = (
    *("policy", "replication", "seed", *IN_EVERY_SUMMARY),
    *("relative_quality", "optimum_ratio", "bayes_ratio", "wall_s"),
)


@dataclass(frozen=True)
class Record:
    """One policy's replication: its requests, its row of the summary, which rows arrived, and its fleet's table.

    ``rows`` (n_queries,) are test rows in order of arrival.
    ``calls`` is the call table, None where each query took one call; ``tasks`` the task table, None without tasks.
    ``events`` are the spans of time in which something happened to deployments or arrivals, none in most runs.
    ``limits`` are the periods of limits and the alerts, None where there are no limits.
    ``replicas`` says how the number of replicas changed, None where it never does; ``hours`` what each hour cost and
    brought, None for a run that is over within one.
    ``beyond`` says in words what the policy did that the optimum of whole single answers does not bound; None if
    nothing.
    """

    policy: str
    replication: int
    requests: pd.DataFrame
    summary: dict[str, float | int | str]
    rows: IntArray
    fleet: pd.DataFrame
    calls: pd.DataFrame | None = None
    tasks: pd.DataFrame | None = None
    beyond: str | None = None
    limits: tuple[pd.DataFrame, pd.DataFrame] | None = None
    events: pd.DataFrame = field(default_factory=no_events)
    replicas: pd.DataFrame | None = None
    hours: pd.DataFrame | None = None


@dataclass(frozen=True)
class Run(Record):
    """A record with the instance that it is of, which has the tables of all queries."""

    instance: Instance = field(kw_only=True)

    @property
    def record(self) -> Record:
        """The record alone."""
        return Record(**{each.name: getattr(self, each.name) for each in fields(Record)})


def compare(
    scenario: Scenario,
    policies: Mapping[str, Policy],
    *,
    seed: int = 0,
    replications: int = 1,
    oracle: Oracle | None = None,
    metrics: Mapping[str, Metric] | None = None,
    warm_up: float | str | None = None,
    roundings: int = 0,
) -> pd.DataFrame:
    """Return the summary of ``runs``, one row per policy and replication."""
    done = runs(scenario, policies, seed, replications, oracle or Oracle(()), metrics or {}, warm_up, roundings)
    return pd.DataFrame([run.summary for run in done])


def runs(
    scenario: Scenario,
    policies: Mapping[str, Policy],
    seed: int,
    replications: int,
    oracle: Oracle,
    metrics: Mapping[str, Metric],
    warm_up: float | str | None = None,
    roundings: int = 0,
) -> Iterator[Run]:
    """Run every policy on every replication, the oracles first; queries and times are the same for all policies.

    Parameters
    ----------
    scenario : Scenario
    policies : mapping of str to Policy
    seed, replications : int
    oracle : Oracle
        Its ``approximate_optimum`` is the denominator of ``relative_quality``, the value of its ``optimum`` that of
        ``optimum_ratio``; without them those columns are NaN. So is the latter where budgets, prices or quality may
        change during the run, or estimates are reserved: the program then bounds nothing. Nor does it bound a policy
        that combines or caps answers, and of tasks there is no oracle at all. Where it does and the workload knows
        expected quality, ``bayes_ratio`` is quality over the program on that and on true costs. No policy that sees no
        outcome beforehand has more than 1 in expectation, though it may be lucky in one run. One that reviews answers
        with confidences sees something of scores before it chooses, so that it has none. The costs are true ones,
        as a budget refuses what it cannot pay, so that what it accepts costs less than is expected.
    metrics : mapping of str to callable
        Further columns of the summary.
    warm_up : float, str or None
        Which arrivals the metrics leave out, see ``discard_warm_up``; all other columns are over all arrivals.
    roundings : int
        How many times each policy runs again in the first replication on estimates that are rounded otherwise, see
        ``sim.study.rounding``; the summary then has the lowest and the highest quality of all these. 0 for none.

    Raises
    ------
    ValueError
        If the seed, the number of replications or of roundings, the warm-up or the scenario cannot be, or the binary
        program is too large.
    RuntimeError
        If a policy raises or decides something that cannot be, or a request table fails its check.
    """
    check_draws(seed, replications)
    study = Study(scenario, policies, seed, oracle, metrics, warm_up, roundings)
    for replication in range(replications):
        yield from study.replication(replication)


@dataclass(frozen=True, eq=False)
class Study:
    """What ``runs`` is given but for the number of replications, each of which is made by itself, here or elsewhere.

    The caches are for replications that follow each other; no result depends on which those are.
    """

    scenario: Scenario
    policies: Mapping[str, Policy]
    seed: int
    oracle: Oracle
    metrics: Mapping[str, Metric]
    warm_up: float | str | None = None
    roundings: int = 0
    estimates: EstimateCache = field(default_factory=EstimateCache)
    bounds: BoundCache = field(default_factory=BoundCache)

    def __post_init__(self) -> None:
        """Check the number of roundings."""
        check_number("roundings", self.roundings, least=0)

    def replication(self, number: int) -> Iterator[Run]:
        """Yield the runs of one replication."""
        of_all = self.scenario, self.policies, self.seed, number, self.oracle, self.metrics, self.warm_up
        for run in replicate(*of_all, estimates=self.estimates, bounds=self.bounds):
            if self.roundings:
                span = (float("nan"), float("nan"))
                if number == 0 and run.policy in self.policies:
                    policy, quality = self.policies[run.policy], float(run.summary["quality"])
                    predicted = self.estimates.get(policy.estimator, run.instance)
                    span = quality_range(run.policy, policy, run.instance, predicted, quality, self.roundings)
                run.summary.update(zip(ROUNDED, span, strict=True))
            yield run

    def records(self, number: int) -> Iterator[Record]:
        """Yield the records of one replication."""
        for run in self.replication(number):
            yield run.record


def replicate(
    scenario: Scenario,
    policies: Mapping[str, Policy],
    seed: int,
    replication: int,
    oracle: Oracle,
    metrics: Mapping[str, Metric],
    warm_up: float | str | None = None,
    *,
    estimates: EstimateCache,
    bounds: BoundCache,
) -> Iterator[Run]:
    """Run every policy on one replication, as ``runs`` does; the caches may be shared by scenarios of one workload."""
    check_draws(seed, replication + 1)
    for name in policies:
        if name in oracle.names:
            raise ValueError(f"a policy is named {name!r}, as an oracle is; rename it")
    for name in metrics:
        if name in (*ALWAYS, *ROUNDED):
            raise ValueError(f"a metric is named {name!r}, as a column of every summary is; give it another name")
    check_warm_up(warm_up)
    instance = realise(scenario, seed, replication)
    fleet = fleet_table(instance)
    truth = Estimates(instance.quality, instance.cost)
    names = [name for name in ORACLES if name in oracle.names and instance.tasks is None]  # no plan is of whole tasks
    known = {name: estimates.get(oracle.estimator, instance) if name in ON_ESTIMATES else truth for name in names}
    optima = {name: bounds.get(name, instance, known[name]) for name in names}
    replays = {name: replayed(optima[name], known[name], instance, name == PUBLISHED) for name in names}
    is_bound = OPTIMUM in optima and unbounded(scenario) is None
    most = optima[OPTIMUM].value if is_bound else float("nan")
    has_chances = is_bound and instance.expected is not None
    bayes = bounds.get(BAYES, instance, estimates.get(None, instance)).value if has_chances else float("nan")
    approximate = float("nan")
    alone = functools.cache(lambda: alone_in(instance))
    columns = dict(by_column(metrics, class_names(scenario.workload.test)))
    for name, policy in {**replays, **policies}.items():
        rng = stream(seed, replication, "policy")  # the same for every policy, so that none depends on the others
        is_shared = sum(policy.estimator == other.estimator for other in policies.values()) > 1
        make = estimates.get if is_shared else estimates.upcoming
        predicted = known[name] if name in replays else make(policy.estimator, instance)
        table, wall_s = timed(name, policy, losing(instance) if name == PUBLISHED else instance, predicted, rng)
        requests, calls, tasks = framed(table, instance)
        limits = None if table.limits is None else limit_frames(table.limits, scenario.spending)
        measured = discard_warm_up(requests, warm_up)
        try:
            check(requests, fleet, calls)
            if tasks is not None:
                check_tasks(requests, tasks)
            if limits is not None:
                check_limits(requests, calls, limits[0], instance)
            check_metrics(requests, measured, fleet, table.openings, calls)
            limit = most if table.beyond is None else float("nan")  # it is of whole single answers
            sees_signs = reviews(policy) and instance.confidence is not None  # of scores, which chances know nothing of
            fair = float("nan") if table.beyond is not None or sees_signs else bayes
            of_optimum = share_of_optimum(float(requests["quality"].sum()), limit)
        except RuntimeError as error:
            raise RuntimeError(f"policy {name!r}, replication {replication}: {error}") from error
        used = interrupted(rented(fleet, table.openings, measured), table.replicas, measured)
        figures = totals(requests) | money(requests, rented(fleet, table.openings, requests), calls)
        if name == APPROXIMATE:
            approximate = figures["quality"]
        summary: dict[str, float | int | str] = {
            "policy": name,
            "replication": replication,
            "seed": seed,
            **counts(requests),
            **figures,
            "relative_quality": ratio(figures["quality"], approximate),
            "optimum_ratio": of_optimum,
            "bayes_ratio": ratio(figures["quality"], fair),
            "overshoot": max(table.overshoot_share),
            **{column: evaluate(metric, measured, used, calls, tasks, alone) for column, metric in columns.items()},
            "wall_s": wall_s,
        }
        yield Run(
            *(name, replication, requests, summary, instance.rows, fleet, calls, tasks),
            *(table.beyond, limits, event_frame(table, instance)),
            *capacity(table, instance, requests, fleet, calls),
            instance=instance,
        )


def timed(
    name: str, policy: Policy, instance: Instance, estimates: Estimates | Parts, rng: np.random.Generator
) -> tuple[RequestTable, float]:
    """Return the table of a run and how long the computer took, predictions aside."""
    began = time.perf_counter()
    table = simulate(name, policy, instance, estimates, rng)
    took_s = time.perf_counter() - began
    return table, took_s - estimates.took_s if isinstance(estimates, Parts) else took_s


def framed(table: RequestTable, instance: Instance) -> tuple[pd.DataFrame, pd.DataFrame | None, pd.DataFrame | None]:
    """Return the tables of requests, calls and tasks of a finished run, in the place of the columns of its table."""
    requests = frame(table, instance)
    calls = None if table.calls is None else call_frame(table.calls, instance)
    tasks = None if table.tasks is None else task_frame(table.tasks, requests, instance)
    table.let_go()
    return requests, calls, tasks


def capacity(
    table: RequestTable, instance: Instance, requests: pd.DataFrame, fleet: pd.DataFrame, calls: pd.DataFrame | None
) -> tuple[pd.DataFrame | None, pd.DataFrame | None]:
    """Return how replicas changed, None where they never do, and what each hour cost, None for a run of less."""
    moves = any(not deployment.has_fixed_replicas for deployment in instance.fleet)
    replicas = replica_frame(table.replicas, fleet["deployment"].tolist()) if moves else None
    begins_at = instance.scenario.spending.calendar("hour").at
    return replicas, by_hour(requests, fleet, table.replicas, calls, begins_at)


def alone_in(instance: Instance) -> Alone | None:
    """Return what each deployment would do with all queries alone; None where events change what answers are worth."""
    if moves_quality(instance.scenario.events):
        return None
    return Alone(instance.quality[instance.rows], instance.cost_usd[instance.rows])


def check_draws(seed: int, replications: int) -> None:
    """Raise ValueError for a seed or a number of replications that cannot be."""
    check_number("seed", seed, least=0)
    check_number("replications", replications, least=1)
