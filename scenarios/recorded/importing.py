"""Says what is in the record of a day, and makes the table that ``import`` keeps of it. It writes nothing."""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd

from scenarios.recorded.day import KEPT_AS, OF_QUERY, OUTCOMES, Day
from scenarios.recorded.truth import spent

FORMAT = "record"
WHOLE = ("id", "input_tokens", "chosen", "taken", "served", "output_tokens")
REAL = ("at_s", "ended_at_s", "cost_usd", "score", "scored_at_s", "latency_s")


class Told(NamedTuple):
    """What is kept of a day and said of it; see ``scenarios.readers.importing.Imported``."""

    frame: pd.DataFrame
    lines: list[tuple[str, str]]
    uses: list[str]
    story: dict[str, Any]


def told(day: Day) -> Told:
    """Return the table of a day, a row per query, and what is to be said of it."""
    frame = day.frame.copy()
    for column in WHOLE:
        frame[column] = frame[column].astype("Int64")
    for column in REAL:
        frame[column] = frame[column].astype("float64")
    frame = frame[[*OF_QUERY, *OUTCOMES, "fate", "error", "embedding"]]
    frame.attrs = {KEPT_AS: {**day.about, "end_s": day.end_s}}
    fates = day.frame["fate"].value_counts()
    n_scored, figures = int(day.frame["score"].notna().sum()), spent(day)
    mode, policy = str(day.about["mode"]), str(day.about.get("policy") or "a policy")
    did = "looked on" if mode == "shadow" else "routed"
    lines = [
        ("format", f"{FORMAT}: a day at a gateway, where {policy} {did}"),
        ("rows", f"{len(frame)} queries for {', '.join(day.names)}, over {day.end_s:.6g} s"),
        ("fates", ", ".join(f"{fates.get(fate, 0)} {fate}" for fate in ("answered", "failed", "refused", "open"))),
        ("scores", f"{n_scored} of {fates.get('answered', 0)} answers have one"),
        ("served", f"{figures['served_cost_usd']:.6g} USD; estimated quality {figures['served_quality']:.6g}"),
    ]
    if mode == "shadow":
        lines += [
            (
                "policy",
                f"{figures['chosen_cost_usd']:.6g} USD, estimated where it was not what was served; estimated quality "
                f"{figures['chosen_quality']:.6g}; {figures['elsewhere']:.0f} of {len(frame)} queries elsewhere",
            )
        ]
    n_errors = int(day.frame["error"].notna().sum())
    lines += [("note", f"the policy failed on {n_errors} queries")] if n_errors else []
    named = f" policy={policy.split(maxsplit=1)[0]}" if day.about.get("policy") else ""
    uses = [f"switchyard run record=FILE{named}"]
    return Told(frame, lines, uses, {"format": FORMAT, "rows": len(frame), "mode": mode, **figures})
