"""GreenServ (arXiv 2601.17551): the choices of its authors' LinUCB on ZeroEval, its frontier, and a swap of models."""

from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from policies.bandits.contexts import AsItIs, Clusters
from policies.bandits.greenserv import GreenServ
from sim.interface import BoolArray, Feedback, FloatArray, IntArray
from tests.scenarios.test_real_tables import DATA, needs_data
from tests.systems.driving import drive, setting_of
from tests.worlds import tiny_query


class Table(NamedTuple):
    """Of the test rows: contexts (1, and which of three data sets), scores and costs."""

    contexts: FloatArray
    quality: FloatArray
    cost: FloatArray


@cache
def zeroeval() -> Table:
    table = pd.read_parquet(DATA / "zeroeval.parquet").query("split == 'test'")
    models = [name.removesuffix("|total_cost") for name in map(str, table) if name.endswith("|total_cost")]
    task = table["source"].to_numpy()[:, None] == np.array(["crux", "gsm", "math-l5"])
    contexts = np.column_stack([np.ones(len(table)), task])
    cost = table[[f"{model}|total_cost" for model in models]].to_numpy(np.float64)
    return Table(contexts, table[models].to_numpy(np.float64), cost)


def rewards(table: Table, weight: float) -> FloatArray:
    log_cost = np.log(table.cost)
    effort = (log_cost - log_cost.min()) / (log_cost.max() - log_cost.min())
    reward: FloatArray = (1 - weight) * table.quality + weight * (1 - effort)
    return reward


def run(weight: float, table: Table, available: BoolArray | None = None) -> IntArray:
    """Route the test rows in their order; costs range as in these rows."""
    policy = GreenServ(AsItIs(), weight)
    policy.reset(setting_of(*table, len(table.cost)), np.random.default_rng(0))
    return drive(policy, *table, available=available)[0]


@needs_data
def test_the_first_picks_are_those_of_the_authors_code() -> None:
    first = [0, 1, 0, 2, 3, 3, 3, 3, 0, 3, 2, 3, 3, 3, 3, 3, 3, 1, 4, 4, 4, 4, 4, 5, 3, 0, 6, 0, 7, 0]
    assert run(0.5, zeroeval())[:30].tolist() == first


@needs_data
@pytest.mark.parametrize(
    ("weight", "reward", "quality", "cost", "regret"),
    [
        (0.0, 0.789167, 0.789167, 0.00724240, 206.0),
        (0.5, 0.749482, 0.710833, 0.00039840, 190.8681),
        (1.0, 0.690632, 0.595833, 0.00027019, 277.7474),
    ],
)
def test_reward_accuracy_cost_and_regret_are_those_of_the_authors_code(
    weight: float, reward: float, quality: float, cost: float, regret: float
) -> None:
    table = zeroeval()
    picks = run(weight, table)
    got, reached = (np.arange(len(picks)), picks), rewards(table, weight)
    assert reached[got].mean() == pytest.approx(reward, abs=1e-6)
    assert table.quality[got].mean() == pytest.approx(quality, abs=1e-6)
    assert table.cost[got].mean() == pytest.approx(cost, abs=6e-9)
    assert (reached.max(axis=1) - reached[got]).sum() == pytest.approx(regret, abs=1e-4)


@needs_data
def test_the_weight_of_energy_moves_along_a_frontier() -> None:
    table = zeroeval()
    points = []
    for weight in (0.0, 0.25, 0.5, 0.75):
        runs = [shuffled(weight, seed) for seed in range(5)]
        points.append((np.mean([quality for quality, *_ in runs]), np.mean([cost for _, cost, *_ in runs])))
    quality, cost = zip(*points, strict=True)
    assert list(quality) == sorted(quality, reverse=True)
    assert list(cost) == sorted(cost, reverse=True)
    assert quality[2] > table.quality.mean() + 0.04  # than random choice
    assert cost[2] < table.cost.mean() / 3


@needs_data
def test_a_model_that_joins_in_the_place_of_the_favourite_takes_a_share_and_regret_falls() -> None:
    new, half = 26, 600  # gpt-4o-mini is good and cheap
    shares, before, after = [], [], []
    for seed in range(5):
        there = np.ones((2 * half, 27), dtype=np.bool_)
        there[:half, new] = False
        _, _, picks, _ = shuffled(0.5, seed, there)
        favourite = int(np.bincount(picks[:half]).argmax())
        there[half:, favourite] = False
        _, _, picks, regret = shuffled(0.5, seed, there)
        assert (picks[:half] == favourite).sum() > 150
        assert (picks[half:] != favourite).all()
        shares.append((picks[half:] == new).mean())
        before.append(regret[:half].mean())
        after.append(regret[half:].mean())
    assert np.mean(shares) > 0.3  # the paper has 0.329
    assert np.mean(after) < 0.9 * np.mean(before)  # 0.1569 after 0.1898 there


def shuffled(weight: float, seed: int, available: BoolArray | None = None) -> tuple[float, float, IntArray, FloatArray]:
    """Mean quality and cost, picks, and the regret of each query, in another order."""
    order = np.random.default_rng(seed).permutation(len(zeroeval().cost))
    table = Table(*(array[order] for array in zeroeval()))
    picks = run(weight, table, available)
    got, reward = (np.arange(len(picks)), picks), rewards(table, weight)
    return float(table.quality[got].mean()), float(table.cost[got].mean()), picks, reward.max(axis=1) - reward[got]


def test_measured_energy_counts_between_its_bounds_and_cost_where_it_was_not_measured() -> None:
    # Both answer well. The first takes 3 J of 1 to 5 and the second 5 J: rewards 1/2 + 1/4 and 1/2.
    ones = np.ones((4, 2))
    setting = setting_of(np.ones((4, 1)), ones, np.array([[1.0, 4.0]] * 4), 4)
    policy = GreenServ(AsItIs(), alpha=0.0, ridge=1.0, least_energy_j=1.0, most_energy_j=5.0)
    policy.reset(setting, np.random.default_rng(0))
    query = tiny_query(0, [0.0, 0.0], [1.0, 1.0])._replace(embedding=np.ones(1, dtype=np.float32))
    for deployment, energy_j in ((0, 3.0), (1, 5.0)):
        policy.learn(Feedback(query, deployment, 1.0, 1.0, 0.0, energy_j))
    assert policy.believes(query).quality.tolist() == [0.75 / 2, 0.5 / 2]  # A = 1 + 1
    policy.learn(Feedback(query, 1, 1.0, 2.0, 0.0))  # a cost of 2 is half way from 1 to 4 in logarithms
    assert policy.believes(query).quality[1] == pytest.approx((0.5 + 0.75) / 3)


def test_clusters_grow_around_the_first_different_embeddings() -> None:
    rows = np.array([[1, 0], [1, 0], [0, 1], [0.6, 0.8]], dtype=np.float32)
    history = setting_of(rows, np.ones((4, 1)), np.ones((4, 1)), 1).history
    fitted = Clusters(n_clusters=2).fit(history)
    assert fitted.centroids.round(6).tolist() == [[1.0, 0.0], [0.3, 0.9]]
    assert fitted.of(np.array([[5, 1], [0, 2]], dtype=np.float32)).tolist() == [[1, 1, 0], [1, 0, 1]]


def test_half_a_range_of_energy_is_refused() -> None:
    with pytest.raises(ValueError, match=r"least_energy_j is 1\.0 and most_energy_j None; give both, or null for both"):
        GreenServ(AsItIs(), least_energy_j=1.0)
