"""Two models, by the margin of the small one (arXiv 2405.02134): the authors' figures, and each rule by hand."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from policies.answering.two_tier import TwoTier
from scenarios.arrivals import Deterministic
from scenarios.budgets import Amounts
from scenarios.fleets import OnePerModel
from scenarios.orders import given
from scenarios.shared_budgets import Global
from sim.instance import realise
from sim.interface import FloatArray
from sim.scenario import BudgetRule, Scenario
from sim.workload import Rows, Workload
from sim.world.services.slots import Instant
from tests.calls.reviewing import run

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "reference"
SMALL_USD, LARGE_USD = 1.0, 5.0

needs_reference = pytest.mark.skipif(
    not (REFERENCE / "two_tier.csv").exists(), reason="the reference inputs are not at ../shared/reference"
)


def world(
    margin: Sequence[float] | FloatArray, small: object, large: object, budget: BudgetRule, large_usd: float = LARGE_USD
) -> Scenario:
    """A small and a large model at 1 and 5 USD a call; the history is the queries that come, as its means are known."""
    n = len(margin)
    rows = Rows(
        embeddings=np.zeros((n, 1), dtype=np.float32),
        input_tokens=np.full(n, 10),
        quality=np.column_stack([np.asarray(small, float), np.asarray(large, float)]),
        cost_usd=np.tile([SMALL_USD, large_usd], (n, 1)),
        output_tokens=np.full((n, 2), 10),
        confidence=np.column_stack([np.asarray(margin, float), np.zeros(n)]),
    )
    of = Workload(("small", "large"), rows, rows)
    return Scenario(of, OnePerModel(Instant()), budget, Deterministic(1.0), given)


def outcome(of: Scenario, policy: TwoTier | None = None) -> pd.DataFrame:
    """The request table of a run, whose checks have passed."""
    requests, _ = run(policy or TwoTier(), realise(of, 0, 0))
    return requests


def table(name: str, margin: str, small: str, large: str) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The margin and the correctness of both models, by their columns in a reference file."""
    read = pd.read_csv(REFERENCE / name)
    return read[margin].to_numpy(float), read[small].to_numpy(float), read[large].to_numpy(float)


# --- the authors' figures


@needs_reference
@pytest.mark.parametrize(
    ("budget", "theirs"),
    [
        *((1.2, 0.627250), (1.5, 0.645250), (2.0, 0.689250), (2.5, 0.719750), (3.0, 0.748250)),
        *((3.5, 0.773500), (4.0, 0.800000), (4.5, 0.817500), (5.0, 0.848000)),
    ],
)
def test_the_rule_meets_the_authors_code_at_nine_budgets(budget: float, theirs: float) -> None:
    of = world(*table("two_tier.csv", "margin", "correct_small", "correct_large"), Global(total=budget))
    requests = outcome(of)
    assert requests["quality"].sum() / len(requests) == pytest.approx(theirs, abs=1e-6)
    assert requests["cost_usd"].sum() <= budget * len(requests)


@needs_reference
@pytest.mark.parametrize(("budget", "theirs"), [(1.5, 0.5257), (2.0, 0.5760), (3.0, 0.6797), (4.0, 0.7666)])
def test_margins_of_real_logits_that_hardly_separate_gain_nothing(budget: float, theirs: float) -> None:
    of = world(*table("two_tier_real_qwen.csv", "margin_small", "agree_small", "agree_large"), Global(total=budget))
    assert outcome(of)["quality"].mean() == pytest.approx(theirs, abs=5e-5)


@needs_reference
def test_the_area_between_both_costs_is_above_that_of_a_random_mix() -> None:
    margin, small, large = table("two_tier.csv", "margin", "correct_small", "correct_large")
    budgets = np.linspace(SMALL_USD, LARGE_USD, 9)
    ours = np.array([outcome(world(margin, small, large, Global(total=b)))["quality"].mean() for b in budgets])
    share_of_small = (budgets - LARGE_USD) / (SMALL_USD - LARGE_USD)  # their mix pays for one call a query
    mixed = share_of_small * small.mean() + (1 - share_of_small) * large.mean()
    area, area_of_mix = (float(np.trapezoid(y, budgets)) / (LARGE_USD - SMALL_USD) for y in (ours, mixed))
    assert area_of_mix == pytest.approx((0.61575 + 0.848) / 2)
    assert area == pytest.approx(0.740672, abs=1e-6)


# --- each rule by hand


def where(of: Scenario, policy: TwoTier | None = None) -> list[str]:
    return outcome(of, policy)["deployment"].tolist()


WRONG_FIRST = ([0.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0])


def test_what_is_left_over_goes_to_the_large_model_in_the_end() -> None:
    # 3 a query are 15. After three small calls 12 are left, which pay the large model for both of the last two.
    of = world([5.0, 1.0, 4.0, 2.0, 3.0], [0.0] * 5, [1.0] * 5, Global(total=3.0))
    # Nobody was escalated: of 2 margins place floor(0.4 x 2) is the least, of 3 place 1 is the newcomer itself.
    assert where(of, TwoTier(least_seen=1)) == ["small", "small", "small", "large", "large"]


def test_what_is_below_the_quantile_asks_both_models_and_pays_both() -> None:
    # 1.6 a query escalate 0.12 of them: of 21 margins those below
    # the one at place 2, which is 3, and of 22 those below 2.
    margin = [*np.arange(21.0, 0.0, -1.0), 0.5, 50.0, 50.0]
    of = world(margin, np.zeros(24), np.ones(24), Global(total=1.6))
    requests, calls = run(TwoTier(), realise(of, 0, 0))
    assert requests["deployment"].tolist() == ["small"] * 20 + ["large", "large", "small", "large"]
    assert requests["calls"].tolist() == [1] * 20 + [2, 2, 1, 1]  # 5.4 are left for the last, which pays it alone
    assert calls["cost_usd"].sum() == 20 + 2 * 6 + 1 + 5


def test_money_for_every_query_goes_to_the_large_model_at_once() -> None:
    of = world([1.0] * 4, *WRONG_FIRST, Global(total=5.0))
    requests, calls = run(TwoTier(), realise(of, 0, 0))
    assert requests["deployment"].tolist() == ["large"] * 4
    assert len(calls) == 4  # and the small one is not asked


def test_a_large_model_that_is_no_better_is_never_asked_first() -> None:
    of = world([1.0] * 4, [1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 0.0, 0.0], Global(total=5.0))
    assert where(of, TwoTier(["small", "large"])) == ["small"] * 4


def test_money_for_the_small_model_alone_is_spent_there() -> None:
    of = world([0.0] * 4, *WRONG_FIRST, Global(total=1.0))
    assert where(of, TwoTier(least_seen=0)) == ["small"] * 4


def test_budgets_of_their_own_pay_for_escalations_from_that_of_the_large_model() -> None:
    of = world([0.1, 0.2, 0.3, 0.4], *WRONG_FIRST, Amounts([4.0, 5.0]))
    # One in four may be escalated: n = 1 has place 0 and n = 4 place 1, below which nobody is who came in this order.
    assert where(of, TwoTier(least_seen=0)) == ["small"] * 3 + ["large"]  # 5 of its own pay for the one that is left


def test_answers_without_a_confidence_are_kept_and_a_refused_call_is_made_elsewhere() -> None:
    nothing = world([np.nan] * 4, *WRONG_FIRST, Global(total=1.9))
    assert where(nothing, TwoTier(least_seen=0)) == ["small"] * 4
    refused = world([0.9] * 4, *WRONG_FIRST, Amounts([0.0, 12.0]))
    assert where(refused)[:2] == ["large", "large"]


def test_where_a_query_may_take_one_call_the_first_answer_is_kept_and_a_refused_query_is_given_up() -> None:
    unsure = world([0.9, 0.1, 0.5], [0.0] * 3, [1.0] * 3, Amounts([4.0, 9.9]))
    assert where(unsure, TwoTier(least_seen=0)) == ["small", "large", "small"]  # the second of 2 margins is the least
    assert where(replace(unsure, max_calls=1), TwoTier(least_seen=0)) == ["small", "small", "large"]
    refused = replace(world([0.9] * 3, [0.0] * 3, [1.0] * 3, Amounts([1.0, 9.0])), max_calls=1)
    assert outcome(refused)["fate"].tolist() == ["served", "exhausted", "served"]  # 9 pay the last at the large one


@pytest.mark.parametrize("deployments", [["small"], ["small", "small"], ["small", "large", "small"]])
def test_other_than_two_deployments_are_refused(deployments: list[str]) -> None:
    with pytest.raises(ValueError, match="it must name a small and a large one, or be null"):
        TwoTier(deployments)


def test_an_unknown_deployment_is_refused_by_name() -> None:
    with pytest.raises(RuntimeError, match="unknown deployment 'smal'; did you mean 'small'"):
        where(world([0.0], [0.0], [1.0], Global(total=1.0)), TwoTier(["smal", "large"]))
