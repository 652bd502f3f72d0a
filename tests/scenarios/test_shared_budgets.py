"""Budgets that several deployments share, in worlds small enough to check by hand."""

from dataclasses import replace

import pandas as pd
import pytest

from scenarios.budgets import Amounts
from scenarios.events import BudgetCut, TopUp
from scenarios.shared_budgets import Global, Shared
from sim.instance import realise
from sim.interface import Decision
from sim.scenario import BudgetRule, Scenario, TokenBucket, Window
from sim.study.experiment import compare
from sim.study.fleet import fleet_table
from sim.study.oracles import OPTIMUM, Oracle
from sim.study.ratio.ratios import Scaled, largest_queries
from sim.study.record.checks import check
from sim.workload import Workload
from tests.scripted import Scripted, run
from tests.worlds import tiny_rows, tiny_scenario, tiny_workload

# Deployment a takes 1 USD a query and b takes 2.
FIVE_USD = Shared({"both": 5.0}, {"a": "both", "b": "both"})
THREE_USD = Shared({"both": 3.0}, {"a": "both", "b": "both"})
IN_TURN = [0, 1, 0, 1, 0]


def tiny_scenario_with(workload: Workload, budget: BudgetRule) -> Scenario:
    return replace(tiny_scenario(workload), budget=budget)


def fates(requests: pd.DataFrame) -> list[str]:
    return requests["fate"].astype(str).tolist()


def test_deployments_of_one_account_spend_it_together_and_see_what_is_left_of_it() -> None:
    policy = Scripted(IN_TURN)
    requests = run(policy, [0, 1, 2, 3, 4], budget=FIVE_USD)
    assert fates(requests) == ["served", "served", "served", "exhausted", "served"]  # 1 + 2 + 1, no 2 more, + 1
    assert [left for *_, left in policy.states] == [[5, 5], [4, 4], [2, 2], [1, 1], [1, 1]]


def test_a_deployment_that_no_account_names_pays_from_the_amount_of_its_own_name() -> None:
    policy = Scripted(IN_TURN)
    requests = run(policy, [0, 1, 2, 3, 4], budget=Shared({"a": 2.0, "b": 2.0}, {}))
    assert fates(requests) == ["served", "served", "served", "exhausted", "exhausted"]
    alone = run(Scripted(IN_TURN), [0, 1, 2, 3, 4], budget=Amounts([2.0, 2.0]))
    assert requests.equals(alone)


def test_others_are_all_deployments_that_are_not_named() -> None:
    workload = tiny_workload(tiny_rows([[0.4, 0.9, 0.5]] * 4, [[1.0, 3.0, 1.0]] * 4))
    budget = Shared({"x": 1.0, "y": 2.0}, {"medium": "x", "others": "y"})
    setting = realise(tiny_scenario_with(workload, budget), 0, 0).setting
    assert [info.account for info in setting.fleet] == ["y", "x", "y"]
    assert setting.budgets.tolist() == [2.0, 1.0, 2.0]


def test_every_window_and_bucket_is_shared_too() -> None:
    windows = run(Scripted([0, 1, 0, 1]), [0, 1, 10, 11], budget=Shared({"both": 2.0}, {"a": "both", "b": "both"}),
                  window=Window(10.0, spread=False))  # fmt: skip
    assert fates(windows) == ["served", "exhausted", "served", "exhausted"]
    # A bucket of 4 s' share holds 2 USD, and gets 0.3 a second.
    bucket = run(
        Scripted([1, 1, 0]), [0, 1, 10], budget=FIVE_USD, window=TokenBucket(4.0)
    )  # holds 2, then 0.3 a second
    assert fates(bucket) == ["served", "exhausted", "served"]


def test_a_cut_of_all_budgets_cuts_an_account_once_and_a_top_up_adds_to_all_of_it() -> None:
    policy = Scripted([0, 0, 0])
    run(policy, [0, 2, 4], budget=FIVE_USD, events=[BudgetCut(0.5, at=1.0), TopUp(3.0, 3.0, "b")])
    assert [left for *_, left in policy.states] == [[5, 5], [2, 2], [4, 4]]  # (5 - 1) / 2, less 1, plus 3
    one = Scripted([0, 0])
    run(one, [0, 2], budget=FIVE_USD, events=[BudgetCut(0.5, at=1.0, deployment="b")])
    assert one.states[1][-1] == [2, 2]


def test_next_choices_of_the_same_account_cannot_pay_either() -> None:
    requests = run(
        Scripted([Decision(1), Decision(1, fallbacks=[0])]), [0, 1], budget=Shared({"x": 3.0}, {"a": "x", "b": "x"})
    )
    assert requests["deployment"].tolist() == ["b", "a"]


def test_the_check_of_a_run_adds_up_what_an_account_paid() -> None:
    requests = run(Scripted([0, 1]), [0, 1], budget=FIVE_USD)
    scenario = tiny_scenario(tiny_workload(tiny_rows([[0.5, 1.0]] * 2, [[1.0, 2.0]] * 2)))
    fleet = fleet_table(realise(scenario, 0, 0)).assign(deployment=["a", "b"], account="both", budget=2.5)
    with pytest.raises(RuntimeError, match=r"account 'both' spent 3.0 of a budget of 2.5 usd"):
        check(requests, fleet)
    check(requests, fleet.assign(budget=3.0))


def test_one_budget_for_all_is_a_multiple_of_the_cheapest_deployments_cost() -> None:
    workload = tiny_workload(tiny_rows([[0.4, 0.9]] * 4, [[1.0, 3.0]] * 4))
    setting = realise(tiny_scenario_with(workload, Global(total=1.5)), 0, 0).setting
    assert setting.budgets.tolist() == [6, 6]
    assert setting.accounts is not None
    assert setting.accounts.tolist() == [0, 0]
    assert [info.account for info in setting.fleet] == ["all", "all"]


def test_the_optimum_of_an_account_is_that_of_the_program_and_a_run_cannot_beat_it() -> None:
    # 6 USD for four queries: the dear model adds 0.5 for 2 USD more, so one query goes there and three stay.
    workload = tiny_workload(tiny_rows([[0.4, 0.9]] * 4, [[1.0, 3.0]] * 4))
    scenario = tiny_scenario_with(workload, Global(total=1.5))
    table = compare(scenario, {"p": Scripted([0, 0, 0, 1])}, oracle=Oracle((OPTIMUM,)))
    own = table[table["policy"] == "p"].iloc[0]
    assert own["quality"] == pytest.approx(3 * 0.4 + 0.9)
    assert own["optimum_ratio"] == pytest.approx(1.0, abs=1e-4)


def test_k_counts_an_accounts_largest_query() -> None:
    workload = tiny_workload(tiny_rows([[0.4, 0.9]] * 4, [[1.0, 3.0]] * 4))
    assert largest_queries(realise(tiny_scenario_with(workload, Global(total=1.5)), 0, 0)).tolist() == [2.0]


def test_a_multiple_of_a_shared_budget_is_shared() -> None:
    workload = tiny_workload(tiny_rows([[0.4, 0.9]] * 4, [[1.0, 3.0]] * 4))
    setting = realise(tiny_scenario_with(workload, Scaled(Global(total=1.5), 2.0)), 0, 0).setting
    assert (setting.budgets.tolist(), setting.accounts is None) == ([12, 12], False)


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        (Shared({"x": 1.0}, {"small": "x"}), "deployment 'medium' has no account; name one"),
        (Shared({"x": 1.0}, {"smal": "x"}), "unknown deployment in the budget 'smal'; did you mean 'small'"),
    ],
)
def test_an_account_that_does_not_fit_the_fleet_is_refused(budget: Shared, message: str) -> None:
    workload = tiny_workload(tiny_rows([[0.4, 0.9]] * 4, [[1.0, 3.0]] * 4))
    with pytest.raises(ValueError, match=message):
        realise(tiny_scenario_with(workload, budget), 0, 0)


def test_an_account_without_an_amount_or_with_two_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown account of the budget 'y'"):
        Shared({"x": 1.0}, {"small": "y"})

    class Uneven(Amounts):
        def accounts(self, names: tuple[str, ...]) -> list[str]:
            return ["x"] * len(names)

    workload = tiny_workload(tiny_rows([[0.4, 0.9]] * 4, [[1.0, 3.0]] * 4))
    with pytest.raises(ValueError, match=r"account 'x' has 2.0 usd and 1.0 usd; it must have one amount"):
        realise(tiny_scenario_with(workload, Uneven([1.0, 2.0])), 0, 0)
