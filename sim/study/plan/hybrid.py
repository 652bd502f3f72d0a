"""Searches for the mix of rented deployments and token-priced APIs with the least cost of both. It knows no policy.

What tokens cost depends on where the policy sends queries, so that only a run tells. Rent is known beforehand, and a
mix whose rent alone is more than the whole cost of another that meets every target is left out without one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sim.deployment import Deployment
from sim.study.plan.candidates import Candidate, Judge, Judged, distance
from sim.study.plan.capacity import Capacity
from sim.study.plan.planner import Found
from sim.study.plan.targets import FAILS, MEETS, TIE
from sim.traits import ServiceTraits

UNIT = "USD per 1,000 queries, rent and tokens"
IDLE = 0.9  # of the queries: what APIs take beside what is rented, where the policy does not look at rent
Counts = tuple[int, ...]


@dataclass(frozen=True)
class Members:
    """A fleet of given deployments."""

    members: tuple[Deployment, ...]

    def deployments(self, models: Sequence[str], rng: np.random.Generator) -> tuple[Deployment, ...]:
        """Return them."""
        return self.members


def is_api(one: Deployment) -> bool:
    """Return whether a deployment is somebody else's, paid by the token and not by the hour.

    Its limits are its provider's, so that there is one of it or none.
    """
    has_token_prices = one.price_output_usd_per_million is not None
    return not one.price_per_hour_usd > 0 and (has_token_prices or ServiceTraits.of(one.service).is_hosted)


def rent_per_1000_usd(rent_per_hour_usd: float, known: Capacity) -> float:
    """Return what 1,000 queries cost in rent at least, as fast as they come in any replication that was looked at."""
    return rent_per_hour_usd * known.shortest_s_per_1000 / 3600


def expected_usd(counts: Counts, rent_usd: float, apis: Sequence[bool], known: Capacity) -> float:
    """Return a guess of the cost of 1,000 queries, to begin a search with: rent, and tokens of what that cannot serve.

    The rest goes to the cheapest API there; of APIs alone, everything does.
    """
    rented = [0 if api else count for count, api in zip(counts, apis, strict=True)]
    there = [known.mean_cost_usd[k] for k, count in enumerate(counts) if count and apis[k]]
    if not any(rented):
        rest = 1.0
    else:
        load = known.load(rented)
        rest = 1 - 1 / load if load > 1 else 0.0
    return rent_usd + (1000 * rest * min(there) if there else 0.0)


def least_cost(
    mixes: Sequence[tuple[Counts, Candidate, float]],
    apis: Sequence[bool],
    known: Capacity,
    judge: Judge,
    most: int,
) -> Found:
    """Return the mix with the least total cost among those that meet every target, of those that were tried.

    Parameters
    ----------
    mixes : sequence of (counts, candidate, rent)
        In the order in which those of equal expected cost are tried; rent in USD an hour.
    apis : sequence of bool
        Which deployments of the catalogue are APIs.
    known : Capacity
        Excludes mixes without a run.
    judge : Judge
    most : int
        How many mixes to simulate.
    """
    reasons = [known.excludes(counts, judge.targets) for counts, _, _ in mixes]
    rent = [rent_per_1000_usd(rent_usd, known) for *_, rent_usd in mixes]
    order = sorted(
        (k for k, reason in enumerate(reasons) if reason is None),
        key=lambda k: (expected_usd(mixes[k][0], rent[k], apis, known), k),
    )
    tried: dict[int, Judged] = {}
    best: int | None = None
    for k in order:
        if len(tried) == most:
            break
        if best is not None and rent[k] >= tried[best].value:
            continue
        tried[k] = judge.judge(mixes[k][1])
        if tried[k].verdict == MEETS and (best is None or tried[k].value < tried[best].value):
            best = k
            judge.best(tried[k])
    if best is None:
        if not tried:
            tried[len(mixes) - 1] = judge.judge(mixes[-1][1])
        closest = min(tried.values(), key=lambda judged: max(map(distance, judged.measured)))
        return Found(None, closest=closest, proven=proof(reasons, rent, tried, None), unit=UNIT)
    cost = tried[best].value
    others = sorted((one for k, one in tried.items() if k != best), key=lambda one: one.value)
    below = [one for one in others if one.value < cost and one.verdict != MEETS]
    ties = [one for one in below if one.verdict == TIE]
    return Found(
        tried[best],
        below=below[-1] if below else None,
        next_best=next((one for one in others if one.verdict == MEETS), None),
        open_from=ties[0].label if ties else None,
        proven=proof(reasons, rent, tried, cost),
        warnings=beside(tried[best], mixes[best][0], apis),
        unit=UNIT,
    )


def beside(answer: Judged, counts: Counts, apis: Sequence[bool]) -> tuple[str, ...]:
    """Return a warning where the policy leaves what is rented idle, as an API without limits is never loaded."""
    there = [api for api, count in zip(apis, counts, strict=True) if count]
    fleet = answer.candidate.scenario.fleet
    assert isinstance(fleet, Members)
    bought = sum(answer.shares.get(one.name, 0.0) for one, api in zip(fleet.members, there, strict=True) if api)
    if all(there) or bought < IDLE:
        return ()
    return (
        f"APIs take {bought:.0%} of the queries beside what is rented: with policy=least_loaded, "
        "policy.least_loaded.spill_at=0.8 fills what is rented first",
    )


def proof(reasons: Sequence[str | None], rent: Sequence[float], tried: Mapping[int, Judged], cost: float | None) -> str:
    """Return what became of all mixes, in words, given the cost of the answer, or None without one."""
    verdicts = [one.verdict for one in tried.values()]
    dearer = verdicts.count(MEETS) - (cost is not None)
    words = [f"{verdicts.count(FAILS)} fail", f"{verdicts.count(TIE)} are ties"]
    words += [f"{dearer} meet every target and cost more"] if dearer else []
    left = [k for k in range(len(reasons)) if k not in tried]
    bounds = [reason for k in left if (reason := reasons[k]) is not None]
    words += [f"{bounds.count(reason)} are excluded ({reason})" for reason in dict.fromkeys(bounds)]
    by_rent = 0 if cost is None else sum(reasons[k] is None and rent[k] >= cost for k in left)
    words += [f"{by_rent} cost more in rent alone"] if by_rent else []
    neither = len(left) - len(bounds) - by_rent
    ending = (
        "none is left" if neither == 0 else f"{neither} were not tried (search.max_candidates), so nothing is proven"
    )
    others = "other mixes" if cost is not None else "mixes"
    return f"of {len(reasons) - (cost is not None)} {others} {', '.join(words)}; {ending}"
