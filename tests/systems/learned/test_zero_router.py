"""ZeroRouter (arXiv 2601.06220): abilities of models, and how many anchors it takes to profile a new one."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.special import expit, logit

from policies.estimators.item_response import ItemResponse, profile
from scenarios.arrivals import Deterministic
from scenarios.budgets import Unlimited
from scenarios.fleets import OnePerModel
from scenarios.orders import given
from scenarios.workloads.synthetic import synthetic
from sim.instance import realise
from sim.interface import Features, FloatArray, History
from sim.scenario import Scenario
from sim.world.services.slots import Instant

# --- one model's ability


def test_with_equal_anchors_the_ability_is_that_of_the_share_of_right_answers() -> None:
    # Discrimination 1 and difficulty 0.5: three of four right say theta - 0.5 = logit(0.75) if the prior says nothing.
    anchors = np.tile([1.0, 0.5], (4, 1))
    ability = profile(anchors, np.array([1.0, 1.0, 0.0, 1.0]), np.zeros(1), np.full((1, 1), 1e12))
    assert ability == pytest.approx([0.5 + logit(0.75)], abs=1e-6)


def test_the_prior_keeps_the_ability_of_a_model_that_is_always_right_finite_and_near() -> None:
    anchors, right = np.tile([2.0, 0.0], (3, 1)), np.ones(3)
    near, far = (float(profile(anchors, right, np.zeros(1), np.array([[spread**2]]))[0]) for spread in (0.1, 10.0))
    assert 0 < near < 0.1
    assert near < far < 10
    # Where the slope of the likelihood, 3 x 2 x (1 - chance), is that of the prior.
    assert 6 * (1 - expit(2 * near)) == pytest.approx(near / 0.01, rel=1e-6)


def test_a_hard_anchor_answered_rightly_says_more_than_an_easy_one() -> None:
    hard, easy = (profile(np.array([[1.0, d]]), np.ones(1), np.zeros(1), np.ones((1, 1)))[0] for d in (2.0, -2.0))
    assert hard > easy > 0


# --- what is learned


def drawn(n: int, dim: int, seed: int) -> tuple[Features, FloatArray]:
    """Queries whose first feature is their difficulty and whose second says which of two skills they ask for.

    Of four models one has both skills, two have one, and one has none.
    """
    rng = np.random.default_rng(seed)
    embeddings = rng.normal(size=(n, dim))
    skills = np.array([[2.0, 2.0], [2.0, 0.0], [0.0, 2.0], [0.0, 0.0]])
    asked = expit(2 * embeddings[:, 1:2])
    chance = expit(2 * (asked * skills[:, 0] + (1 - asked) * skills[:, 1]) - 2 - 2 * embeddings[:, :1])
    return Features(embeddings.astype(np.float32), np.full(n, 10)), chance


def test_two_dimensions_learn_who_is_good_at_what_and_one_cannot() -> None:
    features, chance = drawn(2000, 4, 0)
    history = History(features, (np.random.default_rng(1).random(chance.shape) < chance).astype(float), chance + 1.0)
    test, truth = drawn(500, 4, 2)
    errors = []
    for dimensions in (1, 2):
        quality, _ = ItemResponse(dimensions=dimensions, penalty=1.0).fit(history).predict(test)
        errors.append(float(np.abs(quality - truth).mean()))
    assert errors[1] < 0.05
    assert errors[0] > 2 * errors[1]


# --- new models

WORKLOAD = synthetic(n_queries=1000, n_history=1000, n_models=30, dim=16, seed=5)
ESTIMATOR = ItemResponse()


def of_history(anchors: int, replication: int) -> tuple[History, Features, FloatArray]:
    """A history in which a third of the models is known on so many anchors, and the queries to come with the truth."""
    of = Scenario(
        WORKLOAD,
        OnePerModel(Instant()),
        Unlimited(),
        Deterministic(1.0),
        given,
        new_model_share=0.33,
        new_model_rows=anchors,
    )
    instance = realise(of, 0, replication)
    return instance.setting.history, instance.features, instance.quality


@cache
def errors(anchors: int, replications: int = 3) -> tuple[float, float]:
    """How far the predicted accuracy of new models is from the true one, and how far the mean of their anchors is."""
    ours, means = [], []
    for replication in range(replications):
        history, features, quality = of_history(anchors, replication)
        new = np.flatnonzero(~history.known.all(axis=0))
        true = quality[:, new].mean(axis=0)
        ours.append(np.abs(ESTIMATOR.fit(history).predict(features).quality[:, new].mean(axis=0) - true))
        means.append(np.abs(np.nanmean(history.quality[:, new], axis=0) - true))
    return float(np.mean(ours)), float(np.mean(means))


def test_the_error_of_a_new_models_accuracy_falls_with_the_anchors() -> None:
    found = {anchors: errors(anchors)[0] for anchors in (20, 50, 100, 200)}
    assert found[20] > found[50] > found[200]
    assert found[20] > found[100] > found[200]
    assert found[200] < 0.5 * found[20]


@pytest.mark.parametrize("anchors", [20, 50])
def test_few_anchors_say_more_than_their_mean(anchors: int) -> None:
    ours, mean = errors(anchors)
    assert ours < mean


def test_profiling_a_model_leaves_all_others_as_they_were() -> None:
    few, features, _ = of_history(20, 0)
    many, _, _ = of_history(200, 0)
    old = few.known.all(axis=0)
    one, other = (ESTIMATOR.fit(history).predict(features).quality for history in (few, many))
    assert np.array_equal(one[:, old], other[:, old])
    assert not np.array_equal(one[:, ~old], other[:, ~old])


def test_a_model_that_nobody_has_seen_is_taken_for_an_average_one() -> None:
    history, features, _ = of_history(0, 0)
    quality, _ = ESTIMATOR.fit(history).predict(features)
    new = ~history.known.any(axis=0)
    assert quality[:, new] == pytest.approx(np.tile(quality[:, ~new].mean(axis=1)[:, None], (1, new.sum())))


def test_settings_that_cannot_be_are_refused() -> None:
    history, _, _ = of_history(20, 0)
    with pytest.raises(ValueError, match="dimensions is 0; it must be at least 1"):
        replace(ESTIMATOR, dimensions=0).fit(history)
    with pytest.raises(ValueError, match="penalty is 0; it must be positive"):
        replace(ESTIMATOR, penalty=0).fit(history)
