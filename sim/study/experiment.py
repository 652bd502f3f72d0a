"""Runs policies x replications on one scenario, with common random numbers. It knows policies only by their names."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from sim.assignment.prices import minimise
from sim.assignment.program import Bound, binary_program
from sim.errors import check_number, unknown
from sim.instance import Instance, frozen, realise, stream, sums
from sim.interface import DeploymentInfo, Estimates, Estimator, Policy
from sim.scenario import Scenario
from sim.selection import unseen_topics
from sim.study.fleet import fleet_table, unbounded
from sim.study.metrics import IN_EVERY_SUMMARY, Metric, counts, evaluate, totals
from sim.study.metrics.checks import check_metrics
from sim.study.metrics.counting import ratio, share_of_optimum
from sim.study.metrics.load import money
from sim.study.metrics.warm_up import check_warm_up, discard_warm_up
from sim.study.output.store import Store, optimum, predictions
from sim.study.record.checks import check
from sim.study.record.window import rented
from sim.study.replay import losing, replayed
from sim.study.rounding import ROUNDED, quality_range
from sim.world.record import frame
from sim.world.world import simulate

ON_ESTIMATES = APPROXIMATE, PUBLISHED = "approximate_optimum", "published_optimum"
OPTIMUM, BINARY = "optimum", "binary_optimum"
ORACLES = (APPROXIMATE, PUBLISHED, OPTIMUM, BINARY)
BAYES = "bayes_optimum"  # on expected quality and true costs; computed, never replayed
ALWAYS = (
    *("policy", "replication", "seed", *IN_EVERY_SUMMARY),
    *("relative_quality", "optimum_ratio", "bayes_ratio", "wall_s"),
)


@dataclass(frozen=True)
class Oracle:
    """Which hindsight optima to compute and replay before the policies.

    Parameters
    ----------
    names : sequence of str
        Any of ``approximate_optimum`` (linear program on estimates), ``published_optimum`` (the same plan, of which
        refused queries are lost whatever ``exhausted`` is, as in arXiv 2509.02718), ``optimum`` (on the truth) and
        ``binary_optimum`` (on the truth, with no query split; for at most 200,000 pairs of query and deployment).
    estimator : Estimator or None
        Makes the estimates of the first two.

    Notes
    -----
    A plan is replayed under the scenario's ``exhausted``, as policies are. Unless it is ``lost``, a planned query that
    is refused goes to the other deployments that are worth their price, in order of q_i - p_i c_i, with the plan's own
    qualities q, costs c and prices p of the budgets. A plan's own costs are what ``reserve=estimate`` reserves for it.
    """

    names: Sequence[str] = (APPROXIMATE, OPTIMUM)
    estimator: Estimator | None = None

    def __post_init__(self) -> None:
        """Check the names."""
        for name in self.names:
            if name not in ORACLES:
                raise ValueError(unknown("oracle", name, ORACLES))


@dataclass(frozen=True)
class Run:
    """One policy's replication: its requests, its row of the summary, its instance and its fleet's table."""

    policy: str
    replication: int
    requests: pd.DataFrame
    summary: dict[str, float | int | str]
    instance: Instance
    fleet: pd.DataFrame


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
        ``optimum_ratio``; without them those columns are NaN. So is the latter where budgets or prices may change
        during the run, or estimates are reserved: the program then bounds nothing. Where it does and the workload knows
        expected quality, ``bayes_ratio`` is quality over the program on that and on true costs. No policy that sees no
        outcome beforehand has more than 1 in expectation, though it may be lucky in one run. The costs are true ones,
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
    check_number("roundings", roundings, least=0)
    estimates, bounds = EstimateCache(), BoundCache()
    for replication in range(replications):
        done = replicate(
            scenario, policies, seed, replication, oracle, metrics, warm_up, estimates=estimates, bounds=bounds
        )
        for run in done:
            if roundings:
                span = (float("nan"), float("nan"))
                if replication == 0 and run.policy in policies:
                    policy, quality = policies[run.policy], float(run.summary["quality"])
                    predicted = estimates.get(policy.estimator, run.instance)
                    span = quality_range(run.policy, policy, run.instance, predicted, quality, roundings)
                run.summary.update(zip(ROUNDED, span, strict=True))
            yield run


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
    truth, names = Estimates(instance.quality, instance.cost), [name for name in ORACLES if name in oracle.names]
    known = {name: estimates.get(oracle.estimator, instance) if name in ON_ESTIMATES else truth for name in names}
    optima = {name: bounds.get(name, instance, known[name]) for name in names}
    replays = {name: replayed(optima[name], known[name], instance, name == PUBLISHED) for name in names}
    is_bound = OPTIMUM in optima and unbounded(scenario) is None
    most = optima[OPTIMUM].value if is_bound else float("nan")
    has_chances = is_bound and instance.expected is not None
    bayes = bounds.get(BAYES, instance, estimates.get(None, instance)).value if has_chances else float("nan")
    approximate = float("nan")
    for name, policy in {**replays, **policies}.items():
        rng = stream(seed, replication, "policy")  # the same for every policy, so that none depends on the others
        predicted = known[name] if name in replays else estimates.get(policy.estimator, instance)
        began = time.perf_counter()
        table = simulate(name, policy, losing(instance) if name == PUBLISHED else instance, predicted, rng)
        wall_s = time.perf_counter() - began
        requests = frame(table, instance)
        measured = discard_warm_up(requests, warm_up)
        try:
            check(requests, fleet)
            check_metrics(requests, measured, fleet, table.openings)
            of_optimum = share_of_optimum(float(requests["quality"].sum()), most)
        except RuntimeError as error:
            raise RuntimeError(f"policy {name!r}, replication {replication}: {error}") from error
        used = rented(fleet, table.openings, measured)
        figures = totals(requests) | money(requests, rented(fleet, table.openings, requests))
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
            "bayes_ratio": ratio(figures["quality"], bayes),
            "overshoot": max(table.overshoot_share),
            **{column: evaluate(metric, measured, used) for column, metric in metrics.items()},
            "wall_s": wall_s,
        }
        yield Run(name, replication, requests, summary, instance, fleet)


def check_draws(seed: int, replications: int) -> None:
    """Raise ValueError for a seed or a number of replications that cannot be."""
    check_number("seed", seed, least=0)
    check_number("replications", replications, least=1)


class EstimateCache:
    """Fits each estimator once for each fleet and history, and predicts each test row once.

    Predictions are functions of single rows, so they hold for every order of arrival. A store keeps them on disk.
    """

    def __init__(self, store: Store | None = None) -> None:
        self._store = store
        self._known: dict[tuple[Estimator | None, tuple[DeploymentInfo, ...], tuple[str, ...]], Estimates] = {}

    def get(self, estimator: Estimator | None, instance: Instance) -> Estimates:
        """Return predictions for every test row (n_test, n_deployments); history means without an estimator.

        Of a query that tells on arrival what it would get and cost, the predictions are the truth.
        """
        key = (estimator, instance.setting.fleet, unseen_topics(instance.scenario))
        if key not in self._known:
            history, shape = instance.setting.history, instance.quality.shape
            if estimator is None:
                means = (sums(history.quality) / len(history.quality), sums(history.cost) / len(history.cost))
                self._known[key] = Estimates(*(np.broadcast_to(mean, shape) for mean in means))
            elif instance.scenario.workload.tells_on_arrival:
                self._known[key] = Estimates(instance.quality, instance.cost)
            else:
                predicted = predictions(self._store, estimator, history, instance.features)
                self._known[key] = Estimates(*map(frozen, predicted))
        return self._known[key]


class BoundCache:
    """Solves each program once for each set of queries and budgets, whatever the order; a store keeps them on disk."""

    def __init__(self, store: Store | None = None) -> None:
        self._store = store
        self._known: dict[tuple[str, tuple[DeploymentInfo, ...], tuple[str, ...], bytes, bytes], Bound] = {}

    def get(self, name: str, instance: Instance, estimates: Estimates) -> Bound:
        """Return the optimum, its plan in order of arrival; only programs on estimates look at these."""
        by_row = np.argsort(instance.rows, kind="stable")
        rows, budgets, accounts = instance.rows[by_row], instance.setting.budgets, instance.setting.accounts
        unseen = unseen_topics(instance.scenario)
        program = APPROXIMATE if name == PUBLISHED else name
        key = (program, instance.setting.fleet, unseen, rows.tobytes(), budgets.tobytes())
        if key not in self._known:
            known = estimates if name in ON_ESTIMATES else Estimates(instance.quality, instance.cost)
            quality, cost = known.quality[rows], known.cost[rows]
            if name == BAYES:
                if instance.expected is None:
                    raise ValueError("the workload knows no expected quality, so there is no Bayes optimum")
                quality = instance.expected.quality[rows]
            if name == BINARY:
                exact = binary_program(quality, cost, budgets, accounts=accounts)
                prices, _ = minimise(quality, cost, budgets, accounts=accounts)
                self._known[key] = replace(exact, prices=prices)
            else:
                self._known[key] = optimum(self._store, quality, cost, budgets, accounts)
        bound = self._known[key]
        plan = np.empty_like(bound.plan)
        plan[by_row] = bound.plan
        return replace(bound, plan=plan)
