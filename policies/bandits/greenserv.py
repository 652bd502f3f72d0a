"""LinUCB on a reward that weighs accuracy against energy: GreenServ."""

from __future__ import annotations

import math

import numpy as np

from policies.bandits.contexts import Context
from policies.bandits.ridge import RidgeArms
from policies.parts.load import candidates
from policies.parts.paying import among_payers
from policies.parts.ranked import best_first
from sim.errors import check_number
from sim.interface import Decision, Estimates, Feedback, History, Policy, Query, Setting, State


class GreenServ(Policy):
    """argmax over usable i of theta_i . x + alpha sqrt(x' A_i^-1 x), with A_i = ridge I and b_i = 0 at the start.

    Every answer adds x x' to A_i and r x to b_i, theta_i = A_i^-1 b_i, with the reward

        r = (1 - weight) quality + weight (1 - e),   cut to [0, 1],

    of the authors' code (TZData1/llm-inference-router at 8e055dd; arXiv 2601.17551 has quality - lambda energy). e is
    the energy of the answer, from 0 at the least that is expected to 1 at the most. The paper's energy is by the token,
    with bounds fixed for each data set. Here it is by the answer, as a policy does not hear how long an answer was, and
    by the bounds given; without bounds, or where nobody measures energy, e is the logarithm of cost between the least
    and the greatest cost in the history. The lowest index wins ties; the others are next choices. A model that joins
    begins with nothing; of a history only the costs and the embeddings are used.

    The paper's context is the task, the cluster of the embedding and how readable the text is. A policy sees neither
    tasks nor text, so the shipped context is the cluster. The limit on latency in the authors' configuration takes no
    part in their experiments, and none here.

    Parameters
    ----------
    context : Context
    weight : float
        Of energy against quality, in [0, 1].
    alpha : float
        Weight of the uncertainty.
    ridge : float
        Above 0.
    least_energy_j, most_energy_j : float or None
        Of an answer; both None for costs in their place.

    Raises
    ------
    ValueError
        If a parameter is out of range, or one bound of energy alone is given.
    """

    def __init__(
        self,
        context: Context,
        weight: float = 0.5,
        alpha: float = 0.1,
        ridge: float = 0.05,
        least_energy_j: float | None = None,
        most_energy_j: float | None = None,
    ) -> None:
        check_number("weight", weight, least=0, most=1)
        check_number("alpha", alpha, least=0)
        check_number("ridge", ridge, above=0)
        if (least_energy_j is None) != (most_energy_j is None):
            raise ValueError(
                f"least_energy_j is {least_energy_j} and most_energy_j {most_energy_j}; give both, or null for both"
            )
        if least_energy_j is not None and most_energy_j is not None:
            check_number("least_energy_j", least_energy_j, least=0)
            check_number("most_energy_j", most_energy_j, above=least_energy_j)
            self._energy_j: tuple[float, float] | None = (least_energy_j, most_energy_j)
        else:
            self._energy_j = None
        self._context = context
        self._weight = weight
        self._alpha = alpha
        self._ridge = ridge

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Know nothing of the arms; learn from the history how queries cluster and what they cost."""
        history = setting.history
        self._fitted = self._context.fit(history)
        size = self._fitted.of(history.features.embeddings[:1]).shape[1]
        self._arms = RidgeArms.fresh(len(setting.fleet), size, self._ridge)
        self._refused = setting.refused
        self._log_costs = log_cost_bounds(history, [info.unit for info in setting.fleet])

    def decide(self, query: Query, state: State) -> Decision:
        """Return the argmax, with the others as next choices."""
        usable = np.zeros(len(state.available), dtype=np.bool_)
        usable[among_payers(candidates(state), query, state, self._refused)] = True
        x = self._fitted.of(query.embedding[None, :])[0]
        return best_first(self._arms.bounds(x, self._alpha), usable)

    def believes(self, query: Query) -> Estimates:
        """Return theta . x as quality, which is of the reward, and the costs of the estimator's."""
        mean = self._arms.means(self._fitted.of(query.embedding[None, :])[0])
        return Estimates(np.clip(mean, 0.0, 1.0), query.cost_hat)

    def learn(self, feedback: Feedback) -> None:
        """Take in an answer, if it has a score."""
        if not math.isnan(feedback.quality):
            self.learn_score(feedback)

    def learn_score(self, feedback: Feedback) -> None:
        """Take in an answer whose score has come."""
        reward = (1.0 - self._weight) * feedback.quality + self._weight * (1.0 - self._effort(feedback))
        x = self._fitted.of(feedback.query.embedding[None, :])[0]
        self._arms.learn(feedback.deployment, x, min(max(reward, 0.0), 1.0))

    def _effort(self, feedback: Feedback) -> float:
        if self._energy_j is not None and not math.isnan(feedback.energy_j):
            value, (least, most) = feedback.energy_j, self._energy_j
        else:
            value = math.log(feedback.cost) if feedback.cost > 0 else -math.inf
            least, most = self._log_costs[feedback.deployment]
        return min(max((value - least) / (most - least), 0.0), 1.0) if most > least else 0.0


def log_cost_bounds(history: History, units: list[str]) -> list[tuple[float, float]]:
    """Return the logarithms of the least and the greatest positive cost of each deployment's unit in the history."""
    bounds = {}
    for unit in set(units):
        costs = history.cost[:, [k for k, of in enumerate(units) if of == unit]]
        paid = costs[costs > 0]  # not where nothing is known either
        bounds[unit] = (math.log(paid.min()), math.log(paid.max())) if len(paid) else (0.0, 0.0)
    return [bounds[unit] for unit in units]
