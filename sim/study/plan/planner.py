"""Turns what a search found into a plan: answer, binding target, shadow price, next best."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import pandas as pd

from sim.scenario import Scenario
from sim.study.plan.beyond import Beyond, look_beyond, plain
from sim.study.plan.candidates import Judge, Judged
from sim.study.plan.targets import FAILS, MEETS, TIE, Measured, Target
from sim.study.plan.wording import measured_words, missed_words, parts_words

ALL_ALIKE = (
    "every replication of the answer gave the same figures, so that its intervals say nothing of chance; "
    "of a recorded trace, trace_block=200 draws other blocks in each"
)


@dataclass(frozen=True)
class Found:
    """What a search found.

    Parameters
    ----------
    answer : Judged or None
        None if no candidate was shown to meet every target.
    below : Judged or None
        The nearest tighter candidate (fewer replicas, more arrivals, less money), which misses a target.
    next_best : Judged or None
        The nearest other candidate that meets every target.
    closest : Judged or None
        Without an answer: the candidate that shows why, the most generous one or the nearest to all targets.
    open_from : str or None
        The label of the tightest candidate that was not shown to fail, where it is not the answer.
    proven : str
        What is known of tighter candidates, and why.
    warnings : tuple of str
    unit : str or None
        Of a candidate's number, where that is not the search's own but what queries cost in rent and tokens.
    """

    answer: Judged | None
    below: Judged | None = None
    next_best: Judged | None = None
    closest: Judged | None = None
    open_from: str | None = None
    proven: str = ""
    warnings: tuple[str, ...] = ()
    unit: str | None = None


class Search(Protocol):
    """What is looked for; ``sim.study.plan.line`` and ``sim.study.plan.mix`` have the implementations."""

    @property
    def goal(self) -> str:
        """In words, such as ``fewest replicas``."""
        ...

    @property
    def unit(self) -> str:
        """Of a candidate's number, in words."""
        ...

    @property
    def grows(self) -> bool:
        """Whether the answer may carry more traffic than it was asked to; not where that is what is looked for."""
        ...

    def runs_at_most(self, looks: Sequence[int]) -> int:
        """Return a bound on the number of replications in all."""
        ...

    def find(self, scenario: Scenario, judge: Judge) -> Found:
        """Return the tightest candidate among those that meet every target."""
        ...


@dataclass(frozen=True)
class Plan:
    """The answer to a question of planning, and what it rests on."""

    goal: str
    unit: str
    found: Found
    candidates: pd.DataFrame
    confidence: float
    beyond: Beyond | None = None

    @property
    def sentence(self) -> str:
        """The answer in a sentence."""
        answer, closest = self.found.answer, self.found.closest
        if answer is not None:
            open_from = self.found.open_from
            between = f"; from {open_from} on nothing was shown to fail" if open_from else ""
            rent = f", {answer.rent_per_hour_usd:.4g} USD an hour" if answer.rent_per_hour_usd > 0 else ""
            if self.found.unit is not None:
                rent += f"{' of rent' if rent else ''}; {parts_words(answer)}"
            figures = ", ".join(map(measured_words, answer.measured))
            return f"{answer.label}: {figures}{rent}{self._with_less()}{between} ({self.confidence:.0%} intervals)"
        assert closest is not None
        missed = "; ".join(why(one) for one in closest.missed()) or f"the targets are met, but {self.found.proven}"
        return f"{self.goal}: no candidate was shown to meet every target; at {closest.label} {missed}"

    def _with_less(self) -> str:
        """Return what becomes of the targets one step below the answer, to follow a sentence."""
        below = self.found.below
        if below is None or not self.binding:
            return ""
        if self.beyond is not None and self.beyond.load >= 1:
            return (
                f"; with {below.label} the queue never drains, as {self.beyond.load:.3g} times what they serve arrives"
            )
        return f"; with {below.label} {missed_words(self.binding[0])}"

    @property
    def binding(self) -> tuple[Measured, ...]:
        """The targets that the candidate one step below the answer misses, the farthest beyond its limit first."""
        return self.found.below.missed() if self.found.answer and self.found.below else ()

    @property
    def shadow_price(self) -> dict[str, Any] | None:
        """Change of the answer and of its costs per unit of the binding metric, between the answer and a step below.

        A finite difference over one step, not a derivative; None if nothing binds or the metric does not change.
        """
        answer, below = self.found.answer, self.found.below
        if answer is None or below is None or not self.binding:
            return None
        target = self.binding[0].target
        place = [one.target for one in answer.measured].index(target)
        shared = min(answer.replications, below.replications)  # with common random numbers, so that noise cancels
        with np.errstate(invalid="ignore"):  # a percentile may be infinite at both
            change = (answer.figures[:shared] - below.figures[:shared]).mean(axis=0)
        if not np.isfinite(change[place]) or change[place] == 0:
            return None
        per_unit = change / change[place]
        return {
            "target": str(target),
            "between": [below.label, answer.label],
            "change_of_metric": float(change[place]),
            "answer": float((answer.value - below.value) / change[place]),
            "unit": self.unit,
            "rent_per_hour_usd": float(per_unit[-2]),
            "total_cost_per_1000_arrivals_usd": float(per_unit[-1]),
        }

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as plain values; a number that is not finite is None or a word."""
        found = self.found
        return {
            "goal": self.goal,
            "unit": self.unit,
            "sentence": self.sentence,
            "answer": None if found.answer is None else row(found.answer),
            "open_from": found.open_from,
            "below": None if found.below is None else row(found.below),
            "binding": [str(one.target) for one in self.binding],
            "shadow_price": self.shadow_price,
            "next_best": None if found.next_best is None else row(found.next_best),
            "closest": None if found.closest is None else row(found.closest),
            "proven": found.proven,
            "warnings": list(found.warnings),
            "beyond": None if self.beyond is None else self.beyond.as_dict(),
            "confidence": self.confidence,
        }


def plan(scenario: Scenario, search: Search, judge: Judge, beyond: bool = False) -> Plan:
    """Carry out a search, and look beyond its answer if that is asked for.

    Raises
    ------
    ValueError
        If the scenario has nothing to search, or a candidate of it cannot be.
    RuntimeError
        If the policy raises or decides something that cannot be, or a request table fails its check.
    """
    found = search.find(scenario, judge)
    if found.answer is not None and all(one.is_alike for one in found.answer.measured):
        found = replace(found, warnings=(*found.warnings, ALL_ALIKE))
    table = pd.DataFrame([flat(judged, found.answer) for judged in judge.tried.values()])
    return Plan(
        search.goal,
        found.unit or search.unit,
        found,
        table.sort_values(["value", "candidate"], ignore_index=True),
        judge.effort.confidence,
        look_beyond(found.answer, found.below, judge, search.grows) if beyond and found.answer is not None else None,
    )


def row(judged: Judged) -> dict[str, Any]:
    """Return a candidate as plain values."""
    return {
        "candidate": judged.label,
        "value": judged.value,
        "verdict": judged.verdict,
        "replications": judged.replications,
        "rent_per_hour_usd": plain(judged.rent_per_hour_usd),
        "token_cost_per_1000_arrivals_usd": plain(judged.token_cost_per_1000_arrivals_usd),
        "total_cost_per_1000_arrivals_usd": plain(judged.total_cost_per_1000_arrivals_usd),
        "shares": dict(judged.shares),
        "targets": {
            str(one.target): {
                "mean": plain(one.mean),
                "low": plain(one.low),
                "high": plain(one.high),
                "verdict": one.verdict,
            }
            for one in judged.measured
        },
    }


def flat(judged: Judged, answer: Judged | None) -> dict[str, Any]:
    """Return a candidate as a row of ``candidates.csv``: its targets' figures under their names."""
    whole = row(judged)
    whole.pop("targets")
    whole.pop("shares")
    whole["is_answer"] = answer is not None and judged.label == answer.label
    for one in judged.measured:
        text = str(one.target)
        whole |= {text: one.verdict, f"{text} mean": one.mean, f"{text} low": one.low, f"{text} high": one.high}
    return whole


def figures(measured: Measured) -> str:
    """Return a mean with its interval, in words."""
    if math.isnan(measured.mean):
        return f"{measured.target.name} without a figure"
    if measured.is_alike:
        return f"{measured.target.name} {measured.mean:.4g} (the same in every replication)"
    return f"{measured.target.name} {measured.mean:.4g} ({measured.low:.4g} to {measured.high:.4g})"


def why(measured: Measured) -> str:
    """Return how far a target is missed, in words."""
    target, beyond = measured.target, measured.target.excess(measured.mean)
    if measured.verdict == TIE:
        return f"{figures(measured)}, too near to {target} to tell"
    if math.isnan(beyond):
        return f"{target.name} has no figure, as nothing that it measures happened"
    side = "above" if target.sign == "<=" else "below"
    return f"{figures(measured)}, {beyond:.4g} {side} {target.limit:g}"


def verdict_words(judged: Judged, targets: Sequence[Target]) -> str:
    """Return what became of a candidate, in words."""
    words: Mapping[str, str] = {MEETS: "meets its targets", FAILS: "fails", TIE: "is a tie"}
    return f"{judged.label} {words[judged.verdict_on(targets)]}"
