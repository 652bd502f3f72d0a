"""Makes what policies know of the history: which models on which rows, and their means. It knows no clock."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from sim.errors import unknown
from sim.interface import BoolArray, Capped, FloatArray, History
from sim.scenario import Scenario, exact_share
from sim.truth import frozen


def known_rows(
    scenario: Scenario, models: Sequence[str], n_history: int, draw: Callable[[str], np.random.Generator]
) -> BoolArray:
    """Return which models are known on which history rows (n_history, n_models).

    A model's rows are the first of a random order of its own, so that fewer rows are some of the same rows.

    Parameters
    ----------
    scenario : Scenario
    models : sequence of str
        Behind each deployment; those behind several deployments are known on the same rows.
    n_history : int
    draw : callable
        Makes the random stream of a purpose.

    Raises
    ------
    ValueError
        If ``profiled`` names a model that does not exist or more rows than there are, or if no model is left known.
    """
    profiled = dict(scenario.profiled or {})
    for model in profiled:
        if model not in scenario.workload.models:
            raise ValueError(unknown("model in profiled", model, scenario.workload.models))
    others = [model for model in dict.fromkeys(models) if model not in profiled]
    n_new = math.floor(exact_share(scenario.new_model_share) * len(set(models)) + exact_share(0.5))
    if n_new:
        new = draw("new models").permutation(len(others))[:n_new]
        profiled |= {others[number]: scenario.new_model_rows for number in sorted(new)}
    known = np.ones((n_history, len(models)), dtype=np.bool_)
    for k, model in enumerate(models):
        n_rows = profiled.get(model, n_history)
        if n_rows > n_history:
            where = f"profiled.{model}" if model in (scenario.profiled or {}) else "new_model_rows"
            raise ValueError(f"{where} is {n_rows}, and the history has {n_history} rows; take at most that many")
        if n_rows < n_history:
            known[draw(f"profiled {model}").permutation(n_history)[n_rows:], k] = False
    if not known.any():
        raise ValueError(
            "no model of the fleet is known on any row of the history; leave one out of profiled and new_model_share"
        )
    return known


def told(whole: History, known: BoolArray) -> History:
    """Return what policies are told of a whole history: NaN, read-only, where a model is not known."""
    if known.all():
        return whole
    quality, cost = (frozen(np.where(known, outcome, np.nan)) for outcome in (whole.quality, whole.cost))
    capped = whole.capped
    if capped is not None:
        of_cut = (frozen(np.where(known[..., None], outcome, np.nan)) for outcome in (capped.quality, capped.cost))
        capped = Capped(capped.caps, *of_cut)
    return replace(whole, quality=quality, cost=cost, capped=capped)


def history_means(history: History) -> tuple[FloatArray, FloatArray]:
    """Return mean quality and cost (n_deployments,), as ``History.means`` has them where not all is known."""
    if not history.known.all():
        return history.means()
    return sums(history.quality) / len(history.quality), sums(history.cost) / len(history.cost)


def sums(truth: FloatArray) -> FloatArray:
    """Return the sum of each column, to the last bit the same whatever other columns there are."""
    total: FloatArray = np.ascontiguousarray(truth.T).sum(axis=1)
    return total
