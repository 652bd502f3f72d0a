"""Looks beyond the answer of a plan: how much more traffic it carries, what breaks first, which inputs matter most.

It runs the answer again with one input changed at a time, and chooses no other candidate.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sim.instance import stream
from sim.scenario import Scenario
from sim.study.plan.candidates import Candidate, Judge, Judged, distance
from sim.study.plan.capacity import capacity
from sim.study.plan.inputs import INPUTS, with_traffic
from sim.study.plan.targets import MEETS, Measured, Target
from sim.study.plan.wording import mean_words, missed_words, said

DOUBLE = 2.0
MORE = 1.2  # of one input at a time
STEP, MOST_STEPS = 1.05, 28  # of the traffic that is tried: 5% at a time, up to four times as much
SHOWN = 3  # inputs
LITTLE = 0.01  # of a change


@dataclass(frozen=True)
class Sensitivity:
    """What a fifth more of one input does to a metric: its value then, and the change as a share of the answer's."""

    input: str
    mean: float
    change: float


@dataclass(frozen=True)
class Beyond:
    """What lies beyond an answer.

    Parameters
    ----------
    target : Target
        The one that ``sensitivities`` speak of: what the candidate one step below misses, else what fails first as
        traffic grows, else what moves most.
    load : float
        Arrivals over what the candidate one step below the answer can serve; NaN where no formula knows, or there is
        none. Of 1 or more its queue never drains.
    queries_per_hour : float
    headroom : float or None
        How much more traffic was shown to meet every target, as a share: 0.5 is half as much again; None where that
        was not asked.
    carries_most : bool
        Whether that is all that was tried.
    first : tuple of Measured
        What fails first as traffic grows further, or can no longer be told, at 5% more; empty if nothing did.
    doubled : tuple of Measured
        Every target at twice the traffic.
    sensitivities : tuple of Sensitivity
        The largest changes first, at most three.
    """

    target: Target
    load: float
    queries_per_hour: float
    headroom: float | None
    carries_most: bool
    first: tuple[Measured, ...]
    doubled: tuple[Measured, ...]
    sensitivities: tuple[Sensitivity, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as plain values, and in sentences."""
        return {
            "queries_per_hour": plain(self.queries_per_hour),
            "load_below": plain(self.load),
            "headroom": self.headroom,
            "fails_first": [str(one.target) for one in self.first],
            "doubled": {str(one.target): {"mean": plain(one.mean), "verdict": one.verdict} for one in self.doubled},
            "target": str(self.target),
            "sensitivities": [
                {"input": f"{MORE - 1:.0%} {one.input}", "mean": plain(one.mean), "change": plain(one.change)}
                for one in self.sensitivities
            ],
            "sentences": [*self._of_traffic(), *self._of_inputs()],
        }

    def _of_traffic(self) -> Iterator[str]:
        if self.headroom is not None and self.carries_most:
            yield f"headroom: at least {self.headroom:.0%} more traffic, the most that was tried"
        elif self.headroom is not None:
            fails = f"; with {STEP - 1:.0%} more {' and '.join(map(missed_words, self.first))}" if self.first else ""
            yield f"headroom: {self.headroom:.0%} more traffic{fails}"
        missed = sorted((one for one in self.doubled if not met(one)), key=distance, reverse=True)
        if missed:
            yield f"at twice the traffic {mean_words(missed[0])}" + also(missed[1:])
        else:
            yield "at twice the traffic every target is still met"

    def _of_inputs(self) -> Iterator[str]:
        words, more = said(self.target.metric)[0], f"{MORE - 1:.0%}"
        moved = [f"{one.change:+.0%} with {more} {one.input}" for one in self.sensitivities if abs(one.change) > LITTLE]
        if moved:
            yield f"{words} depends most on: {', '.join(moved)}"
        elif self.sensitivities:
            yield f"{words} changes by less than {LITTLE:.0%} with {more} more of any input"


def met(measured: Measured) -> bool:
    """Return whether the mean is on the right side of the limit, however wide its interval."""
    return measured.target.excess(measured.mean) <= 0


def also(missed: Sequence[Measured]) -> str:
    """Return which other targets are missed, to follow a sentence about the first."""
    return f"; {', '.join(said(one.target.metric)[0] for one in missed)} too" if missed else ""


def plain(value: float) -> float | str | None:
    """Return a number as JSON can have it: None for NaN, a word for an infinite one."""
    return None if math.isnan(value) else value if math.isfinite(value) else str(value)


def runs_beyond(replications: int) -> int:
    """Return a bound on the number of runs that looking beyond takes."""
    return replications * (1 + MOST_STEPS.bit_length() + len(INPUTS))


def look_beyond(answer: Judged, below: Judged | None, judge: Judge, grows: bool = True) -> Beyond:
    """Run an answer with more traffic, and with one input changed at a time, with the same random numbers.

    Parameters
    ----------
    answer : Judged
        Meets every target.
    below : Judged or None
        The candidate one step below.
    judge : Judge
        Runs as many replications of each as it looks at first.
    grows : bool
        Whether to look for the headroom; not where the answer is the largest load already.
    """
    scenario = answer.candidate.scenario

    def changed(what: str, other: Scenario) -> Candidate:
        return replace(answer.candidate, label=f"{answer.label}, {what}", scenario=other)

    steps: dict[int, Judged] = {}

    def carried(step: int) -> Judged:
        if step not in steps:
            factor = STEP**step
            steps[step] = judge.look(changed(f"traffic x {factor:.3g}", with_traffic(scenario, factor)))
        return steps[step]

    headroom: float | None = None
    first: tuple[Measured, ...] = ()
    carries_most = False
    if grows:
        low, high = 0, MOST_STEPS + 1  # met, and not known to be met
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if carried(middle).verdict == MEETS else (low, middle)
        headroom, carries_most = STEP**low - 1, low == MOST_STEPS
        first = steps[high].missed() if high in steps else ()
    asked = {name: change(scenario, MORE) for name, change in INPUTS.items()}
    more = {name: changed(f"{MORE - 1:.0%} {name}", other) for name, other in asked.items() if other is not None}
    twice = changed("traffic x 2", with_traffic(scenario, DOUBLE))
    judge.ahead((*more.values(), twice))
    moved = {name: judge.look(candidate) for name, candidate in more.items()}
    binding = [*(() if below is None else below.missed()), *first]
    target = binding[0].target if binding else max(judge.targets, key=lambda one: largest(answer, moved, one))
    sensitivities = [
        Sensitivity(name, other.of(target).mean, relative(answer, other, target)) for name, other in moved.items()
    ]
    known = [one for one in sensitivities if not np.isnan(one.change)]
    rate_per_s, load = pressure(scenario if below is None else below.candidate.scenario, judge.seed)
    return Beyond(
        target,
        float("nan") if below is None else load,
        3600 * rate_per_s,
        headroom,
        carries_most,
        first,
        judge.look(twice).measured,
        tuple(sorted(known, key=lambda one: -abs(one.change))[:SHOWN]),
    )


def relative(answer: Judged, other: Judged, target: Target) -> float:
    """Return by which share of the answer's mean another run's differs; NaN where either has none."""
    mean, before = other.of(target).mean, answer.of(target).mean
    return (mean - before) / abs(before) if before else math.nan


def largest(answer: Judged, moved: Mapping[str, Judged], target: Target) -> float:
    """Return the largest such share, 0 where there is none."""
    changes = [abs(relative(answer, other, target)) for other in moved.values()]
    return max((change for change in changes if not math.isnan(change)), default=0.0)


def pressure(scenario: Scenario, seed: int) -> tuple[float, float]:
    """Return the arrivals per second, and these over what the fleet can serve; the latter NaN where no formula knows.

    NaN too where something but service may end a query: a limit, a time-out, patience, a budget or an event.
    """
    fleet = scenario.fleet.deployments(scenario.workload.models, stream(seed, 0, "fleet"))
    known = capacity(scenario, fleet, seed, 1)
    load = known.load([one.replicas for one in fleet]) if known.must_serve else 0.0
    return known.rate_per_s, load or float("nan")
