"""Makes lists of changes of what a replay counts: at which time a number became what. It knows tables of one run.

Every list begins with what held before all changes. A browser finds what holds at a time by bisection, so that to jump
anywhere costs the same as to go on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from sim.interface import FloatArray, IntArray
from sim.study.metrics.counting import FATES, ended_at_s, numbers
from sim.study.record.series import stage

Changes = dict[str, list[float]]
MOST_CHANGES = 30_000  # of one list; a longer one is thinned, its last change is kept
CUT, ADDED = re.compile(r"budget times (\S+)"), re.compile(r"budget \+ (\S+)")  # as events.csv words them


def changes(times_s: FloatArray, steps: dict[str, FloatArray]) -> Changes:
    """Return the running sums of steps that happen at some times, as ``t`` and a list each, from 0 on.

    Steps of one time are one change.

    >>> changes(np.array([2.0, 1.0, 2.0]), {"n": np.array([1.0, 1.0, 1.0])})
    {'t': [1.0, 2.0], 'n': [1.0, 3.0]}
    """
    order = np.argsort(times_s, kind="stable")
    at_s = times_s[order]
    last = np.flatnonzero(np.append(at_s[1:] != at_s[:-1], True)) if len(at_s) else np.zeros(0, dtype=np.int64)
    keep = thinned(last)
    found = {"t": at_s[keep].round(6).tolist()}
    for name, step in steps.items():
        found[name] = np.cumsum(step[order])[keep].round(9).tolist()
    return found


def thinned(places: IntArray) -> IntArray:
    """Return places, or so many evenly chosen ones of them that a page stays small; the last is among them."""
    if len(places) <= MOST_CHANGES:
        return places
    chosen: IntArray = places[np.unique(np.linspace(0, len(places) - 1, MOST_CHANGES).round().astype(np.int64))]
    return chosen


def of_run(requests: pd.DataFrame) -> Changes:
    """Return what has become of the queries of a run.

    ``arrived``, ``answered``, ``lost``, ``quality``, ``cost_usd``, and each fate of those that were lost, by its name.
    """
    ended, n = ended_at_s(requests), len(requests)
    fate = requests["fate"].astype(str).to_numpy()
    answered = np.isin(fate, ("served", "cached")).astype(np.float64)
    none = np.zeros(n)
    losses = [name for name in FATES if name not in ("served", "cached") and (fate == name).any()]
    return changes(
        np.append(numbers(requests, "arrived_at_s"), ended),
        {
            "arrived": np.append(np.ones(n), none),
            "answered": np.append(none, answered),
            "lost": np.append(none, 1 - answered),
            "quality": np.append(none, numbers(requests, "quality")),
            "cost_usd": np.append(none, numbers(requests, "cost_usd")),
            **{name: np.append(none, (fate == name).astype(np.float64)) for name in losses},
        },
    )


def of_deployments(work: pd.DataFrame, where: IntArray, n_deployments: int) -> list[Changes]:
    """Return for each deployment how many calls wait in its ``queue``, are in ``service`` and were ``served``.

    Parameters
    ----------
    work : DataFrame
        A row per call.
    where : array (n_calls,)
        Row of the fleet, -1 for none.
    n_deployments : int
    """
    queue, service = stage(work, where, "queue"), stage(work, where, "service")
    is_served = (work["fate"] == "served").to_numpy(dtype=np.bool_) & (where >= 0)
    served_at_s, served_by = ended_at_s(work)[is_served], where[is_served]
    found = []
    for k in range(n_deployments):
        (queue_from, queue_until), (from_s, until_s) = (
            (starts[row == k], ends[row == k]) for starts, ends, row in (queue, service)
        )
        ends_s = served_at_s[served_by == k]
        times = (queue_from, queue_until, from_s, until_s, ends_s)
        steps = {"queue": (1, -1, 0, 0, 0), "service": (0, 0, 1, -1, 0), "served": (0, 0, 0, 0, 1)}
        found.append(
            changes(
                np.concatenate(times),
                {
                    name: np.concatenate(
                        [np.full(len(at_s), float(sign)) for at_s, sign in zip(times, signs, strict=True)]
                    )
                    for name, signs in steps.items()
                },
            )
        )
    return found


def of_accounts(work: pd.DataFrame, where: IntArray, fleet: pd.DataFrame, accounts: Sequence[str]) -> list[Changes]:
    """Return for each account what its deployments have ``spent`` and settled, in the unit of its budget."""
    is_served = (work["fate"] == "served").to_numpy(dtype=np.bool_) & (where >= 0)
    rows = work[is_served]
    unit = fleet["unit"].astype(str).to_numpy()[where[is_served]]
    tokens = rows["input_tokens"].to_numpy(dtype=np.float64) + rows["output_tokens"].fillna(0).to_numpy(
        dtype=np.float64
    )
    spent = np.where(unit == "tokens", tokens, numbers(rows, "cost_usd"))
    account, at_s = pd.Index(accounts).get_indexer(pd.Index(fleet["account"]))[where[is_served]], ended_at_s(rows)
    return [changes(at_s[account == k], {"spent": spent[account == k]}) for k in range(len(accounts))]


def of_budget(budget: float, spent: Changes, events: pd.DataFrame) -> Changes:
    """Return what a ``budget`` is over time, which events may cut or add to.

    A cut multiplies what is left: the budget less what is settled at that time.
    """
    found: Changes = {"t": [0.0], "budget": [budget]}
    for event in events.sort_values("from_s").itertuples():
        cut, added = CUT.fullmatch(str(event.what)), ADDED.fullmatch(str(event.what))
        at_s = float(str(event.from_s))
        place = int(np.searchsorted(spent["t"], at_s, side="right")) - 1
        settled = spent["spent"][place] if place >= 0 else 0.0
        if cut:
            budget = settled + (budget - settled) * float(cut[1])
        elif added:
            budget += float(added[1].replace(",", ""))
        else:
            continue
        found["t"].append(at_s)
        found["budget"].append(budget)
    return found
