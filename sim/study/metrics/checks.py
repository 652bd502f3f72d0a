"""Checks that the figures of a run agree with each other: rent, replica time and energy."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from sim.study.metrics.counting import is_served, makespan_s, work
from sim.study.metrics.load import energy_j, of_fleet, rent_usd, token_cost_usd
from sim.study.record.window import Openings, rented, window_s
from sim.world.record import replica_seconds

TOLERANCE = 1e-9  # relative; sums in another order differ by less


def check_metrics(
    requests: pd.DataFrame,
    kept: pd.DataFrame,
    fleet: pd.DataFrame,
    openings: Openings,
    calls: pd.DataFrame | None = None,
) -> None:
    """Raise RuntimeError if rent, replica time, token charges or energy of a run contradict each other.

    Parameters
    ----------
    requests, kept : DataFrame
        All arrivals, and those after the warm-up.
    fleet : DataFrame
        As ``sim.study.fleet.fleet_table`` makes it.
    openings : sequence
        The log of each deployment.
    calls : DataFrame or None
        A row per call; None where each query takes one.

    Notes
    -----
    Of a fleet whose replicas stay the replica time in a window is replicas x its length. Time before, in and after the
    window adds up to the whole run. Token charges are at most what the request table says, and energy and charges of
    what is left out and of what is kept add up to those of all.
    """
    whole = rented(fleet, openings, requests)
    if not kept.empty:
        part = rented(fleet, openings, kept)
        fixed = ~np.isnan(of_fleet(fleet, "slots"))
        by_hand = of_fleet(fleet, "replicas") * makespan_s(kept)
        for name, log, found, right, is_fixed in zip(
            fleet["deployment"], openings, part["replica_seconds"], by_hand, fixed, strict=True
        ):
            if is_fixed and not same(found, right):
                raise wrong(f"{name!r} was rented for {found:g} replica-seconds", f"replicas x window is {right:g}")
            (first_s, last_s), (begin_s, end_s) = window_s(requests), window_s(kept)
            parts_s = replica_seconds(log, first_s, begin_s) + found + replica_seconds(log, end_s, last_s)
            all_s = replica_seconds(log, first_s, last_s)
            if not same(parts_s, all_s):
                raise wrong(f"{name!r} was rented for {parts_s:g} replica-seconds in parts", f"the run has {all_s:g}")
        part_usd, all_usd = rent_usd(kept, part), rent_usd(requests, whole)
        if part_usd > all_usd and not same(part_usd, all_usd):
            raise wrong(f"the rent of a part is {part_usd:g} USD", f"that of the run is {all_usd:g}")
    dropped = requests.loc[requests.index.difference(kept.index)]
    for what, figure in (("token charges", token_cost_usd), ("energy", energy_j)):
        total, parts = figure(requests, fleet, calls), figure(kept, fleet, calls) + figure(dropped, fleet, calls)
        if not same(total, parts):
            raise wrong(f"{what} of all arrivals are {total:g}", f"those of its parts add up to {parts:g}")
    charged_usd, recorded_usd = token_cost_usd(requests, fleet, calls), float(requests["cost_usd"].sum())
    if charged_usd > recorded_usd and not same(charged_usd, recorded_usd):
        raise wrong(f"token charges are {charged_usd:g} USD", f"the request table has {recorded_usd:g}")
    if not is_served(work(requests, calls)).any() and charged_usd != 0:
        raise wrong(f"token charges are {charged_usd:g} USD", "nothing was served")


def same(a: float, b: float) -> bool:
    """Return whether two figures differ by rounding only; NaN is like NaN."""
    return (math.isnan(a) and math.isnan(b)) or math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def wrong(found: str, right: str) -> RuntimeError:
    """Return the error of a contradiction."""
    return RuntimeError(f"the figures are wrong: {found}, but {right}")
