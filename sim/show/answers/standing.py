"""Puts policies in the order of what a study asks about: the best first, in every table and drawing alike."""

from __future__ import annotations

import pandas as pd

ALIKE = 9  # decimals, beyond which two means differ by rounding alone


def standing(summary: pd.DataFrame, time: str | None = None) -> list[str]:
    """Return the policies, those that know the future among them, in the order of their means over replications.

    Policies that are alike stay in their order.

    Parameters
    ----------
    summary : DataFrame
        A row per policy and replication.
    time : str or None
        The column of the latency that the study asks about, the least first; None for quality, the most first.

    >>> standing(pd.DataFrame({"policy": ["a", "b", "b"], "quality": [1.0, 1.0, 4.0]}))
    ['b', 'a']
    """
    means = summary[time or "quality"].groupby(summary["policy"], sort=False, observed=True).mean().round(ALIKE)
    return [str(name) for name in means.sort_values(ascending=time is not None, kind="stable").index]


def ranked(table: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Return a table with a column ``policy``, the rows of each policy together, in the order of the names.

    Rows of a policy that is not among the names come last.
    """
    places = {name: place for place, name in enumerate(names)}
    place = table["policy"].astype(str).map(places).fillna(len(names))
    return table.iloc[place.argsort(kind="stable")].reset_index(drop=True)
