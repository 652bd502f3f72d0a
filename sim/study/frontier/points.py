"""Runs routers at every setting of their knobs, and each single deployment, and measures their curves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sim.instance import realise
from sim.interface import Decision, Policy, Query, State
from sim.scenario import Scenario
from sim.study.experiment import check_draws, runs
from sim.study.frontier.curve import TIE, area, hull_area, normalized_cost
from sim.study.metrics import Metric
from sim.study.metrics.groups.classes import by_column
from sim.study.oracles import Oracle
from sim.study.statistics import mean_interval
from sim.workload.classes import class_names

ROUTER, MODEL = "router", "model"
COLUMNS = (
    "kind",
    "policy",
    "knob",
    "setting",
    "replication",
    "arrived",
    "served",
    "quality_per_query",
    "cost_per_query_usd",
)
MEASURES = ("peak_quality", "area", "hull_area", "qnc")


@dataclass(frozen=True)
class Router:
    """A policy at the settings of one knob.

    Parameters
    ----------
    knob : str
        The key that is varied; empty for a policy that has none.
    policies : sequence of (setting, Policy)
        The setting is NaN without a knob.
    """

    knob: str
    policies: Sequence[tuple[float, Policy]]


class OneDeployment(Policy):
    """Every query to one deployment, by its index."""

    def __init__(self, deployment: int) -> None:
        self._decision = Decision(deployment)

    def decide(self, query: Query, state: State) -> Decision:
        """Return it."""
        return self._decision


def points(
    scenario: Scenario,
    routers: Mapping[str, Router],
    seed: int,
    replications: int,
    *,
    metrics: Mapping[str, Metric] | None = None,
    warm_up: float | str | None = None,
    done: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """Return a row per router, setting and replication, and per deployment and replication.

    Parameters
    ----------
    scenario : Scenario
        With one order. Budgets hold as they do for every run: without them, cost is what a setting asks for.
    routers : mapping of str to Router
    seed, replications : int
    metrics : mapping of str to callable or None
        Further columns.
    warm_up : float, str or None
        Which arrivals these leave out, as in ``sim.study.experiment.runs``; the other columns are over all arrivals.
    done : callable or None
        Is told of each run.

    Returns
    -------
    DataFrame
        ``COLUMNS`` and those of the metrics. ``kind`` is ``router`` or ``model``, and a model's row has its
        deployment's name as ``policy``.

    Raises
    ------
    ValueError
        If a seed or number cannot be, or replications draw different fleets.
    """
    check_draws(seed, replications)
    fleets = [realise(scenario, seed, number).setting.fleet for number in range(replications)]
    names = [info.name for info in fleets[0]]
    if any([info.name for info in fleet] != names for fleet in fleets):
        raise ValueError("each replication draws another fleet, so single models make no curve; take replications=1")
    chosen: dict[str, tuple[str, str, str, float]] = {}
    policies: dict[str, Policy] = {}
    for name, router in routers.items():
        for setting, policy in router.policies:
            label = f"{name} {router.knob}={setting:g}" if router.knob else name
            chosen[label], policies[label] = (ROUTER, name, router.knob, setting), policy
    for k, name in enumerate(names):
        label = f"{name} alone"
        chosen[label], policies[label] = (MODEL, name, "", float("nan")), OneDeployment(k)
    further_columns = dict(by_column(metrics or {}, class_names(scenario.workload.test)))
    found = []
    for run in runs(scenario, policies, seed, replications, Oracle(()), metrics or {}, warm_up):
        arrived = run.summary["arrived"]
        assert isinstance(arrived, int)
        quality, cost = (float(run.summary[column]) / arrived for column in ("quality", "total_cost_usd"))
        row = (*chosen[run.policy], run.replication, arrived, run.summary["served"], quality, cost)
        further = {name: run.summary[name] for name in further_columns}
        found.append(dict(zip(COLUMNS, row, strict=True)) | further)
        if done is not None:
            done(f"{run.policy}, replication {run.replication}")
    return pd.DataFrame(found)


def n_runs(scenario: Scenario, routers: Mapping[str, Router], seed: int, replications: int) -> int:
    """Return how many runs ``points`` makes."""
    check_draws(seed, replications)
    n_models = len(realise(scenario, seed, 0).setting.fleet)
    return replications * (n_models + sum(len(router.policies) for router in routers.values()))


def best_model(table: pd.DataFrame) -> pd.Series[Any]:
    """Return the row of the single model with the best quality in a replication; of equals the cheapest."""
    models = table[table["kind"] == MODEL]
    order = ["quality_per_query", "cost_per_query_usd"]
    return models.sort_values(order, ascending=[False, True], kind="stable").iloc[0]


def measured(table: pd.DataFrame) -> pd.DataFrame:
    """Return the measures of each router, mean over replications with the half-widths of their 95% intervals.

    Parameters
    ----------
    table : DataFrame
        As ``points`` makes it.

    Returns
    -------
    DataFrame
        ``policy``, ``knob``, ``settings`` (how many), ``replications``, and for each of ``MEASURES`` its mean and
        ``MEASURE_half_width``. The last row is of all single models together, as ``single models``. A measure that is
        missing in a replication is missing here.
    """
    rows = []
    routers = table.loc[table["kind"] == ROUTER, "policy"].unique().tolist()
    for name in [*routers, None]:
        of_each = []
        for _, replication in table.groupby("replication"):
            best = best_model(replication)
            is_model = replication["kind"] == MODEL
            curve = replication[is_model if name is None else ~is_model & (replication["policy"] == name)]
            cost, quality = (curve[column].to_numpy() for column in ("cost_per_query_usd", "quality_per_query"))
            best_quality, best_cost = float(best["quality_per_query"]), float(best["cost_per_query_usd"])
            is_curve = len(curve) > 1
            of_each.append(
                (
                    float(quality.max()),
                    area(cost, quality, best_cost) if is_curve else float("nan"),
                    hull_area(cost, quality, best_cost) if is_curve else float("nan"),
                    normalized_cost(cost, quality, best_quality, best_cost),
                )
            )
        row: dict[str, object] = {
            "policy": "single models" if name is None else name,
            "knob": "" if name is None else str(curve["knob"].iloc[0]),
            "settings": len(curve),
            "replications": len(of_each),
        }
        for measure, values in zip(MEASURES, np.array(of_each).T, strict=True):
            row[measure], half_width = mean_interval(values)
            row[f"{measure}_half_width"] = 0.0 if half_width < TIE else half_width  # equal but for rounding
        rows.append(row)
    return pd.DataFrame(rows)
