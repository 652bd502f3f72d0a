"""What a cache's settings may be, in one line each, and what metrics say of the queries that it answers."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from scenarios.caches.gdsf import GreedyDualSizeFrequency
from scenarios.caches.least_expected_cost import LeastExpectedCost
from scenarios.caches.lfu import LeastFrequentlyUsed
from scenarios.caches.lru import LeastRecentlyUsed
from sim.cli.main import main
from sim.study.metrics.caching import hit_rate, saved_s, saved_usd
from sim.study.metrics.latency import latency_percentile_s, mean_latency_s, wait_percentile_s
from sim.study.metrics.slo import Slo, goodput_per_s, slo_attainment, slo_attainment_of_served
from tests.caching.repeated import Notes, run, world
from tests.worlds import tiny_rows, tiny_scenario, tiny_workload

RULES = (LeastRecentlyUsed, LeastFrequentlyUsed, GreedyDualSizeFrequency, LeastExpectedCost)
SMALL = ["workload.n_queries=60", "workload.n_history=40", "workload.n_models=3", "workload.dim=4"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"capacity": -1}, "cache.capacity is -1; it must be at least 1, or null with cache.capacity_tokens"),
        ({"capacity": None, "capacity_tokens": 0}, "cache.capacity_tokens is 0; it must be at least 1, or null"),
        ({"capacity": None}, "cache.capacity and cache.capacity_tokens are both null; one must be a number"),
        ({"capacity_tokens": 9}, "cache.capacity and cache.capacity_tokens are 1000 and 9; one must be a number"),
        ({"similarity": 0.0}, "cache.similarity is 0.0; it must be above 0 and at most 1, or null for the same prompt"),
        ({"similarity": 1.5}, "cache.similarity is 1.5; it must be above 0 and at most 1"),
        ({"lookup_s": -0.1}, "cache.lookup_s is -0.1; it must be at least 0"),
        ({"expires_s": 0.0}, "cache.expires_s is 0.0; it must be positive and finite, or null for never"),
    ],
)
@pytest.mark.parametrize("rule", RULES)
def test_a_setting_that_cannot_be_is_refused(rule: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rule(**settings)


def test_a_cache_that_needs_what_the_queries_do_not_have_is_refused() -> None:
    rows = tiny_rows([[0.5]], [[1.0]])
    blind = tiny_scenario(tiny_workload(replace(rows, embeddings=np.zeros((1, 0), np.float32))))
    with pytest.raises(ValueError, match=r"cache.similarity is 0.9, and the workload's embeddings have 0 dimensions"):
        replace(blind, cache=LeastRecentlyUsed(similarity=0.9))
    with pytest.raises(ValueError, match=r"cache.capacity_tokens is 9, and the workload has no output tokens"):
        replace(tiny_scenario(tiny_workload(rows)), cache=LeastRecentlyUsed(None, 9))


def three() -> pd.DataFrame:
    """Two served in a second for 1 USD each, and the first of them asked again with a look-up of a quarter second."""
    cache = LeastRecentlyUsed(9, lookup_s=0.25)
    return run(Notes(), world([7, 8, 7], [0.0, 4.0, 8.0], cache=cache))


def test_the_metrics_of_a_cache() -> None:
    requests = three()
    assert (hit_rate(requests), saved_usd(requests), saved_s(requests)) == (1 / 3, 1.0, 1.0)
    without = run(Notes(), world([7, 8], [0.0, 4.0]))
    assert (hit_rate(without), saved_usd(without), saved_s(without)) == (0.0, 0.0, 0.0)


def test_over_all_arrivals_an_answer_from_a_cache_counts_with_its_look_up_and_over_served_ones_it_does_not() -> None:
    requests = three()
    assert mean_latency_s(requests) == 1.25
    assert latency_percentile_s(requests, 0) == 1.25
    assert latency_percentile_s(requests, 0, all_arrivals=True) == 0.25
    assert latency_percentile_s(requests, 100, all_arrivals=True) == 1.25
    assert wait_percentile_s(requests, 100, all_arrivals=True) == 0.0


def test_an_answer_from_a_cache_meets_an_objective_by_its_look_up() -> None:
    requests = three()
    assert slo_attainment(requests, Slo(time_to_first_token_s=1.0)) == pytest.approx(1 / 3)
    assert slo_attainment_of_served(requests, Slo(time_to_first_token_s=1.0)) == 0.0
    assert slo_attainment(requests, Slo(end_to_end_s=0.2)) == 0.0
    assert slo_attainment(requests, Slo(time_per_output_token_s=1e-9)) == 1.0  # each answer is there whole
    assert goodput_per_s(requests, Slo(end_to_end_s=1.0)) == pytest.approx(1 / 8.25)


# --- the command ------------------------------------------------------------------------------------------------------


def test_a_comparison_with_a_cache_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*SMALL, "order=zipf", "n_queries=200", "fleet=slots", "metric=[cache,latency]", "oracle.names=[optimum]"]
    out = tmp_path / "o"
    assert main(["compare", *words, "policy=[random,port]", "cache=lfu", "replications=2", f"out={out}"]) == 0
    assert "cached" in capsys.readouterr().out
    summary = pd.read_csv(out / "summary.csv")
    assert (summary["cached"] > 50).all()
    assert (summary["hit_rate"] == summary["cached"] / 200).all()
    assert summary["optimum_ratio"].isna().all()
    requests = pd.read_parquet(out / "requests.parquet")
    assert (requests["answer_of"].notna() == (requests["fate"] == "cached")).all()
    page = (out / "report.html").read_text()
    assert "cache LeastFrequentlyUsed (capacity 1000, lookup_s 0.0)" in page


@pytest.mark.parametrize("verb", ["ratio", "explain"])
def test_what_needs_a_hindsight_optimum_says_in_a_line_that_there_is_none(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([verb, *SMALL, "order=zipf", "cache=lru", "policy=random", f"out={tmp_path / 'o'}", "--no-report"]) != 0
    error = capsys.readouterr().err
    assert "as a cache answers queries at no cost: use cache=none" in error
    assert not (tmp_path / "o").exists()


def test_a_cache_that_can_answer_nothing_is_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", *SMALL, "cache=lru", "policy=random", f"out={tmp_path / 'o'}", "--no-report"]) == 0
    assert "cache= answers nothing, as no prompt comes twice" in capsys.readouterr().err
    assert (
        main(["run", *SMALL, "cache=lru", "order=zipf", "policy=random", f"out={tmp_path / 'p'}", "--no-report"]) == 0
    )
    assert "cache=" not in capsys.readouterr().err


def test_none_and_null_are_no_cache(tmp_path: Path) -> None:
    for name, words in (("none", ["cache=none"]), ("null", ["cache=null"]), ("unsaid", [])):
        assert main(["run", *SMALL, *words, "policy=random", f"out={tmp_path / name}", "--no-report"]) == 0
    first = pd.read_parquet(tmp_path / "none" / "requests.parquet")
    for name in ("null", "unsaid"):
        pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / name / "requests.parquet"), first)


def test_the_page_on_abilities_counts_hits() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "abilities.md").read_text()
    code = page.partition("## A cache before it")[2].partition("```python\n")[2].partition("```")[0]
    namespace: dict[str, Any] = {}
    exec(compile(code, "docs/abilities.md", "exec"), namespace)
    policy = namespace["Counting"]()
    run(policy, world([7, 7, 7], [0.0, 4.0, 8.0], cache=LeastRecentlyUsed(9)))
    assert policy.n_hits == [2, 0]
