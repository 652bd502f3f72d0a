"""PILOT (arXiv 2508.21141): preferences help at the start, and a quarter of the money buys nearly all of the quality.

No code of the authors and no figures of a run were found, so these tests are of the claim's shape and of the formulas.
"""

import math
from dataclasses import replace

import numpy as np
import pytest

from policies.bandits.contexts import AsItIs, Whitened
from policies.bandits.pilot import Pilot
from policies.bandits.preferences import preferred
from scenarios.arrivals import Deterministic
from scenarios.fleets import OnePerModel
from scenarios.orders import shuffled
from scenarios.shared_budgets import Shared
from scenarios.workloads.synthetic import synthetic
from sim.cli.api import scenario
from sim.interface import Decision, Feedback, State
from sim.scenario import Scenario
from sim.study.experiment import compare
from sim.study.oracles import Oracle
from sim.world.services.slots import Instant
from tests.scenarios.test_real_tables import DATA, needs_data
from tests.systems.driving import drive, setting_of
from tests.worlds import idle, tiny_query

WORKLOAD = synthetic(n_queries=1500, n_history=1500, seed=3)
DEAR = int(WORKLOAD.test.quality.mean(axis=0).argmax())  # gpt-4


def test_nearly_all_of_the_dearest_models_quality_costs_a_quarter_of_its_money() -> None:
    whole = float(WORKLOAD.test.cost_usd[:, DEAR].sum())
    budget = Shared({"all": whole / 4}, {"others": "all"})
    world = Scenario(WORKLOAD, OnePerModel(Instant()), budget, Deterministic(1.0), shuffled)
    [run] = compare(world, {"pilot": Pilot(Whitened())}, replications=1, oracle=Oracle(())).to_dict("records")
    assert run["total_cost_usd"] <= whole / 4
    assert run["quality"] > 0.93 * WORKLOAD.test.quality[:, DEAR].sum()  # the paper's 93%
    assert run["declined"] < 0.01 * len(WORKLOAD.test)


@needs_data
@pytest.mark.parametrize(
    ("table", "share"), [("zeroeval", 0.89), pytest.param("mmlu_pro", 0.89, marks=pytest.mark.slow)]
)
def test_on_real_tables_a_quarter_of_the_money_buys_nine_tenths_of_the_best_models_quality(
    table: str, share: float
) -> None:
    paths = [f"workload.path={DATA / table}.parquet", f"workload.embeddings={DATA / table}_embeddings.npy"]
    real = scenario(f"experiment={table}", *paths)
    test = real.workload.test
    best = int(test.quality.mean(axis=0).argmax())
    whole = float(test.cost_usd[:, best].sum())
    real = replace(real, budget=Shared({"all": whole / 4}, {"others": "all"}))
    [run] = compare(real, {"pilot": Pilot(Whitened())}, replications=1, oracle=Oracle(())).to_dict("records")
    assert run["total_cost_usd"] <= whole / 4
    assert run["quality"] > share * test.quality[:, best].sum()


def test_queries_come_to_good_models_sooner_with_preferences() -> None:
    history, test = WORKLOAD.history, WORKLOAD.test
    early = []
    for weight in (10.0, 0.01):  # the latter is next to nothing
        policy = Pilot(Whitened(), weight=weight)
        policy.reset(setting_of(history.embeddings, history.quality, history.cost_usd, 300), np.random.default_rng(0))
        picks, _ = drive(policy, test.embeddings[:300], test.quality[:300], test.cost_usd[:300])
        early.append(test.quality[np.arange(300), picks].mean())
    assert early[0] > early[1] + 0.05


def test_vectors_point_to_the_queries_on_which_a_model_is_preferred() -> None:
    contexts = np.array([[1.0, 0.0], [0.0, 1.0]] * 10)
    quality = np.array([[1.0, 0.0, np.nan], [0.0, 1.0, np.nan]] * 10)
    history = setting_of(contexts, quality, quality, 1).history
    theta = preferred(contexts, history)
    assert theta.round(6).tolist() == [[0.707107, -0.707107], [-0.707107, 0.707107], [0.0, 0.0]]


def spent(share: float) -> State:
    """Both models pay from an account of 100 USD, of which a share is spent."""
    return idle(2)._replace(remaining=np.full(2, 100.0 * (1 - share)))


def test_the_best_bound_is_chosen_among_what_is_worth_its_cost_and_nothing_where_none_is() -> None:
    # Vectors (1) and (-1) at a weight of 1; after an answer of each, A = 2, theta = (1 + 1) / 2 and (-1 + 2) / 2.
    history = setting_of(np.ones((4, 1)), np.array([[1.0, 0.0]] * 4), np.ones((4, 2)), 10, budget=100.0)
    policy = Pilot(AsItIs(), alpha=0.0, weight=1.0, bin_size=10, lowest=0.5, highest=2.0)
    policy.reset(history, np.random.default_rng(0))
    query = tiny_query(0, [0.0, 0.0], [2.0, 0.5])._replace(embedding=np.ones(1, dtype=np.float32))
    assert policy.believes(query).quality.tolist() == [1.0, 0.0]
    policy.learn(Feedback(query, 0, 1.0, 2.0, 0.0))
    policy.learn(Feedback(query, 1, 2.0, 0.5, 0.0))
    assert policy.believes(query).quality.tolist() == [1.0, 0.5]
    # Worth per cost is 1/2 and 1. Psi(z) = (4 e)^z / (2 e) is 1/2 at z = 1 / ln(4 e) and 1 at (1 + ln 2) / ln(4 e).
    first, second = 1 / (1 + math.log(4)), (1 + math.log(2)) / (1 + math.log(4))
    assert policy.decide(query, spent(first - 0.01)) == Decision(0, [1], False)
    assert policy.decide(query, spent(first + 0.01)) == Decision(1, [], False)
    assert policy.decide(query, spent(second - 0.01)) == Decision(1, [], False)
    assert policy.decide(query, spent(second + 0.01)).deployment is None


def test_a_bin_has_its_share_and_what_the_one_before_has_left() -> None:
    history = setting_of(np.ones((4, 1)), np.array([[1.0, 0.0]] * 4), np.ones((4, 2)), 20, budget=100.0)
    policy = Pilot(AsItIs(), alpha=0.0, weight=1.0, bin_size=10, lowest=0.5, highest=2.0)
    policy.reset(history, np.random.default_rng(0))
    query = tiny_query(0, [0.0, 0.0], [2.0, 0.5])._replace(embedding=np.ones(1, dtype=np.float32))
    policy.learn(Feedback(query, 1, 2.0, 0.5, 0.0))  # as above
    # The first model is worth it up to z = 0.419, the second up to 0.71: of 50 USD for ten queries, 20.95 and 35.5.
    assert policy.decide(query, spent(0.20)).deployment == 0
    assert policy.decide(query, spent(0.22)).deployment == 1
    later = query._replace(id=10)  # 100 - 22 are left for the second bin: 32.7
    assert policy.decide(later, spent(0.22)).deployment == 0
    assert policy.decide(later, spent(0.54)).deployment == 0
    assert policy.decide(later, spent(0.56)).deployment == 1


def test_what_nobody_knows_is_tried_while_little_is_spent() -> None:
    nothing = np.zeros((1, 2))  # no preferences, and bounds of 0
    policy = Pilot(AsItIs(), alpha=0.0, lowest=0.5, highest=2.0)
    policy.reset(setting_of(np.ones((1, 1)), nothing, nothing, 10, budget=100.0), np.random.default_rng(0))
    query = tiny_query(0, [0.0, 0.0], [2.0, 0.5])._replace(embedding=np.ones(1, dtype=np.float32))
    assert policy.decide(query, spent(0.0)).deployment == 0
    assert policy.decide(query, spent(0.5)).deployment is None


def test_half_a_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"lowest is 1\.0 and highest None; give both, or null for both"):
        Pilot(AsItIs(), lowest=1.0)
