"""EvoRoute (arXiv 2601.02695): what is like a step, who is dominated, what is drawn, and what a task's end adds."""

import math

import numpy as np

from policies.stepwise.evo_route import EvoRoute, dominated, moments
from policies.stepwise.step_store import StepStore
from sim.interface import EmbeddingArray, Features, Feedback, History, Query, Task
from tests.systems.driving import setting_of
from tests.systems.stepwise.asking import idle, step

EAST, NORTH = np.eye(2, dtype=np.float32)
STATE = idle()


def history(quality: list[list[float]], embeddings: list[EmbeddingArray]) -> History:
    """Steps that cost 1 USD at the first of two models and 10 at the second."""
    n = len(quality)
    known = ~np.isnan(np.array(quality))
    features = Features(np.array(embeddings, dtype=np.float32), np.ones(n, dtype=np.int64))
    return History(features, np.array(quality), np.where(known, [1.0, 10.0], np.nan))


def policy_of(quality: list[list[float]], embeddings: list[EmbeddingArray], **settings: float) -> EvoRoute:
    made = EvoRoute(**{"least": 1} | settings)  # type: ignore[arg-type]
    of = history(quality, embeddings)
    made.reset(setting_of(of.features.embeddings, of.quality, of.cost, 10), np.random.default_rng(0))
    return made


def query(embedding: EmbeddingArray, task: Task | None = None) -> Query:
    return step([1.0, 10.0], task, embedding=embedding)


def test_steps_above_the_cosine_are_alike_and_the_nearest_are_in_any_case() -> None:
    store = StepStore(history([[0.1, 0.2], [0.3, 0.4]], [EAST, NORTH]))
    store.add(np.array([0.9, 0.1], dtype=np.float32), 1, score=0.5, cost=3.0, latency_s=7.0)
    near = store.like(EAST, 0.85, least=1, most=9)
    np.testing.assert_array_equal(near[:, :, 0], [[0.1, 0.2], [math.nan, 0.5]])
    assert near[1, 1].tolist() == [0.5, 3.0, 7.0]  # score, cost, seconds of the one that took it
    assert len(store.like(EAST, 0.85, least=3, most=9)) == 3
    assert len(store.like(EAST, 0.85, least=1, most=1)) == 1
    assert len(store.like(-EAST, 0.85, least=1, most=9)) == 1  # nothing is alike, and the nearest counts


def test_a_store_grows_without_forgetting() -> None:
    store = StepStore(history([[0.0, 1.0]], [EAST]))
    for number in range(100):
        store.add(NORTH, 0, float(number), 1.0, 1.0)
    assert len(store) == 101
    assert store.like(NORTH, 0.9, least=1, most=3)[:, 0, 0].tolist() == [99.0, 98.0, 97.0]  # of equals the latest
    assert store.like(EAST, 0.9, least=1, most=3)[0, 1, 0] == 1.0


def test_a_model_that_another_equals_in_all_and_beats_in_one_is_dominated() -> None:
    performance_cost_delay = np.array([[0.9, 0.5, 0.5], [0.9, 0.4, 0.5], [0.8, 0.1, 0.9], [0.8, 0.1, 0.9]])
    assert dominated(performance_cost_delay).tolist() == [True, False, False, False]


def test_moments_are_those_of_the_sample() -> None:
    assert moments([1.0, 2.0, 6.0]) == (3, 3.0, 7.0)
    assert moments([]) == (0, 0.0, 0.0)


def test_the_best_of_what_is_alike_is_taken_where_steps_leave_no_doubt() -> None:
    # East both succeed, and the first costs a tenth. North the second alone succeeds; a price of 0.1 is less than that.
    steps = [[1.0, 1.0]] * 4 + [[0.0, 1.0]] * 4
    policy = policy_of(steps, [EAST] * 4 + [NORTH] * 4)
    assert policy.decide(query(EAST), STATE).deployment == 0
    assert policy.decide(query(NORTH), STATE).deployment == 1
    assert policy_of(steps, [EAST] * 4 + [NORTH] * 4, cost_weight=2.0).decide(query(NORTH), STATE).deployment == 0


def test_doubt_lets_the_lesser_model_be_drawn_now_and_then() -> None:
    # Means 0.5 and 0.75 of four steps each: a draw of a fourth and the standard error by hand, about 0.29 and 0.25.
    policy = policy_of([[1.0, 1.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]], [EAST] * 4, cost_weight=0.0, delay_weight=0.0)
    drawn = [policy.decide(query(EAST), STATE).deployment for _ in range(400)]
    assert 0.1 < drawn.count(0) / 400 < 0.45


def test_a_task_that_failed_shares_the_blame_among_its_steps_when_it_has_ended() -> None:
    policy = policy_of([[1.0, 1.0]] * 2, [NORTH] * 2, cost_weight=0.0)
    steps = [query(EAST, Task(0, number, 0.0)) for number in (1, 2)]
    for _ in range(2):  # the first model's task of two steps fails, and so do two queries of the second one
        for one in steps:
            policy.learn(Feedback(one, 0, math.nan, 1.0, 1.0))
        policy.learn(Feedback(query(EAST), 1, 0.0, 10.0, 1.0))
    assert policy.decide(query(NORTH), STATE).deployment == 0
    for one in steps:
        policy.learn_score(Feedback(one, 0, 0.0, 1.0, 1.0))
    assert policy.decide(query(EAST), STATE).deployment == 0  # 1 - 1 / 2 against 0


def test_a_model_without_history_gets_the_first_steps() -> None:
    policy = policy_of([[1.0, math.nan]] * 4, [EAST] * 4, seeds=2)
    decisions = [policy.decide(query(EAST), STATE) for _ in range(3)]
    assert [(one.deployment, one.explores) for one in decisions] == [(1, True), (1, True), (0, False)]


def test_a_task_whose_money_would_not_last_goes_to_the_cheapest() -> None:
    policy = policy_of([[0.0, 1.0]] * 4, [EAST] * 4, expected_steps=3)
    assert policy.decide(query(EAST, Task(0, 1, 0.0, budget_usd=12.0)), STATE).deployment == 1
    assert policy.decide(query(EAST, Task(0, 1, 0.0, budget_usd=11.9)), STATE).deployment == 0
    assert policy.decide(query(EAST, Task(0, 1, 0.0, budget_usd=0.5)), STATE).deployment == 0
