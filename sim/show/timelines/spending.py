"""Draws what was spent over time: shares of budgets where there are any, else amounts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from sim.interface import FloatArray
from sim.show.answers.events import read_events
from sim.show.timelines.maps import over_time
from sim.show.timelines.marks import marks
from sim.show.timelines.tellers import BROKE, broke_after, tellers, told
from sim.show.words import listed, number
from sim.study.output.records import of_each_policy, read_requests, work_by_policy
from sim.study.record.series import rows_of_fleet

TIME_BINS = 60
OF_BUDGETS = "Share of each deployment's budget that is spent over time, in replication 0"
OF_AMOUNTS = "What each deployment's queries have cost over time, in replication 0"
OF_QUERIES = ("policy", "id", "fate", "arrived_at_s", "finished_at_s")
OF_WORK = ("fate", "deployment", "input_tokens", "output_tokens", "cost_usd", "finished_at_s")
CHOSEN = " Of {} policies, the best, the first to go broke, and one between them."
OTHERS = " Of {} policies, the best, the last, and one between them."


def spend(folder: Path, fleets: pd.DataFrame, means: Mapping[str, float]) -> tuple[str, Figure] | None:
    """Return caption and drawing of what is spent over time in replication 0; None if nothing is.

    It has a panel for each of the three policies that tell the story (``tellers``); ``means`` is what the study asks
    about, the best policy first.

    Deployments that have a budget for the whole run are shown as shares of it, and others are left out; where no
    deployment has one, amounts are shown.
    """
    fleet = fleets[fleets["replication"] == 0].reset_index(drop=True)
    table, work = read_requests(folder, 0, OF_QUERIES), work_by_policy(folder, 0, OF_WORK)
    runs = of_each_policy(table)
    broke = {policy: broke_after(runs[policy]) for policy in means}
    policies = tellers(means, broke)
    end = max(float(np.nanmax(table["finished_at_s"].fillna(table["arrived_at_s"]))), 1e-9)
    limited = has_budget(fleet)
    spent = {policy: spent_so_far(work[policy], fleet, end) for policy in policies}
    if not limited.any() and "charges_queries" in fleet:  # rent is not by the query
        charged = fleet["charges_queries"].to_numpy(dtype=np.bool_)[:, None]
        spent = {policy: amounts * charged for policy, amounts in spent.items()}
    if not any(amounts.any() for amounts in spent.values()):
        return None
    caption = OF_AMOUNTS
    label, most = "settled spend (USD)", None
    if limited.any():
        limit = fleet.loc[limited, "budget"].to_numpy()[:, None]
        spent = {policy: 100 * amounts[limited] / limit for policy, amounts in spent.items()}
        caption = OF_BUDGETS + ("" if limited.all() else "; those without a budget for the run are left out")
        label, most = "settled spend (% of budget)", 100.0
    elif (fleet["unit"] == "tokens").any():
        label = f"settled spend ({'tokens' if (fleet['unit'] == 'tokens').all() else 'USD, or tokens'})"
    shown = limited if limited.any() else np.ones(len(fleet), dtype=np.bool_)
    rows = [(str(name), "") for name in fleet.loc[shown, "deployment"]]
    events = read_events(folder)
    marked = {policy: marks(events, len(fleet), policy) for policy in policies}
    is_broke = any(broke[policy] is not None for policy in policies)
    if limited.any() or is_broke:
        title = told(policies, broke, max(len(runs[policy]) for policy in policies))
    else:
        title = costs({policy: float(amounts[:, -1].sum()) for policy, amounts in spent.items()}, label)
    caption += "." + (f" {BROKE}" if is_broke else "")
    if len(policies) < len(means):
        caption += (CHOSEN if is_broke else OTHERS).format(len(means))
    edges_s = np.linspace(0, end, TIME_BINS + 1)
    return caption, over_time(spent, rows, edges_s, label, marked, most=most, title=title)


def costs(totals: Mapping[str, float], label: str) -> str:
    """Return what policies have spent in all, in the unit of a label.

    >>> costs({"a": 0.5, "b": 2.0}, "settled spend (USD)")
    'a has spent 0.5 USD at the end and b 2'
    """
    unit = label.partition("(")[2].strip(")")
    (first, amount), *others = totals.items()
    return listed([f"{first} has spent {number(amount)} {unit} at the end", *(f"{n} {number(x)}" for n, x in others)])


def has_budget(fleet: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Return which deployments (n_deployments,) have a budget above 0 that is for the whole run."""
    renews = fleet.reindex(columns=["window_s", "calendar"]).notna().any(axis=1)
    budget = fleet["budget"].to_numpy(dtype=np.float64)
    found: npt.NDArray[np.bool_] = np.isfinite(budget) & (budget > 0) & ~renews.to_numpy(dtype=np.bool_)
    return found


def spent_so_far(served: pd.DataFrame, fleet: pd.DataFrame, end: float) -> FloatArray:
    """Return settled spend (n_deployments, TIME_BINS), in the unit of each budget, at the end of each time bin."""
    served = served[served["fate"] == "served"]
    row = rows_of_fleet(served, fleet)
    tokens = served["input_tokens"] + served["output_tokens"].fillna(0)
    cost = np.where((fleet["unit"] == "tokens").to_numpy()[row], tokens, served["cost_usd"])
    time_bin = np.minimum((served["finished_at_s"] / end * TIME_BINS).astype(int), TIME_BINS - 1)
    spent = np.zeros((len(fleet), TIME_BINS))
    np.add.at(spent, (row, time_bin), cost)
    so_far: FloatArray = spent.cumsum(axis=1)
    return so_far
