"""Counts fates, totals and spans, on which all figures of a run rest. It knows no policy and no world.

Every figure is over all arrivals unless its name or docstring says otherwise. To add one, write a function of the table
and name it in a YAML of the group ``metric``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.interface import FloatArray
from sim.world.record import FATES as FATES_OF_ALL

Metric = Callable[..., float]
"""A function of tables, to a number; NaN where it has none.

``requests`` has a row per arrival. ``fleet``, with a row per deployment, ``calls``, with one per call (None where each
query takes one), ``tasks``, with a row per task (None where each query stands for itself), and ``alone``, see
``Alone``, are for functions with parameters of those names.
"""


class Alone(NamedTuple):
    """What each query of a run is worth and costs in USD at each deployment, by id, each (n_queries, n_deployments)."""

    quality: FloatArray
    cost_usd: FloatArray


FATES = FATES_OF_ALL[1:]  # of queries of a finished run, of which none is pending
MONEY = ("cost_usd", "token_cost_usd", "rent_usd", "total_cost_usd", "quality_per_usd")
IN_EVERY_SUMMARY = ("arrived", "tasks", *FATES, "quality", *MONEY, "overshoot")  # whatever metrics are chosen


ROUNDING = 1e-6
"""Of a hindsight optimum: HiGHS solves to 1e-7 of a share of each query, and budgets may be exceeded by 1e-9."""


def evaluate(
    metric: Metric,
    requests: pd.DataFrame,
    fleet: pd.DataFrame,
    calls: pd.DataFrame | None = None,
    tasks: pd.DataFrame | None = None,
    alone: Callable[[], Alone | None] | None = None,
) -> float:
    """Return the figure, handing over fleet, calls, tasks and ``alone()`` if the metric has parameters of those names.

    It is NaN where the metric wants ``alone`` and there is no request, or nobody knows it, as where events change what
    answers are worth. Only tasks whose first step is among the requests count.
    """
    wanted = inspect.signature(metric).parameters
    if tasks is not None:
        tasks = tasks[tasks["task"].isin(requests.loc[requests["step"] == 1, "task"])]
    given = (("fleet", fleet), ("calls", calls), ("tasks", tasks))
    tables: dict[str, Any] = {name: table for name, table in given if name in wanted}
    if "alone" in wanted and alone is not None:
        tables["alone"] = alone()
        if tables["alone"] is None or requests.empty:
            return float("nan")
    return metric(requests, **tables)


def work(requests: pd.DataFrame, calls: pd.DataFrame | None) -> pd.DataFrame:
    """Return what deployments did for these queries: their calls, or the queries where each took one call."""
    return requests if calls is None else calls[calls["query"].isin(requests["id"])]


def counts(requests: pd.DataFrame) -> dict[str, int]:
    """Return how many arrived, of how many tasks (0 where each stands for itself), and how many met each fate."""
    fates = requests["fate"].value_counts()
    n_tasks = int(requests["task"].nunique()) if "task" in requests else 0
    return {"arrived": len(requests), "tasks": n_tasks, **{fate: int(fates.get(fate, 0)) for fate in FATES}}


def totals(requests: pd.DataFrame) -> dict[str, float]:
    """Return total quality, total cost and quality per dollar (NaN if nothing was spent)."""
    quality, cost_usd = float(requests["quality"].sum()), float(requests["cost_usd"].sum())
    return {"quality": quality, "cost_usd": cost_usd, "quality_per_usd": ratio(quality, cost_usd)}


def is_served(requests: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Return which arrivals were served (n_queries,)."""
    return (requests["fate"] == "served").to_numpy(dtype=np.bool_)


def is_cached(requests: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Return which arrivals a cache answered (n_queries,)."""
    return (requests["fate"] == "cached").to_numpy(dtype=np.bool_)


def numbers(requests: pd.DataFrame, column: str) -> FloatArray:
    """Return a column (n_queries,), NaN where it has no value."""
    return requests[column].to_numpy(dtype=np.float64, na_value=np.nan)


def ended_at_s(requests: pd.DataFrame) -> FloatArray:
    """Return when each fate was settled (n_queries,).

    Records without that column know two cases: a served query ends with its last token, another when it is decided.
    """
    if "ended_at_s" in requests:
        return numbers(requests, "ended_at_s")
    finished_at_s = numbers(requests, "finished_at_s")
    return np.where(np.isnan(finished_at_s), numbers(requests, "decided_at_s"), finished_at_s)


def offered_at_s(requests: pd.DataFrame) -> FloatArray:
    """Return when each query's last try began (n_queries,); in records without that column, when it was decided."""
    return numbers(requests, "offered_at_s" if "offered_at_s" in requests else "decided_at_s")


def makespan_s(requests: pd.DataFrame) -> float:
    """Return the time from the first arrival to the last end, whatever its fate; NaN if nothing arrived."""
    if requests.empty:
        return float("nan")
    return float(np.nanmax(ended_at_s(requests)) - numbers(requests, "arrived_at_s").min())


def ratio(numerator: float, denominator: float) -> float:
    """Return the quotient, NaN if the denominator is not positive."""
    return numerator / denominator if denominator > 0 else float("nan")


def share_of_optimum(quality: float, optimum: float) -> float:
    """Return the quality as a share of an optimum that nothing exceeds; NaN without an optimum above 0.

    A policy that reaches the optimum adds the same scores in another order, and the bound is itself computed to
    ``ROUNDING``, so a share above 1 by no more than that is 1.

    Raises
    ------
    RuntimeError
        If the quality is above the optimum by more: then the bound or the record is wrong.
    """
    if quality > optimum * (1 + ROUNDING):
        raise RuntimeError(
            f"quality {quality:.9g} is above the hindsight optimum of {optimum:.9g}, which nothing can exceed"
        )
    share = ratio(quality, optimum)
    return 1.0 if share > 1 else share
