"""Turns the record of a run into what a replay needs: queries, calls, and changes of counts. It draws nothing.

A run with too many queries is sampled: so many evenly chosen ones are drawn one by one, and what is counted is still
counted over all of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sim.errors import unknown
from sim.interface import IntArray
from sim.show.answers.events import read_events
from sim.show.replay.series import of_accounts, of_budget, of_deployments, of_run, thinned
from sim.show.timelines.spending import has_budget
from sim.study.metrics.counting import FATES, ended_at_s, numbers, offered_at_s
from sim.study.oracles import APPROXIMATE, BINARY, OPTIMUM
from sim.study.output.finished import SUMMARY, Finished, read_finished, read_manifest
from sim.study.output.records import REQUESTS, read_calls, read_requests
from sim.study.record.series import rows_of_fleet

HINDSIGHT = (OPTIMUM, BINARY, APPROXIMATE)  # the first that was replayed is shown beside what policies did
DEFAULT_POLICIES = 2
FLEET = "fleet.csv"


@dataclass(frozen=True)
class Told:
    """What is known of a run beside its record; the page does without either.

    Attributes
    ----------
    sentences : mapping of int to str
        By the ``id`` of a query, why it went where it went. Where there is none, the page says what the record knows.
    prices : DataFrame or None
        What the policy asked for a dollar, in quality: ``at_s``, ``deployment`` and ``price``, a row per change.
    """

    sentences: Mapping[int, str] = field(default_factory=dict)
    prices: pd.DataFrame | None = None


@dataclass(frozen=True)
class Study:
    """A directory whose record is read: where it is, its files, and the tables of one replication."""

    folder: Path
    finished: Finished
    requests: pd.DataFrame
    calls: pd.DataFrame | None
    fleet: pd.DataFrame
    summary: pd.DataFrame
    replication: int

    @property
    def policies(self) -> list[str]:
        """Return the names of all that was run, the hindsight optima among them, policies first."""
        named = [str(name) for name in self.summary["policy"].unique()]
        return [*self.finished.policies, *(name for name in named if name not in self.finished.policies)]


def read_study(folder: Path, replication: int) -> Study:
    """Return what a directory holds of one replication.

    Raises
    ------
    FileNotFoundError, ValueError
        If the directory is no output of switchyard, has no record, or not that replication.
    """
    verb = read_manifest(folder)["verb"]
    missing = [name for name in (REQUESTS, FLEET, SUMMARY) if not (folder / name).is_file()]
    if missing:
        hint = "; run the points that matter with compare, and give their directories" if verb == "sweep" else ""
        given = "" if hint else "; give directories of run or compare"
        raise ValueError(f"{folder} is of {verb} and has no {missing[0]}, so there is nothing to replay{hint}{given}")
    finished = read_finished([folder])[0]
    summary = pd.read_csv(folder / SUMMARY)
    last = int(summary["replication"].max())
    if not 0 <= replication <= last:
        known = f"0 to {last}" if last else "0 alone"
        raise ValueError(f"replication is {replication}; the record in {folder} has {known}")
    requests = read_requests(folder, replication)
    if requests.empty:
        raise ValueError(f"no query arrived in replication {replication} of {folder}, so there is nothing to replay")
    fleet = pd.read_csv(folder / FLEET, dtype={"deployment": str, "account": str, "model": str})
    fleet = fleet[fleet["replication"] == replication].reset_index(drop=True)
    of_replication = summary[summary["replication"] == replication]
    return Study(folder, finished, requests, read_calls(folder, replication), fleet, of_replication, replication)


def chosen(studies: list[Study], policies: list[str] | None) -> list[str]:
    """Return the policies to show, which all studies have; the first two that decide online unless some are named.

    Raises
    ------
    ValueError
        If a study lacks one that is named, or studies have none in common.
    """
    if policies is None:
        common = [
            name for name in studies[0].finished.policies if all(name in study.finished.policies for study in studies)
        ]
        if not common:
            raise ValueError(
                f"{studies[0].folder} has no policy that every other directory has; give directories that share one"
            )
        return common[:DEFAULT_POLICIES]
    if not policies:
        raise ValueError("policies is []; it must name one or more, or be null for the first two")
    for name in policies:
        for study in studies:
            if name not in study.policies:
                raise ValueError(unknown("policy", name, study.policies) + f" (in {study.folder})")
    return list(dict.fromkeys(policies))


def sampled(n_queries: int, most: int) -> IntArray:
    """Return the places of the queries that are drawn one by one: all, or so many evenly chosen ones.

    >>> sampled(3, 5).tolist(), sampled(9, 3).tolist()
    ([0, 1, 2], [0, 4, 8])
    """
    if n_queries <= most:
        return np.arange(n_queries)
    places: IntArray = np.unique(np.linspace(0, n_queries - 1, most).round().astype(np.int64))
    return places


def run_of(study: Study, policy: str, most: int, told: Told) -> dict[str, Any]:
    """Return one run as plain values, for the page.

    Parameters
    ----------
    study : Study
    policy : str
    most : int
        How many queries are drawn one by one at most.
    told : Told
    """
    requests = study.requests[study.requests["policy"] == policy].sort_values("id").reset_index(drop=True)
    calls = None if study.calls is None else study.calls[study.calls["policy"] == policy]
    work = requests.assign(query=requests["id"]) if calls is None or calls.empty else calls
    where, n_deployments = rows_of_fleet(work, study.fleet), len(study.fleet)
    accounts = list(dict.fromkeys(study.fleet["account"]))
    events = read_events(study.folder, study.replication)
    events = events[events["policy"] == policy]
    spent = of_accounts(work, where, study.fleet, accounts)
    drawn = requests.iloc[sampled(len(requests), most)]
    is_drawn = work["query"].isin(drawn["id"]).to_numpy(dtype=np.bool_)
    row = study.summary[study.summary["policy"] == policy].iloc[0]
    return {
        "policy": policy,
        "totals": {name: plain(row[name]) for name in ("arrived", *FATES, "quality", "cost_usd") if name in row},
        "n_queries": len(requests),
        "n_drawn": len(drawn),
        "end_s": round(float(ended_at_s(requests).max()), 6),
        "overall": of_run(requests),
        "fleet": deployments(study.fleet, accounts),
        "deployments": of_deployments(work, where, n_deployments),
        "accounts": accounts_of(study.fleet, accounts, spent, events),
        "events": spans(events, study.fleet),
        "queries": queries(drawn, study),
        "calls": calls_of(work[is_drawn], where[is_drawn]),
        "sentences": {str(number): text for number, text in told.sentences.items()},
        "prices": None if told.prices is None else prices_of(told.prices, study.fleet),
    }


def deployments(fleet: pd.DataFrame, accounts: list[str]) -> list[dict[str, Any]]:
    """Return what a deployment is called, how many it serves at once (None: any number, or not known), who pays."""
    return [
        {"name": str(name), "slots": plain(slots), "account": accounts.index(account)}
        for name, slots, account in zip(fleet["deployment"], fleet["slots"], fleet["account"], strict=True)
    ]


def accounts_of(
    fleet: pd.DataFrame, accounts: list[str], spent: list[dict[str, list[float]]], events: pd.DataFrame
) -> list[dict[str, Any]]:
    """Return each account: unit, budgets and spending over time; no budget where it renews or there is none."""
    whole = has_budget(fleet)
    found = []
    for account, changes in zip(accounts, spent, strict=True):
        own = (fleet["account"] == account).to_numpy(dtype=np.bool_)
        first = fleet[own].iloc[0]
        here = events[events["deployment"].isin(fleet.loc[own, "deployment"])]
        budget = of_budget(float(first["budget"]), changes, here) if whole[own].any() else None
        renews = bool(first.reindex(["window_s", "calendar"]).notna().any())
        found.append(
            {"name": account, "unit": str(first["unit"]), "renews": renews, "budget": budget, "spent": changes}
        )
    return found


def prices_of(prices: pd.DataFrame, fleet: pd.DataFrame) -> list[dict[str, list[float]]]:
    """Return the changes of each deployment's price; a price that is not known, or stays as it was, is left out."""
    found = []
    for name in fleet["deployment"]:
        rows = prices[(prices["deployment"] == name) & np.isfinite(prices["price"])].sort_values("at_s", kind="stable")
        rows = rows[~rows["at_s"].duplicated(keep="last")]
        places = thinned(np.flatnonzero(rows["price"] != rows["price"].shift()))
        found.append({"t": rows["at_s"].iloc[places].round(6).tolist(), "price": rows["price"].iloc[places].tolist()})
    return found


def spans(events: pd.DataFrame, fleet: pd.DataFrame) -> list[dict[str, Any]]:
    """Return what happened: at which deployment (None: to the arrivals), what, from when until when (None: the end)."""
    place = {str(name): number for number, name in enumerate(fleet["deployment"])}
    return [
        {"at": place.get(str(at)), "what": str(what), "from": float(begin), "until": plain(end)}
        for at, what, begin, end in zip(
            events["deployment"], events["what"], events["from_s"], events["until_s"], strict=True
        )
    ]


def queries(drawn: pd.DataFrame, study: Study) -> dict[str, Any]:
    """Return the queries that are drawn, a list per column, and what the hindsight optimum did with each."""
    fates = list(FATES)
    where = rows_of_fleet(drawn, study.fleet)
    sources = drawn["source"].astype("string").fillna("")
    names = list(dict.fromkeys(sources))
    optimum = next((name for name in HINDSIGHT if name in set(study.requests["policy"])), None)
    found: dict[str, Any] = {
        "id": drawn["id"].tolist(),
        "arrived": seconds(drawn, "arrived_at_s"),
        "ended": ended_at_s(drawn).round(6).tolist(),
        "fate": [fates.index(str(fate)) for fate in drawn["fate"]],
        "fates": fates,
        "deployment": where.tolist(),
        "input_tokens": drawn["input_tokens"].tolist(),
        "output_tokens": [
            plain(value) for value in drawn["output_tokens"].astype("Float64").to_numpy(np.float64, na_value=np.nan)
        ],
        "quality": drawn["quality"].round(6).tolist(),
        "cost_usd": drawn["cost_usd"].round(9).tolist(),
        "attempts": drawn["attempts"].tolist(),
        "task": [plain(value) for value in numbers(drawn, "task")],
        "step": [plain(value) for value in numbers(drawn, "step")],
        "explored": drawn["explored"].astype(int).tolist(),
        "source": [names.index(name) for name in sources],
        "sources": names,
        "optimum": None,
    }
    if optimum is not None and drawn["task"].isna().all():
        plan = study.requests[study.requests["policy"] == optimum].set_index("id").reindex(drawn["id"])
        if (plan["row"].to_numpy() == drawn["row"].to_numpy()).all():
            found["optimum"] = {
                "name": optimum,
                "deployment": np.where(plan["fate"] == "served", rows_of_fleet(plan, study.fleet), -1).tolist(),
                "quality": plan["quality"].round(6).tolist(),
                "cost_usd": plan["cost_usd"].round(9).tolist(),
            }
    return found


def calls_of(work: pd.DataFrame, where: IntArray) -> dict[str, list[Any]]:
    """Return the calls that are drawn, a list per column, by the time of asking; one without a deployment has -1."""
    fates = list(FATES)
    asked = numbers(work, "decided_at_s")
    order = np.argsort(asked, kind="stable")
    rows = work.iloc[order]
    return {
        "query": rows["query"].tolist(),
        "deployment": where[order].tolist(),
        "fate": [fates.index(str(fate)) for fate in rows["fate"]],
        "asked": seconds(rows, "decided_at_s"),
        "offered": [plain(value) for value in offered_at_s(rows).round(6)],
        "started": seconds(rows, "started_at_s"),
        "ended": ended_at_s(rows).round(6).tolist(),
        "cost_usd": rows["cost_usd"].round(9).tolist(),
    }


def seconds(table: pd.DataFrame, column: str) -> list[Any]:
    """Return a column of times as plain values, None for none."""
    return [plain(value) for value in numbers(table, column).round(6)]


def plain(value: Any) -> Any:
    """Return a number that JSON can hold: whole ones as such, None for one that is not finite or not known."""
    number = float(value)
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() else number
