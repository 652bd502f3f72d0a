"""Explains what one policy did with one query: candidates, its choice and why, what then happened, and hindsight."""

from __future__ import annotations

import math

import numpy as np
from rich.table import Table

from sim.assignment.program import DECLINE
from sim.interface import affords
from sim.show.steps.events import WHY_LOST, planned
from sim.show.steps.why import because, by_inputs
from sim.show.words import number
from sim.study.experiment import Run
from sim.study.steps.hindsight import Hindsight
from sim.study.steps.noted import Note
from sim.study.steps.table import row_of

HEADERS = (
    *("deployment", "predicted quality", "predicted cost", "price", "score", "affordable", "free", "chosen"),
    *("true quality", "true cost"),
)


SILENT = "It gives no reasons"


def candidates(run: Run, note: Note) -> list[tuple[str, ...]]:
    """Return a row of texts, under ``HEADERS``, for each deployment that the policy could choose."""
    reasons, state, decision = note.reasons, note.state, note.decision
    empty = np.full(len(run.instance.fleet), np.nan)
    prices = empty if reasons is None or reasons.prices is None else reasons.prices
    scores = empty if reasons is None or reasons.scores is None else reasons.scores
    pays = affords(state.remaining, note.query.cost_hat)
    row = row_of(run, note.query.id)
    found = []
    for k, info in enumerate(run.instance.setting.fleet):
        free = bool(state.available[k]) and state.queued[k] == 0 and state.in_flight[k] < info.slots
        place = "first" if k == decision.deployment else "alongside" if k in decision.alongside else ""
        if not place and k in list(decision.fallbacks):
            place = f"next choice {list(decision.fallbacks).index(k) + 1}"
        truth = (float(run.instance.quality[row, k]), float(run.instance.cost[row, k]))
        found.append(
            (
                *(info.name, number(note.believed.quality[k]), number(note.believed.cost[k])),
                *(text(prices[k]), text(scores[k]), yes(bool(pays[k])), yes(free), place, *map(text, truth)),
            )
        )
    return found


def text(value: float) -> str:
    """Return a number, or nothing for NaN."""
    return "" if math.isnan(value) else number(value)


def yes(is_so: bool) -> str:
    """Return yes or no."""
    return "yes" if is_so else "no"


def candidate_table(run: Run, note: Note) -> Table:
    """Return the candidates of one decision for a terminal; columns of which a policy says nothing are left out."""
    rows = candidates(run, note)
    kept = [n for n in range(len(HEADERS)) if HEADERS[n] == "chosen" or any(row[n] for row in rows)]
    table = Table(title=f"{run.policy}, query {note.query.id}, at {number(note.state.now_s)} s")
    for n in kept:
        table.add_column(HEADERS[n], justify="left" if HEADERS[n] in ("deployment", "chosen") else "right")
    for row in rows:
        table.add_row(*(row[n] for n in kept))
    return table


def sentences(run: Run, note: Note | None, best: Hindsight | str, number_of_query: int) -> list[str]:
    """Return what was chosen and why, what then happened, and what hindsight would have done, a sentence each."""
    return [
        chosen(run, note, number_of_query),
        happened(run, number_of_query),
        of_hindsight(run, best, number_of_query),
    ]


def chosen(run: Run, note: Note | None, query: int) -> str:
    """Return the sentence on the choice."""
    if note is None:
        return f"{run.policy} was not asked about query {query}, as a cache had its answer."
    decision, fleet = note.decision, run.instance.setting.fleet
    why = f", as {because(note, fleet)}." if note.reasons is not None else f". {SILENT}: {by_inputs(note, fleet)}."
    if decision.deployment is None:
        return f"{run.policy} declines query {query}{why}"
    also = [fleet[k].name for k in decision.alongside]
    where = " and ".join([fleet[decision.deployment].name, *also])
    doing = "explores with" if decision.explores else "sends"
    to = " at" if decision.explores else " to"
    return f"{run.policy} {doing} query {query}{to} {where}{why}"


def happened(run: Run, query: int) -> str:
    """Return the sentence on what came of it."""
    one = run.requests.iloc[query]
    fate, where = str(one["fate"]), str(one["deployment"])
    if fate == "declined":
        return (
            "It was declined and cost nothing."
            if one["cost_usd"] == 0
            else (f"It was given up, after calls that cost {number(one['cost_usd'])} USD.")
        )
    if fate == "cached":
        return f"It got the answer of query {one['answer_of']}, worth {number(one['quality'])}."
    calls = f" after {one['calls']} calls" if one["calls"] > 1 else ""
    if fate != "served":
        return f"It was lost at {where}{calls} ({fate}), as {WHY_LOST[fate]}."
    waited_s = float(one["started_at_s"] - one["arrived_at_s"])
    took_s = float(one["finished_at_s"] - one["arrived_at_s"])
    time = f" It waited {number(waited_s)} s and was answered {number(took_s)} s after it came." if took_s > 0 else ""
    got = f"{where} answered it{calls}: quality {number(one['quality'])} for {number(one['cost_usd'])} USD."
    return got + time


def of_hindsight(run: Run, best: Hindsight | str, query: int) -> str:
    """Return the sentence on the plan in hindsight."""
    if isinstance(best, str):
        return f"There is no optimum in hindsight: {best}."
    k = int(best.plan[query])
    if k == DECLINE:
        return "Hindsight would have declined it, to spend its budgets elsewhere."
    price = best.prices[k]
    paid = f", where a unit of the budget is worth {number(price)} of quality" if price > 0 else ""
    where, _, quality = planned(run, best, query).rpartition(" ")
    return f"Hindsight would have sent it to {where}, for {quality}{paid}."
