"""Call the models whose expected success is worth most after a discount by what the task has cost in USD: xRouter."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from policies.parts.load import candidates
from policies.parts.paying import among_payers
from policies.stepwise.purse import purse_of
from sim.errors import check_number
from sim.interface import Answer, Combine, Decision, Estimator, Feedback, Keep, Policy, Query, Setting, State


class XRouter(Policy):
    """The calls with the greatest expected reward s (1 - min(price x dollars, most)).

    xRouter (arXiv 2510.08439): the reward is that of the authors' code (price 3, at most 0.8). A wrong answer earns 0
    whatever it cost, and above 0.8 / 3 = 0.267 dollars nothing costs more. The authors train a language model on it,
    which may answer itself, call several of more than 20 models, rewrite the prompt, and choose among what came.

    Inferred: here the reward is maximised by what the estimator predicts. Dollars are what the task has cost so far,
    with this step; what is still to come is not known. Calls are added to the best one, each time the one with which
    the reward is greatest, as long as it rises and there are at most ``most_calls``. Of several answers that with the
    greatest confidence is kept, and of those without one that with the greatest predicted quality. So several answers
    are not worth the chance that one of them is right, 1 - prod(1 - q), but the best q and a share ``selection`` of
    the rest up to there. The router has no tokens of its own, cannot answer itself and does not rewrite; the authors'
    penalty of long answers is left out.

    Ours: a task with a budget goes only where the money would then last to its end at the cheapest model. Costs count
    as dollars whatever their unit, so in token budgets nearly all is above the cap.

    Parameters
    ----------
    estimator : Estimator
    price : float
        Share of the reward that one dollar takes, at least 0.
    most : float
        Share of the reward that money takes at most, from 0 to 1.
    most_calls : int
        Of one step, at least 1.
    selection : float
        From 0 to 1; 2 a - 1, where a is the chance that a right answer has a larger confidence than a wrong one.
    expected_steps : float
        Steps of a task, before any has ended.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """

    def __init__(
        self,
        estimator: Estimator,
        price: float = 3.0,
        most: float = 0.8,
        most_calls: int = 2,
        selection: float = 0.4,
        expected_steps: float = 40.0,
    ) -> None:
        check_number("price", price, least=0)
        check_number("most", most, least=0, most=1)
        check_number("most_calls", most_calls, least=1)
        check_number("selection", selection, least=0, most=1)
        check_number("expected_steps", expected_steps, least=1)
        self.estimator = estimator
        self._price = price
        self._most = most
        self._most_calls = most_calls
        self._selection = selection
        self._expected_steps = expected_steps

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Forget all tasks."""
        self._refused = setting.refused
        self._max_calls = min(self._most_calls, setting.max_calls)
        self._purse = purse_of(setting, self._expected_steps)

    def decide(self, query: Query, state: State) -> Decision:
        """Return the calls of the greatest reward; the next choices are the other models, best first."""
        lasts = self._purse.lasts(query).tolist()
        there = among_payers([k for k in candidates(state) if lasts[k]], query, state, self._refused)
        if not there:
            there = [int(query.cost_hat.argmin())]
        single = {k: self._reward(query, [k]) for k in there}
        ranked = sorted(there, key=lambda k: -single[k])
        calls, reward = ranked[:1], single[ranked[0]]
        while len(calls) < self._max_calls:
            rewards = {k: self._reward(query, [*calls, k]) for k in ranked if k not in calls}
            best = max(rewards, key=lambda k: rewards[k], default=None)
            if best is None or rewards[best] <= reward or not self._all_last(query, [*calls, best]):
                break
            calls, reward = [*calls, best], rewards[best]
        return Decision(calls[0], [k for k in ranked if k not in calls], alongside=calls[1:])

    def review(self, query: Query, answers: Sequence[Answer], state: State) -> Decision | Keep | Combine:
        """Keep the answer with the greatest confidence."""
        came = [place for place, answer in enumerate(answers) if answer.came]
        if not came:
            return Decision(None)

        def trust(place: int) -> tuple[float, float]:
            answer = answers[place]
            confidence = -math.inf if math.isnan(answer.confidence) else answer.confidence
            return confidence, float(query.quality_hat[answer.deployment])

        return Keep(max(came, key=trust))

    def learn(self, feedback: Feedback) -> None:
        """Count the step."""
        self._purse.learn(feedback)

    def learn_score(self, feedback: Feedback) -> None:
        """Take note of a task's length when it has ended."""
        if feedback.query.task is not None:
            self._purse.ended(feedback.query.task)

    def _reward(self, query: Query, calls: Sequence[int]) -> float:
        """Return what these calls are expected to earn."""
        quality = [min(max(float(query.quality_hat[k]), 0.0), 1.0) for k in calls]
        best = max(quality)
        any_right = 1.0 - math.prod(1.0 - one for one in quality)
        dollars = math.fsum(float(query.cost_hat[k]) for k in calls)
        if query.task is not None:
            dollars += query.task.spent_usd
        return (best + self._selection * (any_right - best)) * (1.0 - min(self._price * dollars, self._most))

    def _all_last(self, query: Query, calls: Sequence[int]) -> bool:
        first, rest = calls[0], calls[1:]
        return bool(self._purse.lasts(query, paid=math.fsum(query.cost_hat[rest].tolist()))[first])
