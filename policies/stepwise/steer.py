"""Let a small model write each step, and a large one where the small one's confidence is of the lower group: STEER."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

import numpy as np

from policies.parts.named_deployments import check_pair, pair_of
from policies.stepwise.mixture import cut_between
from policies.stepwise.purse import purse_of
from sim.errors import check_number
from sim.interface import Answer, Combine, Decision, Feedback, Keep, Policy, Query, Setting, State, affords


class Steer(Policy):
    """The large model writes a step again if the small one's confidence in it is below a cut that all past ones give.

    STEER (arXiv 2511.06190), from a summary of it; no authors' code and no formulas were seen. The small model writes
    every step. Its confidence is the mean, over the tokens of the step, of the largest logit; here it is what the
    workload has as confidence. A mixture of two normal laws is fitted to past confidences, and a step that belongs
    to the lower one goes to the large model, whose answer is kept.

    Inferred: past confidences are the last ``window`` of the run, over all tasks; the mixture is fitted anew after
    every ``refit_every`` of them; before ``least_seen`` no step is escalated (what the authors do at the start is
    unknown). Ours: a task with a budget is not escalated where what is left would then not pay the small model for the
    steps that are guessed to come. An answer without a confidence is kept. A query that stands for itself is a step of
    its own.

    Parameters
    ----------
    deployments : sequence of str or None
        The small model and the large one; None for the cheapest and the best on average in the history. If one is
        both, it gets every query.
    least_seen : int
        Confidences before the first fit, at least 4.
    refit_every : int
        Confidences from a fit to the next, at least 1.
    window : int
        How many of the last confidences are fitted, at least ``least_seen``.
    expected_steps : float
        Steps of a task, before any has ended.

    Raises
    ------
    ValueError
        If the deployments are not two that exist, or a number is out of its range.
    """

    def __init__(
        self,
        deployments: Sequence[str] | None = None,
        least_seen: int = 50,
        refit_every: int = 100,
        window: int = 500,
        expected_steps: float = 40.0,
    ) -> None:
        check_pair(deployments)
        check_number("least_seen", least_seen, least=4)
        check_number("refit_every", refit_every, least=1)
        check_number("window", window, least=least_seen)
        check_number("expected_steps", expected_steps, least=1)
        self._names = deployments
        self._least_seen = least_seen
        self._refit_every = refit_every
        self._window = window
        self._expected_steps = expected_steps

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Find both models, and forget all confidences."""
        self._small, self._large = pair_of(setting, self._names)
        self._max_calls = setting.max_calls
        self._purse = purse_of(setting, self._expected_steps)
        self._seen: deque[float] = deque(maxlen=self._window)
        self._since = self._refit_every - self._least_seen  # confidences since the last fit
        self._cut = -math.inf

    def lacks(self, setting: Setting) -> str | None:
        """Say so where queries are no steps, or the small model's answers have no confidence."""
        if not setting.signals.tasks:
            return "the workload has no tasks"
        return None if setting.signals.confidences else "no answer comes with a confidence"

    def decide(self, query: Query, state: State) -> Decision:
        """Let the small model write the step."""
        return Decision(self._small)

    def review(self, query: Query, answers: Sequence[Answer], state: State) -> Decision | Keep | Combine:
        """Keep the small model's answer or ask the large one; of two answers keep the last that came."""
        last = answers[-1]
        if len(answers) == 1 < self._max_calls and self._small != self._large:
            if not last.came:  # refused or lost: the other model is what is left to try
                return Decision(self._large)
            if self._is_unsure(last.confidence) and self._pays(query, last.cost, state):
                return Decision(self._large)
        came = [place for place, answer in enumerate(answers) if answer.came]
        return Keep(came[-1]) if came else Decision(None)

    def learn(self, feedback: Feedback) -> None:
        """Count the step."""
        self._purse.learn(feedback)

    def learn_score(self, feedback: Feedback) -> None:
        """Take note of a task's length when it has ended."""
        if feedback.query.task is not None:
            self._purse.ended(feedback.query.task)

    def _is_unsure(self, confidence: float) -> bool:
        """Return whether a confidence is below the cut of those before, and put it among them."""
        if math.isnan(confidence):
            return False
        is_unsure = confidence < self._cut
        self._seen.append(confidence)
        self._since += 1
        if self._since >= self._refit_every:
            self._cut = cut_between(self._seen)
            self._since = 0
        return is_unsure

    def _pays(self, query: Query, paid: float, state: State) -> bool:
        has_money = affords(state.remaining[self._large], query.cost_hat[self._large])
        return bool(has_money and self._purse.lasts(query, paid=paid)[self._large])
