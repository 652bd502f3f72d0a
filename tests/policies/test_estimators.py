"""Estimators: one contract for all that conf/estimator describes, then what each one promises."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf
from sklearn.kernel_ridge import KernelRidge as Reference
from sklearn.neighbors import NearestNeighbors

from policies.estimators import kernel_ridge
from policies.estimators.blend import Blend
from policies.estimators.kernel_ridge import KernelRidge
from policies.estimators.learned import Learned
from policies.estimators.neighbours import ExactNeighbours, HnswNeighbours
from policies.parts.held_out import held_out, part
from sim.interface import EmbeddingArray, Estimates, Estimator, Features, FloatArray, History, IntArray

CONFIGURED = sorted((Path(__file__).resolve().parents[2] / "conf" / "estimator").glob("*.yaml"))
NEIGHBOURS: list[Estimator] = [
    ExactNeighbours(),
    ExactNeighbours(weights="distance"),
    HnswNeighbours(),
    HnswNeighbours(weights="distance"),
]
LEARNED = [Learned("logistic"), Learned("ridge")]


def random_features(n: int, dim: int, rng: np.random.Generator) -> Features:
    """Features with normal embeddings and 1 to 499 input tokens."""
    return Features(rng.normal(size=(n, dim)).astype(np.float32), rng.integers(1, 500, n))


def random_history(n: int, dim: int = 8, n_deployments: int = 3, seed: int = 0) -> History:
    """A history without any relation between features and outcomes."""
    rng = np.random.default_rng(seed)
    features = random_features(n, dim, rng)
    return History(features, rng.random((n, n_deployments)), rng.uniform(1e-5, 1e-3, (n, n_deployments)))


def history_of(embeddings: EmbeddingArray, quality: FloatArray, cost: FloatArray | None = None) -> History:
    """A history with these embeddings and outcomes, every query of one token."""
    tokens = np.ones(len(embeddings), dtype=np.int64)
    return History(Features(embeddings, tokens), quality, np.ones_like(quality) if cost is None else cost)


def chosen(features: Features, rows: IntArray) -> Features:
    """These rows of the features, in this order."""
    return Features(features.embeddings[rows], features.input_tokens[rows])


def row_by_row(predict: Callable[[Features], Estimates], features: Features) -> Estimates:
    """The predictions of every query on its own."""
    alone = [predict(chosen(features, np.array([row]))) for row in range(len(features.input_tokens))]
    return Estimates(np.vstack([one.quality for one in alone]), np.vstack([one.cost for one in alone]))


def assert_same(left: Estimates, right: Estimates, rtol: float) -> None:
    """Both quality and cost agree."""
    np.testing.assert_allclose(left.quality, right.quality, rtol=rtol)
    np.testing.assert_allclose(left.cost, right.cost, rtol=rtol)


def assert_identical(left: Estimates, right: Estimates) -> None:
    """Both quality and cost agree to the last bit."""
    np.testing.assert_array_equal(left.quality, right.quality)
    np.testing.assert_array_equal(left.cost, right.cost)


# --- the contract


@pytest.fixture(params=CONFIGURED, ids=lambda path: path.stem)
def estimator(request: pytest.FixtureRequest) -> Estimator:
    """Each estimator as conf/estimator describes it."""
    configured: Estimator = instantiate(OmegaConf.load(request.param))
    return configured


def test_predictions_have_a_row_per_query_and_a_column_per_deployment(estimator: Estimator) -> None:
    estimates = estimator.fit(random_history(100, n_deployments=4)).predict(random_history(7).features)
    assert estimates.quality.shape == estimates.cost.shape == (7, 4)
    assert ((estimates.quality >= 0) & (estimates.quality <= 1)).all()
    assert (estimates.cost > 0).all()


def test_permuted_queries_get_permuted_predictions(estimator: Estimator) -> None:
    predictor, features = estimator.fit(random_history(200)), random_history(40, seed=1).features
    order = np.random.default_rng(2).permutation(40)
    straight, permuted = predictor.predict(features), predictor.predict(chosen(features, order))
    assert_identical(permuted, Estimates(straight.quality[order], straight.cost[order]))


def test_later_queries_do_not_change_the_predictions_of_earlier_ones(estimator: Estimator) -> None:
    predictor = estimator.fit(random_history(200))
    features, others = random_history(40, seed=1).features, random_history(40, seed=2).features
    changed = Features(
        np.vstack([features.embeddings[:25], others.embeddings[25:]]),
        np.concatenate([features.input_tokens[:25], others.input_tokens[25:]]),
    )
    before, after = predictor.predict(features), predictor.predict(changed)
    assert_identical(Estimates(*(part[:25] for part in before)), Estimates(*(part[:25] for part in after)))
    same = [np.array_equal(one[25:], other[25:]) for one, other in zip(before, after, strict=True)]
    assert not all(same)  # a cost may be the same for every query


@pytest.mark.parametrize("dim", [3, 200])
def test_a_prediction_is_the_same_to_the_last_bit_in_any_company(estimator: Estimator, dim: int) -> None:
    predictor, features = estimator.fit(random_history(300, dim)), random_history(600, dim, seed=1).features
    bulk = predictor.predict(features)
    for rows in (np.arange(1), np.arange(2), np.arange(7), np.arange(599, 2, -3), np.arange(513)):
        assert_identical(predictor.predict(chosen(features, rows)), Estimates(bulk.quality[rows], bulk.cost[rows]))


def test_one_deployment_is_predicted_the_same_in_any_company_too(estimator: Estimator) -> None:
    predictor, features = estimator.fit(random_history(300, 40, 1)), random_history(60, 40, seed=1).features
    assert_identical(predictor.predict(features), row_by_row(predictor.predict, features))


def test_how_embeddings_lie_in_memory_does_not_change_a_prediction(estimator: Estimator) -> None:
    predictor, features = estimator.fit(random_history(300, 40)), random_history(60, 40, seed=1).features
    other = Features(np.asfortranarray(features.embeddings), features.input_tokens)
    assert_identical(predictor.predict(features), predictor.predict(other))


def test_the_same_history_gives_the_same_predictions(estimator: Estimator) -> None:
    history, features = random_history(200), random_history(40, seed=1).features
    first, second = estimator.fit(history).predict(features), estimator.fit(history).predict(features)
    assert np.array_equal(first.quality, second.quality)
    assert np.array_equal(first.cost, second.cost)


def test_predicting_leaves_the_history_and_the_queries_as_they_were(estimator: Estimator) -> None:
    history, features = random_history(50), random_history(10, seed=1).features
    estimator.fit(history).predict(features)
    assert np.array_equal(history.features.embeddings, random_history(50).features.embeddings)
    assert np.array_equal(history.cost, random_history(50).cost)
    assert np.array_equal(features.embeddings, random_history(10, seed=1).features.embeddings)


def test_equal_hyperparameters_are_equal_and_hash_equal(estimator: Estimator) -> None:
    twin = type(estimator)(**vars(estimator))
    assert estimator == twin
    assert hash(estimator) == hash(twin)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (ExactNeighbours(k=5), ExactNeighbours(k=6)),
        (ExactNeighbours(), HnswNeighbours()),
        (HnswNeighbours(ef_search=50), HnswNeighbours(ef_search=51)),
        (Learned("logistic"), Learned("ridge")),
    ],
)
def test_other_hyperparameters_are_not_equal(one: Estimator, other: Estimator) -> None:
    assert one != other


# --- neighbours


@pytest.mark.parametrize("estimator", NEIGHBOURS, ids=repr)
def test_neighbours_of_many_queries_are_those_of_each_alone_to_the_last_bit(estimator: Estimator) -> None:
    predictor, features = estimator.fit(random_history(500)), random_history(60, seed=1).features
    assert_identical(predictor.predict(features), row_by_row(predictor.predict, features))


@pytest.mark.parametrize("n", [6, 20, 400])
def test_of_equally_similar_rows_the_first_in_the_history_are_the_neighbours(n: int) -> None:
    # One row is the query itself, all others are equal: with k = 4 the neighbours are that row and rows 0, 1 and 2.
    embeddings = np.tile(np.array([[1, 1]], dtype=np.float32), (n, 1))
    embeddings[n - 2] = 1, 0
    history = history_of(embeddings, np.arange(n, dtype=np.float64)[:, None] / n)
    query = Features(np.array([[3, 0]], dtype=np.float32), np.ones(1, dtype=np.int64))
    for weights in ("uniform", "distance"):
        near = ExactNeighbours(k=4, weights=weights).fit(history)
        share = np.array([1.0] * 4) if weights == "uniform" else 1 / np.array([1e-6] + [1 - 0.5**0.5] * 3)
        expected = float(share @ np.array([n - 2, 0, 1, 2])) / n / share.sum()
        assert near.predict(query).quality.item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("n_alike", [2, 40])
def test_neighbours_that_differ_by_less_than_single_precision_shows_are_told_apart_alike_in_any_company(
    n_alike: int,
) -> None:
    rng = np.random.default_rng(5)
    base = rng.normal(size=(10, 64)).astype(np.float32)
    embeddings = np.repeat(base, n_alike, axis=0) * (1 + rng.normal(0, 1e-7, (10 * n_alike, 64))).astype(np.float32)
    history = history_of(embeddings, rng.random((10 * n_alike, 2)))
    features = Features(np.repeat(base, 6, axis=0), np.ones(60, dtype=np.int64))
    for estimator in (ExactNeighbours(), ExactNeighbours(weights="distance")):
        predictor = estimator.fit(history)
        assert_identical(predictor.predict(features), row_by_row(predictor.predict, features))


@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_exact_neighbours_are_those_of_scikit_learn(weights: str) -> None:
    history, features = random_history(300), random_history(50, seed=1).features
    oracle = NearestNeighbors(n_neighbors=7, metric="cosine", algorithm="brute").fit(history.features.embeddings)
    distance, neighbours = oracle.kneighbors(features.embeddings)
    weight = np.ones_like(distance) if weights == "uniform" else 1 / distance
    weight /= weight.sum(axis=1, keepdims=True)
    expected = Estimates(
        np.einsum("jn,jni->ji", weight, history.quality[neighbours]),
        np.einsum("jn,jni->ji", weight, history.cost[neighbours]),
    )
    estimates = ExactNeighbours(k=7, weights=weights).fit(history).predict(features)
    assert_same(estimates, expected, rtol=1e-5)  # distances are in single precision


def test_the_mean_of_two_neighbours_by_hand() -> None:
    # Cosines with (1, 0): 1, 0.8 and -1, whatever the lengths; so the first two are the nearest.
    embeddings = np.array([[2, 0], [4, 3], [-1, 0]], dtype=np.float32)
    history = history_of(embeddings, np.array([[1.0], [0.5], [0.0]]), np.array([[2.0], [4.0], [100.0]]))
    query = Features(np.array([[0.1, 0]], dtype=np.float32), np.ones(1, dtype=np.int64))
    for estimator in (ExactNeighbours(k=2), HnswNeighbours(k=2)):
        assert_same(estimator.fit(history).predict(query), Estimates(np.array([[0.75]]), np.array([[3.0]])), rtol=1e-6)


def test_distance_weights_by_hand() -> None:
    # Cosines with (1, 0): 0.8 and 0.6, so the weights are 1 / 0.2 = 5 and 1 / 0.4 = 2.5, that is 2/3 and 1/3.
    embeddings = np.array([[4, 3], [3, 4]], dtype=np.float32)
    history = history_of(embeddings, np.array([[0.9], [0.3]]), np.array([[3.0], [6.0]]))
    query = Features(np.array([[1, 0]], dtype=np.float32), np.ones(1, dtype=np.int64))
    estimates = ExactNeighbours(k=2, weights="distance").fit(history).predict(query)
    assert_same(estimates, Estimates(np.array([[0.7]]), np.array([[4.0]])), rtol=1e-5)


def test_with_distance_weights_a_query_seen_before_gets_its_own_outcome() -> None:
    history = random_history(100)
    estimates = ExactNeighbours(k=5, weights="distance").fit(history).predict(history.features)
    np.testing.assert_allclose(estimates.quality, history.quality, atol=1e-3)


def test_all_neighbours_are_the_mean_of_the_history() -> None:
    history = random_history(60)
    for estimator in (ExactNeighbours(k=60), HnswNeighbours(k=60)):
        estimates = estimator.fit(history).predict(random_history(5, seed=1).features)
        np.testing.assert_allclose(estimates.quality, np.tile(history.quality.mean(axis=0), (5, 1)), rtol=1e-12)


def test_an_embedding_of_zeros_still_gets_a_prediction() -> None:
    query = Features(np.zeros((1, 8), dtype=np.float32), np.ones(1, dtype=np.int64))
    for estimator in NEIGHBOURS:
        assert np.isfinite(estimator.fit(random_history(50)).predict(query).quality).all()


@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_the_graph_agrees_with_exact_search_on_95_percent_of_queries(weights: str) -> None:
    history, features = random_history(3000, dim=16), random_history(400, dim=16, seed=1).features
    exact = ExactNeighbours(weights=weights).fit(history).predict(features)
    graph = HnswNeighbours(weights=weights).fit(history).predict(features)
    agree = np.isclose(exact.quality, graph.quality, rtol=1e-6).all(axis=1)
    assert agree.mean() >= 0.95


def test_a_graph_that_finds_too_few_neighbours_does_not_count_another_row_instead() -> None:
    # Two prompts, 200 times each: the 200 nearest to the first prompt are right, the last row of the history is wrong.
    embeddings = np.repeat(np.eye(2, dtype=np.float32), 200, axis=0)
    history = history_of(embeddings, np.repeat([[1.0], [0.0]], 200, axis=0))
    first = chosen(history.features, np.array([0]))
    assert ExactNeighbours(k=200).fit(history).predict(first).quality.tolist() == [[1.0]]
    assert HnswNeighbours(k=200).fit(history).predict(first).quality.tolist() == [[1.0]]


@pytest.mark.parametrize("kind", [ExactNeighbours, HnswNeighbours])
@pytest.mark.parametrize("k", [0, -1, 21])
def test_a_k_that_the_history_cannot_fill_is_refused(
    kind: type[ExactNeighbours] | type[HnswNeighbours], k: int
) -> None:
    with pytest.raises(ValueError, match=f"k is {k} for a history of 20 rows; it must be from 1 to 20"):
        kind(k=k).fit(random_history(20))


@pytest.mark.parametrize("kind", [ExactNeighbours, HnswNeighbours])
def test_weights_that_do_not_exist_are_refused(kind: type[ExactNeighbours] | type[HnswNeighbours]) -> None:
    with pytest.raises(ValueError, match="weights is 'gaussian'; it must be one of uniform, distance"):
        kind(weights="gaussian").fit(random_history(20))


# --- learned


def planted(n: int, seed: int) -> History:
    """Chances and costs that follow the embedding: the chance linearly, the cost exponentially."""
    rng = np.random.default_rng(seed)
    features = random_features(n, 6, rng)
    slope = np.random.default_rng(99).normal(size=(6, 2))  # the same relation in every history
    signal = features.embeddings @ slope / np.linalg.norm(slope, axis=0)
    right = rng.random((n, 2)) < np.clip(0.5 + 0.2 * signal, 0, 1)
    cost = 1e-4 * np.exp(0.5 * signal + rng.normal(0, 0.5, (n, 2)))
    return History(features, right.astype(np.float64), cost)


@pytest.mark.parametrize("estimator", LEARNED, ids=repr)
def test_learned_predictions_of_many_queries_are_those_of_each_alone_to_the_last_bit(estimator: Learned) -> None:
    predictor, features = estimator.fit(random_history(200)), random_history(40, seed=1).features
    assert_identical(predictor.predict(features), row_by_row(predictor.predict, features))


@pytest.mark.parametrize("estimator", LEARNED, ids=repr)
def test_a_planted_relation_is_found(estimator: Learned) -> None:
    past, new = planted(2000, seed=1), planted(2000, seed=2)
    estimates = estimator.fit(past).predict(new.features)
    # The signal holds 0.04 of the variance 0.25 of a right answer, and half of the variance of the log cost; the mean
    # of the history would leave all of it.
    wrong = np.mean((estimates.quality - new.quality) ** 2, axis=0)
    assert (wrong < 0.95 * np.mean((past.quality.mean(axis=0) - new.quality) ** 2, axis=0)).all()
    dear = np.mean(np.log(estimates.cost / new.cost) ** 2, axis=0)
    assert (dear < 0.75 * np.log(new.cost).var(axis=0)).all()


@pytest.mark.parametrize("estimator", LEARNED, ids=repr)
def test_learned_costs_have_the_right_mean_although_they_are_learned_in_logs(estimator: Learned) -> None:
    past, new = planted(4000, seed=1), planted(4000, seed=2)
    estimates = estimator.fit(past).predict(new.features)
    # Noise of 0.5 in the log: without the smearing factor the mean would be exp(-0.125) of it, 12% too low.
    np.testing.assert_allclose(estimates.cost.mean(axis=0), new.cost.mean(axis=0), rtol=0.06)


def test_logistic_quality_of_a_constant_score_is_that_score_kept_off_0_and_1() -> None:
    history = random_history(30, n_deployments=4)
    constant = History(history.features, np.tile([0.0, 0.3, 0.5, 1.0], (30, 1)), history.cost)
    estimates = Learned("logistic").fit(constant).predict(random_history(5, seed=1).features)
    np.testing.assert_allclose(estimates.quality, np.tile([0.01, 0.3, 0.5, 0.99], (5, 1)), rtol=1e-9)


def test_a_fractional_score_counts_as_that_share_of_a_right_answer() -> None:
    rng = np.random.default_rng(0)
    features = random_features(400, 4, rng)
    is_high = features.embeddings[:, 0] > 0
    thirds = np.where(is_high, 0.75, 0.25)[:, None]
    # Three right and one wrong of four equal queries carry the same information as one with the score 3/4.
    fourfold = Features(np.repeat(features.embeddings, 4, axis=0), np.repeat(features.input_tokens, 4))
    answers = np.where(is_high[:, None], [1, 1, 1, 0], [1, 0, 0, 0]).reshape(-1, 1).astype(np.float64)
    shared = Learned(inverse_penalty=0.04).fit(History(features, thirds, np.ones((400, 1))))
    counted = Learned(inverse_penalty=0.01).fit(History(fourfold, answers, np.ones((1600, 1))))
    left, right = shared.predict(features).quality, counted.predict(features).quality
    np.testing.assert_allclose(left, right, rtol=1e-3)  # the solver's tolerance
    assert left[is_high].mean() > 0.6
    assert left[~is_high].mean() < 0.4


def test_ridge_quality_stays_in_the_range_of_scores() -> None:
    position = np.linspace(-1, 1, 50)
    history = history_of(position[:, None].astype(np.float32), (position[:, None] > 0).astype(np.float64))
    far = Features(np.array([[-9], [9]], dtype=np.float32), np.ones(2, dtype=np.int64))
    assert Learned("ridge", penalty=1.0).fit(history).predict(far).quality.tolist() == [[0.0], [1.0]]


@pytest.mark.parametrize("estimator", LEARNED, ids=repr)
def test_a_deployment_that_is_always_free_is_predicted_to_be_free(estimator: Learned) -> None:
    history = random_history(50, n_deployments=2)
    free = History(history.features, history.quality, history.cost * [0.0, 1.0])
    cost = estimator.fit(free).predict(random_history(9, seed=1).features).cost
    assert (cost[:, 0] == 0).all()
    assert (cost[:, 1] > 0).all()


@pytest.mark.parametrize("estimator", LEARNED, ids=repr)
def test_a_deployment_that_is_sometimes_free_has_a_finite_cost(estimator: Learned) -> None:
    history = random_history(50, n_deployments=1)
    cost = np.where(np.arange(50)[:, None] % 2 == 0, 0.0, history.cost)
    predicted = estimator.fit(History(history.features, history.quality, cost)).predict(history.features).cost
    assert (predicted > 0).all()
    assert (predicted <= 2e-3).all()  # costs reach 1e-3


def test_a_quality_model_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="quality is 'forest'; it must be one of logistic, ridge"):
        Learned("forest").fit(random_history(20))


@pytest.mark.parametrize("estimator", LEARNED, ids=repr)
def test_one_row_is_too_little_to_learn_from(estimator: Learned) -> None:
    with pytest.raises(ValueError, match="history has 1 row; a learned estimator needs at least 2"):
        estimator.fit(random_history(1))


# --- leaving a row out


def smooth_history(n: int, seed: int = 0) -> History:
    """Two deployments whose quality follows the first coordinate, one up and one down, and whose log cost does too."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 4)).astype(np.float32)
    slope = x[:, 0] / np.linalg.norm(x, axis=1)
    quality = np.clip(np.column_stack([0.5 + 0.4 * slope, 0.5 - 0.4 * slope]) + rng.normal(0, 0.05, (n, 2)), 0, 1)
    return history_of(x, quality, np.exp(np.column_stack([slope, 2 + slope])))


@pytest.mark.parametrize("estimator", [ExactNeighbours(k=3), HnswNeighbours(k=3)])
def test_neighbours_without_a_row_are_those_of_a_history_without_it(estimator: Estimator) -> None:
    history = random_history(30)
    left_out = held_out(estimator, estimator.fit(history), history)
    for row in range(30):
        rest = np.delete(np.arange(30), row)
        alone = estimator.fit(part(history, rest)).predict(part(history, np.array([row])).features)
        assert_same(Estimates(left_out.quality[[row]], left_out.cost[[row]]), alone, rtol=1e-12)


def test_neighbours_of_equal_rows_leave_out_one_of_them() -> None:
    quality = np.array([[0.0], [1.0], [1.0], [1.0]])
    history = history_of(np.ones((4, 2), dtype=np.float32), quality)
    left_out = held_out(ExactNeighbours(k=3), ExactNeighbours(k=3).fit(history), history)
    assert left_out.quality[0, 0] == 1.0
    assert left_out.quality[1:, 0] == pytest.approx(2 / 3)


def test_one_history_is_fitted_once_by_whoever_asks_and_another_anew() -> None:
    history = random_history(30)
    first = KernelRidge().fit(history)
    assert KernelRidge().fit(history) is first
    assert KernelRidge(token_weight=0.1).fit(history) is not first
    assert KernelRidge().fit(random_history(30)) is not first


def test_kernel_ridge_without_a_row_is_close_to_a_fit_without_it() -> None:
    history = smooth_history(60)
    left_out = held_out(KernelRidge(), KernelRidge().fit(history), history)
    for row in range(0, 60, 12):
        rest = np.delete(np.arange(60), row)
        alone = KernelRidge().fit(part(history, rest)).predict(part(history, np.array([row])).features)
        assert left_out.quality[row] == pytest.approx(alone.quality[0], abs=0.02)  # means and penalties move a little


def test_an_estimator_that_cannot_leave_rows_out_is_fitted_on_folds() -> None:
    history = random_history(40)
    left_out = held_out(LEARNED[1], LEARNED[1].fit(history), history)
    rest, fold = np.flatnonzero(np.arange(40) % 5 != 2), np.arange(2, 40, 5)
    alone = LEARNED[1].fit(part(history, rest)).predict(part(history, fold).features)
    assert_same(Estimates(left_out.quality[fold], left_out.cost[fold]), alone, rtol=1e-12)


# --- kernel ridge and blends


def test_kernel_ridge_learns_a_smooth_relation_that_no_noise_explains() -> None:
    history, fresh = smooth_history(300), smooth_history(100, seed=1)
    for landmarks in (1200, 50):
        predicted = KernelRidge(landmarks=landmarks).fit(history).predict(fresh.features)
        assert np.abs(predicted.quality - fresh.quality).mean() < 0.055  # of which noise is 0.04
        assert np.abs(np.log(predicted.cost / fresh.cost)).mean() < 0.02


def test_kernel_ridge_agrees_with_scikit_learn_where_both_choose_the_same() -> None:
    history, fresh = smooth_history(80), smooth_history(10, seed=1)
    inputs = kernel_ridge.Inputs(history.features, 0.3)
    x = inputs.of(history.features)
    basis = kernel_ridge.Basis.of(x, x, 1.5)
    fit = kernel_ridge.regress(basis, history.quality[:, :1])  # one outcome: its own principal component
    mean = history.quality[:, :1].mean(axis=0)
    candidates = [
        Reference(alpha=penalty, kernel="rbf", gamma=1.5)
        .fit(x, history.quality[:, :1] - mean)
        .predict(inputs.of(fresh.features))
        + mean
        for penalty in kernel_ridge.PENALTIES
    ]
    assert min(np.abs(fit.at(inputs.of(fresh.features), x) - each).max() for each in candidates) < 1e-6


def test_a_blend_of_noise_and_knowledge_is_knowledge_and_of_noise_alone_the_mean() -> None:
    history, fresh = smooth_history(300), smooth_history(100, seed=1)
    pure = KernelRidge().fit(history).predict(fresh.features)
    blend = Blend(KernelRidge(), ExactNeighbours(k=150)).fit(history).predict(fresh.features)
    np.testing.assert_allclose(blend.quality, pure.quality, atol=0.05)
    np.testing.assert_array_equal(blend.cost, pure.cost)
    noise = random_history(300)
    lost = Blend(KernelRidge(), ExactNeighbours(k=3)).fit(noise).predict(fresh_of(noise))
    np.testing.assert_allclose(lost.quality, np.tile(noise.quality.mean(axis=0), (20, 1)), atol=0.06)


def fresh_of(history: History) -> Features:
    """20 other queries of the same dimension."""
    return random_features(20, history.features.embeddings.shape[1], np.random.default_rng(9))


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (KernelRidge(landmarks=1), "landmarks is 1; it must be at least 2"),
        (KernelRidge(token_weight=-1), "token_weight is -1; it must be at least 0"),
    ],
)
def test_a_kernel_that_cannot_be_is_refused(estimator: KernelRidge, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        estimator.fit(random_history(10))


def test_kernel_ridge_needs_two_rows_and_knows_free_deployments() -> None:
    with pytest.raises(ValueError, match="the history has 1 row; kernel ridge needs at least 2"):
        KernelRidge().fit(random_history(1))
    history = random_history(20)
    free = History(history.features, history.quality, history.cost * np.array([1.0, 0.0, 1.0]))
    assert (KernelRidge().fit(free).predict(history.features).cost[:, 1] == 0).all()
