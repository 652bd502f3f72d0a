"""Finds the first candidate along a line that meets every target. It does not know what a candidate is."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from sim.study.plan.candidates import Candidate, Judge, Judged
from sim.study.plan.planner import Found, verdict_words
from sim.study.plan.targets import FAILS, MEETS, TIE, Target


def first_that_meets(candidates: Sequence[Candidate], judge: Judge) -> Found:
    """Return the first candidate that meets every target, by bisection.

    Parameters
    ----------
    candidates : sequence of Candidate
        The most generous last.
    judge : Judge

    Notes
    -----
    Generosity helps some targets (latency) and hurts others (cost): which, is read off the two ends. Bisection finds
    the first candidate that meets those that are helped; the others are at their best there, so that if it misses one
    of them, no candidate meets all. It takes each target to be monotone along the line, which is then checked on every
    pair that was tried, the neighbours of the answer among them. A tie counts as a miss.
    """
    tried: dict[int, Judged] = {}

    def at(position: int, targets: Sequence[Target] | None = None) -> Judged:
        tried[position] = judge.judge(candidates[position], targets)
        return tried[position]

    last = len(candidates) - 1
    judge.ahead((candidates[last], candidates[0]))
    generous, frugal = at(last), at(0)
    helped = [target for target in judge.targets if helps(target, frugal, generous)]
    if at(last, helped).verdict_on(helped) != MEETS:
        return Found(None, closest=tried[last], proven="this is the most generous candidate")
    fails, meets = 0, last
    if at(0, helped).verdict_on(helped) == MEETS:
        meets = 0
    while meets - fails > 1:
        middle = (fails + meets) // 2
        if at(middle, helped).verdict_on(helped) == MEETS:
            meets = middle
            judge.best(tried[middle])
        else:
            fails = middle
    answer = at(meets)
    if answer.verdict != MEETS:
        against = ", ".join(str(target) for target in judge.targets if target not in helped)
        if meets == 0:
            tighter = "there is no tighter candidate in this search"
        else:
            missed = [one for one in tried[fails].missed() if one.target in helped]
            tighter = f"{tried[fails].label} misses {', '.join(str(one.target) for one in missed)}"
        return Found(None, closest=answer, proven=f"{tighter}; more generous ones are worse for {against}")
    around = [position for position in (meets - 2, meets - 1, meets + 1) if 0 <= position <= last]
    judge.ahead(candidates[position] for position in around)
    for position in around:
        at(position, helped)
    following = at(meets + 1) if meets < last else None
    below = tried.get(meets - 1)
    refuted = [position for position, one in tried.items() if position < meets and one.verdict_on(helped) == FAILS]
    first_open = max(refuted, default=-1) + 1
    return Found(
        answer,
        below=below,
        next_best=following if following is not None and following.verdict == MEETS else None,
        open_from=candidates[first_open].label if first_open < meets else None,
        proven=proof(below, helped, len(tried), answer.label),
        warnings=violations(tried, helped),
    )


def helps(target: Target, frugal: Judged, generous: Judged) -> bool:
    """Return whether generosity helps a target, or makes no difference that can be told."""
    change = target.excess(generous.of(target).mean) - target.excess(frugal.of(target).mean)
    return not change > 0


def proof(below: Judged | None, targets: Sequence[Target], n_tried: int, answer: str) -> str:
    """Return what is known of the candidates that ask for less than the answer."""
    if below is None and answer.startswith("1 replica"):
        return "no fleet has fewer replicas"
    if below is None:
        return "the answer is the tightest candidate of the search: tighter ones may do as well, so widen it"
    ending = "; more replications may decide it (max_replications)" if below.verdict_on(targets) == TIE else ""
    return (
        f"{verdict_words(below, targets)}{ending}; what is tighter still was not all tried: it is taken to fail, "
        f"as targets are monotone, which was checked on the {n_tried} candidates tried"
    )


def violations(tried: dict[int, Judged], targets: Sequence[Target]) -> tuple[str, ...]:
    """Return each pair of candidates of which the one that is tighter meets the targets and the other fails."""
    return tuple(
        f"not monotone: {tried[i].label} meets what {tried[j].label} fails, so the answer may not be the first"
        for i, j in combinations(sorted(tried), 2)
        if tried[i].verdict_on(targets) == MEETS and tried[j].verdict_on(targets) == FAILS
    )
