"""Fits one server to several runs, and judges the fit on runs that it has not seen. It knows no files.

Each run is predicted by a fit to the others; the fit that is kept is to all of them. With one run it is the first half
that is fitted, and the second that is predicted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sim.study.fit.fit import Found, check_streamed, search, simulate
from sim.study.fit.intervals import Told, told, untold_words
from sim.study.fit.limits import Limits
from sim.study.fit.measured import FIGURES, LATENCIES, Measured, figure, latencies

SAME_RATE = 1.1  # runs whose rates differ by less are at one rate
FITTED, HELD_OUT = "fitted", "held_out"


@dataclass(frozen=True)
class Judged:
    """A server, fitted and judged.

    Parameters
    ----------
    found : Found
    residuals : DataFrame
        Columns ``run``, ``half`` (``fitted`` or ``held_out``), ``metric``, ``figure``, ``measured``, ``simulated`` and
        ``relative_error``.
    compared : DataFrame
        A row per request, in order of the runs: ``run``, ``fitted`` (whether the fit that predicted it saw it), and
        each latency ``measured_`` and ``simulated_``.
    told : mapping of str to Told
        For each parameter its interval, and whether the data tell it.
    words : tuple of str
        What the data cannot say, a sentence each.
    """

    found: Found
    residuals: pd.DataFrame
    compared: pd.DataFrame
    told: Mapping[str, Told]
    words: tuple[str, ...]


def n_searches(n_runs: int) -> int:
    """Return how many searches it takes."""
    return 1 if n_runs == 1 else n_runs + 1


def fit_runs(
    runs: Mapping[str, Measured],
    limits: Limits,
    evaluations: int = 600,
    advance: Callable[[], None] | None = None,
) -> Judged:
    """Fit one or more runs of one server; parameters as for ``sim.study.fit.fit.search``.

    Raises
    ------
    ValueError
        If the time per token of what is fitted cannot be.
    """
    names, measured = list(runs), [latencies(run, run.first_token_s, run.last_token_s) for run in runs.values()]
    whole = [len(one) for one in measured]
    if len(runs) == 1:
        n_fitted = [whole[0] // 2]
        check_streamed(measured[0][: n_fitted[0]], "the first half")
    else:
        n_fitted = whole
        for name, one in zip(names, measured, strict=True):
            check_streamed(one, name)
    found = search(list(runs.values()), n_fitted, limits, evaluations, advance)
    rows: list[dict[str, object]] = []
    compared = []
    for k, (name, run) in enumerate(runs.items()):
        by_all = simulated(found, run)
        if len(runs) == 1:
            seen = np.arange(whole[0]) < n_fitted[0]
            rows += [
                *figures(name, FITTED, measured[k][seen], by_all[seen]),
                *figures(name, HELD_OUT, measured[k][~seen], by_all[~seen]),
            ]
            predicted = by_all
        else:
            others = [other for other in names if other != name]
            sizes = [len(runs[other].arrival_s) for other in others]
            predicted = simulated(search([runs[other] for other in others], sizes, limits, evaluations, advance), run)
            seen = np.zeros(whole[k], dtype=np.bool_)
            rows += [
                *figures(name, FITTED, measured[k], by_all),
                *figures(name, HELD_OUT, measured[k], predicted),
            ]
        both = pd.concat([measured[k].add_prefix("measured_"), predicted.add_prefix("simulated_")], axis=1)
        compared.append(both.assign(run=name, fitted=seen)[["run", "fitted", *both.columns]])
    table = pd.DataFrame(rows)
    table["relative_error"] = table["simulated"] / table["measured"] - 1
    misses = float(table.loc[table["half"] == FITTED, "relative_error"].abs().max())
    intervals = told(found, list(runs.values()), n_fitted, limits, misses)
    return Judged(
        found,
        table.sort_values("half", kind="stable", ignore_index=True),
        pd.concat(compared, ignore_index=True),
        intervals,
        (*of_rates(list(runs.values())), *untold_words(intervals)),
    )


def simulated(found: Found, run: Measured) -> pd.DataFrame:
    """Return the latencies of a run as a service makes them."""
    return latencies(run, *simulate(found.service, found.copies, run))


def figures(run: str, half: str, measured: pd.DataFrame, simulated: pd.DataFrame) -> list[dict[str, object]]:
    """Return mean and p95 of each latency, measured and simulated, a row each."""
    return [
        {
            "run": run,
            "half": half,
            "metric": metric,
            "figure": name,
            "measured": figure(name, measured[metric].to_numpy()),
            "simulated": figure(name, simulated[metric].to_numpy()),
        }
        for metric in LATENCIES
        for name in FIGURES
    ]


def rate_per_s(run: Measured) -> float:
    """Return the arrivals of a run a second; infinite where all come at once."""
    span_s = float(run.arrival_s[-1] - run.arrival_s[0])
    return (len(run.arrival_s) - 1) / span_s if span_s > 0 else float("inf")


def of_rates(runs: Sequence[Measured]) -> list[str]:
    """Return what the rates of the runs leave open, in a sentence; nothing if they differ."""
    rates = [rate_per_s(run) for run in runs]
    if max(rates) > SAME_RATE * min(rates):
        return []
    at = "at once" if np.isinf(rates[0]) else f"at one rate, {np.mean(rates):.3g} a second"
    return [
        f"all requests came {at}: what the server does at another is the model's word, and no run has checked it "
        "(give runs at several rates together)"
    ]
