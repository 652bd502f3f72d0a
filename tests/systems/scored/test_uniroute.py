"""UniRoute (arXiv 2502.08773) beside figures of a re-implementation of its K-means form on ZeroEval."""

from dataclasses import replace

import numpy as np
import pytest

from policies.estimators.cluster_errors import ClusterErrors
from policies.estimators.learned_map import LearnedMap
from policies.scored.uniroute import UniRoute
from sim.interface import Decision, Estimator, Features, History
from sim.study.frontier.points import Router, measured, points
from tests.systems.real import means, needs_data, unlimited
from tests.worlds import idle, tiny_query

FIGURES = {  # price: with 20 clusters, with one
    0.0: ((0.807500, 0.00230670), (0.839167, 0.00331400)),
    0.1: ((0.806667, 0.00192830), (0.839167, 0.00331400)),
    1.0: ((0.774167, 0.00055477), (0.783333, 0.00020915)),
    10.0: ((0.753333, 0.00012750), (0.728333, 0.00008649)),
    100.0: ((0.668333, 0.00007405), (0.697500, 0.00007453)),
}


@needs_data
@pytest.mark.parametrize(("place", "clusters"), [(0, 20), (1, 1)])
def test_uniroute_meets_a_re_implementation_on_zeroeval(place: int, clusters: int) -> None:
    policies = {str(price): UniRoute(ClusterErrors(clusters), price) for price in FIGURES}
    ours = means(unlimited("zeroeval"), policies)
    for price, both in FIGURES.items():
        assert ours[str(price)][0] == pytest.approx(both[place][0], abs=1e-6)
        assert ours[str(price)][1] == pytest.approx(both[place][1], abs=1e-8)


@needs_data
@pytest.mark.parametrize(("clusters", "size", "qnc"), [(20, 0.790647, np.nan), (1, 0.808789, 1.0)])
def test_area_and_normalized_cost_are_those_of_the_paper_s_definition(clusters: int, size: float, qnc: float) -> None:
    prices = [0.0, *np.logspace(-4, 2, 25).tolist()]
    router = Router("cost_weight", [(price, UniRoute(ClusterErrors(clusters), price)) for price in prices])
    measures = measured(points(unlimited("zeroeval"), {"uniroute": router}, 0, 1)).set_index("policy")
    assert measures.loc["uniroute", "area"] == pytest.approx(size, abs=1e-6)
    assert measures.loc["uniroute", "qnc"] == pytest.approx(qnc, nan_ok=True)


def test_the_rule_by_hand() -> None:
    query = tiny_query(0, [0.9, 0.6, 0.6], [4.0, 1.0, 1.0])
    # At a price of 0.1: 0.9 - 0.1 x 4/4 = 0.8 and 0.6 - 0.1 x 1/4 = 0.575. At 1: -0.1 and 0.35.
    assert UniRoute(ClusterErrors(), 0.1).decide(query, idle(3)) == Decision(0, [1, 2])
    assert UniRoute(ClusterErrors(), 1.0).decide(query, idle(3)) == Decision(1, [2, 0])


def two_topics(n: int) -> History:
    """Prompts of two topics in turn; the first model is right on the first topic, the second on the other."""
    topic = np.arange(n) % 2
    embeddings = np.column_stack([topic == 0, topic == 1]).astype(np.float32)
    embeddings += np.random.default_rng(1).normal(0, 0.01, embeddings.shape).astype(np.float32)
    quality = np.column_stack([topic == 0, topic == 1]).astype(np.float64)
    return History(Features(embeddings, np.ones(n, dtype=np.int64)), quality, np.tile([1.0, 2.0], (n, 1)))


ASKED = Features(np.eye(2, dtype=np.float32), np.ones(2, dtype=np.int64))


def test_clusters_tell_topics_apart_and_one_cluster_does_not() -> None:
    assert ClusterErrors(2).fit(two_topics(40)).predict(ASKED).quality.tolist() == [[1, 0], [0, 1]]
    constant = ClusterErrors(1).fit(two_topics(40)).predict(ASKED).quality
    assert constant[0].tolist() == constant[1].tolist()
    assert ClusterErrors(1).fit(two_topics(40)).predict(ASKED).cost.tolist() == [[1, 2], [1, 2]]


def hidden(history: History, known: int) -> History:
    """The second model is known on the first rows only."""
    quality, cost = history.quality.copy(), history.cost.copy()
    quality[known:, 1] = cost[known:, 1] = np.nan
    return History(history.features, quality, cost)


def test_a_new_model_is_described_by_the_rows_that_it_answered() -> None:
    estimates = ClusterErrors(2).fit(hidden(two_topics(40), 4)).predict(ASKED)
    assert estimates.quality.tolist() == [[1, 0], [0, 1]]
    assert estimates.cost.tolist() == [[1, 2], [1, 2]]


def test_in_a_cluster_without_probes_a_model_has_its_overall_error() -> None:
    estimates = (
        ClusterErrors(2).fit(hidden(two_topics(40), 1)).predict(ASKED)
    )  # it was wrong on the one row it answered
    assert estimates.quality[:, 1].tolist() == [0, 0]


def test_equal_prompts_are_one_cluster_however_many_are_asked_for() -> None:
    history = two_topics(4)
    alike = Features(np.ones((4, 2), dtype=np.float32), history.features.input_tokens)
    estimates = ClusterErrors(20).fit(History(alike, history.quality, history.cost)).predict(ASKED)
    assert estimates.quality[0].tolist() == estimates.quality[1].tolist()


def in_between(n: int) -> History:
    """Prompts on a quarter of a circle; the first model is the more often right the nearer to its beginning."""
    rng = np.random.default_rng(3)
    angle = rng.uniform(0, np.pi / 2, n)
    embeddings = np.column_stack([np.cos(angle), np.sin(angle)]).astype(np.float32)
    chance = np.column_stack([np.cos(angle) ** 2, np.sin(angle) ** 2])
    quality = (rng.random((n, 2)) < chance).astype(np.float64)
    return History(Features(embeddings, np.ones(n, dtype=np.int64)), quality, np.tile([1.0, 2.0], (n, 1)))


def test_the_learned_map_gives_a_prompt_between_two_clusters_a_quality_between_theirs() -> None:
    asked = Features(np.array([[1, 0], [1, 1], [0, 1]], dtype=np.float32), np.ones(3, dtype=np.int64))
    quality = LearnedMap(clusters=2).fit(in_between(600)).predict(asked).quality[:, 0]
    assert quality[0] > 0.65
    assert quality[1] == pytest.approx(0.5, abs=0.1)
    assert quality[2] < 0.35


def test_learning_predicts_better_than_the_shares_that_it_begins_with() -> None:
    whole = in_between(600)
    chance = whole.features.embeddings.astype(np.float64) ** 2
    begins, learns = (
        LearnedMap(clusters=4, sharpness=1.0, penalty=penalty).fit(whole).predict(whole.features).quality
        for penalty in (1e6, 1e-6)
    )
    assert ((learns - chance) ** 2).mean() < 0.5 * ((begins - chance) ** 2).mean()


def test_a_new_model_changes_no_share() -> None:
    one, other = in_between(600), hidden(in_between(600), 30)
    learns_of_both = LearnedMap(clusters=4).fit(other).predict(ASKED).quality[:, 0]
    first = History(one.features, one.quality[:, :1], one.cost[:, :1])
    assert learns_of_both.tolist() == LearnedMap(clusters=4).fit(first).predict(ASKED).quality[:, 0].tolist()


@pytest.mark.slow
@needs_data
def test_the_learned_map_has_a_larger_area_than_hard_clusters_on_zeroeval() -> None:
    prices = np.logspace(-4, 2, 13).tolist()
    routers = {
        type(one).__name__: Router("cost_weight", [(price, UniRoute(one, price)) for price in prices])
        for one in (ClusterErrors(), LearnedMap())
    }
    measures = measured(points(unlimited("zeroeval"), routers, 0, 1)).set_index("policy")
    sizes = measures["area"].to_dict()
    assert sizes["LearnedMap"] > sizes["ClusterErrors"] + 0.01


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize("estimator", [ClusterErrors(), LearnedMap()])
def test_a_third_of_the_models_needs_only_400_probes(estimator: Estimator) -> None:
    router = {"uniroute": Router("cost_weight", [(p, UniRoute(estimator, p)) for p in np.logspace(-4, 2, 25).tolist()])}
    known = unlimited("zeroeval")
    new = {n: replace(known, new_model_share=0.33, new_model_rows=n) for n in (20, 400)}
    size = {
        n: measured(points(scenario, router, 0, 4)).set_index("policy")["area"].to_dict()["uniroute"]
        for n, scenario in {0: known, **new}.items()
    }
    assert size[400] == pytest.approx(size[0], abs=0.01)
    assert size[20] < size[0] - 0.03
