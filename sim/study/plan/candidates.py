"""Simulates each candidate of a plan until its targets are decided. It does not choose candidates."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from sim.interface import FloatArray, Policy
from sim.scenario import Scenario
from sim.study.experiment import replicate
from sim.study.metrics import Metric
from sim.study.metrics.counting import is_served, ratio
from sim.study.metrics.load import rent_per_hour_usd, token_cost_usd
from sim.study.metrics.shares import cost_while_arriving_per_1000_usd
from sim.study.oracles import BoundCache, EstimateCache, Oracle
from sim.study.plan.targets import FAILS, MEETS, TIE, Measured, Target, measure
from sim.study.sequential import Effort
from sim.study.side_by_side import SideBySide


def token_cost_per_1000_usd(requests: pd.DataFrame, fleet: pd.DataFrame, calls: pd.DataFrame | None = None) -> float:
    """Return what queries are charged by token, in USD per 1,000 arrivals; NaN if nothing arrived."""
    return ratio(1000 * token_cost_usd(requests, fleet, calls), len(requests))


def shares_of(requests: pd.DataFrame) -> dict[str, float]:
    """Return the share of all arrivals that each deployment served, by its name; none for those that served none."""
    served = requests["deployment"][is_served(requests)].dropna()
    counts = served.astype(str).value_counts()
    return {str(name): count / len(requests) for name, count in counts.items()}


COSTS: Mapping[str, Metric] = {
    "token_cost_per_1000_arrivals_usd": token_cost_per_1000_usd,
    "rent_per_hour_usd": rent_per_hour_usd,
    "total_cost_per_1000_arrivals_usd": cost_while_arriving_per_1000_usd,  # so without the rent of draining a backlog
}


@dataclass(frozen=True)
class Candidate:
    """One possible answer: in words (``7 replicas``), as a number, and the scenario that it stands for.

    The number is NaN where it is the total cost of 1,000 queries, which only runs tell.
    """

    label: str
    value: float
    scenario: Scenario


@dataclass(frozen=True)
class Judged:
    """A candidate with what its replications say of every target.

    Parameters
    ----------
    candidate : Candidate
    measured : tuple of Measured
        In the order of the targets.
    figures : array (n_replications, n_targets + 3)
        Each target's metric, the charges by token per 1,000 arrivals, the rent per hour and the total cost per 1,000
        arrivals, in each replication.
    shares : mapping of str to float
        The mean share of all arrivals that each deployment served.
    """

    candidate: Candidate
    measured: tuple[Measured, ...]
    figures: FloatArray
    shares: Mapping[str, float] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The candidate's."""
        return self.candidate.label

    @property
    def replications(self) -> int:
        """How many there were."""
        return len(self.figures)

    @property
    def value(self) -> float:
        """The candidate's number, or the total cost of 1,000 queries where that is it."""
        value = self.candidate.value
        return self.total_cost_per_1000_arrivals_usd if math.isnan(value) else value

    @property
    def token_cost_per_1000_arrivals_usd(self) -> float:
        """Mean charges by token."""
        return float(self.figures[:, -3].mean())

    @property
    def rent_per_hour_usd(self) -> float:
        """Mean rent."""
        return float(self.figures[:, -2].mean())

    @property
    def total_cost_per_1000_arrivals_usd(self) -> float:
        """Mean cost of all, rent while queries arrive and charges."""
        return float(self.figures[:, -1].mean())

    @property
    def verdict(self) -> str:
        """``meets`` if every target is met, ``fails`` if one fails, else ``tie``."""
        return self.verdict_on([measured.target for measured in self.measured])

    def verdict_on(self, targets: Sequence[Target]) -> str:
        """Return the verdict on some of the targets."""
        verdicts = {measured.verdict for measured in self.measured if measured.target in targets}
        return FAILS if FAILS in verdicts else TIE if TIE in verdicts else MEETS

    def of(self, target: Target) -> Measured:
        """Return what was measured of a target."""
        return next(measured for measured in self.measured if measured.target == target)

    def missed(self) -> tuple[Measured, ...]:
        """Return the targets that fail, or else are ties, the one farthest beyond its limit first, relatively."""
        missed = [measured for measured in self.measured if measured.verdict == self.verdict != MEETS]
        return tuple(sorted(missed, key=distance, reverse=True))


def distance(measured: Measured) -> float:
    """Return how far a mean is beyond its limit, as a share of it; infinite without a mean."""
    beyond = measured.target.excess(measured.mean) / (abs(measured.target.limit) or 1.0)
    return float("inf") if np.isnan(beyond) else beyond


@dataclass(frozen=True, eq=False)
class Trials:
    """What replications of candidates have in common; each is made by itself, here or elsewhere.

    Parameters
    ----------
    name : str
        Of the policy.
    policy : Policy
    targets : tuple of Target
    metrics : mapping of str to callable
        At least those that the targets name, as far as they are not in every summary.
    seed : int
    warm_up : float, str or None
        Which arrivals the metrics leave out.
    """

    name: str
    policy: Policy
    targets: tuple[Target, ...]
    metrics: Mapping[str, Metric]
    seed: int = 0
    warm_up: float | str | None = None
    estimates: EstimateCache = field(default_factory=EstimateCache)
    bounds: BoundCache = field(default_factory=BoundCache)

    def replication(self, task: tuple[Scenario, int]) -> Iterator[tuple[list[float], dict[str, float]]]:
        """Yield the figures of a scenario's replication, see ``Judged.figures``, and the shares of its deployments."""
        scenario, number = task
        columns = [*(target.metric for target in self.targets), *COSTS]
        for run in replicate(
            scenario,
            {self.name: self.policy},
            self.seed,
            number,
            Oracle(()),
            {**self.metrics, **COSTS},
            self.warm_up,
            estimates=self.estimates,
            bounds=self.bounds,
        ):
            yield [float(run.summary[column]) for column in columns], shares_of(run.requests)


class Judge:
    """Simulates candidates with common random numbers: replication r has the same streams at every one of them.

    Parameters
    ----------
    trials : Trials
    effort : Effort
    team : SideBySide
        Carries out the trials.
    done : callable or None
        Called with a few words after each run.

    Attributes
    ----------
    tried : dict of str to Judged
        Every candidate so far, by its label, in the order in which they were begun.
    """

    def __init__(
        self, trials: Trials, effort: Effort, team: SideBySide, done: Callable[[str], None] | None = None
    ) -> None:
        self.targets, self.seed = trials.targets, trials.seed
        self.effort = effort
        self.tried: dict[str, Judged] = {}
        self._trials, self._team, self._done = trials, team, done
        self._best = "none yet"
        self._values: dict[str, list[list[float]]] = {}
        self._shares: dict[str, list[dict[str, float]]] = {}

    def ahead(self, candidates: Iterable[Candidate]) -> None:
        """Run candidates that will all be looked at, if several runs can be made at one time."""
        if self._team.workers > 1:
            self._simulate({one.label: one for one in candidates}.values(), self.effort.looks[0])

    def judge(self, candidate: Candidate, deciding: Sequence[Target] | None = None) -> Judged:
        """Add replications until the targets are decided, one of them fails, or there are as many as allowed.

        Parameters
        ----------
        candidate : Candidate
        deciding : sequence of Target or None
            Those that must be decided; None for all.
        """
        targets = self.targets if deciding is None else deciding
        for look in self.effort.looks:
            self._simulate([candidate], look)
            judged = self._judged(candidate)
            if judged.verdict_on(targets) != TIE:
                break
        return judged

    def look(self, candidate: Candidate) -> Judged:
        """Run a candidate that is no answer, as often as every candidate is run at first; it is not among ``tried``."""
        self._simulate([candidate], self.effort.looks[0])
        return self._measured(candidate)

    def best(self, judged: Judged) -> None:
        """Note the best candidate so far, for the words that go to ``done``."""
        self._best = judged.label

    def _simulate(self, candidates: Iterable[Candidate], replications: int) -> None:
        wanted = [
            (candidate, replication)
            for candidate in candidates
            for replication in range(len(self._values.setdefault(candidate.label, [])), replications)
        ]
        found = self._team.each(self._trials.replication, [(one.scenario, number) for one, number in wanted])
        for (candidate, replication), (values, shares) in zip(wanted, found, strict=True):
            self._values[candidate.label].append(values)
            self._shares.setdefault(candidate.label, []).append(shares)
            if self._done is not None:
                self._done(f"{candidate.label}, replication {replication}; best so far: {self._best}")

    def _judged(self, candidate: Candidate) -> Judged:
        judged = self._measured(candidate)
        self.tried[candidate.label] = judged
        return judged

    def _measured(self, candidate: Candidate) -> Judged:
        table: FloatArray = np.array(self._values[candidate.label])  # (replications, columns)
        measured = tuple(
            measure(target, table[:, k], self.effort.confidence_of_each) for k, target in enumerate(self.targets)
        )
        each = self._shares[candidate.label]
        names = dict.fromkeys(name for one in each for name in one)
        shares = {name: float(np.mean([one.get(name, 0.0) for one in each])) for name in names}
        return Judged(candidate, measured, table, shares)
