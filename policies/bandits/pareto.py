"""A linear bandit that forgets, with a price on cost that keeps the mean cost of a query at a ceiling: ParetoBandit."""

from __future__ import annotations

import math

import numpy as np

from policies.bandits.contexts import Context
from policies.bandits.pacer import Market, Pacer, check_market
from policies.bandits.priors import Prior
from policies.parts.load import candidates
from policies.parts.paying import among_payers
from sim.errors import check_number
from sim.interface import Decision, Estimates, Feedback, Policy, Query, Setting, State

REMEMBERED = 1000  # queries that an arm may be idle before it forgets no more
LEAST_MEMORY = 1 / 200  # of an idle arm's observations, as far as its uncertainty goes
LEAST_RIDGE = 0.1  # of the identity in A, before it is made whole again
TIE = 1e-12


class ParetoBandit(Policy):
    """argmax over allowed i of theta_i . x + alpha sqrt(v_i) - (cost_weight + lambda) c_i (arXiv 2604.00136).

    The form of the authors' code (ParetoBandit/ParetoBandit at 72ccbef), which a test meets decision by decision.

        v_i = x' A_i^-1 x / max(g^idle_i, 1/200),   c_i = log p_i from the lowest to the highest price, in [0, 1]

    where g is ``forgetting`` and idle_i how many queries ago arm i was last chosen or last learned from, at most 1000.
    While lambda > 0 only arms with p_i <= p_max / (1 + lambda) are allowed, unless that is none. Before an arm learns a
    reward r, clipped to [0, 1], its A_i and b_i are multiplied by g for each query since it last learned; where less
    than 0.1 of its ridge is then left, the ridge is made whole. The pacer hears each cost:

        e <- e + pace (cost / B - e),   lambda <- clip(lambda + pace (e - 1), 0, most),   from e = 1 and lambda = 0.

    B is a mean per query and no hard limit: nothing here stops a total that overruns. The world's budgets do.

    What is this project's reading: prices p_i are the history's mean costs of a query, times what announced changes of
    price make of them, and where the market's range is not given it is the cheapest of the history's and 1000 times
    that, the paper's ratio. What it has paid lately is no price here: a model that is not allowed is never paid. Costs
    in several units are paced by the mean of their shares. An arm that is known on no history row is tried ``forced``
    times first, as the paper's experiments do, since by its bound alone it is not. Arms that are not allowed are next
    choices after those that are. A score that comes late teaches when it comes; the cost is heard at once.

    Parameters
    ----------
    context : Context
        Its last coordinate is the constant 1.
    prior : Prior
    ceiling : float or None
        B, in the unit of the budgets; None: the sum of the budgets over the horizon, no pacer where one has no limit.
    alpha : float
        Weight of the uncertainty.
    forgetting : float
        What a query leaves of what an arm has learned, from 0.5 to 1.
    cost_weight : float
        The price on c_i that is always there. The constructor of the authors' has 0.3, their experiments 0 and 0.2.
    pace : float
        Step of the pacer, and weight of the newest cost in it.
    most : float
        Upper limit of lambda.
    lowest_price, highest_price : float or None
        The market's range; both None for the reading above.
    forced : int
        Queries on which an arm nobody has seen is tried.

    Raises
    ------
    ValueError
        If a parameter is out of range, or one end of the market alone is given.
    """

    paces = True

    def __init__(
        self,
        context: Context,
        prior: Prior,
        ceiling: float | None = None,
        alpha: float = 0.01,
        forgetting: float = 0.997,
        cost_weight: float = 0.0,
        pace: float = 0.05,
        most: float = 5.0,
        lowest_price: float | None = None,
        highest_price: float | None = None,
        forced: int = 20,
    ) -> None:
        check_number("ceiling", ceiling, above=0, null="for the budgets over the horizon")
        check_number("alpha", alpha, least=0)
        check_number("forgetting", forgetting, least=0.5, most=1)
        check_number("cost_weight", cost_weight, least=0)
        check_number("pace", pace, above=0, most=1)
        check_number("most", most, least=0)
        check_number("forced", forced, least=0)
        check_market(lowest_price, highest_price)
        self._context = context
        self._prior = prior
        self._ceiling = ceiling
        self._alpha = alpha
        self._forgetting = forgetting
        self._cost_weight = cost_weight
        self._pace = pace
        self._most = most
        self._lowest_price = lowest_price
        self._highest_price = highest_price
        self._forced = forced

    @property
    def price(self) -> float:
        """Lambda, what the pacer now asks for cost."""
        return self._pacer.price

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Learn the arms from the history and begin to pace."""
        history, n_arms = setting.history, len(setting.fleet)
        self._fitted = self._context.fit(history)
        self._arms = self._prior.arms(self._fitted.of(history.features.embeddings), history)
        self._rng = rng
        self._refused = setting.refused
        self._market = Market(setting, self._lowest_price, self._highest_price)
        self._pacer = Pacer(setting, self._ceiling, self._pace, self._most)
        self._n_seen = 0
        self._learned_at, self._chosen_at = [0] * n_arms, [0] * n_arms
        self._ridge = [1.0] * n_arms
        self._to_try = [0 if rows.any() else self._forced for rows in history.known.T]

    def decide(self, query: Query, state: State) -> Decision:
        """Return the argmax, with the others as next choices."""
        usable = among_payers(candidates(state), query, state, self._refused)
        untried = [k for k in usable if self._to_try[k] > 0]
        score = self._scores(query)
        dearest = max(self._market.price[k] for k in usable) / (1.0 + self.price)
        allowed = {k for k in usable if self._market.price[k] <= dearest or self.price == 0} or set(usable)
        ranked = sorted(usable, key=lambda k: (k not in untried, k not in allowed, -score[k]))
        chosen = ranked[0]
        if untried:
            self._to_try[chosen] -= 1
        else:
            ties = [k for k in ranked if k in allowed and score[k] > score[chosen] - TIE]
            chosen = ties[int(self._rng.integers(len(ties)))] if len(ties) > 1 else chosen
        self._n_seen += 1
        self._chosen_at[chosen] = self._n_seen
        return Decision(chosen, [k for k in ranked if k != chosen], explores=bool(untried))

    def _scores(self, query: Query) -> list[float]:
        x = self._fitted.of(query.embedding[None, :])[0]
        mean, variance = self._arms.means(x).tolist(), self._arms.variances(x).tolist()
        price = self._cost_weight + self.price
        scores = []
        for k, learned_at in enumerate(self._learned_at):
            idle = min(self._n_seen - max(learned_at, self._chosen_at[k]), REMEMBERED)
            memory = max(self._forgetting**idle, LEAST_MEMORY)
            scores.append(mean[k] + self._alpha * math.sqrt(variance[k] / memory) - price * self._market.log_price[k])
        return scores

    def believes(self, query: Query) -> Estimates:
        """Return theta . x as quality, and the costs of the estimator's."""
        mean = self._arms.means(self._fitted.of(query.embedding[None, :])[0])
        return Estimates(np.clip(mean, 0.0, 1.0), query.cost_hat)

    def learn(self, feedback: Feedback) -> None:
        """Pace by the cost, and learn the reward if there is one."""
        self._pacer.hear(feedback.deployment, feedback.cost)
        if not math.isnan(feedback.quality):
            self.learn_score(feedback)

    def learn_price(self, deployment: int, factor: float) -> None:
        """Know the new price, for the choice and for what is allowed."""
        self._market.change(deployment, factor)

    def learn_score(self, feedback: Feedback) -> None:
        """Forget some, and learn the reward."""
        k = feedback.deployment
        memory = self._forgetting ** min(self._n_seen - self._learned_at[k], REMEMBERED)
        self._arms.forget(k, memory)
        self._ridge[k] *= memory
        if self._ridge[k] < LEAST_RIDGE:
            self._arms.regularise(k, 1.0 - self._ridge[k])
            self._ridge[k] = 1.0
        x = self._fitted.of(feedback.query.embedding[None, :])[0]
        self._arms.learn(k, x, min(max(feedback.quality, 0.0), 1.0))
        self._learned_at[k] = self._n_seen
