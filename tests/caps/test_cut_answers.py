"""A decision may cap the answer: what it is worth, costs and takes then, wherever a call of the decision goes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest

from scenarios.budgets import Amounts
from scenarios.events import Outage, PriceChange
from sim.deployment import Deployment
from sim.interface import Answer, Combine, Decision, Gate, Keep, Query, State
from sim.scenario import Retry, Window
from sim.scores import Scores
from sim.study.fleet import fleet_table
from sim.study.record.checks import check
from sim.world.services.measured import Measured
from sim.world.services.slots import Instant, Slots
from tests.caps.capped import rows_of, run, world
from tests.scripted import Scripted

TOKEN_A_SECOND = Slots(1, 0.0, 1.0)


def at(deployment: int | None, cap: int | None, **others: object) -> Decision:
    """Return a decision with a cap."""
    return Decision(deployment, max_output_tokens=cap, **others)  # type: ignore[arg-type]


@dataclass
class Looks(Scripted):
    """Decide as written, and review as written, by query and number of answers."""

    reviews: dict[tuple[int, int], Decision | Keep | Combine] = field(default_factory=dict)
    seen: list[tuple[Answer, ...]] = field(default_factory=list)

    def review(self, query: Query, answers: Sequence[Answer], state: State) -> Decision | Keep | Combine:
        self.seen.append(tuple(answers))
        return self.reviews[query.id, len(answers)]


# --- what a cut answer is worth, costs and takes


@pytest.mark.parametrize(
    ("cap", "quality", "tokens", "cost_usd"),
    [
        (20, 0.1, 20, 0.3),  # a column of the table; (10 + 20) tokens at 0.01 USD
        (60, 0.3, 60, 0.7),
        (40, 0.2, 40, 0.5),  # halfway between the two
        (10, 0.05, 10, 0.2),  # halfway between no token, which is worth nothing, and 20
        (80, 0.55, 80, 0.9),  # halfway between 60 and the whole answer
        (100, 0.8, 100, 1.1),  # the whole answer
        (5000, 0.8, 100, 1.1),
    ],
)
def test_an_answer_is_worth_its_score_at_the_cap_and_costs_the_tokens_that_came(
    cap: int, quality: float, tokens: int, cost_usd: float
) -> None:
    requests, _ = run(Scripted([at(0, cap)]), world(1))
    row = requests.iloc[0]
    assert row["quality"] == pytest.approx(quality)
    assert (row["output_tokens"], row["max_output_tokens"]) == (tokens, cap)
    assert row["cost_usd"] == pytest.approx(cost_usd)


def test_an_answer_without_a_cap_is_whole_and_has_none_in_the_record() -> None:
    requests, _ = run(Scripted([0, at(1, 20), None]), world(3))
    assert requests["max_output_tokens"].isna().tolist() == [True, False, True]
    assert requests["quality"].tolist() == [0.8, 0.4, 0.0]
    assert requests["output_tokens"].tolist()[:2] == [100, 20]


def test_a_cap_that_is_an_integer_of_another_kind_is_one() -> None:
    requests, _ = run(Scripted([at(0, np.int64(20))]), world(1))  # type: ignore[arg-type]
    assert requests["quality"].tolist() == [0.1]


def test_prices_of_tokens_say_what_a_cut_answer_costs() -> None:
    own = [Deployment(m, m, Instant(), price_input_usd_per_million=1e4, price_output_usd_per_million=1e5) for m in "ab"]
    requests, _ = run(Scripted([at(0, 20), 0]), world(2, deployments=own))
    assert requests["cost_usd"].tolist() == pytest.approx([10 * 0.01 + 20 * 0.1, 10 * 0.01 + 100 * 0.1])
    prices = {"token_prices": ((1e4, 1e4), (2e4, 2e4))}  # those of the workload; a token of a costs 0.01 USD
    requests, _ = run(Scripted([at(0, 20), at(1, 20)]), world(2, workload=prices))
    assert requests["cost_usd"].tolist() == pytest.approx([0.3, 0.6])


def test_a_budget_in_tokens_pays_for_the_tokens_that_came() -> None:
    instance = world(3, budget=Amounts([60.0, 0.0], "tokens"))
    requests, _ = run(Scripted([at(0, 20), at(0, 20), at(0, 20)]), instance)
    assert requests["fate"].tolist() == ["served", "served", "exhausted"]


def test_a_budget_in_usd_pays_for_cut_answers_where_it_cannot_pay_for_one_that_is_whole() -> None:
    instance = world(4, budget=Amounts([0.9, 0.0]))
    requests, _ = run(Scripted([0, at(0, 20), at(0, 20), at(0, 21)]), instance)
    assert requests["fate"].tolist() == ["exhausted", "served", "served", "exhausted"]


def test_prices_that_change_change_those_of_cut_answers() -> None:
    instance = world(2, events=[PriceChange(at_s=0.5, factor=2.0)])
    requests, _ = run(Scripted([at(0, 20), at(0, 20)]), instance)
    assert requests["cost_usd"].tolist() == pytest.approx([0.3, 0.6])


def test_a_service_makes_no_more_tokens_than_the_cap() -> None:
    requests, _ = run(Scripted([at(0, 20), at(1, 300)]), world(2, service=TOKEN_A_SECOND))
    assert requests["finished_at_s"].tolist() == [20.0, 101.0]


def test_where_latency_was_measured_a_cut_answer_takes_as_long_as_a_whole_one() -> None:
    instance = world(1, service=Measured(), rows=rows_of(1, latency_s=np.array([[7.0, 8.0]])))
    requests, _ = run(Scripted([at(0, 20)]), instance)
    assert requests["finished_at_s"].tolist() == [7.0]


def test_energy_follows_the_tokens_that_came() -> None:
    by_token = [Deployment(m, m, Instant(), energy_j_per_token=0.5) for m in "ab"]
    policy = Scripted([at(0, 20), 0])
    requests, _ = run(policy, world(2, deployments=by_token))
    assert requests["energy_j"].tolist() == [10.0, 50.0]
    assert [feedback.energy_j for feedback in policy.learned] == [10.0, 50.0]
    requests, _ = run(Scripted([at(0, 20)]), world(1, rows=rows_of(1, energy_j=np.array([[40.0, 80.0]]))))
    assert requests["energy_j"].tolist() == [8.0]  # measured of the whole answer


def test_feedback_is_of_the_answer_that_came() -> None:
    policy = Scripted([at(0, 20)])
    run(policy, world(1))
    (feedback,) = policy.learned
    assert feedback.quality == 0.1
    assert feedback.cost == pytest.approx(0.3)


def test_errors_of_those_who_score_are_of_the_answer_that_came() -> None:
    policy = Scripted([at(0, 20)])
    run(policy, world(1, feedback=Scores(flipped=1.0)))
    assert [feedback.quality for feedback in policy.learned] == [0.9]


# --- which calls a cap holds for


def test_a_cap_holds_for_the_fallbacks() -> None:
    requests, _ = run(Scripted([at(0, 20, fallbacks=(1,))]), world(1, budget=Amounts([0.0, 0.6])))
    assert requests[["deployment", "quality"]].to_numpy().tolist() == [["b", 0.4]]
    assert requests["cost_usd"].tolist() == pytest.approx([0.6])


def test_a_cap_holds_for_retries() -> None:
    outage = Outage(at_s=0.0, for_s=0.5)
    requests, _ = run(Scripted([at(0, 20)]), world(1, events=[outage], retry=Retry(2, backoff_s=1.0)))
    assert requests[["fate", "attempts", "quality"]].to_numpy().tolist() == [["served", 2, 0.1]]
    assert requests["max_output_tokens"].tolist() == [20]


def test_a_query_that_waits_for_its_budget_needs_what_the_cut_answer_costs() -> None:
    window = Window(length_s=1.5, spread=False)
    instance = world(2, budget=Amounts([0.4, 0.0]), window=window, exhausted="wait")
    requests, _ = run(Scripted([at(0, 20), at(0, 20)]), instance)
    assert requests["fate"].tolist() == ["served", "served"]  # a whole answer could never be paid for
    assert requests["started_at_s"].tolist() == [0.0, 1.5]


def test_where_estimates_are_reserved_that_of_the_whole_answer_is() -> None:
    instance = world(2, budget=Amounts([1.2, 0.0]), reserve="estimate")
    requests, _ = run(Scripted([at(0, 20), at(0, 20)]), instance)
    assert requests["fate"].tolist() == ["served", "exhausted"]  # 0.3 + 1.1 is more than 1.2
    assert requests["cost_usd"].tolist() == pytest.approx([0.3, 0.0])


def test_queries_of_a_batch_have_caps_of_their_own() -> None:
    policy = Scripted([at(0, 20), 0, at(0, 60)], gate=Gate(3))
    requests, _ = run(policy, world(3))
    assert requests["quality"].tolist() == [0.1, 0.8, 0.3]


def test_a_cap_holds_for_all_calls_of_its_round_and_no_other() -> None:
    policy = Looks([at(0, 20, alongside=(1,))], reviews={(0, 2): Decision(1), (0, 3): Keep(2)})
    requests, calls = run(policy, world(1))
    assert calls is not None
    assert calls["max_output_tokens"].tolist()[:2] == [20, 20]
    assert pd.isna(calls["max_output_tokens"][2])
    assert calls["output_tokens"].tolist() == [20, 20, 100]
    assert calls["cost_usd"].tolist() == pytest.approx([0.3, 0.6, 2.2])
    assert [answer.output_tokens for answer in policy.seen[-1]] == [20, 20, 100]
    assert [answer.cost for answer in policy.seen[-1]] == pytest.approx([0.3, 0.6, 2.2])
    assert requests["quality"].tolist() == [1.0]
    assert pd.isna(requests["max_output_tokens"][0])


def test_a_kept_answer_that_was_cut_is_worth_its_score_at_the_cap() -> None:
    policy = Looks([Decision(0)], reviews={(0, 1): at(0, 60), (0, 2): Keep(1)})
    requests, calls = run(policy, world(1))
    assert calls is not None
    assert requests[["quality", "output_tokens", "max_output_tokens"]].to_numpy().tolist() == [[0.3, 60, 60]]
    assert [feedback.quality for feedback in policy.learned][1] == 0.3
    assert math.isnan(policy.learned[0].quality)


def test_a_combination_is_of_the_answers_as_they_came() -> None:
    policy = Looks([at(0, 20, alongside=(1,))], reviews={(0, 2): Combine((0, 1))})
    requests, _ = run(policy, world(1, workload={"combined": max}))
    assert requests["quality"].tolist() == [0.4]


# --- what cannot be


@pytest.mark.parametrize("cap", [0, -5, 2.5, "20"])
def test_a_cap_that_is_no_number_of_tokens_is_refused(cap: object) -> None:
    right = "it must be a whole number of at least 1, or None for the whole answer"
    with pytest.raises(RuntimeError, match=rf"^policy 'p' caps query 1 at {cap!r} output tokens; {right}$"):
        run(Scripted([0, at(0, cap)]), world(2))  # type: ignore[arg-type]


@pytest.mark.parametrize("policy", [Scripted([0, at(0, 20)]), Looks([0, at(0, 20)], reviews={(0, 1): Keep(0)})])
def test_a_cap_where_nobody_knows_what_a_cut_answer_is_worth_is_refused(policy: Scripted) -> None:
    plain = world(2, rows=rows_of(2).__class__(**{**vars(rows_of(2)), "capped_quality": None}), workload={"caps": ()})
    needs = "the workload has no quality by cap: it needs the columns 'MODEL@CAP' or workload.cap_curve"
    with pytest.raises(RuntimeError, match=rf"^policy 'p' caps query 1 at 20 output tokens, and {needs}$"):
        run(policy, plain)


def test_a_record_with_an_answer_longer_than_its_cap_is_wrong() -> None:
    instance = world(1)
    requests, _ = run(Scripted([at(0, 20)]), instance)
    with pytest.raises(RuntimeError, match=r"query 0 has an answer longer than its cap"):
        check(requests.assign(output_tokens=pd.array([21], dtype="Int64")), fleet_table(instance))
