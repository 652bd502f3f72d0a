"""Ask a small model, and a large one too where the small one's margin is low, as often as the budget pays for."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence

import numpy as np

from policies.parts.named_deployments import averages, check_pair, pair_of
from sim.errors import check_number
from sim.interface import Answer, Combine, Decision, Keep, Policy, Query, Setting, State, affords


class TwoTier(Policy):
    """Escalate when the margin is below an online empirical quantile of all margins so far.

    Ramirez, Birch and Titov 2024 (arXiv 2405.02134), in the form of their code. The budget of the run pays b a query,
    and c1, c2 are the mean costs of both models in the history. The share of queries to escalate is
    p = min((b - c1) / c2, 1). A query goes

    - to the small model alone if what remains is at most c1 for each query that is left,
    - to the large model alone if what remains is at least c2 for each of these, and the large model is the better one,
    - else to the small model, whose margin is put among those seen. Is it below the one at place floor(p n) of n in
      order, and does what remains pay c2, the large model is asked too and its answer is kept. As long as no more than
      ``least_seen`` margins have been seen, nobody is escalated.

    The margin is what the workload has as confidence: in the paper the best less the second raw logit over the class
    tokens at the first generated position. An answer without a confidence is kept. The rule knows mean costs and mean
    scores of both models beforehand, as the authors' does, here from the history.

    The authors have one purse for both models (``budget=global``). Where each model has a budget of its own, the large
    one's is what escalations are paid from, so that b - c1 above is its budget a query, and the first of the three
    rules waits for that to be empty. Calls under way have not been paid for in what remains, so a slow fleet may be
    asked for a few calls more than the budget allows, which the world then refuses.

    Parameters
    ----------
    deployments : sequence of str or None
        The small model and the large one. None for the cheapest and the best on average in the history; if it is both,
        it gets every query.
    least_seen : int
        Margins that must have been exceeded in number before a query is escalated; the authors have 20.

    Raises
    ------
    ValueError
        If the deployments are not two that exist, or ``least_seen`` is below 0.
    """

    paces = True

    def __init__(self, deployments: Sequence[str] | None = None, least_seen: int = 20) -> None:
        check_number("least_seen", least_seen, least=0)
        check_pair(deployments)
        self._names = deployments
        self._least_seen = least_seen

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Find both models, their costs, and the share of queries to escalate."""
        quality, cost = averages(setting.history)
        self._small, self._large = pair_of(setting, self._names)
        accounts = setting.accounts
        self._shares = accounts is not None and bool(accounts[self._small] == accounts[self._large])
        self._small_cost, self._large_cost = float(cost[self._small]), float(cost[self._large])
        self._large_is_better = bool(quality[self._large] > quality[self._small])
        spare = float(setting.budgets[self._large]) / setting.horizon - (self._small_cost if self._shares else 0.0)
        self._share = min(spare / self._large_cost, 1.0) if self._large_cost > 0 else 1.0
        self._horizon = setting.horizon
        self._may_ask_twice = setting.max_calls > 1
        self._margins: list[float] = []
        self._alone: set[int] = set()

    def lacks(self, setting: Setting) -> str | None:
        """Say so where no answer has a confidence."""
        return None if setting.signals.confidences else "no answer comes with a confidence"

    def decide(self, query: Query, state: State) -> Decision:
        """Ask the small model, unless the money is more than enough."""
        left = max(self._horizon - query.id, 1)
        money = float(state.remaining[self._large])
        kept_for_small = left * self._small_cost if self._shares else 0.0
        if self._small == self._large or money <= kept_for_small:
            self._alone.add(query.id)
        elif money >= left * self._large_cost and self._large_is_better:
            self._alone.add(query.id)
            return Decision(self._large)
        return Decision(self._small)

    def review(self, query: Query, answers: Sequence[Answer], state: State) -> Decision | Keep | Combine:
        """Keep the small model's answer, or ask the large one; of two answers keep the last that came."""
        last = answers[-1]
        if len(answers) == 1:
            alone = query.id in self._alone
            self._alone.discard(query.id)
            if not last.came:  # refused or lost: the other model is what is left to try
                other = self._large if last.deployment == self._small else self._small
                return Decision(other if other != last.deployment and self._may_ask_twice else None)
            if not alone and self._may_ask_twice and self._is_unsure(last.confidence) and self._pays(state):
                return Decision(self._large)
            return Keep(0)
        came = [place for place, answer in enumerate(answers) if answer.came]
        return Keep(came[-1]) if came else Decision(None)

    def _is_unsure(self, margin: float) -> bool:
        """Put a margin among those seen, and say whether it is below their quantile."""
        if math.isnan(margin):
            return False
        bisect.insort(self._margins, margin)
        n = len(self._margins)
        place = int(self._share * n)
        return n > self._least_seen and (place >= n or margin < self._margins[max(place, 0)])

    def _pays(self, state: State) -> bool:
        return bool(affords(state.remaining[self._large], np.array(self._large_cost)))
