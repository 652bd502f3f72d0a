"""Switchyard's own rule for hard budgets: prices from the history, kept true to what is left and still to come."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from policies.estimators.neighbours import unit
from policies.parts.forecast import Forecast, Known
from policies.parts.held_out import held_out, is_same
from policies.parts.load import SlotTime
from policies.parts.ranked import best_first
from policies.parts.renewals import Renewals
from policies.parts.residuals import Outlook, Residuals
from policies.parts.smooth_prices import smooth_prices
from sim.assignment.rows import pooled
from sim.interface import (
    TOLERANCE,
    Decision,
    Estimates,
    Estimator,
    Feedback,
    FloatArray,
    History,
    Policy,
    Query,
    Reasons,
    Setting,
    State,
)


class Steward(Policy):
    """Spend every budget where it is worth most, in any order of arrival.

    A query goes to argmax_i quality_i - p_i cost_i, the other deployments worth their price as fallbacks, and is
    declined if none is. What distinguishes it from PORT and its relatives:

    1. *Prices from history.* p is solved on estimates of history rows by fits without them, from the first query on;
       nothing is explored, and no order of arrival can mislead it (``policies.parts.forecast``).
    2. *Prices follow what is left*: solved ``solves`` times in a run, for the remaining budgets and the queries still
       expected: the history less what has arrived, and what is unlike it by the share seen so far.
    3. *Estimates follow outcomes*: settled qualities and costs correct those of queries near them
       (``policies.parts.residuals``), and those of the queries still to come, as far as the order of arrival does not
       explain them (``Outlook``).
    4. *A budget is a sieve.* A deployment refuses what its budget cannot pay, at no cost, so a query that it accepts
       costs E[cost | cost <= remaining]; by this, and by the chance of acceptance, small remainders are used up. Where
       a refused query is lost (``Setting.refused``), a choice is worth its surplus times that chance. Where it waits,
       budgets renew themselves, and prices are for their share of the queries still to come, if that is more.

    docs/steward.md has what was measured.

    Parameters
    ----------
    estimator : Estimator
    solves : int
        How often prices are solved in a run.
    slots : bool
        Whether the slots of deployments have a price too: what they can serve in the time left bounds what is spent,
        as the budget does. For where waiting loses queries (patience, deadlines); not with shared accounts.

    Raises
    ------
    ValueError
        If ``solves`` is less than 1.
    """

    paces = True

    def __init__(self, estimator: Estimator, solves: int = 100, slots: bool = False) -> None:
        if solves < 1:
            raise ValueError(f"solves is {solves}; prices must be solved at least once")
        self.estimator: Estimator = estimator
        self._solves = solves
        self._slots = slots
        self._studied: tuple[History, Estimates, Known] | None = None

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Study the history, unless it is that of the run before, and forget all else."""
        history = setting.history
        if self._studied is None or not is_same(self._studied[0], history):
            estimates = held_out(self.estimator, self.estimator.fit(history), history)
            self._studied = (history, estimates, Known(history, estimates))
        _, estimates, known = self._studied
        self._forecast = Forecast(known, setting.horizon)
        self._outlook = Outlook(estimates, setting.horizon)
        self._residuals = Residuals(unit(history.features.embeddings).mean(axis=0), setting.horizon)
        error = np.log(np.maximum(history.cost, 1e-12)) - np.log(np.maximum(estimates.cost, 1e-12))
        self._spread = np.maximum(spread(error), 1e-3)
        self._renewals = Renewals(setting.budgets)
        self._time = SlotTime(setting) if self._slots and setting.accounts is None else None
        self._refused = setting.refused
        self._budgets, self._accounts, self._horizon = setting.budgets, setting.accounts, setting.horizon
        self._interval = max(1, setting.horizon // self._solves)
        _, self._mean_cost = history.means()
        self._prices = 0.3 / np.where(self._mean_cost > 0, self._mean_cost, 1.0)  # where the first solution starts

    def reasons(self, query: Query, state: State) -> Reasons:
        """Show the last prices and what they leave of corrected estimates, unless it solves them anew first."""
        quality, cost = self.believes(query)
        if query.id % self._interval == 0:
            return Reasons(words="it solves its prices anew at this query")
        return Reasons(self._prices, quality - self._prices * cost)

    def decide(self, query: Query, state: State) -> Decision:
        """Choose by corrected estimates at the present prices."""
        renewed = self._renewals.see(state.remaining, state.now_s)
        outstanding = pooled((state.queued + state.in_flight) * self._mean_cost, self._accounts)  # not settled
        remaining = np.maximum(state.remaining - outstanding, 0.0)
        if renewed or query.id % self._interval == 0:
            may_spend, share = self._to_come(query, remaining, state.now_s)
            if self._time is not None:
                busy = (state.queued + state.in_flight) * self._mean_cost
                slots = share * self._time.left(query, self._horizon, state.now_s) - busy
                self._solve(np.minimum(may_spend, np.maximum(slots, 0.0)), share)
            else:
                self._solve(may_spend, share)
        quality, cost = self.believes(query)
        self._forecast.see(query, quality, cost)
        self._outlook.see(query)
        accepted_cost, chance = accepted(cost, remaining * (1 + TOLERANCE), self._spread)
        surplus = quality - self._prices * accepted_cost
        if self._refused == "lost":
            surplus = surplus * chance
        is_hopeless = chance <= 0 if self._refused != "wait" else np.zeros_like(state.available)
        surplus[is_hopeless | ~state.available] = -np.inf
        decision = best_first(surplus, surplus > 0)
        if self._time is not None and decision.deployment is not None:
            self._time.send(query, decision.deployment, state)
        return decision

    def believes(self, query: Query) -> Estimates:
        """Return the estimates, corrected by the outcomes of queries near this one."""
        better, dearer = self._residuals.at(query.embedding)
        return Estimates(np.clip(query.quality_hat + better, 0.0, 1.0), query.cost_hat * np.exp(dearer))

    def learn(self, feedback: Feedback) -> None:
        """Correct what is expected of queries like this one."""
        if self._time is not None:
            self._time.learn(feedback)
        k, query = feedback.deployment, feedback.query
        if query.cost_hat[k] > 0 and feedback.cost > 0:
            typical = np.log(query.cost_hat[k]) - self._spread[k] ** 2 / 2  # the mean log of a cost with this mean
            self._correct(feedback, float(np.log(feedback.cost) - typical), feedback.cost / query.cost_hat[k] - 1)

    def learn_score(self, feedback: Feedback) -> None:
        """Correct what is expected of queries like this one by a score that came late."""
        self._correct(feedback, np.nan, np.nan)

    def _correct(self, feedback: Feedback, log_cost: float, excess: float) -> None:
        quality = feedback.quality - float(feedback.query.quality_hat[feedback.deployment])
        self._residuals.add(feedback.query.embedding, quality, log_cost)
        self._outlook.add(feedback.query, quality, excess)

    def _to_come(self, query: Query, remaining: FloatArray, now_s: float) -> tuple[FloatArray, float]:
        """Return what may be spent (n_deployments,), and for which share of this query and all after it."""
        left = max(self._horizon - query.id, 1)
        in_window = self._renewals.queries_to_come(now_s)
        if in_window is not None:
            return remaining, min(1.0, in_window / left)
        if not self._renewals.are_expected and self._refused != "wait":
            return remaining, 1.0
        return np.maximum(remaining, self._budgets * (left / self._horizon)), 1.0

    def _solve(self, remaining: FloatArray, share: float) -> None:
        """Find prices for what is left and what is still to come."""
        rest = self._forecast.rest(*self._outlook.rest())
        cost, chance = accepted(rest.cost, remaining, self._spread)
        quality, cost = rest.quality * chance, cost * chance
        weights = rest.weights * share
        self._prices = smooth_prices(quality, cost, weights, remaining, self._prices, accounts=self._accounts)


def spread(error: FloatArray) -> FloatArray:
    """Return the standard deviation of each column of errors (n_history, n_deployments), NaN where nothing is known.

    A column with fewer than two errors gets the greatest of the others: of a new model nothing is known for sure.
    """
    known = ~np.isnan(error)
    if known.all():
        whole: FloatArray = error.std(axis=0)
        return whole
    counted = known.sum(axis=0) > 1
    each = np.array(
        [column[rows].std() if rows.sum() > 1 else 0.0 for column, rows in zip(error.T, known.T, strict=True)]
    )
    return np.where(counted, each, each.max())


def accepted(cost: FloatArray, remaining: FloatArray, spread: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return E[cost | cost <= remaining] and the chance of cost <= remaining, each of the shape of ``cost``.

    Costs are log-normal about their estimates: log cost has standard deviation ``spread`` and the mean that makes
    E[cost] the estimate. Where the chance is next to nothing the first is the estimate itself.

    Parameters
    ----------
    cost : array (n_deployments,) or (n, n_deployments)
        Estimates.
    remaining, spread : arrays (n_deployments,)
    """
    with np.errstate(divide="ignore", invalid="ignore"):  # nothing left, or nothing to pay
        room = (np.log(remaining) - np.log(cost)) / spread + spread / 2
    chance = np.where(cost > 0, ndtr(room), 1.0)
    share = ndtr(room - spread) / np.maximum(chance, 1e-300)
    is_possible = chance > 1e-9
    return np.where(is_possible & (cost > 0), cost * share, cost), np.where(is_possible, chance, 0.0)
