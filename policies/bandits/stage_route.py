"""Deploy a few models at the start of each stage, and share the queries among them by optimistic bounds: StageRoute."""

from __future__ import annotations

import math

import numpy as np

from policies.bandits.pacer import ceilings
from policies.bandits.stage_programs import best_shares, deployed
from policies.parts.load import candidates
from sim.errors import check_number, check_one_of
from sim.interface import Decision, Estimates, Feedback, FloatArray, Policy, Query, Setting, State

TINY = 1e-12


class StageRoute(Policy):
    """Send a query to model i with probability p_i, the best shares by upper bounds of reward and lower ones of cost.

    StageRoute of arXiv 2506.17254, as secondary sources have it; no code was found. With n_i answers, their mean score
    and mean cost, and the radius f(v, n) = sqrt(g v / n) + g / n,

        u_i = mean score + 2 f,   l_i = mean cost - ``cost_radii`` f,   cut to their ranges; 1 and the lowest if n_i = 0

    and at the start of each stage ``deployed`` says which models are deployed until the next one. For each query

        max sum_i u_i p_i   s.t.   sum_i l_i p_i <= b,   sum_i p_i = 1,   0 <= p_i <= ``share``

    is solved over those that are deployed, and one of them is drawn. b is a mean per query. It knows no context.

    *Finding.* Costs that are thought to be less than they are overspend b, the more the larger g is, which makes plain
    regret negative: regret and what is spent above b must be read together, at the price of the budget.

    What is inferred: v, which is the empirical mean in the work that the radius comes from and the empirical variance
    in what was read of this paper; costs are divided by the greatest, so that one radius serves both; shares that
    cannot add up to 1 are widened equally; where no shares keep the budget, the cheapest are taken. A model that
    arrives waits for the next stage; one that is away is passed over. The other deployed models are next choices.

    Parameters
    ----------
    ceiling : float or None
        b, in the unit of the budgets; None: the budgets over the horizon, none where one of them has no limit.
    stages : int or None
        None: the cube root of the horizon, rounded up.
    most_deployed : int or None
        None: the number of models to the power 2/3, rounded up.
    share : float
        The largest share of a model, in (0, 1].
    confidence : float
        g as a multiple of ln(models x horizon / delta). Theory asks for about 1, with which a run of some thousand
        queries does little but explore.
    delta : float
        In (0, 1).
    cost_radii : float
        Radii below the mean cost; 0 for no optimism about costs.
    spread : str
        v: ``mean`` or ``variance``.
    lowest_cost, highest_cost : float or None
        The range of a cost; both None: that of the history.

    Raises
    ------
    ValueError
        If a parameter is out of range, or one end of the costs alone is given.
    """

    paces = True

    def __init__(
        self,
        ceiling: float | None = None,
        stages: int | None = None,
        most_deployed: int | None = None,
        share: float = 1.0,
        confidence: float = 0.03,
        delta: float = 0.05,
        cost_radii: float = 2.0,
        spread: str = "mean",
        lowest_cost: float | None = None,
        highest_cost: float | None = None,
    ) -> None:
        check_number("ceiling", ceiling, above=0, null="for the budgets over the horizon")
        check_number("stages", stages, least=1, null="for the cube root of the horizon")
        check_number("most_deployed", most_deployed, least=1, null="for the number of models to the power 2/3")
        check_number("share", share, above=0, most=1)
        check_number("confidence", confidence, least=0)
        check_number("delta", delta, above=0, below=1)
        check_number("cost_radii", cost_radii, least=0)
        check_one_of("spread", spread, ("mean", "variance"))
        if (lowest_cost is None) != (highest_cost is None):
            raise ValueError(
                f"lowest_cost is {lowest_cost} and highest_cost {highest_cost}; give both, or null for both"
            )
        if lowest_cost is not None and highest_cost is not None:
            check_number("lowest_cost", lowest_cost, least=0)
            check_number("highest_cost", highest_cost, above=lowest_cost)
        self._ceiling = ceiling
        self._stages = stages
        self._most_deployed = most_deployed
        self._share = share
        self._confidence = confidence
        self._delta = delta
        self._cost_radii = cost_radii
        self._of_variance = spread == "variance"
        self._lowest_cost = lowest_cost
        self._highest_cost = highest_cost

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Know nothing of the models but the range of their costs."""
        n_models = len(setting.fleet)
        self._rng = rng
        self._g = self._confidence * math.log(max(n_models * setting.horizon / self._delta, math.e))
        stages = self._stages or math.ceil(setting.horizon ** (1 / 3) - TINY)
        self._stage_length = max(1, math.ceil(setting.horizon / stages))
        self._most = self._most_deployed or math.ceil(n_models ** (2 / 3) - TINY)
        self._scale, self._lowest = self._costs(setting)
        self._count = [0] * n_models
        self._sums = [[0.0] * n_models for _ in range(4)]  # of scores, their squares, costs, their squares
        self._upper = np.ones(n_models)
        self._lower = np.full(n_models, self._lowest)
        self._stage = -1
        self._deployed: list[int] = []
        self._shares: tuple[list[int], FloatArray] | None = None

    def _costs(self, setting: Setting) -> tuple[list[float], float]:
        """Return what the costs of each deployment are divided by, and the lowest cost then; b is then ``_budget``."""
        per_query = np.array(ceilings(setting, self._ceiling))
        if np.isinf(per_query).any():
            self._budget = math.inf
            return [1.0] * len(per_query), 0.0
        if self._lowest_cost is not None and self._highest_cost is not None:
            lowest, highest = self._lowest_cost / per_query.min(), self._highest_cost / per_query.min()
        else:
            relative = setting.history.cost / per_query
            lowest, highest = float(np.nanmin(relative)), max(float(np.nanmax(relative)), TINY)
        self._budget = 1.0 / highest
        return (per_query * highest).tolist(), lowest / highest

    def decide(self, query: Query, state: State) -> Decision:
        """Deploy where a stage begins, and draw one of the deployed models."""
        there = candidates(state)
        if query.id // self._stage_length != self._stage:
            self._stage = query.id // self._stage_length
            chosen = deployed(self._upper[there], self._lower[there], self._budget, self._share, self._most)
            self._deployed = [there[k] for k in chosen]
        models = [k for k in self._deployed if k in there] or there
        if self._shares is None or self._shares[0] != models:
            shares, _ = best_shares(self._upper[models], self._lower[models], self._budget, self._share)
            self._shares = (models, shares)
        share = self._shares[1].tolist()
        left = float(self._rng.random())
        ranked = sorted(range(len(models)), key=lambda k: -share[k])
        drawn = ranked[0]
        for k in ranked:
            if left < share[k]:
                drawn = k
                break
            left -= share[k]
        return Decision(models[drawn], [models[k] for k in ranked if k != drawn])

    def believes(self, query: Query) -> Estimates:
        """Return mean scores as quality, where there are any, and the costs of the estimator's."""
        quality = query.quality_hat.copy()
        for k, count in enumerate(self._count):
            if count:
                quality[k] = self._sums[0][k] / count
        return Estimates(quality, query.cost_hat)

    def learn(self, feedback: Feedback) -> None:
        """Take in an answer, if it has a score."""
        if not math.isnan(feedback.quality):
            self.learn_score(feedback)

    def learn_score(self, feedback: Feedback) -> None:
        """Take in an answer whose score has come."""
        k, score = feedback.deployment, feedback.quality
        cost = min(feedback.cost / self._scale[k], 1.0)
        self._count[k] += 1
        for sums, value in zip(self._sums, (score, score * score, cost, cost * cost), strict=True):
            sums[k] += value
        mean, radius = self._mean_and_radius(k, 0)
        self._upper[k] = min(mean + 2.0 * radius, 1.0)
        mean, radius = self._mean_and_radius(k, 2)
        self._lower[k] = max(mean - self._cost_radii * radius, self._lowest)
        self._shares = None

    def _mean_and_radius(self, k: int, which: int) -> tuple[float, float]:
        n = self._count[k]
        mean = self._sums[which][k] / n
        v = self._sums[which + 1][k] / n - mean * mean if self._of_variance else mean
        return mean, math.sqrt(self._g * max(v, 0.0) / n) + self._g / n
