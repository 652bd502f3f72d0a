"""Draw each deployment from a linear program over kinds of prompts, with what is left of the budgets per query."""

from __future__ import annotations

import math

import numpy as np

from policies.estimators.cluster_errors import clustered, nearest_centre, unit_rows
from policies.estimators.exact import rounded
from policies.estimators.neighbours import unit
from policies.parts.paying import can_pay
from sim.assignment.program import solve_linear
from sim.errors import check_number
from sim.interface import Decision, Feedback, Policy, Query, Setting, State


class AdaptiveProgram(Policy):
    """Solve, for what is left of the budgets per query still to come, and draw from the solution for the query's kind.

        max sum_c share_c sum_i upper_ci p_ci   s.t.   sum_c share_c cost_ci p_ci <= remaining_i / left (each budget),
        sum_i p_ci <= 1,   p >= 0;    upper_ci = min(1, mean_ci + explore x sqrt(ln t / n_ci))

    WISERouter (arXiv 2607.23765), a constrained contextual bandit whose "adaptive linear program turns the remaining
    budget into a per-step constraint"; no more of it was at hand. *Inferred*: the form of the adaptive linear program
    for constrained contextual bandits (Wu, Srikant, Liu and Jiang, arXiv 1504.06937). Kinds are clusters of the
    history's prompts with their shares of it. Means of quality and cost begin with the history, whose rows count as
    pulls, and follow feedback on the deployment that answered. The program is solved again after every ``every``
    decisions. What no deployment is drawn for is declined; a draw that can no longer pay goes to the next best upper
    bound that can. Without budgets it is the upper confidence rule for each kind.

    It is a bandit, so it has no estimator, and needs embeddings for more than one kind.

    Parameters
    ----------
    kinds : int
        Clusters of prompts, at least 1.
    explore : float
        Width of the confidence bound, at least 0.
    every : int
        Decisions from one program to the next, at least 1; 1 solves at every query.
    seed : int
        Of k-means.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Notes
    -----
    Centres are rounded to 25 bits, see ``policies.estimators.cluster_errors``. Where a program has several optima,
    which of them HiGHS finds may depend on the last bit of its arithmetic.
    """

    paces = True

    def __init__(self, kinds: int = 20, explore: float = 0.05, every: int = 20, seed: int = 42) -> None:
        check_number("kinds", kinds, least=1)
        check_number("explore", explore, least=0)
        check_number("every", every, least=1)
        self._kinds = kinds
        self._explore = explore
        self._every = every
        self._seed = seed

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Cluster the history's prompts and count its outcomes."""
        history = setting.history
        embeddings = history.features.embeddings.astype(np.float64)
        centres = clustered(embeddings, self._kinds if embeddings.shape[1] else 1, self._seed)
        kind = nearest_centre(history, centres)
        self._directions = rounded(unit_rows(centres))
        n_kinds, known = len(centres), history.known
        self._share = np.bincount(kind, minlength=n_kinds) / len(kind)
        self._pulls, self._quality, self._cost = (np.zeros((n_kinds, known.shape[1])) for _ in range(3))
        np.add.at(self._pulls, kind, known)
        np.add.at(self._quality, kind, np.where(known, history.quality, 0.0))
        np.add.at(self._cost, kind, np.where(known, history.cost, 0.0))
        self._scored = self._pulls.copy()
        self._prior_quality, self._prior_cost = history.means()
        self._setting, self._rng = setting, rng
        self._n_decided, self._left = 0, setting.horizon

    def decide(self, query: Query, state: State) -> Decision:
        """Draw a deployment for the query's kind."""
        if self._n_decided % self._every == 0:
            self._solve(state)
        self._n_decided += 1
        self._left -= 1
        kind = self._kind(query)
        drawn = int(np.searchsorted(self._plan[kind].cumsum(), self._rng.random(), side="right"))
        if drawn == len(self._plan[kind]):
            return Decision(None)
        best_first = [k for k in np.argsort(-self._upper[kind], kind="stable").tolist() if k != drawn]
        payable = can_pay(query._replace(cost_hat=self._mean_cost[kind]), state)
        if payable[drawn] or self._setting.refused == "wait":
            return Decision(drawn, best_first)
        rest = [k for k in best_first if payable[k]]
        return Decision(rest[0], rest[1:]) if rest else Decision(None)

    def learn(self, feedback: Feedback) -> None:
        """Count an outcome for its kind and deployment."""
        kind, k = self._kind(feedback.query), feedback.deployment
        self._pulls[kind, k] += 1
        self._cost[kind, k] += feedback.cost
        self.learn_score(feedback)

    def learn_score(self, feedback: Feedback) -> None:
        """Count a score."""
        if not math.isnan(feedback.quality):
            kind = self._kind(feedback.query)
            self._scored[kind, feedback.deployment] += 1
            self._quality[kind, feedback.deployment] += feedback.quality

    def _kind(self, query: Query) -> int:
        if len(self._directions) == 1:
            return 0
        return int((rounded(unit(query.embedding[None])) @ self._directions.T).argmax())  # exact in any order

    def _solve(self, state: State) -> None:
        """Solve the program for what is left; a model that nothing counts for a kind has the history's mean there."""
        quality = np.where(self._scored > 0, self._quality / np.maximum(self._scored, 1), self._prior_quality)
        self._mean_cost = np.where(self._pulls > 0, self._cost / np.maximum(self._pulls, 1), self._prior_cost)
        t = float(self._scored.sum()) + math.e
        self._upper = np.minimum(1.0, quality + self._explore * np.sqrt(math.log(t) / np.maximum(self._scored, 1)))
        present = self._share > 0
        solution = solve_linear(
            self._upper[present],
            self._mean_cost[present],
            np.maximum(state.remaining, 0.0) / max(self._left, 1),
            accounts=self._setting.accounts,
            counts=self._share[present],
        )
        self._plan = np.zeros_like(self._upper)
        self._plan[present] = np.clip(solution.share, 0.0, 1.0)
