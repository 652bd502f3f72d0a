"""Every shipped what-if composes and runs, and shows in small what docs/guide/what_if.md says of it in full."""

import re
import shlex
from pathlib import Path

import pandas as pd
import pytest

from sim.cli.api import compare, run

# So few queries come before most events.
pytestmark = pytest.mark.filterwarnings("ignore:.*after the last query, which comes at:sim.errors.Note")

ROOT = Path(__file__).resolve().parents[2]
NEEDS_A_FILE = {"mmlu_pro", "mmlu_two_models", "zeroeval"}
SWEEPS = {"task_caps", "volume_fixed_budget", "volume_growing_budget"}  # in test_caps.py and test_sweep.py
NO_CHANGE = {"systems"}  # in tests/systems/test_side_by_side.py
SHIPPED = {path.stem for path in (ROOT / "conf" / "experiment").glob("*.yaml")}
STORIES = {name for name in SHIPPED if name.startswith("story_")}  # in tests/stories
EXPERIMENTS = sorted(SHIPPED - NEEDS_A_FILE - SWEEPS - NO_CHANGE - STORIES)
# A quarter of the queries, and times to match; learned from fewer.
SMALL = ["workload.n_queries=1000", "workload.n_history=500", "workload.dim=16", "oracle.names=[]", "replications=2"]
SHORTER = {
    "traffic_doubles": ["arrivals.durations_s=[75,75]"],
    "best_model_down": ["events.outage.at_s=150", "events.outage.for_s=150"],
    "prices_halve": ["events.price_change.at_s=50"],
    "flash_crowd": ["arrivals.at_s=15", "arrivals.ramp_s=3", "arrivals.hold_s=15", "arrivals.decay_s=8"],
    "crowd_against_autoscaler": ["arrivals.at_s=75", "arrivals.ramp_s=15", "arrivals.hold_s=75", "arrivals.decay_s=30"],
    "new_cheap_model": ["events.joins.at_s=100"],
    "new_model_unseen": ["events.joins.at_s=100"],
    "hour_windows": ["arrivals.mean_rate_per_s=0.0116"],
}
WITHOUT = {
    "traffic_doubles": "arrivals.rates_per_s=[4,4]",
    "best_model_down": "~events.outage",
    "prices_halve": "events.price_change.factor=1",
    "budgets_halve": "~events.budget_cut",
    "flash_crowd": "arrivals.peak_factor=1",
    "crowd_against_autoscaler": "fleet.autoscaler=null",
    "new_cheap_model": "events.joins.at_s=1e6",
    "new_model_unseen": "profiled=null",
    "unseen_models": "new_model_share=0",
    "hour_windows": "window=day",
    "stale_state": "state_refresh_s=null",
    "two_classes": "classes.interactive.priority=1",
}


def words(name: str, *more: str) -> list[str]:
    return [f"experiment={name}", *SMALL, *SHORTER.get(name, []), *more]


def both(name: str, column: str, chosen: str) -> tuple[pd.Series, pd.Series]:
    """Means of a column of the summary by policy: with the change, and without."""
    summaries = (compare(*words(name, f"policy=[{chosen}]", *more)) for more in ([], [WITHOUT[name]]))
    with_it, without = (summary.groupby("policy")[column].mean() for summary in summaries)
    return with_it, without


def test_there_is_a_scenario_without_the_change_for_every_experiment_and_the_docs_say_both_commands() -> None:
    assert sorted(WITHOUT) == EXPERIMENTS
    document = (ROOT / "docs" / "guide" / "what_if.md").read_text()
    commands = [
        shlex.split(line) for line in document.splitlines() if line.startswith("switchyard compare experiment=")
    ]
    assert [command[2:] for command in commands] == [
        pair
        for name in re.findall(r"^## (\w+)$", document, flags=re.MULTILINE)
        for pair in ([f"experiment={name}"], [f"experiment={name}", WITHOUT[name]])
    ]


@pytest.mark.parametrize("name", EXPERIMENTS)
@pytest.mark.lengthy
def test_an_experiment_compares_and_runs(name: str) -> None:
    tiny = [f"experiment={name}", "workload.n_queries=60", "workload.n_history=80", "workload.dim=8"]
    compared = compare(*tiny, "replications=1")
    chosen = set(compared["policy"]) - {"optimum", "approximate_optimum"}
    assert len(chosen) >= 4  # the experiment's own
    assert set(run(*tiny)["policy"]) == chosen


def test_when_traffic_doubles_turns_by_rote_wait_and_the_least_loaded_hardly() -> None:
    doubled, before = both("traffic_doubles", "p95_latency_s", "round_robin,least_loaded,greedy_perf")
    slower = doubled / before
    assert slower["least_loaded"] < 1.2 < slower["round_robin"] < slower["greedy_perf"]


def test_a_model_that_nobody_has_seen_gets_queries_only_of_rules_that_go_by_load() -> None:
    unseen, known = both("new_model_unseen", "to_new_models_share", "least_loaded,latency_priced")
    assert known.tolist() == [0, 0]
    assert unseen["least_loaded"] > 0.05 > unseen["latency_priced"]


@pytest.mark.slow
def test_when_a_third_of_the_models_is_new_every_rule_loses_quality() -> None:
    new, known = both("unseen_models", "quality", "mirror_descent_entropic,steward")
    assert (new < known).all()


def test_when_the_best_model_is_down_greedy_loses_queries_that_next_choices_serve() -> None:
    down, up = both("best_model_down", "served", "greedy_perf,port_fallback")
    assert up["greedy_perf"] == 1000
    assert down["greedy_perf"] < 0.95 * up["greedy_perf"]
    assert down["port_fallback"] > 0.98 * up["port_fallback"]
    requests = run(*words("best_model_down", "policy=port_fallback"))
    away = requests["arrived_at_s"].between(150, 299)
    took = requests[requests["fate"] == "served"].groupby(away)["deployment"].value_counts(normalize=True)
    assert took[False, "gpt-4-1106-preview"] > 0.1
    assert took[True, "gpt-4-1106-preview"] == 0


def test_when_prices_halve_who_moves_prices_gains_more_than_who_learned_them_once() -> None:
    cheaper, before = both("prices_halve", "quality", "greedy_perf,port_fallback,mirror_descent_entropic")
    gain = cheaper / before
    assert gain["greedy_perf"] < 1.05
    assert 1.0 < gain["port_fallback"] < gain["mirror_descent_entropic"]


def test_when_budgets_halve_who_had_saved_loses_most_and_is_still_ahead() -> None:
    cut, before = both("budgets_halve", "quality", "greedy_perf,knn_threshold,port_fallback")
    kept = cut / before
    assert kept["port_fallback"] < kept["greedy_perf"] < 1
    assert kept["port_fallback"] < kept["knn_threshold"] < 1
    assert cut["port_fallback"] > cut["knn_threshold"] > cut["greedy_perf"]


def test_a_flash_crowd_is_worst_for_who_does_not_look_at_queues() -> None:
    crowd, calm = both("flash_crowd", "p95_latency_s", "round_robin,least_loaded,greedy_perf")
    assert calm.max() < 10
    assert 10 < crowd["least_loaded"] < crowd["round_robin"] < crowd["greedy_perf"]


def test_an_autoscaler_loses_less_than_the_minimum_and_costs_less_than_the_peak() -> None:
    fixed = "fleet.autoscaler=null"
    scaled, least, peak = (
        compare(*words("crowd_against_autoscaler", "policy=[least_loaded]", *more)).mean(numeric_only=True)
        for more in ([], [fixed], [fixed, "fleet.replicas=4"])
    )
    assert peak["abandoned"] <= scaled["abandoned"] < 0.8 * least["abandoned"]
    assert least["rent_usd"] < scaled["rent_usd"] < peak["rent_usd"]


def test_a_new_cheap_model_saves_money_where_money_or_load_is_looked_at() -> None:
    joined, never = both("new_cheap_model", "cost_usd", "least_loaded,latency_priced")
    assert (joined < 0.95 * never).all()
    served, not_served = both("new_cheap_model", "failed", "greedy_perf,latency_priced")
    assert served["latency_priced"] == 0
    assert 0 < served["greedy_perf"] < not_served["greedy_perf"]


def test_hour_windows_cost_quality_where_the_day_swings_and_rollover_gives_most_back() -> None:
    hour, day = both("hour_windows", "quality", "greedy_perf,port_fallback")
    assert (hour < 0.92 * day).all()
    rolled = compare(*words("hour_windows", "policy=[port_fallback]", "window.rollover=true"))["quality"].mean()
    assert rolled - hour["port_fallback"] > 0.5 * (day["port_fallback"] - hour["port_fallback"])


def test_a_stale_state_lengthens_the_wait_of_the_least_loaded_above_that_of_drawing_lots() -> None:
    stale, fresh = both("stale_state", "mean_latency_s", "random,round_robin,power_of_two,least_loaded")
    assert stale["least_loaded"] > 2 * fresh["least_loaded"]
    assert fresh["least_loaded"] < fresh["random"] < stale["least_loaded"]
    assert stale["power_of_two"] < stale["random"]
    assert stale["round_robin"] == fresh["round_robin"]


def test_priorities_help_interactive_traffic_where_there_are_queues_and_batch_traffic_pays() -> None:
    for name, sign in (("interactive", -1), ("batch", 1)):
        first, alike = both("two_classes", f"mean_wait_s[{name}]", "round_robin")
        assert sign * (first["round_robin"] - alike["round_robin"]) > 0
