"""Orders that draw queries by popularity, and the tables that say which prompts are the same: what a cache lives on."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from scenarios.caches.lru import LeastRecentlyUsed
from scenarios.orders.exchangeable import Resampled
from scenarios.orders.popular import Power, Zipf
from scenarios.readers.unified import build
from sim.instance import realise
from sim.scenario import Order, Scenario
from sim.study.fleet import unbounded
from sim.workload import Workload
from tests.caching.repeated import Notes, run
from tests.worlds import tiny_rows, tiny_scenario, tiny_workload


def scenario(n_rows: int, n_queries: int, order: Order) -> Scenario:
    rows = tiny_rows([[0.5]] * n_rows, [[1.0]] * n_rows)
    return replace(tiny_scenario(tiny_workload(rows)), order=order, n_queries=n_queries)


@pytest.mark.parametrize("exponent", [0.0, 0.7, 1.0, 1.5])
def test_shares_by_zipf_fall_with_the_rank(exponent: float) -> None:
    n, rows = 100_000, 20
    shares = np.arange(1, rows + 1) ** -exponent
    shares /= shares.sum()
    found = np.bincount(Zipf(exponent).drawn(rows, n, np.random.default_rng(0)), minlength=rows) / n
    assert np.abs(np.sort(found)[::-1] - shares).max() < 5 * np.sqrt(shares.max() / n)


def test_zipf_ranks_rows_anew_in_each_replication_and_the_same_for_all_who_ask() -> None:
    popular = [np.bincount(realise(scenario(20, 500, Zipf(1.5)), 0, k).rows).argmax() for k in range(6)]
    assert len(set(popular)) > 1
    again = [np.bincount(realise(scenario(20, 500, Zipf(1.5)), 0, k).rows).argmax() for k in range(6)]
    assert popular == again


@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0])
def test_by_the_power_law_the_first_k_of_n_rows_have_a_share_of_k_over_n_to_the_exponent(exponent: float) -> None:
    n, rows = 100_000, 20
    found = np.bincount(Power(exponent).drawn(rows, n, np.random.default_rng(0)), minlength=rows).cumsum() / n
    assert np.abs(found - (np.arange(1, rows + 1) / rows) ** exponent).max() < 4 * np.sqrt(0.25 / n)


@pytest.mark.parametrize("order", [Zipf(), Power()])
def test_more_queries_than_rows_may_arrive_and_all_of_them_are_rows(order: Order) -> None:
    rows = realise(scenario(5, 400, order), 0, 0).rows
    assert (len(rows), rows.min(), rows.max()) == (400, 0, 4)


@pytest.mark.parametrize(("order", "right"), [(Zipf, "at least 0"), (Power, "positive")])
def test_an_exponent_that_cannot_be_is_refused(order: type[Zipf] | type[Power], right: str) -> None:
    with pytest.raises(ValueError, match=f"exponent is -1.0; it must be {right}"):
        order(-1.0)


@pytest.mark.parametrize("order", [Zipf(), Power(), Resampled()])
def test_a_row_that_arrives_again_is_the_same_prompt(order: Order) -> None:
    instance = realise(replace(scenario(5, 100, order), cache=LeastRecentlyUsed(5)), 0, 0)
    requests = run(Notes(), instance)
    assert (requests["fate"] == "served").sum() == len(set(instance.rows.tolist()))
    assert (requests["fate"] == "cached").sum() == 100 - len(set(instance.rows.tolist()))


def table(prompts: list[str | None]) -> Workload:
    frame = pd.DataFrame({"prompt": prompts, "split": ["history", *["test"] * (len(prompts) - 1)]})
    frame = frame.assign(input_tokens=10, m=0.5, **{"m|total_cost": 1.0})
    return build(
        frame,
        embeddings="hashing",
        embedder=None,
        models=None,
        exclude=(),
        n_queries=None,
        n_history=None,
        split_seed=0,
        files=(),
    )


def test_rows_of_a_table_with_the_same_prompt_are_one_prompt_and_without_one_each_is_its_own() -> None:
    prompt = table(["a", "b", "c", "b", None, None]).test.prompt
    assert prompt is not None
    assert prompt[0] == prompt[2]
    assert len(set(prompt.tolist())) == 4


def test_a_cache_of_a_table_answers_prompts_and_not_rows() -> None:
    workload = table(["a", "b", "c", "b", "c", "b"])
    instance = realise(replace(tiny_scenario(workload), cache=LeastRecentlyUsed(5)), 0, 0)
    assert run(Notes(), instance)["fate"].tolist() == ["served", "served", "cached", "cached", "cached"]


def test_prompts_are_one_number_per_query() -> None:
    rows = tiny_rows([[0.5]] * 3, [[1.0]] * 3)
    with pytest.raises(ValueError, match=r"history prompt has shape \(2,\), not \(3,\): one number per query"):
        tiny_workload(replace(rows, prompt=np.array([0, 1])))


def test_with_a_cache_no_hindsight_optimum_is_a_bound() -> None:
    assert unbounded(scenario(5, 5, Zipf())) is None
    reason = unbounded(replace(scenario(5, 5, Zipf()), cache=LeastRecentlyUsed(5)))
    assert reason == "a cache answers queries at no cost: use cache=none"
