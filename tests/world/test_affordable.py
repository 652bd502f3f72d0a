"""Policies that ask what they can afford count money as the ledger does."""

from dataclasses import replace

import numpy as np
import pytest

from policies.budgeted.balance import Balance
from policies.budgeted.largest_remaining import LargestRemaining
from policies.budgeted.mirror_descent import Entropic
from policies.budgeted.msvv import Msvv
from policies.estimators.neighbours import ExactNeighbours
from scenarios.budgets import Amounts
from sim.interface import Policy, State
from sim.study.experiment import compare
from tests.worlds import idle, tiny_query, tiny_rows, tiny_scenario, tiny_setting, tiny_workload

ALL = ExactNeighbours(k=1)


@pytest.mark.parametrize("policy", [Balance(ALL), Msvv(ALL)])
def test_three_tenths_pay_for_three_queries_of_a_tenth_each(policy: Policy) -> None:
    rows = tiny_rows([[1.0]] * 4, [[0.1]] * 4)
    summary = compare(replace(tiny_scenario(tiny_workload(rows)), budget=Amounts([0.3])), {"policy": policy})
    assert summary["served"].tolist() == [3]


def test_what_remains_pays_for_a_cost_that_rounding_put_above_it() -> None:
    policy = Entropic(ALL)
    policy.reset(tiny_setting([0.3], 4), np.random.default_rng(0))
    state: State = idle(1)._replace(remaining=np.array([0.3 - 0.1 - 0.1]))
    assert policy.decide(tiny_query(2, [1.0], [0.1]), state).deployment == 0


def test_without_budgets_the_largest_remaining_one_is_that_of_least_estimated_cost_so_far() -> None:
    policy = LargestRemaining(ALL)
    policy.reset(tiny_setting([np.inf, 5.0, np.inf], 4), np.random.default_rng(0))
    chosen = [policy.decide(tiny_query(number, [1.0] * 3, [3.0, 1.0, 1.0]), idle(3)).deployment for number in range(6)]
    assert chosen == [0, 2, 2, 2, 0, 2]
