"""Sets policies beside frozen standings: which rows compare, and where a policy is behind the best.

It knows no policy and no table by name.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from sim.study.leaderboard import WORDS

TASK = ["table", "order", "seeds"]


def new_policies(table: pd.DataFrame, frozen: pd.DataFrame) -> list[str]:
    """Return the policies of standings that the frozen ones do not have, in their order."""
    known = set(frozen["policy"])
    return [policy for policy in table["policy"].unique() if policy not in known]


def beside(table: pd.DataFrame, frozen: pd.DataFrame) -> pd.DataFrame:
    """Return standings with the frozen rows of all policies that were not run, where these have every task.

    Parameters
    ----------
    table, frozen : DataFrame
        As ``sim.study.leaderboard.standings`` returns them. A task is a table, an order and a number of seeds.
    """
    tasks = table[TASK].drop_duplicates()
    others = frozen[~frozen["policy"].isin(table["policy"])].merge(tasks, on=TASK)
    is_whole = others.groupby("policy")["policy"].transform("size") == len(tasks)
    return pd.concat([table, others[is_whole]], ignore_index=True)


def gaps(ranked: pd.DataFrame, policies: Sequence[str]) -> pd.DataFrame:
    """Return how far each policy is from the best of the others in every task.

    Parameters
    ----------
    ranked : DataFrame
        As ``beside`` returns it, with two policies or more.
    policies : sequence of str
        Some of those in it.

    Returns
    -------
    DataFrame
        A row per policy and task: ``policy``, ``table``, ``order``, ``share`` of the optimum, ``best_other`` and its
        ``share_of_other``, ``gap`` (the latter less the former), ``gap_half_width``, which is the sum of both policies'
        half-widths and so at least that of their paired difference, and ``verdict``: ``ahead``, ``behind`` or ``open``.
    """
    rows = []
    for policy in policies:
        others = ranked[ranked["policy"] != policy].sort_values("optimum_ratio", ascending=False, kind="stable")
        best = others.groupby(["table", "order"], sort=False).first()
        for one in ranked[ranked["policy"] == policy].to_dict("records"):
            other = best.loc[(one["table"], one["order"])]
            gap = other["optimum_ratio"] - one["optimum_ratio"]
            half_width = other["optimum_ratio_half_width"] + one["optimum_ratio_half_width"]
            verdict = "behind" if gap > half_width else "ahead" if -gap > half_width else "open"
            rows.append(
                {
                    "policy": policy,
                    "table": one["table"],
                    "order": one["order"],
                    "share": one["optimum_ratio"],
                    "best_other": other["policy"],
                    "share_of_other": other["optimum_ratio"],
                    "gap": float(WORDS % gap),
                    "gap_half_width": float(WORDS % half_width),
                    "verdict": verdict,
                }
            )
    return pd.DataFrame(rows)
