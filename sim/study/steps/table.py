"""Makes the event table of one run: what happened to each query, in order of time, a row per step. It runs nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from sim.instance import Instance
from sim.study.experiment import Run
from sim.study.fleet import unbounded
from sim.study.steps.noted import Note

REFUSED = ("exhausted", "rejected", "too_long")
LOST = ("abandoned", "timed_out", "failed")


@dataclass(frozen=True)
class Step:
    """One step of one query.

    Parameters
    ----------
    at_s : float
    event : str
        ``arrives`` (and waits for a batch), ``declined``, ``refused``, ``served`` (at once), ``sent``, ``starts``
        (after waiting), ``answered``, ``cached``, or the fate of a query that was lost.
    query : int
    deployment : int or None
        The one that it is about; None for none.
    queue : int or None
        How many wait there after it.
    budget_left : float or None
        What is left of its budget, or of the account that it shares, after all that is promised to queries in service;
        ``inf`` without a budget, None where it is not known.
    call : int or None
        The row of the call table that it is about, where the policy may make several calls.
    waited_s : float
        How long the query waited, of a start or an answer.
    """

    at_s: float
    event: str
    query: int
    deployment: int | None = None
    queue: int | None = None
    budget_left: float | None = None
    call: int | None = None
    waited_s: float = 0.0


def steps_of(run: Run, notes: Mapping[int, Note], first: int | None = None) -> list[Step]:
    """Return the steps of a run in order of time; of the first queries alone if a number of them is given.

    At one time, what earlier queries are at comes before new arrivals, which come in their order.

    Parameters
    ----------
    run : Run
    notes : mapping of int to Note
        What the policy saw, by the number of the query.
    first : int or None
    """
    names = {info.name: k for k, info in enumerate(run.instance.setting.fleet)}
    arrived = dict(zip(run.requests["id"], run.requests["arrived_at_s"], strict=True))
    found: list[tuple[tuple[float, int, int, int, int], Step, bool]] = []
    for number, each in enumerate(tries(run)):
        query = int(each["query"])
        for place, (step, changes) in enumerate(of_try(each, query, names, notes.get(query))):
            is_old = arrived[query] < step.at_s
            rank = 0 if not is_old else 1 if step.event == "starts" else 2 if step.event in ("sent", "served") else 0
            key = (step.at_s, 1 - int(is_old), rank, query if not is_old else 0, number * 10 + place)
            found.append((key, step, changes))
    found.sort(key=lambda one: one[0])
    return [step for step in counted(run, found) if first is None or step.query < first]


def tries(run: Run) -> Iterator[dict[str, Any]]:
    """Yield what the record says of each call, and of each query that took none, in the order of asking."""
    requests = run.requests.assign(query=run.requests["id"], call=None)
    if run.calls is None:
        yield from dicts(requests)
        return
    calls = run.calls.assign(call=run.calls["id"], arrived_at_s=run.calls["decided_at_s"])
    whole = requests[~requests["id"].isin(calls["query"])]
    yield from sorted([*dicts(calls), *dicts(whole)], key=lambda each: int(each["query"]))


def dicts(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table, each with its values by column."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def of_try(
    each: Mapping[str, Any], query: int, names: Mapping[str, int], note: Note | None
) -> Iterator[tuple[Step, bool]]:
    """Yield the steps of one call, or of a query without one, each with whether it is one of waiting or paying."""
    fate, decided_s, arrived_s = str(each["fate"]), float(each["decided_at_s"]), float(each["arrived_at_s"])
    call = None if each["call"] is None else int(each["call"])
    k = None if pd.isna(each["deployment"]) else names[str(each["deployment"])]
    if decided_s > arrived_s:
        yield Step(arrived_s, "arrives", query), False
    if fate in ("declined", "cached"):
        yield Step(decided_s, fate, query, None if fate == "declined" else k, call=call), False
        return
    is_first = call is None or each["round"] == each["place"] == 0
    first = note.decision.deployment if note is not None and is_first else None
    offered_s = decided_s if math.isnan(each["offered_at_s"]) else float(each["offered_at_s"])
    if fate in REFUSED:
        yield Step(offered_s, "refused", query, k, call=call), False
        return
    if first is not None and first != k and offered_s == decided_s:
        yield Step(offered_s, "refused", query, int(first), call=call), False
    started_s, ended_s = float(each["started_at_s"]), float(each["finished_at_s"])
    ended_s = float(each["ended_at_s"]) if math.isnan(ended_s) else ended_s
    if fate == "served" and ended_s == offered_s:
        yield Step(offered_s, "served", query, k, call=call), True
        return
    if math.isnan(ended_s):  # nobody took it
        yield Step(offered_s, fate, query, k, call=call), False
        return
    yield Step(offered_s, "sent", query, k, call=call), True
    if started_s > offered_s:
        yield Step(started_s, "starts", query, k, call=call, waited_s=started_s - offered_s), True
    end = "answered" if fate == "served" else fate
    yield Step(ended_s, end, query, k, call=call, waited_s=ended_s - arrived_s), True


def counted(run: Run, found: list[tuple[tuple[float, int, int, int, int], Step, bool]]) -> Iterator[Step]:
    """Yield the steps with queues and budgets counted on."""
    instance = run.instance
    is_plain = unbounded(instance.scenario) is None and run.beyond is None
    left, accounts, waiting = instance.setting.budgets.tolist(), shared(instance), [0] * len(instance.fleet)
    started = {(step.query, step.call) for _, step, _ in found if step.event == "starts"}
    in_queue: set[tuple[int, int | None]] = set()
    for _, step, counts in found:
        k, who = step.deployment, (step.query, step.call)
        if k is None:
            yield step
            continue
        if counts and is_plain and (step.event in ("sent", "served") or step.event in LOST):
            cost = float(instance.cost[row_of(run, step.query), k])
            for other in accounts[k]:
                left[other] -= cost if step.event in ("sent", "served") else -cost
        if step.event == "sent" and (who in started or never_started(run, step)):
            waiting[k] += 1
            in_queue.add(who)
        elif who in in_queue and (step.event == "starts" or step.event in LOST):
            waiting[k] -= 1
            in_queue.remove(who)
        yield replace(step, queue=waiting[k], budget_left=rounded(left[k]) if is_plain else None)


def never_started(run: Run, step: Step) -> bool:
    """Return whether a query, or a call, was lost before it was served."""
    table = run.requests if step.call is None else run.calls
    assert table is not None  # or no step would be of a call
    return math.isnan(table["started_at_s"].iloc[step.query if step.call is None else step.call])


def shared(instance: Instance) -> list[list[int]]:
    """Return for each deployment those that pay from its account, itself among them."""
    accounts = instance.setting.accounts
    if accounts is None:
        return [[k] for k in range(len(instance.fleet))]
    return [np.flatnonzero(accounts == account).tolist() for account in accounts]


def row_of(run: Run, query: int) -> int:
    """Return the test row of a query; of a step of a task, by the row of its table."""
    if run.tasks is None:
        return int(run.instance.rows[query])
    return int(np.flatnonzero(run.instance.table_row == run.requests["row"].iloc[query])[0])


def rounded(amount: float) -> float:
    """Return what is left of a budget without what binary fractions add to a sum: 0, where it is next to 0."""
    return 0.0 if abs(amount) < 1e-12 else amount
