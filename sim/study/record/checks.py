"""Checks that a request table can be true: one fate each, time forward, budgets and slots kept, flow laws.

The world is checked from outside: everything here is computed from the request table and the fleet table alone,
after every ordinary run. The two laws hold for any such table over its whole span, without an assumption about arrivals
or service (Denning and Buzen, The Operational Analysis of Queueing Network Models, ACM Computing Surveys 10:225, 1978).
"""

from __future__ import annotations

from itertools import pairwise, takewhile

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.interface import TOLERANCE, FloatArray, IntArray
from sim.spending.calendar import Calendar
from sim.study.metrics.counting import ended_at_s, is_served, numbers, offered_at_s
from sim.study.record.cache_checks import check_cached
from sim.study.record.call_checks import check_calls
from sim.study.record.series import average_number, rows_of_fleet, stage

ROUNDING = 1e-15  # of one time, relative to the last
CLOCK_ROUNDING = 1e-12  # of a time that a service computed in several steps, likewise
N_BINS = 1024
STEPS = ("arrived_at_s", "decided_at_s", "started_at_s", "first_token_at_s", "finished_at_s")
CHECKED = (
    *("policy", "id", "fate", "deployment", *STEPS, "offered_at_s", "ended_at_s", "preempted_s", "calls", "cost_usd"),
    *("input_tokens", "output_tokens", "max_output_tokens", "answer_of", "saved_usd", "saved_s"),
)
"""Columns of a request table that are looked at, if it has them."""
NEVER_STARTED = ["declined", "exhausted", "rejected", "too_long", "abandoned", "cached"]


def check(requests: pd.DataFrame, fleet: pd.DataFrame, calls: pd.DataFrame | None = None) -> None:
    """Raise RuntimeError if the request table of a run cannot be true; the message names a query or a deployment.

    Parameters
    ----------
    requests : DataFrame
        A row per arrival, whatever its fate.
    fleet : DataFrame
        A row per deployment. The budget of one whose ``may_exceed`` is true is not checked (the column may be missing).
    calls : DataFrame or None
        A row per call, where queries take several: budgets, slots and the flow laws of deployments are then of calls.
    """
    if requests.empty:
        return
    check_fates(requests)
    check_times(requests)
    check_cached(requests, blame)
    where = rows_of_fleet(requests, fleet)
    blame(requests, is_served(requests) & (where < 0), "was served by no deployment of the fleet")
    if calls is None:
        check_work(requests, fleet, where)
        return
    check_law(*littles_law(requests), requests)
    check_calls(requests, calls)
    if not calls.empty:
        work = calls.assign(arrived_at_s=calls["decided_at_s"])
        check_times(work)
        check_work(work, fleet, rows_of_fleet(work, fleet))


def check_work(work: pd.DataFrame, fleet: pd.DataFrame, where: IntArray) -> None:
    """Raise RuntimeError unless deployments kept caps, budgets, slots and flow laws; a row per query, or per call."""
    if "max_output_tokens" in work:
        over = numbers(work, "output_tokens") > numbers(work, "max_output_tokens")  # false where either is missing
        blame(work, over, "has an answer longer than its cap", "output_tokens", "max_output_tokens")
    check_budgets(work, fleet, where)
    check_slots(work, fleet, where)
    check_laws(work, fleet, where)


def blame(requests: pd.DataFrame, wrong: npt.NDArray[np.bool_], what: str, *columns: str) -> None:
    """Raise RuntimeError naming the first query that is wrong, and what its columns say."""
    if wrong.any():
        row = requests.iloc[int(wrong.argmax())]
        facts = ", ".join(f"{column} {row[column]}" for column in ("fate", *columns) if column in row)
        raise RuntimeError(f"the request table is wrong: query {row['id']} {what} ({facts})")


def check_fates(requests: pd.DataFrame) -> None:
    """Raise RuntimeError unless every query is in the request table once, with one fate that is not ``pending``."""
    misplaced = requests["id"].to_numpy() != np.arange(len(requests))
    blame(requests, misplaced, "is in the request table twice, or one before it is missing")
    blame(requests, requests["fate"].isna().to_numpy(), "has no fate")
    blame(requests, (requests["fate"] == "pending").to_numpy(dtype=np.bool_), "is still pending")


def check_times(requests: pd.DataFrame) -> None:
    """Raise RuntimeError unless what happened has a time, what did not has none, and time runs forward."""
    times_s = {column: numbers(requests, column) for column in STEPS}
    times_s |= {"offered_at_s": offered_at_s(requests), "ended_at_s": ended_at_s(requests)}
    known = {column: ~np.isnan(of_column) for column, of_column in times_s.items()}
    served = is_served(requests)
    for column in ("arrived_at_s", "decided_at_s", "offered_at_s", "ended_at_s"):
        blame(requests, ~known[column], f"has no {column}")
    for column in STEPS[2:]:
        blame(requests, served & ~known[column], f"was served and has no {column}")
    blame(requests, ~served & known["finished_at_s"], "was not served and has a finished_at_s", "finished_at_s")
    blame(requests, known["first_token_at_s"] & ~known["started_at_s"], "has a first token and no start")
    never = requests["fate"].isin(NEVER_STARTED).to_numpy(dtype=np.bool_) & known["started_at_s"]
    blame(requests, never, "can never have started and has a started_at_s", "started_at_s")
    slack_s = CLOCK_ROUNDING * float(np.abs(times_s["ended_at_s"]).max())
    pairs = [*pairwise(STEPS), *((step, "ended_at_s") for step in STEPS[1:4])]
    pairs += [("decided_at_s", "offered_at_s"), ("offered_at_s", "started_at_s"), ("offered_at_s", "ended_at_s")]
    for before, after in pairs:
        late = times_s[after] < times_s[before] - slack_s  # false where either is missing
        blame(requests, late, f"has {after} before {before}", before, after)
    differs = served & (np.abs(times_s["ended_at_s"] - times_s["finished_at_s"]) > slack_s)
    blame(requests, differs, "was served and ended at another time than its last token", "finished_at_s", "ended_at_s")


def check_budgets(requests: pd.DataFrame, fleet: pd.DataFrame, where: IntArray) -> None:
    """Raise RuntimeError if the served queries of an account's deployments cost more than its budget, in its unit.

    A budget for each window of time is kept in each of them by the queries that were taken on in it, or, where what is
    left rolls over, in each and all before it.
    """
    served = is_served(requests)
    cost_usd, tokens = numbers(requests, "cost_usd"), numbers(requests, "input_tokens")
    if (fleet["unit"] == "tokens").any():
        tokens = tokens + np.nan_to_num(numbers(requests, "output_tokens"))
    accounts = (fleet["account"] if "account" in fleet else fleet["deployment"]).to_numpy()
    for row in np.unique(accounts, return_index=True)[1]:
        name, unit, budget = accounts[row], fleet["unit"].iloc[row], fleet["budget"].iloc[row]
        if not np.isfinite(budget) or ("may_exceed" in fleet and bool(fleet["may_exceed"].iloc[row])):
            continue
        here = served & np.isin(where, np.flatnonzero(accounts == name))
        cost = (tokens if unit == "tokens" else cost_usd)[here]
        window_s = float(fleet["window_s"].iloc[row]) if "window_s" in fleet else np.nan
        spent, window, allowed = cost.sum(), "", budget
        calendar = fleet["calendar"].iloc[row] if "calendar" in fleet else None
        if len(cost) and (np.isfinite(window_s) or isinstance(calendar, str)):
            if isinstance(calendar, str):
                numbers_of, of_window = periods(offered_at_s(requests)[here], Calendar.of_words(calendar))
            else:
                numbers_of, of_window = windows(offered_at_s(requests)[here], window_s)
            sums = np.bincount(of_window, weights=cost)
            if fleet["rolls_over"].iloc[row]:
                sums, limits = sums.cumsum(), budget * (numbers_of + 1)
            else:
                limits = np.full(len(sums), budget)
            worst = int((sums - limits).argmax())
            spent, allowed, window = sums[worst], limits[worst], f" by the end of window {int(numbers_of[worst])}"
        if spent > allowed * (1 + TOLERANCE):
            raise RuntimeError(
                f"the request table is wrong: {who(name, fleet)} spent {spent} of a budget of {allowed} {unit}{window}"
            )


def who(account: str, fleet: pd.DataFrame) -> str:
    """Return what pays from an account, in words."""
    return f"deployment {account!r}" if (fleet["deployment"] == account).any() else f"account {account!r}"


def windows(times_s: FloatArray, length_s: float) -> tuple[FloatArray, IntArray]:
    """Return the numbers of the windows that times lie in, in order, and the place of each time's window in them.

    A time that no digit tells from the end of a window has a place of its own between the two.
    """
    number = times_s / length_s
    nearest = np.round(number)
    at_an_end = np.abs(number - nearest) <= CLOCK_ROUNDING * np.maximum(nearest, 1)
    numbers_of, place = np.unique(
        np.where(at_an_end & (number < nearest), nearest - 0.5, np.floor(number)), return_inverse=True
    )
    return numbers_of, place


def periods(times_s: FloatArray, calendar: Calendar) -> tuple[FloatArray, IntArray]:
    """Return the numbers of the periods of a calendar that times lie in, in order, and the place of each in them.

    A time that no digit tells from the beginning of a period has a place of its own before it.
    """
    last_s = float(times_s.max()) * (1 + CLOCK_ROUNDING)
    begins_s = np.array([*takewhile(lambda begin_s: begin_s <= last_s, calendar.begins_s()), np.inf])
    number = np.searchsorted(begins_s, times_s, side="right")
    following_s = begins_s[number]
    is_near = following_s - times_s <= CLOCK_ROUNDING * np.where(np.isinf(following_s), 0.0, following_s)
    numbers_of, place = np.unique(np.where(is_near, number + 0.5, number), return_inverse=True)
    return numbers_of, place


def check_slots(requests: pd.DataFrame, fleet: pd.DataFrame, where: IntArray) -> None:
    """Raise RuntimeError if a deployment serves more queries at once than it has slots.

    With c slots, the start number i + c in order of time is no earlier than the end number i.
    """
    starts_s, ends_s, row = stage(requests, where, "service")
    for k, (name, slots) in enumerate(zip(fleet["deployment"], fleet["slots"], strict=True)):
        if not np.isfinite(slots) or ("may_overlap" in fleet and bool(fleet["may_overlap"].iloc[k])):
            continue
        here = row == k
        c, starts, ends = int(slots), np.sort(starts_s[here]), np.sort(ends_s[here])
        over = starts[c:] < ends[: max(len(ends) - c, 0)]
        if over.any():
            at_s = float(starts[c:][over.argmax()])
            number = requests["id"].to_numpy()[(where == k) & (numbers(requests, "started_at_s") == at_s)].max()
            raise RuntimeError(
                f"the request table is wrong: query {number} started at {at_s} s on deployment {name!r}, "
                f"whose {c} slots were taken"
            )


def check_laws(requests: pd.DataFrame, fleet: pd.DataFrame, where: IntArray) -> None:
    """Raise RuntimeError unless Little's law holds for the system and the utilisation law for each deployment."""
    slack = check_law(*littles_law(requests), requests)
    for name, busy, served in zip(fleet["deployment"], *utilisation_law(requests, fleet, where), strict=True):
        if not abs(busy - served) <= TOLERANCE * abs(served) + slack:
            raise RuntimeError(
                f"the request table is wrong: utilisation law: deployment {name!r} was busy {busy} slot seconds "
                f"and its queries were in service {served}"
            )


def check_law(area: float, total: float, requests: pd.DataFrame) -> float:
    """Raise RuntimeError unless L and lambda W agree; return the seconds by which sums of times may differ."""
    slack = ROUNDING * len(requests) * float(ended_at_s(requests).max())  # each time is known to so much
    if not abs(area - total) <= TOLERANCE * abs(total) + slack:
        law = f"Little's law: L is {area} and lambda W is {total}, in query seconds"
        raise RuntimeError(f"the request table is wrong: {law}")
    return slack


def littles_law(requests: pd.DataFrame) -> tuple[float, float]:
    """Return L and lambda W, each times its span, in query seconds.

    L from the number in the system over time, by counting arrivals and ends; W from the stages that each query went
    through: to its decision, in the queue, in service.
    """
    ended, arrived = ended_at_s(requests), numbers(requests, "arrived_at_s")
    area = areas(arrived, ended, np.zeros(len(requests), dtype=np.int64), 1)[0]
    decided, started = numbers(requests, "decided_at_s"), numbers(requests, "started_at_s")
    finished = numbers(requests, "finished_at_s")
    left_s = np.where(np.isnan(finished), ended, finished)
    queue_s = np.where(np.isnan(started), left_s, started) - decided
    service_s = np.where(np.isnan(started), 0.0, left_s - started)
    return float(area), float((decided - arrived).sum() + queue_s.sum() + service_s.sum())


def utilisation_law(requests: pd.DataFrame, fleet: pd.DataFrame, where: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return busy slot seconds by counting over time, and by summing service times, each (n_deployments,)."""
    starts_s, ends_s, row = stage(requests, where, "service")
    busy = areas(starts_s, ends_s, row, len(fleet))
    return busy, np.bincount(row, weights=ends_s - starts_s, minlength=len(fleet)).astype(np.float64)


def areas(starts_s: FloatArray, ends_s: FloatArray, row: IntArray, n_rows: int) -> FloatArray:
    """Return the time integral (n_rows,) of the number of stays under way."""
    if len(starts_s) == 0 or not ends_s.max() > starts_s.min():
        return np.zeros(n_rows)
    edges_s = np.linspace(starts_s.min(), ends_s.max(), N_BINS + 1)
    area: FloatArray = average_number(starts_s, ends_s, row, n_rows, edges_s) @ np.diff(edges_s)
    return area
