"""A drawn study with one more deployment, which nobody chooses: the policy does not see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from sim.deployment import Deployment
from sim.interface import (
    Answer,
    Combine,
    Decision,
    Estimates,
    Feedback,
    FloatArray,
    Keep,
    Policy,
    Query,
    Setting,
    State,
    reviews,
)
from sim.scenario import BudgetBasis, Scenario
from sim.traits import BudgetTraits
from tests.drawn_studies import Study, record


@dataclass(frozen=True)
class OneMore:
    """A fleet with a copy of its first deployment at the end, under another name."""

    inner: Any

    def deployments(self, models: Sequence[str], rng: np.random.Generator) -> tuple[Deployment, ...]:
        fleet: tuple[Deployment, ...] = self.inner.deployments(models, rng)
        return (*fleet, replace(fleet[0], name="unrelated"))


@dataclass(frozen=True)
class BudgetOfTheOthers:
    """Budgets that the others have without the last deployment, which has none."""

    inner: Any
    budgets: FloatArray

    @property
    def unit(self) -> Sequence[str]:
        unit = self.inner.unit
        units = [unit] * len(self.budgets) if isinstance(unit, str) else list(unit)
        return (*units, units[0])

    def amounts(self, basis: BudgetBasis, rng: np.random.Generator) -> FloatArray:
        return np.append(self.budgets, np.inf)

    def accounts(self, names: Sequence[str]) -> Sequence[str]:
        of_others = BudgetTraits.of(self.inner).accounts
        others = names[: len(self.budgets)]
        return (*(others if of_others is None else of_others(others)), "nobody's")


class PolicyOfTheOthers(Policy):
    """A policy that does not see the last deployment."""

    def __init__(self, inner: Policy, n_deployments: int) -> None:
        self._inner = inner
        self._n = n_deployments
        if reviews(inner):  # only then, as a policy without a review takes no rounds
            self.review = self._review  # type: ignore[method-assign]

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        n, history = self._n, setting.history
        quality, cost = (np.ascontiguousarray(truth[:, :n]) for truth in (history.quality, history.cost))
        cut = history.capped
        if cut is not None:
            cut = replace(cut, quality=cut.quality[:, :n], cost=cut.cost[:, :n])
        seen = replace(history, quality=quality, cost=cost, units=history.units[:n], capped=cut)
        accounts = None if setting.accounts is None else np.unique(setting.accounts[:n], return_inverse=True)[1]
        own = replace(setting, fleet=setting.fleet[:n], budgets=setting.budgets[:n], history=seen, accounts=accounts)
        self._inner.reset(own, rng)
        self.gate = self._inner.gate

    def _query(self, query: Query) -> Query:
        return query._replace(quality_hat=query.quality_hat[: self._n], cost_hat=query.cost_hat[: self._n])

    def _state(self, state: State) -> State:
        n = self._n
        return State(state.now_s, state.queued[:n], state.in_flight[:n], state.remaining[:n], state.available[:n])

    def decide(self, query: Query, state: State) -> Decision:
        return self._inner.decide(self._query(query), self._state(state))

    def decide_batch(self, queries: Sequence[Query], state: State) -> list[Decision]:
        return self._inner.decide_batch([self._query(query) for query in queries], self._state(state))

    def _review(self, query: Query, answers: Sequence[Answer], state: State) -> Decision | Keep | Combine:
        return self._inner.review(self._query(query), answers, self._state(state))

    def learn(self, feedback: Feedback) -> None:
        self._inner.learn(feedback._replace(query=self._query(feedback.query)))

    def learn_score(self, feedback: Feedback) -> None:
        self._inner.learn_score(feedback._replace(query=self._query(feedback.query)))


def with_one_more(one: Study, scenario: Scenario, estimates: Estimates, budgets: FloatArray) -> pd.DataFrame:
    """Run with one more deployment, given the estimates and the budgets of the others."""
    n_deployments = len(budgets)
    more = replace(scenario, fleet=OneMore(scenario.fleet), budget=BudgetOfTheOthers(scenario.budget, budgets))
    padded = Estimates(*(np.pad(part, ((0, 0), (0, 1))) for part in estimates))
    return record(PolicyOfTheOthers(one.policy(), n_deployments), more, one.seed, padded)[0]
