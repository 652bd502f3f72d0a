"""Searches for the cheapest mix of deployments, in order of rent and within bounds. It knows no policy."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sim.deployment import Deployment
from sim.errors import check_number, unknown
from sim.instance import stream
from sim.scenario import Scenario
from sim.study.fleet import charges_queries
from sim.study.plan.candidates import Candidate, Judge, Judged, distance
from sim.study.plan.capacity import Capacity, capacity
from sim.study.plan.hybrid import Members, is_api, least_cost
from sim.study.plan.planner import Found
from sim.study.plan.targets import FAILS, MEETS, TIE

MOST_MIXES = 200_000
Counts = tuple[int, ...]
"""Replicas of each entry of the catalogue (n_deployments,)."""


@dataclass(frozen=True)
class Mix:
    """How many replicas of each deployment of the scenario's fleet, its catalogue, so that the cost is least.

    Where nothing but rent is paid, mixes are in order of rent. APIs that are paid by the token are in a mix once or not
    at all, as their limits are their provider's, and the cost is then rent and tokens (``sim.study.plan.hybrid``).

    Parameters
    ----------
    most : int
        Of each deployment that is rented.
    most_by_name : mapping of str to int, or None
        Of these deployments instead; 0 leaves one out.
    most_kinds : int or None
        How many different deployments a mix has at most; None for any number.
    max_candidates : int
        How many mixes are simulated at most. Those of equal rent and number are in the catalogue's order.

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    most: int = 3
    most_by_name: Mapping[str, int] | None = None
    max_candidates: int = 60
    most_kinds: int | None = None

    def __post_init__(self) -> None:
        """Check the numbers."""
        for number in (self.most, *(self.most_by_name or {}).values()):
            if type(number) is not int or number < 0:
                raise ValueError(f"search.most has {number!r}; it must be a whole number of replicas, at least 0")
        check_number("search.max_candidates", self.max_candidates, least=2)
        check_number("search.most_kinds", self.most_kinds, least=1, null="for any number")

    @property
    def goal(self) -> str:
        """What is looked for, in words."""
        return "cheapest fleet"

    @property
    def unit(self) -> str:
        """Of a candidate's number, in words."""
        return "USD an hour of rent"

    @property
    def grows(self) -> bool:
        """Whether the answer may carry more traffic than it was asked to."""
        return True

    def runs_at_most(self, looks: Sequence[int]) -> int:
        """Return a bound on the number of replications."""
        return self.max_candidates * looks[-1]

    def find(self, scenario: Scenario, judge: Judge) -> Found:
        """Return the cheapest mix that meets every target; see ``cheapest``."""
        catalogue = scenario.fleet.deployments(scenario.workload.models, stream(judge.seed, 0, "fleet"))
        apis = [is_api(one) for one in catalogue]
        for one, api in zip(catalogue, apis, strict=True):
            if not one.price_per_hour_usd > 0 and not api:
                raise ValueError(
                    f"{one.name!r} has no price_per_hour_usd, so mixes with it have no order: give a price, "
                    "or choose a fleet with prices, such as fleet=selfhosted_a100"
                )
        found_mixes = list(itertools.islice(mixes_of(self._most(catalogue), self.most_kinds), MOST_MIXES + 1))
        if not 0 < len(found_mixes) <= MOST_MIXES:
            raise ValueError(
                f"search.most allows no mix, or more than {MOST_MIXES}; change it, or search.most_by_name, or how many "
                "kinds a mix may have, as with search.most_kinds=2"
            )
        prices = [one.rent_per_hour_usd for one in catalogue]

        def rank(counts: Counts) -> tuple[float, int, Counts]:
            return rent_usd(counts, prices), sum(counts), tuple(-count for count in counts)

        mixes = sorted(found_mixes, key=rank)
        known = capacity(scenario, catalogue, judge.seed, judge.effort.min_replications)
        candidates = [(counts, candidate(scenario, catalogue, counts)) for counts in mixes]
        if not any(charges_queries(one) for one in catalogue):
            return cheapest(candidates, known, judge, self.max_candidates)
        whole = [(counts, replace(one, value=math.nan), rent_usd(counts, prices)) for counts, one in candidates]
        return least_cost(whole, apis, known, judge, self.max_candidates)

    def _most(self, catalogue: Sequence[Deployment]) -> list[int]:
        names, by_name = [one.name for one in catalogue], self.most_by_name or {}
        for name in by_name:
            if name not in names:
                raise ValueError(unknown("deployment in search.most_by_name", name, names))
        most = []
        for one in catalogue:
            number = by_name.get(one.name, self.most)
            if is_api(one) and by_name.get(one.name, 1) > 1:
                raise ValueError(
                    f"search.most_by_name has {number} of {one.name!r}, an API with limits of its provider's; "
                    "1 lets a mix have it, 0 leaves it out"
                )
            most.append(min(number, 1) if is_api(one) else number)
        return most


def mixes_of(most: Sequence[int], most_kinds: int | None) -> Iterator[Counts]:
    """Yield every number of replicas of each, at least one in all, of at most so many kinds.

    >>> list(mixes_of([1, 2], None)), len(list(mixes_of([3] * 12, 2)))
    ([(1, 0), (0, 1), (0, 2), (1, 1), (1, 2)], 630)
    """
    usable = [k for k, number in enumerate(most) if number]
    for kinds in range(1, 1 + min(len(usable), most_kinds or len(usable))):
        for chosen in itertools.combinations(usable, kinds):
            for numbers in itertools.product(*(range(1, 1 + most[k]) for k in chosen)):
                counts = [0] * len(most)
                for k, number in zip(chosen, numbers, strict=True):
                    counts[k] = number
                yield tuple(counts)


def rent_usd(counts: Counts, prices: Sequence[float]) -> float:
    """Return the rent of a mix per hour, without the noise of the last digits."""
    return float(f"{math.fsum(count * price for count, price in zip(counts, prices, strict=True)):.12g}")


def candidate(scenario: Scenario, catalogue: Sequence[Deployment], counts: Counts) -> Candidate:
    """Return a mix as a candidate; its number is its rent per hour."""
    members = tuple(
        one if is_api(one) else replace(one, replicas=n) for one, n in zip(catalogue, counts, strict=True) if n
    )
    rent = rent_usd(counts, [one.rent_per_hour_usd for one in catalogue])
    label = " + ".join(one.name if is_api(one) else f"{one.replicas} {one.name}" for one in members)
    return Candidate(label, rent, replace(scenario, fleet=Members(members)))


def cheapest(mixes: Sequence[tuple[Counts, Candidate]], known: Capacity, judge: Judge, most: int) -> Found:
    """Return the cheapest mix that meets every target, of those that were tried.

    Parameters
    ----------
    mixes : sequence of (counts, candidate)
        In order of rent.
    known : Capacity
        Excludes mixes without a run, and says where to begin.
    judge : Judge
    most : int
        How many mixes to simulate.

    Notes
    -----
    Begin at the first mix of which M/M/c promises enough and go on to its neighbours in order of rent, above and below
    in turn; once one meets every target, only what is cheaper than the best so far is tried. A mix in which another is
    contained need not be better, as policies may send more to the worse model, so nothing is skipped for that. What is
    left of ``most`` looks for the next best above the answer.
    """
    reasons = [known.excludes(counts, judge.targets) for counts, _ in mixes]
    open_at = [k for k, reason in enumerate(reasons) if reason is None]
    tried: dict[int, Judged] = {}

    def meets(k: int, limit: int = most - 1) -> bool:
        if k not in tried and len(tried) < limit:
            tried[k] = judge.judge(mixes[k][1])
        return k in tried and tried[k].verdict == MEETS

    begin = next((n for n, k in enumerate(open_at) if known.promises(mixes[k][0], judge.targets)), len(open_at))
    best: int | None = None
    for _, k in sorted(enumerate(open_at), key=lambda place: abs(place[0] - begin)):
        if (best is None or k < best) and meets(k):
            best = k
            judge.best(tried[k])
    last = len(mixes) - 1
    if best is None and meets(last, most) and reasons[last] is None:
        best = last
    if best is None:
        closest = min(tried.values(), key=lambda judged: max(map(distance, judged.measured)))
        return Found(None, closest=closest, proven=proof(mixes, reasons, tried, len(mixes)))
    following = next((k for k in open_at if k > best and meets(k, most)), None)
    below = max((k for k in tried if k < best), default=None)
    ties = [k for k in tried if k < best and tried[k].verdict == TIE]
    return Found(
        tried[best],
        below=None if below is None else tried[below],
        next_best=None if following is None else tried[following],
        open_from=mixes[min(ties)][1].label if ties else None,
        proven=proof(mixes, reasons, tried, best),
    )


def proof(
    mixes: Sequence[tuple[Counts, Candidate]], reasons: Sequence[str | None], tried: Mapping[int, Judged], end: int
) -> str:
    """Return what became of the first ``end`` mixes, in words: tried, excluded by a bound, or neither."""
    if end == 0:
        return "no mix is cheaper"
    which = "mixes" if end == len(mixes) else "cheaper mixes"
    verdicts = [one.verdict for k, one in tried.items() if k < end]
    words = [f"{verdicts.count(FAILS)} fail", f"{verdicts.count(TIE)} are ties"]
    bounds = [reason for k, reason in enumerate(reasons[:end]) if reason is not None and k not in tried]
    words += [f"{bounds.count(reason)} are excluded ({reason})" for reason in dict.fromkeys(bounds)]
    neither = end - len(verdicts) - len(bounds)
    ending = (
        "none is left" if neither == 0 else f"{neither} were not tried (search.max_candidates), so nothing is proven"
    )
    return f"of {end} {which} {', '.join(words)}; {ending}"
