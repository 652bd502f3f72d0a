"""Says which policy of a comparison fits a goal: the best in one respect of those that keep limits. It runs none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from sim.errors import check_one_of
from sim.study.oracles import ORACLES
from sim.study.plan.candidates import distance
from sim.study.plan.targets import FAILS, MEETS, Measured, Target, measure, read_targets
from sim.study.plan.wording import mean_words, said
from sim.study.statistics import mean_interval, paired_difference

GOALS = {  # the column that decides, whether more is better, and what the best is called
    "cost": ("total_cost_per_1000_arrivals_usd", False, "cheapest"),
    "quality": ("quality_per_query", True, "best"),
    "latency": ("p95_latency_s", False, "fastest"),
}
CONFIDENCE = 0.95
LITTLE = 1e-9  # of a mean: what rounding leaves where nothing was redrawn


@dataclass(frozen=True)
class Suggestion:
    """Which policy fits.

    Parameters
    ----------
    goal : str
    needs : tuple of Target
    n_policies, n_kept : int
        How many there are, and how many were shown to keep every limit.
    best : str or None
        None if none was shown to.
    mean, half_width : float
        Of the column that decides, with its 95% interval.
    following : str or None
        The next of those that keep the limits.
    behind, behind_half_width : float
        By how much it is worse, over the replications that both have.
    nearest : tuple of (str, Measured) or None
        If none keeps the limits: the policy that is the nearest to them, and the limit that it misses most.
    """

    goal: str
    needs: tuple[Target, ...]
    n_policies: int
    n_kept: int
    best: str | None
    mean: float = math.nan
    half_width: float = math.nan
    following: str | None = None
    behind: float = math.nan
    behind_half_width: float = math.nan
    nearest: tuple[str, Measured] | None = None

    @property
    def sentence(self) -> str:
        """It in a sentence or two."""
        column, _, word = GOALS[self.goal]
        words, unit = said(column)
        limits = " and ".join(map(str, self.needs))
        if self.best is None:
            assert self.nearest is not None
            return (
                f"no policy was shown to keep {limits}; the nearest is {self.nearest[0]}: {mean_words(self.nearest[1])}"
            )
        among = (
            f"of {self.n_kept} policies that keep {limits} (of {self.n_policies})" if self.needs else "of all policies"
        )
        found = f"{self.best} is the {word} {among}: {words} {spread(self.mean, self.half_width)}{unit}"
        if self.following is None:
            return found
        apart = f"{self.following} follows, {spread(self.behind, self.behind_half_width)}{unit} worse"
        return f"{found}; {apart}" + ("" if self.behind > self.behind_half_width else ", which may be chance")


def spread(mean: float, half_width: float) -> str:
    """Return a mean with its half-width, where it has one.

    >>> spread(0.16013, 0.00214), spread(0.16013, 2e-17)
    ('0.1601 +- 0.0021', '0.1601')
    """
    return f"{mean:.4g}" + (f" +- {half_width:.2g}" if half_width > LITTLE * abs(mean) else "")


def suggest(summary: pd.DataFrame, goal: str, needs: Sequence[str] = ()) -> Suggestion:
    """Return the policy that is the best for a goal, of those whose 95% intervals are on the right side of all limits.

    Parameters
    ----------
    summary : DataFrame
        A row per policy and replication, as ``compare`` returns it.
    goal : str
        ``cost``, ``quality`` or ``latency``.
    needs : sequence of str
        Limits such as ``quality_per_query>=0.7``, of any column; ``quality_per_query``, ``served_share`` and
        ``total_cost_per_1000_arrivals_usd`` are there too.

    Raises
    ------
    ValueError
        If there is no such goal or column, or one replication only.
    """
    check_one_of("suggest", goal, tuple(GOALS))
    routers = with_shares(summary[~summary["policy"].isin(ORACLES)])
    column, more, _ = GOALS[goal]
    if column not in routers:
        raise ValueError(f"suggest={goal} needs {column}, and no metric has it; choose metric=latency")
    if routers.groupby("policy")["replication"].nunique().min() < 2:
        raise ValueError("suggest needs replications=2 or more, as it goes by intervals")
    numbers = [name for name in routers.columns if pd.api.types.is_numeric_dtype(routers[name])]
    targets = read_targets(list(needs), numbers) if needs else ()
    values = {str(name): rows.set_index("replication") for name, rows in routers.groupby("policy", sort=False)}
    judged = {
        name: [measure(target, rows[target.metric].to_numpy(float), CONFIDENCE) for target in targets]
        for name, rows in values.items()
    }
    kept = [name for name, every in judged.items() if all(one.verdict == MEETS for one in every)]
    kept = [name for name in kept if math.isfinite(values[name][column].mean())]
    if not kept:
        name, every = min(judged.items(), key=lambda item: max((distance(one) for one in item[1]), default=math.inf))
        missed = max(
            (one for one in every if one.verdict != MEETS), key=lambda one: (one.verdict == FAILS, distance(one))
        )
        return Suggestion(goal, targets, len(values), 0, None, nearest=(name, missed))
    sign = -1 if more else 1
    ranked = sorted(kept, key=lambda name: sign * float(values[name][column].mean()))
    mean, half_width = mean_interval(values[ranked[0]][column].tolist())
    if len(ranked) == 1:
        return Suggestion(goal, targets, len(values), 1, ranked[0], mean, half_width)
    apart = paired_difference(values[ranked[1]][column].to_numpy(float), values[ranked[0]][column].to_numpy(float))
    return Suggestion(
        goal, targets, len(values), len(kept), ranked[0], mean, half_width, ranked[1], sign * apart[0], apart[1]
    )


def with_shares(summary: pd.DataFrame) -> pd.DataFrame:
    """Return a summary with its sums by the query as well."""
    arrived = summary["arrived"]
    return summary.assign(
        quality_per_query=summary["quality"] / arrived,
        served_share=summary["served"] / arrived,
        total_cost_per_1000_arrivals_usd=1000 * summary["total_cost_usd"] / arrived,
    )
