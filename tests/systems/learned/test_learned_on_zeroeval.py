"""What routers that are trained on the history reach on ZeroEval's test queries, without budgets."""

import numpy as np
import pytest

from policies.estimators.item_response import ItemResponse
from scenarios.arrivals import Deterministic
from scenarios.budgets import Unlimited
from scenarios.fleets import OnePerModel
from scenarios.orders import given
from scenarios.workloads.table import table
from sim.cli.api import run
from sim.instance import realise
from sim.scenario import Scenario
from sim.world.services.slots import Instant
from tests.scenarios.test_real_tables import DATA, needs_data

pytestmark = [needs_data, pytest.mark.slow]

BEST_SINGLE = 0.839
WORDS = (
    "experiment=zeroeval",
    "roundings=0",
    "budget=unlimited",
    "oracle.names=[]",
    f"workload.path={DATA / 'zeroeval.parquet'}",
    f"workload.embeddings={DATA / 'zeroeval_embeddings.npy'}",
)


def test_none_of_them_is_above_the_best_single_model_and_the_item_responses_come_nearest() -> None:
    names = ("zero_router", "radial_performance", "radial_balance", "radial_cost", "cost_spectrum")
    requests = run(f"policy=[{','.join(names)}]", *WORDS)
    quality = requests.groupby("policy")["quality"].mean()
    found = {"zero_router": 0.836, "radial_performance": 0.823, "radial_balance": 0.815, "radial_cost": 0.771}
    for name, value in (found | {"cost_spectrum": 0.763}).items():
        assert quality[name] == pytest.approx(value, abs=0.002)
    assert quality.max() == quality["zero_router"] < BEST_SINGLE


def test_one_policy_trades_quality_for_cost_by_the_preference() -> None:
    found = [run("policy=barp", f"policy.barp.preference={w}", *WORDS) for w in (0.0, 0.25, 0.5, 0.75, 1.0)]
    quality, cost_usd = ([float(requests[of].mean()) for requests in found] for of in ("quality", "cost_usd"))
    assert quality == pytest.approx([0.600, 0.739, 0.753, 0.764, 0.830], abs=0.001)
    assert cost_usd == pytest.approx([6.75e-5, 8.84e-5, 1.22e-4, 1.62e-4, 3.41e-3], rel=0.01)


def test_anchors_of_new_models_say_more_by_item_responses_than_by_their_mean() -> None:
    workload = table(str(DATA / "zeroeval.parquet"), str(DATA / "zeroeval_embeddings.npy"))
    for anchors, ours, theirs in ((20, 0.056, 0.074), (200, 0.018, 0.022)):
        by_model, by_mean = [], []
        for replication in range(3):
            of = Scenario(
                workload,
                OnePerModel(Instant()),
                Unlimited(),
                Deterministic(1.0),
                given,
                new_model_share=0.33,
                new_model_rows=anchors,
            )
            instance = realise(of, 0, replication)
            history = instance.setting.history
            new = np.flatnonzero(~history.known.all(axis=0))
            true = instance.quality[:, new].mean(axis=0)
            predicted = ItemResponse().fit(history).predict(instance.features).quality[:, new].mean(axis=0)
            by_model.append(np.abs(predicted - true).mean())
            by_mean.append(np.abs(np.nanmean(history.quality[:, new], axis=0) - true).mean())
        assert np.mean(by_model) == pytest.approx(ours, abs=0.001)
        assert np.mean(by_mean) == pytest.approx(theirs, abs=0.001)
