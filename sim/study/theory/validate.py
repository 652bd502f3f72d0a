"""Compares simulation with theory: every closed form that holds for a system, with an interval and a verdict.

Each system is run once from empty; the first arrivals are left out, and batch means of the rest give the intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from sim.interface import FloatArray
from sim.study.statistics import batch_means_interval, quantile_interval
from sim.study.theory.conditions import MOST_RANKS, System
from sim.study.theory.forms import FORMS, P99, PERCENTILE, sojourn_of, wait_of
from sim.study.theory.laboratory import customers, found

CONFIDENCE = 0.95
FAMILY_ERROR = 0.01
"""The chance that a right simulator fails the whole list, at most, as far as its intervals are right (Bonferroni)."""
WARM_UP = 0.05
"""The share of arrivals to leave out: fixed, because a cut that looks at the data takes away a busy beginning."""
PERCENTILE_CUSTOMERS = 100_000
"""Fewer arrivals hold too few separate busy times with waits beyond the 99th percentile for a right interval."""
COLUMNS = ("system", "form", "figure", "theory", "simulated", "low", "high", "passed", "unmet", "verdict")

Interval = tuple[float, float, float]
"""A measured value and the two ends of its interval."""


@dataclass(frozen=True)
class Claim:
    """What a form says of a system."""

    system: System
    form: str
    figure: str
    theory: float


def wait_s(arrivals: pd.DataFrame) -> FloatArray:
    """Return the wait of each served customer, in order of arrival."""
    return (arrivals["started_at_s"] - arrivals["arrived_at_s"]).dropna().to_numpy()


def sojourn_s(arrivals: pd.DataFrame) -> FloatArray:
    """Return the time from arrival to departure of each served customer."""
    return (arrivals["finished_at_s"] - arrivals["arrived_at_s"]).dropna().to_numpy()


def ones(true: pd.Series[bool]) -> FloatArray:
    """Return 1 for true and 0 for false, so that a mean is a share."""
    return true.to_numpy().astype(np.float64)


def of_rank(arrivals: pd.DataFrame, rank: int, values: Callable[[pd.DataFrame], FloatArray]) -> FloatArray:
    """Return the values of the customers of a rank."""
    return values(arrivals[arrivals["rank"] == rank])


# Of each figure the value of each arrival; all are means but the percentile.
FIGURES: dict[str, Callable[[pd.DataFrame], FloatArray]] = {
    "mean wait, s": wait_s,
    PERCENTILE: wait_s,
    "share that waits": lambda arrivals: ones(arrivals["started_at_s"] != arrivals["arrived_at_s"]),
    "share blocked": lambda arrivals: ones(arrivals["fate"] == "rejected"),
    "share that gives up": lambda arrivals: ones(~arrivals["fate"].isin(["served", "rejected"])),
    "mean sojourn, s": sojourn_s,
    "sojourn / work": lambda arrivals: sojourn_s(arrivals) / arrivals["work_s"].to_numpy(),
    "number found": lambda arrivals: arrivals["found"].to_numpy(),
    "share that finds none": lambda arrivals: ones(arrivals["found"] == 0),
}
for _rank in range(1, MOST_RANKS + 1):
    FIGURES[wait_of(_rank)] = partial(of_rank, rank=_rank, values=wait_s)
    FIGURES[sojourn_of(_rank)] = partial(of_rank, rank=_rank, values=sojourn_s)


def interval(arrivals: pd.DataFrame, figure: str, n_batches: int, confidence: float) -> Interval:
    """Return a figure of a run, its warm-up left out, with its interval."""
    values = FIGURES[figure](arrivals)
    if figure == PERCENTILE:
        return quantile_interval(values, P99, n_batches, confidence)
    mean, half_width = batch_means_interval(values, n_batches, confidence)
    return mean, mean - half_width, mean + half_width


def validate(
    systems: Sequence[System],
    n_customers: int,
    *,
    n_batches: int = 20,
    seed: int = 0,
    done: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """Check every form on every system.

    Parameters
    ----------
    systems : sequence of System
    n_customers : int
        Arrivals at each system; below ``PERCENTILE_CUSTOMERS`` percentiles are left out.
    n_batches : int
    seed : int
    done : callable or None
        Called with the name of each system after it.

    Returns
    -------
    DataFrame
        A row per system, form and figure, with ``theory``, ``simulated``, ``low`` and ``high`` (the 95% interval),
        ``passed`` and ``verdict``. Where a form does not apply, or the system cannot be run, one row without a figure:
        its verdict says why, ``unmet`` counts the form's conditions that the system does not meet, and ``passed`` is
        missing.

    Raises
    ------
    ValueError
        If there are too few customers for the batches.
    """
    if n_batches < 2 or n_customers < 50 * n_batches:
        raise ValueError(
            f"customers is {n_customers}; it must be at least 50 for each of {n_batches} batches (2 or more)"
        )
    claims, refused = claimed(systems, with_percentile=n_customers >= PERCENTILE_CUSTOMERS)
    rows = []
    for system in systems:
        own = [claim for claim in claims if claim.system is system]
        if own:
            arrivals = customers(system, n_customers, seed)
            arrivals["found"] = found(arrivals)
            kept = arrivals.iloc[int(WARM_UP * n_customers) :]
            for claim in own:
                usual = interval(kept, claim.figure, n_batches, CONFIDENCE)
                family = interval(kept, claim.figure, n_batches, 1 - FAMILY_ERROR / len(claims))
                rows.append(judged(claim, usual, family))
        if done is not None:
            done(system.name)
    table = pd.DataFrame([*rows, *refused], columns=pd.Index(COLUMNS))
    return table.astype({"passed": "boolean", "unmet": "Int64"})


def claimed(systems: Sequence[System], *, with_percentile: bool) -> tuple[list[Claim], list[dict[str, object]]]:
    """Return what the forms say of the systems, and a row for each form that says nothing of one."""
    claims: list[Claim] = []
    refused: list[dict[str, object]] = []
    for system in systems:
        for form in FORMS:
            reasons = form.refusals(system)
            if not reasons:
                claims += [
                    Claim(system, form.name, figure, theory)
                    for figure, theory in form.figures(system).items()
                    if with_percentile or figure != PERCENTILE
                ]
            else:
                verdict = "; ".join(reasons)
                refused.append({"system": system.name, "form": form.name, "unmet": len(reasons), "verdict": verdict})
    return claims, refused


def judged(claim: Claim, usual: Interval, family: Interval) -> dict[str, object]:
    """Return the row of a claim, with its verdict.

    Of many right claims one in twenty is outside its own 95% interval, so a claim fails only if it is also outside the
    interval of the family: that of confidence 1 - FAMILY_ERROR / number of claims.
    """
    simulated, low, high = usual
    end = high if claim.theory > simulated else low
    miss = abs(claim.theory - end)
    passed = family[1] <= claim.theory <= family[2]
    if low <= claim.theory <= high:
        verdict = "inside"
    elif passed:
        verdict = f"outside by {miss:.2g}, inside {family[1]:.4g} to {family[2]:.4g} as chance allows"
    else:
        verdict = f"FAILS: outside by {miss:.2g}, chance allows {family[1]:.4g} to {family[2]:.4g}"
    return {
        "system": claim.system.name,
        "form": claim.form,
        "figure": claim.figure,
        "theory": claim.theory,
        "simulated": simulated,
        "low": low,
        "high": high,
        "passed": passed,
        "unmet": 0,
        "verdict": verdict,
    }
