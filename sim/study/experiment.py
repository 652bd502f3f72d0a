"""Policies x replications on one scenario, with common random numbers. It knows policies by the names it is given."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sim.instance import Instance, frozen, realise, stream
from sim.interface import DeploymentInfo, Estimates, Estimator, Policy
from sim.scenario import Scenario, unknown
from sim.study.bounds import Bound, Replay, linear_program
from sim.study.metrics import Metric, counts, totals
from sim.world.trace import frame
from sim.world.world import simulate

APPROXIMATE, OPTIMUM = "approximate_optimum", "optimum"


@dataclass(frozen=True)
class Oracle:
    """Which hindsight optima to compute and replay before the policies.

    Parameters
    ----------
    names : sequence of str
        Any of ``approximate_optimum`` (linear program on estimates) and ``optimum`` (on the truth).
    estimator : Estimator or None
        Makes the estimates of the former.
    """

    names: Sequence[str] = (APPROXIMATE, OPTIMUM)
    estimator: Estimator | None = None

    def __post_init__(self) -> None:
        """Check the names."""
        for name in self.names:
            if name not in (APPROXIMATE, OPTIMUM):
                raise ValueError(unknown("oracle", name, (APPROXIMATE, OPTIMUM)))


@dataclass(frozen=True)
class Run:
    """One policy's replication: its requests, its row of the summary, and the instance that it ran on."""

    policy: str
    replication: int
    requests: pd.DataFrame
    summary: dict[str, float | int | str]
    instance: Instance


def compare(
    scenario: Scenario,
    policies: Mapping[str, Policy],
    *,
    seed: int = 0,
    replications: int = 1,
    oracle: Oracle | None = None,
    metrics: Mapping[str, Metric] | None = None,
) -> pd.DataFrame:
    """Return the summary of ``runs``, one row per policy and replication."""
    return pd.DataFrame(
        [run.summary for run in runs(scenario, policies, seed, replications, oracle or Oracle(()), metrics or {})]
    )


def runs(
    scenario: Scenario,
    policies: Mapping[str, Policy],
    seed: int,
    replications: int,
    oracle: Oracle,
    metrics: Mapping[str, Metric],
) -> Iterator[Run]:
    """Run every policy on every replication, the oracles first; queries and times are the same for all policies.

    Parameters
    ----------
    scenario : Scenario
    policies : mapping of str to Policy
    seed, replications : int
    oracle : Oracle
        Its ``approximate_optimum`` is the denominator of ``relative_quality``, the value of its ``optimum`` that of
        ``optimum_ratio``; without them those columns are NaN.
    metrics : mapping of str to callable
        Further columns of the summary.

    Raises
    ------
    ValueError
        If the seed, the number of replications or the scenario cannot be.
    RuntimeError
        If a policy raises or decides something that cannot be.
    """
    if seed < 0:
        raise ValueError(f"seed is {seed}; it must be at least 0")
    if replications < 1:
        raise ValueError(f"replications is {replications}; it must be at least 1")
    for name in policies:
        if name in oracle.names:
            raise ValueError(f"a policy is named {name!r}, as an oracle is; rename it")
    estimates, bounds = EstimateCache(), BoundCache()
    for replication in range(replications):
        instance = realise(scenario, seed, replication)
        optima = {
            name: bounds.get(name, instance, estimates.get(oracle.estimator, instance))
            for name in (APPROXIMATE, OPTIMUM)
            if name in oracle.names
        }
        replays = {name: Replay(bound.plan) for name, bound in optima.items()}
        optimum = optima[OPTIMUM].value if OPTIMUM in optima else float("nan")
        approximate = float("nan")
        for name, policy in {**replays, **policies}.items():
            rng = stream(seed, replication, "policy")  # the same for every policy, so that none depends on the others
            predicted = estimates.get(policy.estimator, instance)
            began = time.perf_counter()
            trace = simulate(name, policy, instance, predicted, rng)
            wall_s = time.perf_counter() - began
            requests = frame(trace, instance)
            figures = totals(requests)
            if name == APPROXIMATE:
                approximate = figures["quality"]
            summary: dict[str, float | int | str] = {
                "policy": name,
                "replication": replication,
                "seed": seed,
                **counts(requests),
                **figures,
                "relative_quality": ratio(figures["quality"], approximate),
                "optimum_ratio": ratio(figures["quality"], optimum),
                **{column: metric(requests) for column, metric in metrics.items()},
                "wall_s": wall_s,
            }
            yield Run(name, replication, requests, summary, instance)


def ratio(numerator: float, denominator: float) -> float:
    """Return the quotient, NaN if the denominator is not positive."""
    return numerator / denominator if denominator > 0 else float("nan")


class EstimateCache:
    """Fits each estimator once for each fleet, and predicts each test row once.

    Predictions are functions of single rows, so they hold for every order of arrival.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[Estimator | None, tuple[DeploymentInfo, ...]], Estimates] = {}

    def get(self, estimator: Estimator | None, instance: Instance) -> Estimates:
        """Return predictions for every test row (n_test, n_deployments); history means without an estimator."""
        key = (estimator, instance.setting.fleet)
        if key not in self._known:
            history, shape = instance.setting.history, instance.quality.shape
            if estimator is None:
                means = (history.quality.mean(axis=0), history.cost.mean(axis=0))
                self._known[key] = Estimates(*(np.broadcast_to(mean, shape) for mean in means))
            else:
                predicted = estimator.fit(history).predict(instance.features)
                self._known[key] = Estimates(*map(frozen, predicted))
        return self._known[key]


class BoundCache:
    """Solves each program once for each set of queries and budgets, whatever the order of arrival."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, tuple[DeploymentInfo, ...], bytes, bytes], Bound] = {}

    def get(self, name: str, instance: Instance, estimates: Estimates) -> Bound:
        """Return the optimum, its plan in order of arrival."""
        by_row = np.argsort(instance.rows, kind="stable")
        rows, budgets = instance.rows[by_row], instance.setting.budgets
        key = (name, instance.setting.fleet, rows.tobytes(), budgets.tobytes())
        if key not in self._known:
            quality, cost = (instance.quality, instance.cost) if name == OPTIMUM else estimates
            self._known[key] = linear_program(quality[rows], cost[rows], budgets)
        bound = self._known[key]
        plan = np.empty_like(bound.plan)
        plan[by_row] = bound.plan
        return Bound(bound.value, plan)
