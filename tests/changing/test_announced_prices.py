"""A change of price that is announced reaches a policy that looks at price lists (``Policy.learn_price``)."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from policies.bandits.pacer import Market
from scenarios.events import PriceChange
from sim.interface import DeploymentInfo, Features, History, Setting
from sim.study.replay import Watched
from tests.scripted import Scripted, run


@dataclass
class Reads(Scripted):
    """Decides as written, and notes the prices that it is told, after how many decisions."""

    told: list[tuple[int, int, float]] = field(default_factory=list)

    def learn_price(self, deployment: int, factor: float) -> None:
        self.told.append((len(self.states), deployment, factor))


def test_a_policy_is_told_the_price_that_holds_when_it_changes_and_before_queries_of_that_time() -> None:
    policy = Reads([0] * 4)
    changes = [PriceChange(1.0, 0.5, "b", for_s=1.5), PriceChange(2.0, 3.0)]
    requests = run(policy, [0.0, 1.0, 2.0, 3.0], events=changes)
    assert policy.told == [(1, 1, 0.5), (2, 0, 3.0), (2, 1, 1.5), (3, 1, 3.0)]
    assert requests["cost_usd"].tolist() == [1.0, 1.0, 3.0, 3.0]


def test_what_is_not_announced_shows_in_the_bills_alone() -> None:
    policy = Reads([0, 0])
    run(policy, [0.0, 1.0], events=[PriceChange(0.5, 3.0, announced=False)])
    assert policy.told == []
    assert [feedback.cost for feedback in policy.learned] == [1.0, 3.0]


def test_a_policy_that_is_watched_is_told_too_and_one_that_fails_is_named() -> None:
    policy = Reads([0, 0])
    run(Watched(policy), [0.0, 1.0], events=[PriceChange(0.5, 3.0, "a")])
    assert policy.told == [(1, 0, 3.0)]

    class Fails(Reads):
        def learn_price(self, deployment: int, factor: float) -> None:
            raise ValueError("too dear")

    with pytest.raises(RuntimeError, match="policy 'scripted' raised ValueError learning a price of deployment 0: too"):
        run(Fails([0, 0]), [0.0, 1.0], events=[PriceChange(0.5, 3.0, "a")])


def test_a_market_knows_a_changed_price_within_its_first_range_and_none_of_a_budget_in_tokens() -> None:
    def market(unit: str) -> Market:
        fleet = tuple(DeploymentInfo(name, name, unit) for name in ("a", "b"))
        features = Features(np.ones((1, 1), dtype=np.float32), np.ones(1, dtype=np.int64))
        history = History(features, np.ones((1, 2)), np.array([[1.0, 1000.0]]))
        return Market(Setting(fleet, np.ones(2), 10, history), None, None)

    in_usd = market("usd")
    assert in_usd.log_price == pytest.approx([0.0, 1.0])
    in_usd.change(1, 0.01)
    assert in_usd.price == [1.0, 10.0]
    assert in_usd.log_price == pytest.approx([0.0, 1 / 3])
    in_usd.change(1, 1.0)
    assert in_usd.log_price == pytest.approx([0.0, 1.0])
    in_usd.change(0, 0.0)
    assert in_usd.log_price[0] == 0.0
    in_tokens = market("tokens")
    in_tokens.change(1, 0.01)
    assert in_tokens.price == [1.0, 1000.0]
