"""Rules that cheat: they look for what is to come in the history and the horizon. It must not help them."""

from dataclasses import dataclass

import numpy as np
import pytest

from policies.budgeted.balance import Balance
from policies.estimators.neighbours import ExactNeighbours
from scenarios.workloads.hard import adwords_triangular, greedy_half, long_then_short, rising_density
from sim.interface import Decision, Policy, Query, Setting, State
from tests.policies.test_theory_adversarial import LIMIT, balance_on_the_triangle, ratio

TRUTH = ExactNeighbours(k=1)


@dataclass
class FewestBids(Policy):
    """The bidder who can pay and has the fewest bids in the history, as who drops out first must be served first."""

    most: bool = False
    estimator = TRUTH

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        bids = setting.history.quality.sum(axis=0)
        self._bids = -bids if self.most else bids

    def decide(self, query: Query, state: State) -> Decision:
        able = (query.quality_hat > 0) & (state.remaining >= query.cost_hat)
        return Decision(int(np.where(able, self._bids, np.inf).argmin()) if able.any() else None)


@dataclass
class LastLevel(Policy):
    """Only queries as good as the last that come, if as many come of each level as the budget pays for."""

    estimator = TRUTH

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        levels = np.unique(setting.history.quality[setting.history.quality > 0])
        last = setting.horizon / setting.budgets[0]
        self._least = levels[min(len(levels), round(last)) - 1]

    def decide(self, query: Query, state: State) -> Decision:
        return Decision(0 if query.quality_hat[0] >= self._least else None)


@pytest.mark.parametrize("most", [False, True])
@pytest.mark.parametrize("n", [2, 10, 20])
def test_the_history_does_not_tell_who_drops_out_of_the_triangle(n: int, most: bool) -> None:
    shares = [ratio(FewestBids(most), adwords_triangular(n, 10, seed), 10) for seed in range(60)]
    error = np.std(shares, ddof=1) / np.sqrt(len(shares))
    assert np.mean(shares) <= balance_on_the_triangle(n) + 3 * error  # no rule has more, and it comes down to 1 - 1/e
    if n == 20:
        assert np.mean(shares) == pytest.approx(LIMIT, abs=0.05)


@pytest.mark.parametrize("most", [False, True])
def test_the_history_does_not_tell_which_of_two_bidders_stays(most: bool) -> None:
    assert ratio(FewestBids(most), greedy_half(50), 50) == pytest.approx(0.5)  # it sees a tie, as greedy does
    assert ratio(Balance(TRUTH), greedy_half(50), 50) == pytest.approx(0.75)  # the most that any rule has for sure


def test_neither_history_nor_horizon_tell_at_which_level_a_knapsack_ends() -> None:
    levels, budget = 8, 20
    shares = [ratio(LastLevel(), rising_density(levels, budget, stop), budget) for stop in range(1, levels + 1)]
    assert min(shares) <= 2 / (levels + 1)


def test_the_history_of_long_and_short_queries_is_no_secret() -> None:
    # The instance bounds no rule: it shows how rules differ. One that knows what may come can wait for it.
    class OnlyShort(LastLevel):
        def decide(self, query: Query, state: State) -> Decision:
            return Decision(0 if query.cost_hat[0] == 1 else None)

    assert ratio(OnlyShort(), long_then_short(), 100) == pytest.approx(1.0)
