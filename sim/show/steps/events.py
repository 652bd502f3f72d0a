"""Shows a run step by step: a row per event, with the hindsight optimum beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from rich.table import Table

from sim.assignment.program import DECLINE
from sim.show.steps.why import amount, because
from sim.show.words import number, several
from sim.study.experiment import Run
from sim.study.steps.hindsight import Hindsight
from sim.study.steps.noted import Note
from sim.study.steps.table import LOST, REFUSED, Step, row_of, steps_of

COLUMNS = ("time_s", "event", "query", "deployment", "queue", "budget_left", "why", "hindsight")
HEADERS = ("time, s", "event", "query", "deployment", "queue", "budget left", "why", "hindsight")
WHY_LOST = {
    "exhausted": "its budget cannot pay",
    "rejected": "there is no room to wait",
    "too_long": "it does not fit the context",
    "abandoned": "nobody waits that long",
    "timed_out": "it took too long",
    "failed": "the deployment was or went down",
}


def event_rows(run: Run, notes: dict[int, Note], best: Hindsight | str, first: int | None = None) -> pd.DataFrame:
    """Return the event table of a run as texts, with ``COLUMNS``.

    Parameters
    ----------
    run : Run
    notes : dict of int to Note
        What the policy saw of each query.
    best : Hindsight or str
        The plan in hindsight, or why there is none.
    first : int or None
        How many queries to show; None for all.
    """
    fleet, told, rows = run.instance.setting.fleet, set(), []
    for step in steps_of(run, notes, first):
        k = step.deployment
        beside = "" if isinstance(best, str) or step.query in told else planned(run, best, step.query)
        told.add(step.query)
        left = "" if step.budget_left is None or k is None else of_budget(step.budget_left)
        if left == "" and k is not None and step.query in notes and step.event in ("sent", "served"):
            left = of_budget(float(notes[step.query].state.remaining[k]))
        rows.append(
            (
                *(number(step.at_s), step.event, str(step.query), "" if k is None else fleet[k].name),
                *("" if step.queue is None else str(step.queue), left, why(run, notes, step), beside),
            )
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def of_budget(left: float) -> str:
    """Return what is left of a budget; a dash where there is none."""
    return "-" if math.isinf(left) else number(left)


def planned(run: Run, best: Hindsight, query: int) -> str:
    """Return what hindsight does with a query, and what it earns there."""
    k, row = int(best.plan[query]), row_of(run, query)
    if k == DECLINE:
        return "declines"
    if len(np.unique([run.instance.quality[row], run.instance.cost[row]], axis=1).T) == 1 < len(run.instance.fleet):
        return f"any {number(run.instance.quality[row, k])}"
    return f"{run.instance.setting.fleet[k].name} {number(run.instance.quality[row, k])}"


def why(run: Run, notes: dict[int, Note], step: Step) -> str:
    """Return why a step is what it is, or what came of it."""
    fleet, note = run.instance.setting.fleet, notes.get(step.query)
    if step.event in REFUSED or step.event in LOST:
        return WHY_LOST[step.event]
    if step.event == "refused":
        return refused(run, notes, step)
    if step.event == "starts":
        return f"after waiting {number(step.waited_s)} s"
    if step.event == "cached":
        return "a cache has the answer"
    if step.event == "arrives" or note is None:
        return "waits to be decided on" if step.event == "arrives" else ""
    if step.event == "declined":
        return because(note, fleet)
    if step.event == "answered":
        return f"{earned(run, step)}, {number(step.waited_s)} s after it was asked"
    is_next = step.deployment != note.decision.deployment and step.deployment in list(note.decision.fallbacks)
    reason = asked_again(run, step) or ("it is the next choice" if is_next else because(note, fleet))
    one = run.requests.iloc[step.query]
    if step.call is None and one["attempts"] > 1:
        reason = f"try {one['attempts']}; {reason}"
    if note.decision.explores:
        reason = f"explores, as {reason}"
    return f"{reason}; {earned(run, step)}" if step.event == "served" else reason


def earned(run: Run, step: Step) -> str:
    """Return what an answer earned and cost; of a call that was not kept, what it cost for nothing."""
    one = run.requests.iloc[step.query]
    if run.tasks is not None:
        of_task = run.requests["task"] == one["task"]
        goes_on = bool((of_task & (run.requests["step"] > one["step"])).any())
        ends = f"step {one['step']} of task {one['task']}" if goes_on else f"the last step of task {one['task']}"
        worth = "" if goes_on else f", which earns {number(one['quality'])}"
        return f"ends {ends}{worth}, for {number(one['cost_usd'])} USD"
    if step.call is None or run.calls is None:
        return f"earns {number(one['quality'])} for {number(one['cost_usd'])} USD"
    call = run.calls.iloc[step.call]
    if one["calls"] == 1:
        return f"earns {number(one['quality'])} for {number(call['cost_usd'])} USD"
    if call["kept"]:
        return f"is kept: earns {number(one['quality'])} for {number(call['cost_usd'])} USD"
    return f"is not kept: {number(call['cost_usd'])} USD for nothing"


def asked_again(run: Run, step: Step) -> str:
    """Return why a further call was made, of what the answers before it said; nothing for a first call."""
    if step.call is None or run.calls is None:
        return ""
    call = run.calls.iloc[step.call]
    earlier = run.calls[(run.calls["query"] == step.query) & (run.calls["round"] < call["round"])]
    if earlier.empty:
        return ""
    last, confidence = earlier.iloc[-1], run.instance.confidence
    names = [info.name for info in run.instance.setting.fleet]
    said = ""
    if confidence is not None and last["fate"] == "served":
        sure = confidence[row_of(run, step.query), names.index(str(last["deployment"]))]
        said = f" came with the confidence {number(sure)}"
    return f"it looked at the answer of {last['deployment']}, which{said or ' was not enough'}"


def refused(run: Run, notes: dict[int, Note], step: Step) -> str:
    """Return why a deployment did not take a query that was sent there."""
    k, instance = step.deployment, run.instance
    assert k is not None  # a refusal is somebody's
    info, fate = instance.setting.fleet[k], str(run.requests["fate"].iloc[step.query])
    cost = float(instance.cost[row_of(run, step.query), k])
    note = notes.get(step.query)
    sent = "" if note is None else f"{because(note, instance.setting.fleet)}; "
    if fate in REFUSED and fate != "exhausted" and step.budget_left is None:
        return f"{sent}{WHY_LOST[fate]}"
    if step.budget_left is not None and cost * (1 - 1e-9) > step.budget_left:
        return f"{sent}its budget cannot pay {amount(cost, info)}"
    return f"{sent}{WHY_LOST[fate] if fate in REFUSED else 'it cannot take it'}"


def event_table(rows: pd.DataFrame, title: str) -> Table:
    """Return the event table for a terminal."""
    table = Table(title=title)
    shown = shown_columns(rows)
    for name, header in zip(COLUMNS, HEADERS, strict=True):
        if name in shown:
            is_number = name in ("time_s", "query", "queue", "budget_left")
            table.add_column(header, justify="right" if is_number else "left", overflow="fold")
    for row in rows[shown].itertuples(index=False):
        table.add_row(*row)
    return table


def shown_columns(rows: pd.DataFrame) -> list[str]:
    """Return the columns that say something: a queue that is always empty, or no budget, says nothing."""
    nothing = {"queue": {"", "0"}, "budget_left": {"", "-"}, "hindsight": {""}}
    return [name for name in COLUMNS if name not in nothing or not set(rows[name]) <= nothing[name]]


def totals(run: Run, best: Hindsight | str) -> str:
    """Return in sentences what a run earned, and what hindsight would have."""
    quality, cost = (math.fsum(run.requests[column]) for column in ("quality", "cost_usd"))
    served = int((run.requests["fate"] == "served").sum())
    said = f"{run.policy} earns {number(quality)} for {number(cost)} USD and serves {served} of "
    said += several(len(run.requests), "query", "queries")
    took_s = (run.requests["finished_at_s"] - run.requests["arrived_at_s"]).dropna()
    has_clock = bool((took_s > 0).any())
    said += f", in {number(float(took_s.mean()))} s on average" if has_clock else ""
    if isinstance(best, str):
        return f"{said}. There is no optimum in hindsight to compare with: {best}."
    more, clock = "" if best.is_exact else " or a little more", ", which knows no clock," if has_clock else ""
    return f"{said}. Hindsight{clock} would earn {number(best.quality)}{more} for {number(best.cost_usd)} USD."


def prices(best: Hindsight, fleet: Sequence[str]) -> str | None:
    """Return in a sentence what one more dollar of each budget would be worth; None where no budget is used up."""
    paid = [f"{name} {number(price)}" for name, price in zip(fleet, best.prices.tolist(), strict=True) if price > 0]
    return f"In hindsight one more unit of a budget is worth, in quality: {', '.join(paid)}." if paid else None
