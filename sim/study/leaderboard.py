"""Ranks policies on tables, orders and seeds that stay as they are, with figures that do not depend on the machine.

It knows no policy and no table by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from sim.interface import Policy
from sim.scenario import Scenario
from sim.study.experiment import replicate
from sim.study.oracles import ORACLES, BoundCache, EstimateCache, Oracle
from sim.study.statistics import mean_interval

KEYS = ("table", "order", "policy")
FIGURES = ("quality", "optimum_ratio", "optimum_ratio_half_width", "relative_quality", "served_share", "total_cost_usd")
DIGITS = 6  # significant ones, far above what the rounding of sums can reach
WORDS = "%.6g"


@dataclass(frozen=True)
class Task:
    """One table in one order of arrival."""

    table: str
    order: str
    scenario: Scenario


def standings(
    tasks: Sequence[Task],
    policies: Mapping[str, Policy],
    seeds: Sequence[int],
    oracle: Oracle,
    done: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """Run every policy on every task with every seed.

    Parameters
    ----------
    tasks : sequence of Task
        Tasks of one table share predictions and bounds.
    policies : mapping of str to Policy
    seeds : sequence of int
        Of one replication each.
    oracle : Oracle
    done : callable or None
        Called after each run with what it was, in words.

    Returns
    -------
    DataFrame
        A row per task and policy: ``table``, ``order``, ``policy``, ``seeds`` (how many) and ``FIGURES``, which are
        means over the seeds, to ``DIGITS`` digits; ``optimum_ratio_half_width`` is that of the 95% interval.

    Raises
    ------
    ValueError
        If there is no seed, or a seed is given twice.
    """
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds is {list(seeds)}; give one or more whole numbers, each once")
    rows = []
    estimates = {task.table: EstimateCache() for task in tasks}
    bounds = {task.table: BoundCache() for task in tasks}
    for task in tasks:
        found: dict[str, list[dict[str, float | int | str]]] = {name: [] for name in policies}
        for seed in seeds:
            caches = {"estimates": estimates[task.table], "bounds": bounds[task.table]}
            for run in replicate(task.scenario, policies, seed, 0, oracle, {}, **caches):  # type: ignore[arg-type]
                if run.policy not in ORACLES:
                    found[run.policy].append(run.summary)
                    if done is not None:
                        done(f"{task.table}, order {task.order}, seed {seed}, {run.policy}")
        rows += [row(task, policy, pd.DataFrame(summaries)) for policy, summaries in found.items()]
    return pd.DataFrame(rows)


def row(task: Task, policy: str, summaries: pd.DataFrame) -> dict[str, float | int | str]:
    """Return the means of a policy on a task."""
    means = {name: float(summaries[name].mean()) for name in ("quality", "relative_quality", "total_cost_usd")}
    means["optimum_ratio"], means["optimum_ratio_half_width"] = mean_interval(summaries["optimum_ratio"].tolist())
    means["served_share"] = float((summaries["served"] / summaries["arrived"]).mean())
    rounded = {name: float(WORDS % means[name]) for name in FIGURES}
    return {"table": task.table, "order": task.order, "policy": policy, "seeds": len(summaries), **rounded}


def ranking(table: pd.DataFrame) -> pd.DataFrame:
    """Rank the policies by the mean of their shares of the optimum over all tables and orders.

    Returns
    -------
    DataFrame
        A row per policy, the best first: ``rank`` (equal means share one), ``policy``, ``mean`` and ``worst`` of
        ``optimum_ratio`` over tables and orders, ``half_width``, the mean of their half-widths, which is at least that
        of ``mean``, and ``worst_at``, the table and order of ``worst``.
    """
    shares = table.set_index("policy")
    shares = shares.assign(at=shares["table"] + ", " + shares["order"])
    grouped = shares["optimum_ratio"].groupby(level="policy", sort=False)
    widths = shares["optimum_ratio_half_width"].groupby(level="policy", sort=False).mean()
    found = pd.DataFrame({"mean": grouped.mean(), "half_width": widths, "worst": grouped.min()})
    lowest = shares.sort_values("optimum_ratio", kind="stable").groupby(level="policy", sort=False)["at"].first()
    found["worst_at"] = lowest.reindex(found.index)
    figures = ["mean", "half_width", "worst"]
    found[figures] = found[figures].map(lambda share: float(WORDS % share))
    found = found.sort_values("mean", ascending=False, kind="stable").reset_index()
    found.insert(0, "rank", found["mean"].rank(ascending=False, method="min").astype(int))
    return found[["rank", "policy", *figures, "worst_at"]]


def write(table: pd.DataFrame, path: Path) -> None:
    """Write standings as CSV, the same bytes on every machine."""
    table.sort_values(list(KEYS), kind="stable").to_csv(path, index=False, float_format=WORDS, lineterminator="\n")


def read(path: Path) -> pd.DataFrame:
    """Read standings; raise ValueError if the file has other columns.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    table = pd.read_csv(path, dtype={"table": str, "order": str, "policy": str})
    wanted = [*KEYS, "seeds", *FIGURES]
    if list(table.columns) != wanted:
        raise ValueError(f"{path} has columns {', '.join(table.columns)}; a leaderboard has {', '.join(wanted)}")
    return table


def differing(table: pd.DataFrame, frozen: pd.DataFrame) -> tuple[int, list[str]]:
    """Compare standings with frozen ones.

    Returns
    -------
    n_both : int
        How many rows are in both: the same table, order, policy and number of seeds.
    lines : list of str
        A line per figure of those that differs.
    """
    keys = [*KEYS, "seeds"]
    both = table.merge(frozen, on=keys, suffixes=("", "_frozen"))
    lines = [
        f"{one['policy']} on {one['table']} in order {one['order']}: {figure} is {WORDS % one[figure]}, "
        f"frozen {WORDS % one[f'{figure}_frozen']}"
        for one in both.to_dict("records")
        for figure in FIGURES
        if WORDS % one[figure] != WORDS % one[f"{figure}_frozen"]
    ]
    return len(both), lines
