"""Figures of a run, on tables small enough to work out by hand."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf

from sim.cli.main import main
from sim.study.metrics import Alone, benchmark, counts, evaluate, floors, latency, load, shares, slo, warm_up
from sim.study.metrics.counting import makespan_s, share_of_optimum
from sim.study.metrics.slo import Slo
from tests.records import fleet, record, refused, served

GROUP = Path(__file__).resolve().parents[2] / "conf" / "metric"
METRICS = [
    *("benchmark", "calls", "latency", "first_token", "per_token", "wait", "slo"),
    *(
        "cost",
        "energy",
        "share",
        "new_models",
        "floor",
        "caps",
        "cache",
        "prefix",
        "tasks",
        "classes",
        "fairness",
        "capacity",
    ),
]

# Latencies 1, 2, 3 and 4 s; first tokens after 0.5, 1, 1.5 and 2 s; one query arrives each second.
FOUR = [served(k, k, k + 0.25 * k, k + 0.5 * (k + 1), k + k + 1.0, tokens=11) for k in range(4)]


def test_mean_and_percentiles_of_four_latencies() -> None:
    requests = record(*FOUR)
    assert latency.mean_latency_s(requests) == 2.5
    assert latency.latency_percentile_s(requests, 50) == 2.5
    assert latency.latency_percentile_s(requests, 90) == pytest.approx(3.7)  # position 0.9 x 3 = 2.7
    assert latency.latency_percentile_s(requests, 100) == 4.0
    assert latency.mean_first_token_s(requests) == 1.25
    assert latency.first_token_percentile_s(requests, 0) == 0.5


def test_a_refused_query_waits_for_ever_in_percentiles_over_all_arrivals() -> None:
    requests = record(*FOUR, refused(4, 4.0, "rejected"))
    assert latency.latency_percentile_s(requests, 50) == 2.5  # of those served, it changes nothing
    assert latency.latency_percentile_s(requests, 50, all_arrivals=True) == 3.0  # position 2 of 1 2 3 4 inf
    assert latency.latency_percentile_s(requests, 75, all_arrivals=True) == 4.0  # position 3: the last that is finite
    assert latency.latency_percentile_s(requests, 76, all_arrivals=True) == math.inf


def test_percentiles_with_refused_queries_are_those_of_a_sample_with_very_late_ones() -> None:
    values = np.random.default_rng(1).exponential(size=101)
    late = np.append(values, np.full(20, 1e6))
    for percent in (0, 12.5, 50, 80, 82):
        assert latency.percentile(values, percent, 20) == pytest.approx(np.percentile(late, percent), rel=1e-12)


def test_a_percentile_beyond_100_is_refused() -> None:
    with pytest.raises(ValueError, match="percent is 101; it must be from 0 to 100"):
        latency.percentile(np.ones(3), 101)


def test_time_per_output_token_is_between_tokens_so_one_token_has_none() -> None:
    requests = record(
        served(0, 0, 0, 1, 3, tokens=11), served(1, 0, 0, 1, 1, tokens=1), served(2, 0, 0, 1, 2, tokens=3)
    )
    np.testing.assert_allclose(latency.per_token_s(requests), [0.2, np.nan, 0.5])
    assert latency.mean_per_token_s(requests) == pytest.approx(0.35)
    assert latency.per_token_percentile_s(requests, 50) == pytest.approx(0.35)


def test_waiting_begins_with_the_decision() -> None:
    requests = record(served(0, 0, 5, 6, 7, decided=3))
    assert latency.mean_wait_s(requests) == 2.0
    assert latency.wait_percentile_s(requests, 99) == 2.0
    assert latency.mean_latency_s(requests) == 7.0


def test_where_nobody_was_served_there_is_no_latency() -> None:
    requests = record(refused(0, 0.0, "declined"))
    assert math.isnan(latency.mean_latency_s(requests))
    assert math.isnan(latency.latency_percentile_s(requests, 50))
    assert latency.latency_percentile_s(requests, 50, all_arrivals=True) == math.inf


def test_every_fate_is_counted() -> None:
    requests = record(*FOUR, refused(4, 4, "abandoned", ended=9), refused(5, 5, "too_long"))
    found = counts(requests)
    assert sum(found.values()) == 2 * found["arrived"] == 12  # arrivals and fates
    assert {fate for fate, number in found.items() if number} == {"arrived", "served", "abandoned", "too_long"}


def test_slo_attainment_is_a_share_of_all_arrivals() -> None:
    requests = record(*FOUR, refused(4, 4, "exhausted"))
    within = Slo(end_to_end_s=2.0)  # a limit may be met exactly: queries 0 and 1
    assert slo.slo_attainment(requests, within) == pytest.approx(2 / 5)
    assert slo.slo_attainment_of_served(requests, within) == pytest.approx(2 / 4)


def test_every_limit_of_an_slo_must_be_met_at_once() -> None:
    requests = record(
        served(0, 0, 0, 1, 2, tokens=11),  # 1 s, 0.1 s per token
        served(1, 0, 0, 3, 4, tokens=11),  # 3 s, 0.1 s per token
        served(2, 0, 0, 1, 4, tokens=11),  # 1 s, 0.3 s per token
        served(3, 0, 0, 1, 1, tokens=1),  # 1 s, one token
    )
    assert Slo(2.0, 0.2).met(requests).tolist() == [True, False, False, True]
    assert Slo(2.0).met(requests).tolist() == [True, False, True, True]
    assert Slo().met(requests).all()


def test_goodput_is_per_second_from_the_first_arrival_to_the_last_end() -> None:
    requests = record(
        served(0, 10, 10, 11, 12, quality=0.5), served(1, 11, 11, 12, 18), refused(2, 12, "abandoned", ended=20)
    )
    within = Slo(end_to_end_s=2.0)
    assert slo.goodput_per_s(requests, within) == pytest.approx(1 / 10)
    assert slo.goodput_quality_per_s(requests, within) == pytest.approx(0.5 / 10)


def test_without_a_clock_there_is_no_goodput() -> None:
    assert math.isnan(slo.goodput_per_s(record(served(0, 0, 0, 0, 0)), Slo()))


def test_a_limit_that_nobody_can_meet_is_refused() -> None:
    with pytest.raises(
        ValueError, match="end_to_end_s of the service-level objective is 0; it must be above 0, or null"
    ):
        Slo(end_to_end_s=0)


def test_cost_per_thousand_of_arrivals_and_of_served() -> None:
    requests = record(served(0, 0, 0, 0, 1, cost_usd=0.02), *(refused(k, k, "exhausted") for k in (1, 2, 3)))
    assert load.cost_per_1000_arrivals_usd(requests) == pytest.approx(5.0)
    assert load.cost_per_1000_served_usd(requests) == pytest.approx(20.0)


def test_rent_is_replicas_times_price_times_hours() -> None:
    requests = record(served(0, 0, 0, 0, 1), served(1, 1, 1, 1, 1800))
    rented = fleet(replicas=[3, 1], price_per_hour_usd=[4.0, math.nan])  # b is paid by the token
    assert load.rent_per_hour_usd(requests, rented) == 12.0
    assert load.rent_usd(requests, rented) == pytest.approx(6.0)
    assert load.rent_per_1000_arrivals_usd(requests, rented) == pytest.approx(3000.0)
    assert load.rent_usd(requests, fleet()) == 0  # without an hourly price there is no rent
    open_for = rented.assign(replica_seconds=[900.0, 5.0])
    assert load.rent_usd(requests, open_for) == pytest.approx(1.0)  # a quarter of an hour of one replica


def test_energy_is_output_tokens_times_joules_of_the_deployment_that_served() -> None:
    requests = record(
        served(0, 0, 0, 0, 1, tokens=10), served(1, 0, 0, 0, 1, tokens=4, deployment="b"), refused(2, 0, "declined")
    )
    measured = fleet(energy_j_per_token=[0.5, 2.0])
    assert load.energy_j(requests, measured) == pytest.approx(13.0)
    assert load.energy_per_arrival_j(requests, measured) == pytest.approx(13 / 3)
    assert load.energy_per_served_j(requests, measured) == pytest.approx(6.5)


def test_energy_is_unknown_where_a_deployment_that_served_does_not_say() -> None:
    half = fleet(energy_j_per_token=[0.5, math.nan])
    assert load.energy_j(record(served(0, 0, 0, 0, 1, tokens=10)), half) == pytest.approx(5.0)
    assert math.isnan(load.energy_j(record(served(0, 0, 0, 0, 1, deployment="b")), half))


def test_a_share_of_the_optimum_is_never_above_1_by_rounding_and_a_real_excess_is_an_error() -> None:
    assert share_of_optimum(3 * 0.1, 0.3) == 1.0  # 0.30000000000000004 / 0.3
    assert share_of_optimum(0.2, 0.4) == 0.5
    assert math.isnan(share_of_optimum(0.0, 0.0))
    assert math.isnan(share_of_optimum(1.0, math.nan))  # where there is no bound
    for optimum in (0.2999, 0.0):
        with pytest.raises(RuntimeError, match=r"quality 0\.3 is above the hindsight optimum of"):
            share_of_optimum(0.3, optimum)


def test_a_metric_gets_the_fleet_if_it_asks() -> None:
    requests = record(*FOUR)
    assert evaluate(lambda requests: float(len(requests)), requests, fleet()) == 4.0
    assert evaluate(lambda requests, fleet: float(len(fleet)), requests, fleet()) == 2.0


def test_a_record_without_the_time_of_the_end_still_has_a_makespan() -> None:
    requests = record(served(0, 1, 1, 2, 3), refused(1, 6, "rejected")).drop(columns=["ended_at_s", "attempts"])
    assert makespan_s(requests) == 5.0


def test_warm_up_given_in_seconds_or_as_a_share_is_cut_by_arrival() -> None:
    requests = record(*FOUR, refused(4, 4, "rejected"))
    assert warm_up.discard_warm_up(requests, None)["id"].tolist() == [0, 1, 2, 3, 4]
    assert warm_up.discard_warm_up(requests, 2.0)["id"].tolist() == [2, 3, 4]
    assert warm_up.discard_warm_up(requests, "50%")["id"].tolist() == [2, 3, 4]  # the first 2.5 of 5, rounded down


def test_mser5_cuts_the_climb_and_keeps_the_plateau() -> None:
    climb = [*np.linspace(0.1, 5, 50), *np.tile([4.9, 5.1], 225)]
    rows = [served(k, k, k, k, k + took) for k, took in enumerate(climb)]
    kept = warm_up.discard_warm_up(record(*rows), "mser5")
    assert 40 <= kept["id"].iloc[0] <= 55
    assert kept["id"].iloc[-1] == 499


def test_mser5_leaves_a_record_of_few_served_queries_whole() -> None:
    requests = record(*FOUR, refused(4, 4, "rejected"))
    assert warm_up.discard_warm_up(requests, "mser5").equals(requests)


@pytest.mark.parametrize("wrong", ["mser", "100%", "-1%", -1, math.inf, True, "ten%"])
def test_a_warm_up_that_cannot_be_read_is_refused(wrong: float | str) -> None:
    with pytest.raises(ValueError, match="it must be null, seconds from 0 on, a share below 100%"):
        warm_up.discard_warm_up(record(*FOUR), wrong)


SMALL = ["workload.n_queries=200", "workload.n_history=80", "workload.n_models=3", "workload.dim=8", "policy=random"]


def test_every_group_of_metrics_runs_and_its_keys_are_columns(tmp_path: Path) -> None:
    assert sorted(METRICS) == sorted(path.stem for path in GROUP.glob("*.yaml"))
    kinds = ["classes={chat: {share: 1, due_s: 5}}", "tenants={acme: 1}"]
    assert main(["run", f"metric=[{','.join(METRICS)}]", "fleet=slots", *SMALL, *kinds, f"out={tmp_path / 'o'}"]) == 0
    [summary] = pd.read_csv(tmp_path / "o" / "summary.csv").to_dict("records")
    for group in METRICS:
        keys = map(str, OmegaConf.load(GROUP / f"{group}.yaml"))
        columns = {f"{key.removesuffix('_by_class')}[chat]" if key.endswith("_by_class") else key for key in keys}
        assert columns <= set(summary)
    assert summary["p50_latency_s"] <= summary["p95_latency_s"] <= summary["p99_latency_s"]
    assert summary["p50_latency_s"] <= summary["p50_latency_of_arrivals_s"]
    assert summary["mean_per_token_s"] > 0.02  # the fleet's 0.02 s for each token, over one token fewer
    assert 0 < summary["slo_attainment"] <= summary["slo_attainment_of_served"] <= 1
    assert summary["rent_usd"] == 0
    assert math.isnan(summary["energy_j"])
    assert {"latency.png", "utilisation.png"} <= {path.name for path in (tmp_path / "o" / "figures").iterdir()}


def test_one_limit_on_the_command_line_moves_every_figure_of_the_objective(tmp_path: Path) -> None:
    limit = "metric.slo_attainment.slo.time_to_first_token_s=0.001"  # a first token takes half a second
    assert main(["run", "metric=slo", limit, "fleet=slots", *SMALL, f"out={tmp_path / 'o'}"]) == 0
    [summary] = pd.read_csv(tmp_path / "o" / "summary.csv").to_dict("records")
    assert summary["slo_attainment"] == summary["goodput_per_s"] == summary["goodput_quality_per_s"] == 0


def test_warm_up_changes_metrics_and_not_counts(tmp_path: Path) -> None:
    for name, words in (("whole", []), ("cut", ["warm_up=5"])):
        assert main(["run", "fleet=slots", *SMALL, *words, f"out={tmp_path / name}"]) == 0
    whole, cut = (pd.read_csv(tmp_path / name / "summary.csv").iloc[0] for name in ("whole", "cut"))
    assert (whole["arrived"], whole["quality"]) == (cut["arrived"], cut["quality"]) == (200, whole["quality"])
    requests = pd.read_parquet(tmp_path / "cut" / "requests.parquet")
    late = requests[requests["arrived_at_s"] >= 5]
    assert cut["mean_latency_s"] == pytest.approx((late["finished_at_s"] - late["arrived_at_s"]).mean())
    assert cut["mean_latency_s"] != whole["mean_latency_s"]


def test_the_share_sent_to_new_models_counts_deployments_that_not_all_of_the_history_knows() -> None:
    four = record(*FOUR)
    assert shares.to_new_models_share(four, fleet(history_share=[0.5, 1.0])) == (four["deployment"] == "a").mean()
    assert shares.to_new_models_share(four, fleet(history_share=[1.0, 1.0])) == 0


def test_a_shortfall_is_of_the_served_and_a_missed_batch_is_a_mean_below_the_floor() -> None:
    scores = (1.0, 0.0, 1.0, 1.0)
    five = record(
        *(served(k, k, k, k, k + 1.0, quality=score) for k, score in enumerate(scores)), refused(4, 4.0, "rejected")
    )
    assert floors.floor_shortfall(five, 0.8) == pytest.approx(0.05)  # 0.75 of those served
    assert floors.floor_missed_share(five, 0.8, 2) == 0.5  # 0.5 and 1; the fifth fills no batch
    assert floors.floor_missed_share(five, 0.5, 2) == 0
    assert math.isnan(floors.floor_missed_share(five, 0.8, 6))


# Three deployments on four queries: quality 0.5, 0.75 and 0.5 for 1, 4 and 2 dollars; the oracle has 1.
ALONE = Alone(
    np.array([[1, 1, 0], [1, 1, 0], [0, 1, 1], [0, 0, 1]], dtype=np.float64), np.tile([1.0, 4.0, 2.0], (4, 1))
)


def routed(scores: tuple[float, ...], cost_usd: float) -> pd.DataFrame:
    """Four served queries with these scores."""
    return record(*(served(k, k, k, k, k + 1.0, quality=score, cost_usd=cost_usd) for k, score in enumerate(scores)))


def test_gains_and_the_gap_are_shares_of_chance_of_the_best_single_deployment_and_of_the_oracle() -> None:
    run = routed((1, 1, 1, 0), 2.0)
    assert benchmark.gain_at_random(run, ALONE) == pytest.approx(0.75 / (1.75 / 3) - 1)
    assert benchmark.gain_at_best_single(run, ALONE) == 0
    assert benchmark.gain_at_best_single(routed((1, 1, 1, 1), 2.0), ALONE) == pytest.approx(1 / 3)
    assert benchmark.gap_at_oracle(run, ALONE) == 0.25


def test_cost_is_saved_only_at_the_best_single_deployments_quality() -> None:
    assert benchmark.cost_saved(routed((1, 1, 1, 0), 3.0), ALONE) == 0.25
    assert math.isnan(benchmark.cost_saved(routed((1, 1, 0, 0), 3.0), ALONE))


def test_a_run_that_no_deployment_dominates_is_on_the_front_and_another_is_as_far_as_from_the_nearest() -> None:
    assert benchmark.pareto_distance(routed((1, 1, 1, 0), 3.0), ALONE) == 0
    assert benchmark.pareto_distance(routed((1, 0, 0, 0), 0.5), ALONE) == 0
    # Quality 0.5 for 2 dollars: a range of 0.25 and one of 3; a third from the first deployment, more from the second.
    assert benchmark.pareto_distance(routed((1, 1, 0, 0), 2.0), ALONE) == pytest.approx(1 / 3)


@pytest.mark.parametrize("name", ["gain_at_random", "gap_at_oracle", "cost_saved", "pareto_distance"])
def test_where_no_query_arrived_or_nobody_knows_what_deployments_are_worth_alone_there_is_no_figure(name: str) -> None:
    run, metric = routed((1, 1, 1, 0), 2.0), getattr(benchmark, name)
    assert math.isnan(evaluate(metric, run.head(0), run, alone=lambda: ALONE))
    assert math.isnan(evaluate(metric, run, run, alone=lambda: None))
    assert math.isfinite(evaluate(metric, run.assign(quality=1.0), run, alone=lambda: ALONE))


def test_what_a_deployment_is_worth_alone_is_of_the_arrivals_in_the_window() -> None:
    late = routed((1, 1, 1, 0), 1.0).iloc[2:]  # on these two the third deployment is right both times
    assert evaluate(benchmark.gain_at_best_single, late, fleet(), alone=lambda: ALONE) == -0.5
