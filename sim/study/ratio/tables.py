"""Makes tables of competitive ratios: intervals, paired differences, worst orders, slopes. It runs nothing.

Functions take the rows of ``sim.study.ratio.ratios.ratios``. Policies and orders stay in the order in which they first
appear.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from sim.errors import unknown
from sim.study.statistics import fitted_line, mean_interval, paired_difference

MIN_SIZES = 3
"""A line through two sizes always fits, so it would say nothing of the law."""


def cells(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the mean ratio of each policy, order and size with its interval.

    Returns
    -------
    DataFrame
        ``policy``, ``order``, ``size``, ``replications``, ``k`` and ``k_mean`` (means); ``ratio`` and ``half_width`` of
        its 95% Student interval; ``lowest``, of any replication; ``ratio_to_bayes`` and ``ratio_to_approximate``, each
        with its half-width.
    """
    table = []
    for (policy, order, size), found in rows.groupby(["policy", "order", "size"], sort=False):
        ratio, half_width = mean_interval(found["ratio_to_optimum"].tolist())
        to_bayes, bayes_half_width = mean_interval(found["ratio_to_bayes"].tolist())
        to_approximate, approximate_half_width = mean_interval(found["ratio_to_approximate"].tolist())
        table.append(
            {
                "policy": policy,
                "order": order,
                "size": size,
                "replications": len(found),
                "k": found["k"].mean(),
                "k_mean": found["k_mean"].mean(),
                "ratio": ratio,
                "half_width": half_width,
                "lowest": found["ratio_to_optimum"].min(),
                "ratio_to_bayes": to_bayes,
                "bayes_half_width": bayes_half_width,
                "ratio_to_approximate": to_approximate,
                "approximate_half_width": approximate_half_width,
            }
        )
    return pd.DataFrame(table)


def paired(rows: pd.DataFrame, reference: str | None = None) -> pd.DataFrame:
    """Return how far each policy's ratio is from a reference's on the same replications, in each order at each size.

    Parameters
    ----------
    rows : DataFrame
    reference : str or None
        A policy; None for the one with the highest mean there. That one was chosen by looking, so that the differences
        from it are a little too favourable to it.

    Returns
    -------
    DataFrame
        ``order``, ``size``, ``policy``, ``reference``; ``difference`` and ``half_width`` of its 95% interval.

    Raises
    ------
    ValueError
        If no policy has the reference's name.
    """
    policies = rows["policy"].unique().tolist()
    if reference is not None and reference not in policies:
        raise ValueError(unknown("reference", reference, policies))
    table = []
    for (order, size), found in rows.groupby(["order", "size"], sort=False):
        ratio = found.pivot(index="replication", columns="policy", values="ratio_to_optimum")[policies]
        against = reference or str(ratio.mean().idxmax())
        for policy in policies:
            if policy != against:
                difference, half_width = paired_difference(ratio[policy].tolist(), ratio[against].tolist())
                table.append((order, size, policy, against, difference, half_width))
    return pd.DataFrame(table, columns=["order", "size", "policy", "reference", "difference", "half_width"])


def worst(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the cell of each policy and size whose mean ratio is lowest, the first of equals.

    Of many orders that are in truth alike, the lowest estimate is somewhat below the truth.
    """
    lowest = cells.groupby(["policy", "size"], sort=False)["ratio"].idxmin()
    columns = ["policy", "size", "order", "ratio", "half_width", "lowest"]
    return cells.loc[lowest, columns].reset_index(drop=True)


def slopes(rows: pd.DataFrame) -> pd.DataFrame:
    """Return how the loss 1 - ratio falls as volume and budgets grow together: its line against 1 / sqrt(k).

    Under random order the loss of the best algorithms is O(sqrt((1 + log d) / k)), with k how many of its largest
    queries the smallest budget pays for and d the column sparsity, the most budgets that one choice takes from, here 1:
    O(1 / sqrt(k)) (Kesselheim and others, arXiv 1311.2578; Gupta and Molinaro, Mathematics of Operations Research 41,
    2016). The slope is the constant of such a law, and the intercept the loss that no volume heals; both are of the
    best line, whether or not there is such a law.

    Returns
    -------
    DataFrame
        ``policy``, ``order``, ``sizes``, ``slope``, ``intercept``, their 95% half-widths, ``r_squared``; and
        ``left_out``, why there is no line, empty where there is one.
    """
    table = []
    for (policy, order), found in rows.groupby(["policy", "order"], sort=False):
        n_sizes = found["size"].nunique()
        left_out = ""
        if np.isinf(found["k"]).any():
            left_out = "no budget can bind"
        elif n_sizes < MIN_SIZES:
            left_out = f"a slope needs at least {MIN_SIZES} sizes"
        entry = {"policy": policy, "order": order, "sizes": n_sizes, "left_out": left_out}
        if not left_out:
            loss = 1 - found["ratio_to_optimum"].to_numpy()
            line = fitted_line(found["k"].to_numpy() ** -0.5, loss, found["replication"].to_numpy())
            entry |= line._asdict()
        table.append(entry)
    columns = [
        "policy",
        "order",
        "sizes",
        "slope",
        "slope_half_width",
        "intercept",
        "intercept_half_width",
        "r_squared",
    ]
    return pd.DataFrame(table, columns=[*columns, "left_out"])
