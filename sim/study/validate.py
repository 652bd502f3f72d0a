"""Theory beside simulation: every closed form that a system qualifies for, with an interval and a verdict.

Each system is run once from empty; MSER-5 on the number that arrivals find says how many arrivals to leave out, and
batch means of the rest give the interval.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import t as student

from sim.interface import FloatArray
from sim.study.laboratory import customers, found, missing
from sim.study.statistics import batch_means_interval, mser5, quantile_interval
from sim.study.theory.conditions import System
from sim.study.theory.forms import FORMS, P99, PERCENTILE

CONFIDENCE = 0.95
FAMILY_ERROR = 0.01
"""The chance that a right simulator fails the whole list, at most (Bonferroni)."""
COLUMNS = ("system", "form", "figure", "theory", "simulated", "half_width", "warm_up", "passed", "unmet", "verdict")

Interval = tuple[float, float]


@dataclass(frozen=True)
class Claim:
    """What a form says of a system, and what was measured: a value and the half-width of its 95% interval."""

    system: str
    form: str
    figure: str
    theory: float
    measured: Interval
    warm_up: int


def wait_s(arrivals: pd.DataFrame) -> FloatArray:
    """Return the wait of each served customer, in order of arrival."""
    return (arrivals["started_at_s"] - arrivals["arrived_at_s"]).dropna().to_numpy()


def sojourn_s(arrivals: pd.DataFrame) -> FloatArray:
    """Return the time from arrival to departure of each served customer."""
    return (arrivals["finished_at_s"] - arrivals["arrived_at_s"]).dropna().to_numpy()


def ones(true: pd.Series[bool]) -> FloatArray:
    """Return 1 for true and 0 for false, so that a mean is a share."""
    return true.to_numpy().astype(np.float64)


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


def measure(
    system: System, figures: Iterable[str], n_customers: int, n_batches: int, seed: int
) -> tuple[dict[str, Interval], int]:
    """Run a system; return each figure with its half-width, and how many arrivals were left out as warm-up."""
    arrivals = customers(system, n_customers, seed)
    arrivals["found"] = found(arrivals)
    warm_up = mser5(arrivals["found"].to_numpy())
    kept = arrivals.iloc[warm_up:]
    measured = {}
    for figure in figures:
        values = FIGURES[figure](kept)
        measured[figure] = (
            quantile_interval(values, P99, n_batches, CONFIDENCE)
            if figure == PERCENTILE
            else batch_means_interval(values, n_batches, CONFIDENCE)
        )
    return measured, warm_up


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
        Arrivals at each system.
    n_batches : int
    seed : int
    done : callable or None
        Called with the name of each system after it.

    Returns
    -------
    DataFrame
        A row per system, form and figure, with ``theory``, ``simulated``, ``half_width`` (95%), ``warm_up`` (arrivals
        left out), ``passed`` and ``verdict``. Where a form does not apply, or the system cannot be run, one row without
        a figure: its verdict says why, ``unmet`` counts the form's conditions that the system does not meet, and
        ``passed`` is missing.

    Raises
    ------
    ValueError
        If there are too few customers for the batches.
    """
    if n_batches < 2 or n_customers < 50 * n_batches:
        raise ValueError(
            f"customers is {n_customers}; it must be at least 50 for each of {n_batches} batches (2 or more)"
        )
    refused: list[dict[str, object]] = []
    claims: list[Claim] = []
    for system in systems:
        theory: dict[str, dict[str, float]] = {}
        lacking = missing(system)
        for form in FORMS:
            reasons = form.refusals(system)
            if not reasons and lacking is None:
                theory[form.name] = form.figures(system)
            else:
                verdict = "; ".join(reasons) or lacking
                refused.append({"system": system.name, "form": form.name, "unmet": len(reasons), "verdict": verdict})
        if theory:
            asked = {figure for figures in theory.values() for figure in figures}
            measured, warm_up = measure(system, asked, n_customers, n_batches, seed)
            claims += [
                Claim(system.name, form_name, figure, value, measured[figure], warm_up)
                for form_name, figures in theory.items()
                for figure, value in figures.items()
            ]
        if done is not None:
            done(system.name)
    rows = [*judged(claims, n_batches), *refused]
    return pd.DataFrame(rows, columns=pd.Index(COLUMNS)).astype(
        {"passed": "boolean", "warm_up": "Int64", "unmet": "Int64"}
    )


def judged(claims: Sequence[Claim], n_batches: int) -> Iterator[dict[str, object]]:
    """Yield a row per claim, with a verdict.

    A claim is inside or outside its own 95% interval. Of many right claims one in twenty is outside, so a claim fails
    only if it is outside the interval of confidence 1 - FAMILY_ERROR / number of claims.
    """
    degrees = n_batches - 1
    family = 1 - FAMILY_ERROR / 2 / max(1, len(claims))
    allowed = float(student.ppf(family, degrees) / student.ppf(0.5 + CONFIDENCE / 2, degrees))
    for claim in claims:
        simulated, half_width = claim.measured
        distance = abs(simulated - claim.theory)
        off = distance / half_width if half_width > 0 else (0.0 if distance == 0 else float("inf"))
        by = f"{off:.2f} half-widths off, {allowed:.2f} allowed"
        verdict = "inside" if off <= 1 else f"outside: {by}" if off <= allowed else f"FAILS: {by}"
        yield {
            "system": claim.system,
            "form": claim.form,
            "figure": claim.figure,
            "theory": claim.theory,
            "simulated": simulated,
            "half_width": half_width,
            "warm_up": claim.warm_up,
            "passed": off <= allowed,
            "unmet": 0,
            "verdict": verdict,
        }
