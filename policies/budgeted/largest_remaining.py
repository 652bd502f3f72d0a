"""Choose the deployment with the most budget left, by the policy's own estimates."""

from __future__ import annotations

import numpy as np

from sim.assignment.rows import pooled
from sim.interface import Decision, Estimator, Policy, Query, Setting, State


class LargestRemaining(Policy):
    """argmax_i of budget_i less the estimated cost of all queries sent there, ties to the lowest index.

    Deployments without a budget all have the most left; of those, the one with the least estimated cost so far.
    Likewise of those that share an account, which all have the same left.

    PORT's Greedy-Cost, KNN-Cost and the counterpart of Roberta-Cost (arXiv 2509.02718, section 5): not the cheapest
    deployment, as the name suggests. As in the released code a query's estimate is deducted even when it is lost.
    """

    paces = True

    def __init__(self, estimator: Estimator) -> None:
        self.estimator = estimator

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Begin with the whole budgets, or with 0 for each deployment that has none, if any has none."""
        unlimited = np.isinf(setting.budgets)
        self._budgets = np.where(unlimited, 0.0, -np.inf) if unlimited.any() else setting.budgets
        self._accounts = setting.accounts
        self._sent = np.zeros(len(setting.budgets))

    def decide(self, query: Query, state: State) -> Decision:
        """Return the argmax and deduct the estimate."""
        left = self._budgets - pooled(self._sent, self._accounts)
        chosen = int(left.argmax())
        if self._accounts is not None:
            alike = self._accounts == self._accounts[chosen]
            chosen = int(np.where(alike, -self._sent, -np.inf).argmax())
        self._sent[chosen] += query.cost_hat[chosen]
        return Decision(chosen)
