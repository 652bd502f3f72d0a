"""Draw each model's score, cost and time at a step from those of similar past steps, and take the best: EvoRoute."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from policies.parts.load import candidates
from policies.parts.paying import among_payers
from policies.stepwise.purse import purse_of
from policies.stepwise.step_store import StepStore
from sim.errors import check_number
from sim.interface import Decision, Feedback, FloatArray, Policy, Query, Setting, State

LEAST_RECORDS = 2  # of a model; the spread of one is nothing


class EvoRoute(Policy):
    """argmax of P - cost_weight x C - delay_weight x D, drawn anew for each model that no other one dominates.

    EvoRoute (arXiv 2601.02695), from a detailed note; no authors' code was seen. Finished steps are kept, and appended
    when their task has ended. Those like the query are its neighbours; models are compared by their means of
    performance, cost and delay there, and one that another equals or beats in all three is dropped. Of each model that
    stays, the three are drawn from their posterior under a normal-inverse-gamma law: with n steps of mean m and
    variance s^2, sigma^2 is (n - 1) s^2 / 2 over a gamma of shape n / 2, and the draw is normal with mean m and
    variance sigma^2 / n. As published, steps that are all alike leave no doubt. The store only grows, so the time of
    a decision does too.

    Inferred, as the note leaves it open: costs and delays count in units of the dearest and the slowest mean among the
    models; a model needs two of the neighbouring steps. The published union with all steps of the same role, which
    leaves the filter by similarity idle, is left out, as steps here have no role and no tools; the ``least`` nearest
    count however far they are. Models that were never tried are no candidates in the paper; here the history is the
    first part of the store, and a model that it does not know gets the first ``seeds`` steps.

    Ours: steps of the history have scores of their own, and steps of a run hear what their task earned. A task of n
    steps that earned r counts as 1 - (1 - r) / n for each of them, as one wrong step is enough to fail it. A task with
    a budget goes only where the money would then last to its end at the cheapest model, else to the cheapest.

    Parameters
    ----------
    cost_weight, delay_weight : float
        At least 0; 0.1 and 0.05 as published.
    similarity : float
        Least cosine of a neighbour, from -1 to 1; 0.85 as published.
    least, most : int
        Neighbours at least and at most, nearest first.
    seeds : int
        Steps for each model without history.
    expected_steps : float
        Steps of a task, before any has ended.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """

    def __init__(
        self,
        cost_weight: float = 0.1,
        delay_weight: float = 0.05,
        similarity: float = 0.85,
        least: int = 20,
        most: int = 200,
        seeds: int = 10,
        expected_steps: float = 40.0,
    ) -> None:
        check_number("cost_weight", cost_weight, least=0)
        check_number("delay_weight", delay_weight, least=0)
        check_number("similarity", similarity, least=-1, most=1)
        check_number("least", least, least=1)
        check_number("most", most, least=least)
        check_number("seeds", seeds, least=0)
        check_number("expected_steps", expected_steps, least=1)
        self._weights = np.array([1.0, -cost_weight, -delay_weight])
        self._similarity = similarity
        self._least = least
        self._most = most
        self._seeds = seeds
        self._expected_steps = expected_steps

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Begin the store with the history."""
        self._rng = rng
        self._refused = setting.refused
        self._store = StepStore(setting.history)
        self._purse = purse_of(setting, self._expected_steps)
        self._to_seed = np.where(setting.history.known.any(axis=0), 0, self._seeds).tolist()

    def lacks(self, setting: Setting) -> str | None:
        """Say so where queries are no steps."""
        return None if setting.signals.tasks else "the workload has no tasks"

    def decide(self, query: Query, state: State) -> Decision:
        """Return the best draw, with the others as next choices."""
        lasts = self._purse.lasts(query).tolist()
        there = among_payers([k for k in candidates(state) if lasts[k]], query, state, self._refused)
        cheapest = sorted(range(len(lasts)), key=lambda k: float(query.cost_hat[k]))
        if not there:
            return Decision(cheapest[0], cheapest[1:])
        for k in there:
            if self._to_seed[k] > 0:
                self._to_seed[k] -= 1
                return Decision(k, [other for other in there if other != k], explores=True)
        worth = self._drawn(self._store.like(query.embedding, self._similarity, self._least, self._most), there)
        ranked = sorted(worth, key=lambda k: -worth[k])
        ranked += [k for k in cheapest if k not in worth]
        return Decision(ranked[0], ranked[1:])

    def learn(self, feedback: Feedback) -> None:
        """Append a query that stands for itself; of a step, wait for the task's end."""
        self._purse.learn(feedback)
        if not math.isnan(feedback.quality):
            self.learn_score(feedback)

    def learn_score(self, feedback: Feedback) -> None:
        """Append a step whose task has ended, or a query whose score has come."""
        task = feedback.query.task
        n_steps = 1 if task is None else self._purse.ended(task)
        score = 1.0 - (1.0 - feedback.quality) / n_steps
        self._store.add(feedback.query.embedding, feedback.deployment, score, feedback.cost, feedback.latency_s)

    def _drawn(self, outcomes: FloatArray, models: Sequence[int]) -> dict[int, float]:
        """Return a draw of what each model is worth that no other one dominates, by its index."""
        found = {}
        for k in models:
            samples = [column[~np.isnan(column)].tolist() for column in outcomes[:, k].T]
            if len(samples[0]) >= LEAST_RECORDS:
                found[k] = [moments(sample) for sample in samples]
        known = list(found)
        means = np.array([[mean for _, mean, _ in found[k]] for k in known]).reshape(len(known), 3)
        for place in (1, 2):
            largest = float(means[:, place].max(initial=0.0))
            means[:, place] /= largest or 1.0
            for k in known:
                n, mean, variance = found[k][place]
                found[k][place] = n, mean / (largest or 1.0), variance / (largest or 1.0) ** 2
        stays = [k for k, is_beaten in zip(known, dominated(means).tolist(), strict=True) if not is_beaten]
        return {
            k: sum(w * self._draw(*one) for w, one in zip(self._weights.tolist(), found[k], strict=True)) for k in stays
        }

    def _draw(self, n: int, mean: float, variance: float) -> float:
        if n < LEAST_RECORDS:
            return mean
        sigma_squared = (n - 1) * variance / 2 / self._rng.standard_gamma(n / 2)
        return mean + math.sqrt(sigma_squared / n) * float(self._rng.standard_normal())


def moments(sample: Sequence[float]) -> tuple[int, float, float]:
    """Return size, mean and variance (over n - 1) of a sample, exactly added; a mean of 0 for none.

    >>> moments([1.0, 0.0])
    (2, 0.5, 0.5)
    """
    n = len(sample)
    mean = math.fsum(sample) / max(n, 1)
    return n, mean, math.fsum((value - mean) ** 2 for value in sample) / max(n - 1, 1)


def dominated(means: FloatArray) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Return which rows (n,) of performance, cost and delay another row equals or beats in all, and beats in one.

    >>> dominated(np.array([[0.5, 0.1, 0.1], [0.5, 0.2, 0.1], [0.9, 0.9, 0.9]])).tolist()
    [False, True, False]
    """
    good = means * np.array([1.0, -1.0, -1.0])
    as_good = (good[None] >= good[:, None]).all(axis=2)
    better = (good[None] > good[:, None]).any(axis=2)
    beaten: np.ndarray[tuple[int, ...], np.dtype[np.bool_]] = (as_good & better).any(axis=1)
    return beaten
