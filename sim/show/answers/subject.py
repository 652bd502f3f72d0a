"""Says whether a study asks about latency or about quality, so that titles and first sentences answer that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from sim.study.oracles import ORACLES

GROUPS = ("latency", "first_token", "per_token", "wait", "slo")  # of metrics, that are about time
COLUMNS = ("p95_first_token_s", "p95_latency_s")  # of which the first that is asked for is the headline
OF_WORDS = {"p95_first_token_s": "first token", "p95_latency_s": "whole answer"}


def latency_column(config: Mapping[str, Any], summary: pd.DataFrame) -> str | None:
    """Return the column of the summary that a study asks about if it asks about latency; None if it is about quality.

    It asks about latency where a query takes time at all and its quality says nothing, as it is made up (of a trace) or
    the same for all policies; or where it asks for latency alone, by ``metric=`` or ``suggest=``.
    """
    policies = summary[~summary["policy"].isin(ORACLES)]
    if "p95_latency_s" not in policies or not (policies["p95_latency_s"] > 0).any():
        return None
    chosen = chosen_metrics(config)
    only_time = bool(chosen) and all(group in GROUPS for group in chosen)
    if not (only_time or config.get("suggest") == "latency" or is_made_up(config) or is_alike(policies)):
        return None
    wanted = COLUMNS if "first_token" in chosen else COLUMNS[1:]
    return next(str(column) for column in (*wanted, COLUMNS[-1]) if column in policies)


def chosen_metrics(config: Mapping[str, Any]) -> Sequence[str]:
    """Return the groups of metrics that the command line names; nothing if it names none.

    >>> chosen_metrics({"command": ["run", "metric=[latency,slo]"]}), chosen_metrics({"command": ["run"]})
    (['latency', 'slo'], [])
    """
    given = [str(word) for word in config.get("command") or [] if str(word).startswith("metric=")]
    named = given[-1].removeprefix("metric=").strip("[]").split(",") if given else []
    return [name.strip() for name in named if name.strip()]


def is_made_up(config: Mapping[str, Any]) -> bool:
    """Return whether the workload is a trace, which has times and lengths and no scores."""
    workload = config.get("workload") or {}
    return str(workload.get("_target_", "")).endswith("workloads.trace.trace")


def of_made_up(config: Mapping[str, Any], summary: pd.DataFrame) -> str | None:
    """Return that a trace whose requests take no time says nothing of a system; None for any other run."""
    if not is_made_up(config) or "p95_latency_s" not in summary or (summary["p95_latency_s"] > 0).any():
        return None
    if not summary["served"].any():
        return None
    return (
        "Queries take no time here, and the scores and costs of a trace are made up: for latencies choose a fleet with "
        "a clock, as in fleet=selfhosted_h100 budget=unlimited policy=least_loaded."
    )


def is_alike(policies: pd.DataFrame) -> bool:
    """Return whether several policies all have the same quality in every replication, at every point."""
    if policies["policy"].nunique() < 2:
        return False
    by_draw = policies.groupby([column for column in ("seed", "replication") if column in policies])["quality"]
    return bool((by_draw.max() == by_draw.min()).all())


def asked(names: Sequence[str], time: str | None) -> str:
    """Return the beginning of the question: about latency, of which that is the column, or about quality."""
    if time is not None:
        what = "first tokens" if time.endswith("first_token_s") else "answers"
        if len(names) == 1:
            return f"How soon does {names[0]} give the {what}"
        return f"Which of {len(names)} policies gives the {what} soonest"
    return (
        f"What quality does {names[0]} get"
        if len(names) == 1
        else (f"Which of {len(names)} policies gets the highest quality")
    )
