"""Says in a sentence what each drawing of a comparison shows, as its title. It knows no verb."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from sim.show.words import listed, number, several
from sim.study.metrics import FATES
from sim.study.oracles import OPTIMUM, ORACLES

NAMED = 3  # policies at most, one by one
KEPT = ("served", "cached", "declined")  # fates in which nothing was lost that somebody had wanted
LOST = {
    "exhausted": "are lost for want of money",
    "rejected": "find a full queue",
    "too_long": "are too long",
    "abandoned": "give up waiting",
    "timed_out": "time out",
    "failed": "fail",
}


def of_quality(summary: pd.DataFrame) -> str:
    """Return how far the best policy is ahead of the next, and behind what knows the future.

    Parameters
    ----------
    summary : DataFrame
        The policy that is best first.
    """
    means = summary.groupby("policy", sort=False)["quality"].mean()
    routers = means[~means.index.isin(ORACLES)]
    if routers.empty:
        return "What is known in hindsight"
    best, quality = str(routers.index[0]), float(routers.iloc[0])
    parts = []
    if len(routers) > 1:
        following = str(routers.index[1])
        parts.append(f"{ahead(quality, float(routers.iloc[1]))} than {following}")
    bounds = [name for name in ORACLES if name in means and name != OPTIMUM]
    if bounds:
        parts.append(f"{ahead(quality, float(means[bounds[0]]))} than {bounds[0]}")
    words = f"{best} gets a quality of {number(quality)}"
    words += "".join(f", {part}" for part in parts)
    ratio = summary.loc[summary["policy"] == best, "optimum_ratio"].mean() if "optimum_ratio" in summary else math.nan
    if math.isfinite(ratio):
        words += f": {ratio:.0%} of the hindsight optimum"
    return words


def ahead(more: float, less: float) -> str:
    """Return how much more, or less, a number is than another.

    >>> ahead(1.5, 1.0), ahead(0.8, 1.0), ahead(1.0, 1.0), ahead(1.0, 0.0)
    ('50% more', '20% less', 'no more', '1 more')
    """
    if not less > 0:
        return f"{number(more - less)} more" if more > less else "no more"
    share = more / less - 1
    words = f"{abs(share):.0%}" if abs(share) < 10 else f"{abs(share):,.0f} times"
    if words == "0%":
        return "no more"
    return f"{words} {'more' if share > 0 else 'less'}"


def of_money(best: list[str], n_policies: int) -> str:
    """Return which policies nobody beats for the same money or less, the dearest first.

    >>> of_money(["d", "c", "b", "a"], 5)
    'No policy beats d, c, b or 1 more for the same money'
    """
    if len(best) == n_policies:
        return f"{several(n_policies, 'policy', 'policies')}, and none beats another for the same money"
    rest = len(best) - NAMED
    *names, last = [*best[:NAMED], f"{rest} more"] if rest > 0 else best
    return f"No policy beats {', '.join(names) + ' or ' if names else ''}{last} for the same money"


def of_fates(summary: pd.DataFrame) -> str:
    """Return which policy loses most of its queries and how, beside the one that is best (the first)."""
    summary = summary[~summary["policy"].isin(ORACLES)]
    means = summary.groupby("policy", sort=False)[[*FATES, "arrived"]].mean()
    shares = means[list(FATES)].div(means["arrived"], axis=0)
    lost = shares[[fate for fate in FATES if fate not in KEPT]]
    if lost.empty or not lost.to_numpy().any():
        served = shares["served"].sort_values(ascending=False, kind="stable")
        ends = f"{served.index[0]} serves {served.iloc[0]:.0%} of its queries"
        return ends + (f", {served.index[-1]} {served.iloc[-1]:.0%}" if len(served) > 1 else "") + "; none is lost"
    fate = str(lost.max().idxmax())
    worst, best = str(lost[fate].idxmax()), str(shares.index[0])
    words = f"{percent(float(lost[fate][worst]))} of {worst}'s queries {LOST.get(fate, f'are {fate}')}"
    return words + (f", {percent(float(lost[fate][best]))} of {best}'s" if best != worst else "")


def percent(share: float) -> str:
    """Return a share in whole per cent; what is above 0 is not 0.

    >>> percent(0.5), percent(0.0), percent(0.001)
    ('50%', '0%', 'less than 1%')
    """
    return "less than 1%" if 0 < share < 0.005 else f"{share:.0%}"


def of_latency(medians_s: Mapping[str, float]) -> str:
    """Return within what time the quickest and the slowest policy have answered half of all arrivals.

    >>> of_latency({"a": 2.0, "b": 0.5, "c": math.inf})
    'Half of all arrivals are answered within 0.5 s by b and within 2 s by a; c never answers half of them'
    """
    timed = {name: time_s for name, time_s in medians_s.items() if math.isfinite(time_s)}
    never = [name for name in medians_s if name not in timed]
    words = ""
    if timed:
        ends = dict.fromkeys((min(timed.values()), max(timed.values())))
        by = {time_s: [name for name, its_s in timed.items() if math.isclose(its_s, time_s)] for time_s in ends}
        within = [f"within {time_s:.3g} s by {some(names)}" for time_s, names in by.items()]
        words = f"half of all arrivals are answered {listed(within)}"
    if never:
        verb = "answers" if len(never) == 1 else "answer"
        words += ("; " if words else "") + f"{some(never)} never {verb} half of {'them' if timed else 'all arrivals'}"
    return words[:1].upper() + words[1:]


def some(names: Sequence[str]) -> str:
    """Return names, or their number where they are many.

    >>> some(["a", "b"]), some(["a", "b", "c", "d"])
    ('a and b', '4 policies')
    """
    return listed(names) if len(names) <= NAMED else several(len(names), "policy", "policies")
