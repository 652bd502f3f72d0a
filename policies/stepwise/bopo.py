"""A small or a large model at each step of a task with a budget, by how likely only the large one succeeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from policies.parts.held_out import HeldOutEstimates
from policies.parts.named_deployments import averages, check_pair, pair_of
from policies.parts.paying import among_payers
from policies.stepwise.purse import purse_of
from sim.errors import check_number
from sim.interface import Decision, Estimator, Features, Feedback, FloatArray, History, Policy, Query, Setting, State


class BoundaryGuided(Policy):
    """The large model if the chance that the step is hard is worth its price, and among the largest that money allows.

    Budget-aware agentic routing with boundary-guided policy optimisation (BoPO, arXiv 2602.21227). Two boundary
    policies, always the small model and always the large one, make three classes: easy, where the small one succeeds;
    hard, where only the large one does; impossible, where neither does. *Only the abstract was seen, and no formulas.*
    All below is inferred.

    - The history gives each step its class: easy by the small model's score s, hard by what the large one's exceeds it,
      max(l - s, 0), impossible by the rest. The cheapest mixed run that succeeds has the large model at the hard steps
      alone. Any ``estimator`` learns to imitate it: it predicts h, the chance that a step is hard. The paper trains a
      language model.
    - The reward of a task is success less ``cost_weight`` times its cost, on a scale from 0 for always small to 1 for
      always large. A hard step that is taken by the small model fails the task, so the large one is worth its price if
      h >= cost_weight (c_l - c_s) / (n (C_l - C_s)), where c is what the step costs, C the mean of the history, and n
      the steps of a task. As c knows which model holds the prefix, a model once chosen is left less easily.
      The paper learns this trade by reinforcement, with an advantage against runs that fail cheaply; here no run is
      rewarded for being cheap where it fails, since h is about success.
    - In a task with a budget b is what is left for each step that is guessed to come. It pays the large model for a
      share p = (b - c_s) / (c_l - c_s) of them. So h must also be among the largest p of the history's, each predicted
      without itself. And what is left after the step must pay the small model to the end.

    A query that stands for itself is a task of one step.

    Parameters
    ----------
    estimator : Estimator
        Of the classes, and of costs.
    deployments : sequence of str or None
        The small model and the large one; None for the cheapest and the best on average in the history. If one is
        both, it gets every query.
    cost_weight : float
        What always large must gain in success over always small to be worth it; at least 0.
    expected_steps : float
        Steps of a task, before any has ended.

    Raises
    ------
    ValueError
        If the deployments are not two that exist, or a number is out of its range.
    """

    def __init__(
        self,
        estimator: Estimator,
        deployments: Sequence[str] | None = None,
        cost_weight: float = 0.2,
        expected_steps: float = 40.0,
    ) -> None:
        check_pair(deployments)
        check_number("cost_weight", cost_weight, least=0)
        check_number("expected_steps", expected_steps, least=1)
        self.estimator: Estimator = estimator
        self._of_classes = HeldOutEstimates(estimator)
        self._names = deployments
        self._cost_weight = cost_weight
        self._expected_steps = expected_steps

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Find both models, and learn the classes of the history's steps."""
        self._small, self._large = pair_of(setting, self._names)
        self._refused = setting.refused
        self._purse = purse_of(setting, self._expected_steps)
        if self._small == self._large:
            return
        classes = by_class(setting.history, self._small, self._large)
        self._predictor = self.estimator.fit(classes)
        self._hard = np.sort(self._of_classes.of(classes).quality[:, 1])
        _, cost = averages(setting.history)
        self._spread = float(cost[self._large] - cost[self._small])

    def lacks(self, setting: Setting) -> str | None:
        """Say so where queries are no steps."""
        return None if setting.signals.tasks else "the workload has no tasks"

    def decide(self, query: Query, state: State) -> Decision:
        """Return the model, with the other as the next choice."""
        small, large = self._small, self._large
        if small == large:
            return Decision(small)
        first, second = (large, small) if self._is_worth(query) else (small, large)
        chosen = among_payers([first, second], query, state, self._refused)
        return Decision(chosen[0], chosen[1:])

    def learn(self, feedback: Feedback) -> None:
        """Count the step."""
        self._purse.learn(feedback)

    def learn_score(self, feedback: Feedback) -> None:
        """Take note of a task's length when it has ended."""
        if feedback.query.task is not None:
            self._purse.ended(feedback.query.task)

    def _is_worth(self, query: Query) -> bool:
        task, more = query.task, float(query.cost_hat[self._large] - query.cost_hat[self._small])
        if more <= 0:
            return True
        features = Features(query.embedding[None, :], np.array([query.input_tokens]))
        hard = float(self._predictor.predict(features).quality[0, 1])
        steps = 1.0 if task is None else self._purse.mean_steps
        worth = hard * steps * self._spread >= self._cost_weight * more
        if not worth or task is None or math.isinf(task.budget_usd):
            return bool(worth)
        each = (task.budget_usd - task.spent_usd) / self._purse.steps_left(task)
        share = (each - float(query.cost_hat[self._small])) / more
        return bool(hard >= least_of_share(self._hard, share) and self._purse.lasts(query)[self._large])


def by_class(history: History, small: int, large: int) -> History:
    """Return the history with the classes of its steps as the scores of two: easy, and hard.

    >>> quality, cost = np.array([[1.0, 1.0], [0.0, 1.0], [0.0, 0.0]]), np.ones((3, 2))
    >>> history = History(Features(np.ones((3, 1), dtype=np.float32), np.ones(3, dtype=np.int64)), quality, cost)
    >>> by_class(history, 0, 1).quality.tolist()
    [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]
    """
    mean_quality, mean_cost = averages(history)
    pair = [small, large]
    easy, reached = np.where(history.known, history.quality, mean_quality)[:, pair].T
    cost = np.where(history.known, history.cost, mean_cost)[:, pair]
    units = tuple(history.units[k] for k in pair) if history.units else ()
    return replace(
        history, quality=np.column_stack([easy, np.maximum(reached - easy, 0.0)]), cost=cost, units=units, capped=None
    )


def least_of_share(ascending: FloatArray, share: float) -> float:
    """Return the least of the largest numbers that are this share of all; infinite for a share of none.

    >>> ascending = np.array([0.0, 0.1, 0.2, 0.9])
    >>> [least_of_share(ascending, share) for share in (-0.5, 0.2, 0.5, 1.5)]
    [inf, inf, 0.2, 0.0]
    """
    n = min(math.floor(share * len(ascending)), len(ascending))
    return float(ascending[-n]) if n > 0 else math.inf
