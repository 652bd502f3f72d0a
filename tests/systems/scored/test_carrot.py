"""CARROT (arXiv 2502.03261) beside figures of its authors' code on ZeroEval."""

from collections.abc import Callable

import numpy as np
import pytest

from policies.estimators.validated_neighbours import ValidatedNeighbours, validated
from policies.scored.carrot import Carrot
from sim.instance import realise
from sim.interface import Decision, Estimates, Features, History
from tests.systems.real import means, needs_data, unlimited
from tests.worlds import idle, tiny_query

KNN = ValidatedNeighbours()
AUTHORS = {  # cost_scale, cost_weight: mean score, mean USD
    (100, 0.0): (0.786667, 0.00234832),
    (100, 0.1): (0.773333, 0.00158993),
    (100, 0.3): (0.740833, 0.00064606),
    (100, 0.5): (0.718333, 0.00020526),
    (100, 0.7): (0.723333, 0.00016151),
    (100, 0.9): (0.710000, 0.00009774),
    (100, 0.99): (0.617500, 0.00006499),
    (100, 1.0): (0.329167, 0.00004657),
    (1, 0.9): (0.771667, 0.00160702),
    (1, 0.99): (0.718333, 0.00020720),
}


@needs_data
def test_carrot_meets_its_authors_code_on_zeroeval() -> None:
    policies = {f"{scale} {weight}": Carrot(KNN, weight, scale) for scale, weight in AUTHORS}
    ours = means(unlimited("zeroeval"), policies)
    for (scale, weight), (quality, cost_usd) in AUTHORS.items():
        assert ours[f"{scale} {weight}"][0] == pytest.approx(quality, abs=1e-6)
        assert ours[f"{scale} {weight}"][1] == pytest.approx(cost_usd, abs=1e-8)


@needs_data
def test_the_numbers_of_neighbours_are_those_of_the_authors_code() -> None:
    history = realise(unlimited("zeroeval"), 0, 0).setting.history
    assert validated(history, most=512) == (16, 64)


def test_the_rule_by_hand() -> None:
    query = tiny_query(0, [0.9, 0.6], [0.01, 0.001])
    assert Carrot(KNN, 0.0).decide(query, idle(2)) == Decision(0, [1])
    # (1 - 0.5) 0.9 - 0.5 x 100 x 0.01 = -0.05; (1 - 0.5) 0.6 - 0.5 x 100 x 0.001 = 0.25
    assert Carrot(KNN, 0.5).decide(query, idle(2)) == Decision(1, [0])
    assert Carrot(KNN, 0.5, cost_scale=1).decide(query, idle(2)) == Decision(0, [1])


def test_equals_go_to_the_first() -> None:
    assert Carrot(KNN, 0.3).decide(tiny_query(0, [0.5, 0.5], [1.0, 1.0]), idle(2)).deployment == 0


def smooth(n: int, noise: float) -> History:
    """Rows on a circle: quality is a function of the angle, with noise; every cost is 1."""
    rng = np.random.default_rng(0)
    angle = rng.permutation(n) * 2 * np.pi / n
    embeddings = np.column_stack([np.cos(angle), np.sin(angle)]).astype(np.float32)
    quality = np.clip(0.5 + 0.4 * np.cos(angle) + rng.normal(0, noise, n), 0, 1)[:, None]
    return History(Features(embeddings, np.ones(n, dtype=np.int64)), quality, np.ones((n, 1)))


def test_noise_asks_for_more_neighbours() -> None:
    without, with_noise = (validated(smooth(400, noise), most=512)[0] for noise in (0.0, 0.3))
    assert without < 8 < with_noise < 256


def test_of_equally_good_numbers_the_smallest_is_taken() -> None:
    assert validated(smooth(400, 0.0), most=512)[1] == 2


def test_a_history_of_one_row_gives_that_row() -> None:
    whole = smooth(1, 0.0)
    estimates = KNN.fit(whole).predict(whole.features)
    assert isinstance(estimates, Estimates)
    assert estimates.quality == whole.quality


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Carrot(KNN, 1.5), "cost_weight is 1.5; it must be from 0 to 1"),
        (lambda: Carrot(KNN, 0.5, -1.0), "cost_scale is -1.0; it must be at least 0 and finite"),
        (lambda: ValidatedNeighbours(1).fit(smooth(20, 0.0)), "most is 1; it must be at least 2"),
    ],
)
def test_a_setting_out_of_range_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
