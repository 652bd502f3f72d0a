"""Checks that the limits of a run were kept, from the tables of requests, calls and limits alone."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sim.instance import Instance
from sim.interface import TOLERANCE
from sim.spending.scope import TAGS
from sim.study.metrics.counting import is_served, numbers, offered_at_s
from sim.study.record.checks import CLOCK_ROUNDING
from sim.study.record.series import rows_of_fleet


def check_limits(requests: pd.DataFrame, calls: pd.DataFrame | None, limits: pd.DataFrame, instance: Instance) -> None:
    """Raise RuntimeError unless each limit was spent by the queries that fall under it, and no hard one exceeded.

    Parameters
    ----------
    requests : DataFrame
    calls : DataFrame or None
        Where queries take several.
    limits : DataFrame
        Of the same run, see ``sim.world.record.limits.limit_frames``.
    instance : Instance

    Notes
    -----
    A query counts in the period in which it was taken on. One that was offered so near to the beginning of a period
    that rounding hides on which side may be in either, so that sums are compared over all periods up to each.
    """
    work = requests if calls is None else calls
    query = np.arange(len(requests)) if calls is None else calls["query"].to_numpy()
    served, times_s, cost_usd = is_served(work), offered_at_s(work), numbers(work, "cost_usd")
    tags = requests[[name for name in TAGS if name in requests]].astype(object).to_numpy()[query]
    fleet = pd.DataFrame({"deployment": [info.name for info in instance.setting.fleet]})
    where = rows_of_fleet(work, fleet)
    for name, scope in instance.scopes.items():
        periods = limits[limits["limit"] == name]
        here = served & np.isin(where, list(scope.deployments))
        if scope.tags:
            here &= np.isin(tags.astype(str), list(scope.tags)).any(axis=1)
        begins_s, spent = periods["begins_at_s"].to_numpy(), periods["spent"].to_numpy()
        for sign in (-1, 1):
            begun = np.searchsorted(begins_s * (1 + sign * CLOCK_ROUNDING), times_s[here], side="right") - 1
            found = np.bincount(np.maximum(begun, 0), weights=cost_usd[here], minlength=len(begins_s)).cumsum()
            if (sign * (found - spent.cumsum()) < -TOLERANCE * np.maximum(found, spent.cumsum())).any():
                raise RuntimeError(
                    f"the table of limits is wrong: {name!r} spent {spent.sum()}, and its queries cost {found[-1]}"
                )
        if instance.scenario.reserve != "estimate" and not periods["soft"].any():
            amounts = periods["amount"].to_numpy()
            over = spent > amounts * (1 + TOLERANCE)
            if over.any():
                k = int(over.argmax())
                raise RuntimeError(
                    f"the table of limits is wrong: {name!r} spent {spent[k]} of {amounts[k]} in period {k}"
                )
