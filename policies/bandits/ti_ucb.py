"""Upper bounds on the next reward of models that get better the more they are used: TI-UCB."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable

import numpy as np

from policies.parts.load import candidates
from policies.parts.paying import among_payers
from policies.parts.ranked import best_first
from sim.errors import check_number
from sim.interface import Decision, Estimates, Feedback, Policy, Query, Setting, State

FIRST = 2  # queries that each deployment gets first, as a line needs two points


class TiUcb(Policy):
    """argmax over usable i of L_i(n_i + 1) + sqrt(4 ln(1 / delta) / n_i), where n_i answers have taught arm i.

    L_i is the least-squares line of reward on the number of the answer, since the last change of its trend. TI-UCB of
    arXiv 2403.07213 (the number of the answer and not the round, as a review reads it; no code of the authors was
    found). After every ``check_every`` answers of an arm, if there are 2 ``window`` since its change, a line is fitted
    to each of the last two windows, and both are continued to the next answer. Where the older one is then higher by
    more than ``threshold``, the trend has flattened: the line begins anew with the later window. A trend that becomes
    steeper starts nothing.

    The reward is the score; costs and the history take no part. Each deployment gets two queries first; one that has
    not answered after these has the bound 1. Ties go to the lowest index; the others are next choices. The wide radius
    is part of the method: with a tenth of it, it stays with whatever was good at the start.

    Parameters
    ----------
    delta : float
        In (0, 1).
    window : int
        Answers in each of the two windows, at least 2.
    threshold : float
        Of a fall of the trend, in quality.
    check_every : int
        Answers of an arm from one check to the next.

    Attributes
    ----------
    changes : list of int
        How often the line of each arm has begun anew in this run.

    Raises
    ------
    ValueError
        If a parameter is out of range.
    """

    def __init__(self, delta: float = 0.05, window: int = 50, threshold: float = 0.075, check_every: int = 50) -> None:
        check_number("delta", delta, above=0, below=1)
        check_number("window", window, least=2)
        check_number("threshold", threshold, least=0)
        check_number("check_every", check_every, least=1)
        self._radius = 4.0 * math.log(1.0 / delta)
        self._window = window
        self._threshold = threshold
        self._check_every = check_every

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Know nothing of the arms."""
        n_arms = len(setting.fleet)
        self._refused = setting.refused
        self._sent = [0] * n_arms
        self._counts = [0] * n_arms
        self._lines = [Line() for _ in range(n_arms)]
        self._latest: list[deque[float]] = [deque(maxlen=2 * self._window) for _ in range(n_arms)]
        self._bounds = np.ones(n_arms)
        self.changes = [0] * n_arms

    def decide(self, query: Query, state: State) -> Decision:
        """Return the argmax, with the others as next choices; first a deployment that has had too few queries."""
        able = among_payers(candidates(state), query, state, self._refused)
        usable = np.zeros(len(self._sent), dtype=np.bool_)
        usable[able] = True
        least = min(able, key=lambda k: self._sent[k])
        explores = self._sent[least] < FIRST
        bounds = self._bounds
        if explores:
            bounds = bounds.copy()
            bounds[least] = math.inf
        decision = best_first(bounds, usable)
        if decision.deployment is not None:
            self._sent[decision.deployment] += 1
        return decision._replace(explores=explores)

    def believes(self, query: Query) -> Estimates:
        """Return the next points of the lines as quality, where there are lines, and the costs of the estimator's."""
        quality = query.quality_hat.copy()
        for k, line in enumerate(self._lines):
            if self._counts[k]:
                quality[k] = min(max(line.at(line.n + 1), 0.0), 1.0)
        return Estimates(quality, query.cost_hat)

    def learn(self, feedback: Feedback) -> None:
        """Take in an answer, if it has a score."""
        if not math.isnan(feedback.quality):
            self.learn_score(feedback)

    def learn_score(self, feedback: Feedback) -> None:
        """Take in a score: continue the line, or begin a new one where the trend has flattened."""
        k = feedback.deployment
        self._counts[k] += 1
        self._latest[k].append(feedback.quality)
        self._lines[k].add(feedback.quality)
        if self._counts[k] % self._check_every == 0 and self._lines[k].n >= 2 * self._window:
            latest = list(self._latest[k])
            older, later = Line(latest[: self._window]), Line(latest[self._window :])
            if older.at(2 * self._window + 1) - later.at(self._window + 1) > self._threshold:
                self._lines[k] = later
                self.changes[k] += 1
        line = self._lines[k]
        self._bounds[k] = line.at(line.n + 1) + math.sqrt(self._radius / self._counts[k])


class Line:
    """The least-squares line through points at 1, 2, 3, ...; level through one point.

    >>> Line([1.0, 3.0]).at(3)
    5.0
    """

    def __init__(self, values: Iterable[float] = ()) -> None:
        self.n = 0
        self._total = 0.0
        self._weighted = 0.0
        for value in values:
            self.add(value)

    def add(self, value: float) -> None:
        """Put in the next point."""
        self.n += 1
        self._total += value
        self._weighted += self.n * value

    def at(self, place: float) -> float:
        """Return the line's value at a place; there must be a point."""
        middle = (self.n + 1) / 2
        mean = self._total / self.n
        spread = self.n * (self.n * self.n - 1) / 12  # sum of squared distances of 1, ..., n from their middle
        slope = (self._weighted - middle * self._total) / spread if self.n > 1 else 0.0
        return mean + slope * (place - middle)
