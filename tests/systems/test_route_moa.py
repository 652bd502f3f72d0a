"""RouteMoA (arXiv 2601.18130): rounds, scores, the aggregator, and what they cost in money and time."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from policies.answering.route_moa import Mixture, RouteMoA, mapped
from policies.estimators.learned import Learned
from scenarios.arrivals import Deterministic
from scenarios.budgets import Amounts, Unlimited
from scenarios.fleets import OnePerModel
from scenarios.orders import given
from scenarios.workloads.synthetic import synthetic
from sim.deployment import Deployment
from sim.instance import realise
from sim.interface import FloatArray
from sim.scenario import Scenario
from sim.study.oracles import EstimateCache
from sim.workload import Workload
from sim.world.record import frame
from sim.world.record.calls import call_frame
from sim.world.services.slots import Slots
from sim.world.world import simulate
from tests.calls.reviewing import run, world

SCORER = Learned()


def asked(policy: RouteMoA, n: int = 1, **of: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both tables of a run: models small, medium, large, worth 0.25, 0.5, 1 for 1, 2, 4 USD, sure by 0.1, 0.6, 0.9.

    What they are worth on average is what is predicted of them, so that their first scores are 0.1, 0.717 and 1.
    """
    return run(policy, world([float(number) for number in range(n)], **of))


def moa(**settings: Any) -> RouteMoA:
    """All three models are kept, and confidences are self scores."""
    usual: dict[str, Any] = {"margin": 1.0, "self_scores": "given"}
    return RouteMoA(SCORER, **usual | settings)


# --- scores


def test_first_scores_are_mapped() -> None:
    assert mapped(np.array([0.0, 0.25, 0.5, 1.0, 1.2])) == pytest.approx([0.0, 0.1, 1 - 0.8 * 0.5**1.5, 1.0, 1.0])


def test_scores_after_each_round_by_hand() -> None:
    mixture = Mixture(np.array([0.9, 0.6, 0.3, 0.6]), np.arange(4), np.array([1.0, 2.0, 3.0, 1.0]))
    assert mixture.best(3) == [0, 3, 1]  # the cheaper of two equals first
    mixture.hears({0: 0.5, 3: 0.8, 1: np.nan})  # the second did not say, the third was not asked
    assert mixture.score == pytest.approx([2.3 / 3, 2.0 / 3, 1.4 / 3, 2.0 / 3])
    mixture.hears_peers({2: 0.7})  # the fourth judges: 0.8 of what the first says of itself, and 0.2 of what it was
    assert mixture.score[0] == pytest.approx(0.45 + 0.125 + 0.25 * (0.8 * 0.5 + 0.2 * 0.9))
    assert mixture.score[1] == pytest.approx(0.3 + 0.125 + 0.25 * 0.6)
    assert mixture.score[2:] == pytest.approx([1.4 / 3, 2.0 / 3])  # a newcomer and the judge stay as they were


def test_without_any_confidence_nobody_judges() -> None:
    mixture = Mixture(np.array([0.9, 0.6]), np.arange(2), np.ones(2))
    mixture.hears({0: np.nan, 1: np.nan})
    mixture.hears_peers({})
    assert mixture.score == pytest.approx([2.6 / 3, 2.0 / 3])


# --- rounds, money and time


def test_a_score_that_is_enough_ends_the_rounds_and_the_aggregator_is_asked_all_the_same() -> None:
    requests, calls = asked(moa())  # the large model has (2 + 0.9) / 3 = 0.967 after one round
    assert calls["deployment"].tolist() == ["large", "medium", "small", "large"]
    assert calls["round"].tolist() == [0, 0, 0, 1]
    assert (requests["quality"][0], requests["cost_usd"][0], requests["finished_at_s"][0]) == (1.0, 11.0, 2.0)
    assert calls["kept"].tolist() == [True, False, False, False]


def test_rounds_go_on_while_no_score_is_enough_as_far_as_calls_allow() -> None:
    requests, calls = asked(moa(enough=1.0))
    assert calls["round"].tolist() == [0, 0, 0, 1, 1, 1, 2]  # a third round and the aggregator would be 10 calls
    assert (requests["cost_usd"][0], requests["finished_at_s"][0]) == (18.0, 3.0)
    requests, calls = asked(moa(enough=1.0), max_calls=10)
    assert calls["round"].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3]
    assert (requests["cost_usd"][0], requests["finished_at_s"][0]) == (25.0, 4.0)
    _, calls = asked(moa(enough=1.0), max_calls=2)
    assert calls["deployment"].tolist() == ["large", "large"]
    _, calls = asked(moa(enough=1.0), max_calls=1)
    assert calls["deployment"].tolist() == ["large"]


def test_the_latency_is_the_sum_of_each_rounds_longest_call_and_the_cost_the_sum_of_all() -> None:
    takes_s = {"small": 1.0, "medium": 5.0, "large": 2.0}
    fleet = [Deployment(name, name, Slots(8, s, 0.0)) for name, s in takes_s.items()]
    requests, calls = asked(moa(enough=1.0), deployments=fleet)
    assert requests["finished_at_s"][0] == 5.0 + 5.0 + 2.0
    assert requests["cost_usd"][0] == calls["cost_usd"].sum() == 18.0


def test_models_far_below_the_best_are_not_asked() -> None:
    _, calls = asked(moa(margin=0.2))
    assert calls["deployment"].tolist() == ["large", "large"]
    _, calls = asked(moa(margin=0.3))
    assert calls["deployment"].tolist() == ["large", "medium", "large"]
    _, calls = asked(moa(width=1))
    assert calls["deployment"].tolist() == ["large", "large"]


def test_what_answers_are_worth_together_is_of_the_last_round() -> None:
    requests, calls = asked(moa(), combined=lambda scores: float(scores.mean()))
    assert requests["quality"][0] == pytest.approx((1.0 + 0.5 + 0.25) / 3)
    assert calls["kept"].tolist() == [True, True, True, False]


def test_the_best_scored_answer_is_kept_where_nobody_knows_what_they_are_worth_together() -> None:
    requests, _ = asked(moa(aggregator="small", enough=0.0))
    assert requests["deployment"].tolist() == ["large"]


def test_a_model_whose_call_was_refused_is_asked_no_more() -> None:
    requests, calls = asked(moa(enough=1.0, aggregator="small"), budget=Amounts([10.0, 10.0, 0.0]))
    assert calls["deployment"].tolist().count("large") == 1
    assert requests["deployment"].tolist() == ["medium"]
    requests, _ = asked(moa(), budget=Amounts([0.0, 0.0, 0.0]))
    assert requests["fate"].tolist() == ["exhausted"]


def test_ranked_self_scores_need_no_scale() -> None:
    # Equal confidences each time: in the middle of those so far, 0.5, so that the large model has (2 + 0.5) / 3.
    _, calls = asked(moa(self_scores="ranked", enough=0.82), n=4)
    assert calls["round"].max() == 1
    _, calls = asked(moa(self_scores="ranked", enough=0.84), n=4)
    assert calls["round"].max() == 2


def test_the_setting_tells_how_many_calls_a_query_may_take_and_whether_answers_combine() -> None:
    told = world([0.0], max_calls=5).setting
    assert (told.max_calls, told.combines) == (5, False)
    assert world([0.0], combined=max).setting.combines


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="self_scores is 'rank'; it must be one of ranked, given"):
        moa(self_scores="rank")
    with pytest.raises(ValueError, match="width is 0; it must be at least 1"):
        moa(width=0)
    with pytest.raises(RuntimeError, match="unknown deployment 'larg'; did you mean 'large'"):
        asked(moa(aggregator="larg"))


# --- the claim


def totals(policy: RouteMoA, combined: Callable[[FloatArray], float]) -> tuple[float, float, float]:
    """Mean quality, cost and latency on made-up queries of six models."""
    made = synthetic(n_queries=300, n_history=1000, n_models=6, dim=16, seed=3)
    of = Scenario(
        Workload(made.models, made.history, made.test, combined=combined),
        OnePerModel(Slots(1000, 0.5, 0.01)),
        Unlimited(),
        Deterministic(0.1),
        given,
        max_calls=19,
    )
    instance = realise(of, 0, 0)
    table = simulate("p", policy, instance, EstimateCache().get(policy.estimator, instance), np.random.default_rng(0))
    requests = frame(table, instance)
    assert table.calls is not None
    cost = call_frame(table.calls, instance)["cost_usd"].sum() / len(requests)
    latency = (requests["finished_at_s"] - requests["arrived_at_s"]).mean()
    return float(requests["quality"].mean()), float(cost), float(latency)


def test_it_costs_less_than_half_of_asking_all_models_in_every_round_and_takes_less_time() -> None:
    everybody = RouteMoA(SCORER, width=6, margin=1.0, enough=2.0)
    best, mean = (lambda scores: float(scores.max())), (lambda scores: float(scores.mean()))
    for combined, lost in (
        (best, 0.05),
        (mean, 0.0),
    ):  # many answers help what the best is worth
        (quality, cost, latency), (of_all, dear, long) = totals(RouteMoA(SCORER), combined), totals(everybody, combined)
        assert quality > of_all - lost
        assert cost < 0.5 * dear
        assert latency < 0.6 * long
