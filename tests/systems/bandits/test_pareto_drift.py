"""ParetoBandit (arXiv 2604.00136) by the command line's own words, while prices, quality or the fleet change.

Of 1,500 queries of the synthetic workload one comes in 0.1 s, so that a third lasts 50 s; only the pacer holds costs.
"""

from collections.abc import Sequence

import pandas as pd
import pytest

from sim.cli.api import run

DEAR = "gpt-4-1106-preview"  # the dearest of six models, and the best
WORDS = (
    "workload.n_queries=1500 workload.n_history=1000 workload.n_models=6 workload.dim=32 arrivals=deterministic "
    "budget=unlimited policy=pareto_bandit oracle.names=[]"
)
EVENTS = {
    "its price falls to a fiftieth for a third": f"events=price_change events.price_change.deployment={DEAR} "
    "events.price_change.factor=0.02 events.price_change.at_s=50 events.price_change.for_s=50",
    "it is worse for a third": f"events=quality_change events.quality_change.deployment={DEAR} "
    "events.quality_change.factor=0.6 events.quality_change.at_s=50 events.quality_change.for_s=50",
    "it joins after a third, known to nobody": f"events=joins events.joins.deployment={DEAR} events.joins.at_s=50 "
    f"profiled={{{DEAR}:0}}",
}
SILENT = "events.price_change.announced=false"


def thirds(ceiling: float, event: str, *more: str) -> pd.DataFrame:
    """Mean spending in ceilings, mean quality and the share of the dear model, of each third of the queries."""
    words = (*WORDS.split(), f"policy.pareto_bandit.ceiling={ceiling}", *EVENTS[event].split(), *more)
    requests = run(*words)
    assert (requests["fate"] == "served").all()
    of = requests.assign(spending=requests["cost_usd"] / ceiling, dear=requests["deployment"] == DEAR)
    means: pd.DataFrame = of.groupby(of["id"] // 500)[["spending", "quality", "dear"]].mean()
    return means


@pytest.mark.parametrize("ceiling", [0.0005, 0.001, 0.0015, 0.0022])
@pytest.mark.parametrize(("event", "more"), [*((event, ()) for event in EVENTS), (next(iter(EVENTS)), (SILENT,))])
def test_the_mean_cost_of_a_query_stays_at_its_ceiling(event: str, more: Sequence[str], ceiling: float) -> None:
    spending = thirds(ceiling, event, *more)["spending"]
    assert spending.mean() < 1.02
    assert (spending < 1.08).all()


def test_a_fall_of_a_price_that_is_announced_is_used_at_once_under_a_ceiling_that_never_allowed_the_model() -> None:
    told = thirds(0.0005, "its price falls to a fiftieth for a third")
    assert told["dear"][0] == told["dear"][2] == 0
    assert told["dear"][1] > 0.5
    assert told["quality"][1] > told["quality"][0] + 0.07
    silent = thirds(0.0005, "its price falls to a fiftieth for a third", SILENT)
    assert silent["dear"].max() == 0


def test_where_the_ceiling_allows_the_dear_model_now_and_then_a_silent_fall_of_its_price_is_found_and_used() -> None:
    found = thirds(0.0015, "its price falls to a fiftieth for a third", SILENT)
    assert found["dear"][1] > 4 * max(found["dear"][0], found["dear"][2])
    assert found["quality"][1] > max(found["quality"][0], found["quality"][2]) + 0.02
    assert found["spending"][1] < 0.6


def test_without_the_pacer_a_risen_price_goes_far_over_the_ceiling() -> None:
    found = thirds(0.001, "its price falls to a fiftieth for a third", "policy.pareto_bandit.most=0")
    assert found["spending"][2] > 2


def test_a_model_that_is_worse_for_a_while_is_used_less_then_and_a_new_one_is_adopted() -> None:
    worse = thirds(0.0022, "it is worse for a third")
    assert worse["dear"][1] < worse["dear"][0] - 0.04
    new = thirds(0.0015, "it joins after a third, known to nobody")
    assert new["dear"][0] == 0
    assert new["dear"][2] > 0.04
