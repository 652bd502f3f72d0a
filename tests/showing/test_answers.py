"""Titles and first sentences answer what was asked: latency or quality; and say what stands behind percentiles."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from sim.cli.main import main
from sim.show.answers.fates import of_policies, of_studies
from sim.show.answers.latency import answered, by_draw
from sim.show.answers.subject import asked, latency_column, of_made_up
from sim.show.drawings.diff import told_apart
from sim.show.drawings.sweep import lines
from sim.show.sweeps.measures import drawn, with_served
from sim.show.tables.runs import comparison
from sim.study.diff.ranking import ranking
from sim.study.metrics import FATES


def summary(**of: tuple[float, ...]) -> pd.DataFrame:
    """Two replications of each policy of 10 arrivals: p95 of latency and quality in each, and how many are served."""
    rows = []
    for policy, (first_s, second_s, first, second, n_served) in of.items():
        for replication, (p95_s, quality) in enumerate(((first_s, first), (second_s, second))):
            fates = dict.fromkeys(FATES, 0) | {"served": n_served, "failed": 10 - n_served}
            money = {"cost_usd": 2.0, "total_cost_usd": 2.0}
            row: dict[str, Any] = {"policy": policy, "seed": 0, "replication": replication, "arrived": 10, **fates}
            times = {"p50_latency_s": p95_s / 2, "p95_latency_s": p95_s, "p99_latency_s": 2 * p95_s}
            rows.append(row | money | {"quality": quality, "relative_quality": 1.0} | times)
    return pd.DataFrame(rows)


PLAIN: dict[str, Any] = {"command": ["compare", "policy=[a,b]"], "workload": {"_target_": "x.synthetic"}}
DIFFERENT = summary(a=(1.0, 1.1, 5.0, 6.0, 10), b=(2.0, 2.1, 7.0, 8.0, 10))


@pytest.mark.parametrize(
    ("config", "table", "column"),
    [
        (PLAIN, DIFFERENT, None),  # quality differs, and nobody asked for latency alone
        (PLAIN | {"command": ["compare", "metric=[latency,slo]"]}, DIFFERENT, "p95_latency_s"),
        (PLAIN | {"command": ["compare", "metric=[latency,cost]"]}, DIFFERENT, None),
        (PLAIN | {"suggest": "latency"}, DIFFERENT, "p95_latency_s"),
        (PLAIN | {"workload": {"_target_": "scenarios.workloads.trace.trace"}}, DIFFERENT, "p95_latency_s"),
        (PLAIN, DIFFERENT.assign(quality=5.0), "p95_latency_s"),  # the same for all policies
        (PLAIN, DIFFERENT.assign(quality=5.0, p95_latency_s=0.0), None),  # no query takes time
        (
            PLAIN | {"command": ["run", "metric=first_token"]},
            DIFFERENT.assign(p95_first_token_s=0.1),
            "p95_first_token_s",
        ),
    ],
)
def test_a_study_asks_about_latency_if_that_is_all_it_asks_or_all_that_differs(
    config: dict[str, Any], table: pd.DataFrame, column: str | None
) -> None:
    assert latency_column(config, table) == column


def test_a_trace_that_takes_no_time_is_said_to_say_nothing_of_latency() -> None:
    trace = {"workload": {"_target_": "scenarios.workloads.trace.trace"}}
    said = of_made_up(trace, DIFFERENT.assign(p95_latency_s=0.0))
    assert said is not None
    assert said.startswith("Queries take no time here, and the scores and costs of a trace are made up")
    assert of_made_up(trace, DIFFERENT) is None
    assert of_made_up(PLAIN, DIFFERENT.assign(p95_latency_s=0.0)) is None


def test_questions_name_what_is_asked() -> None:
    assert asked(["a"], None) == "What quality does a get"
    assert asked(["a", "b"], "p95_latency_s") == "Which of 2 policies gives the answers soonest"
    assert asked(["a"], "p95_first_token_s") == "How soon does a give the first tokens"


def test_the_answer_to_a_question_of_latency_is_the_fastest_policy_and_how_sure_that_is() -> None:
    assert answered(summary(a=(1.0, 1.0, 5.0, 5.0, 10)), "p95_latency_s", None) == (
        "With a, 95% of the served queries have their whole answer within 1 s (the same in all 2 replications: nothing "
        "was redrawn), 99% within 2 s. It serves 100% of the queries and costs 2 USD."
    )
    values = by_draw(DIFFERENT, "p95_latency_s")
    assert values is not None
    ranks = ranking(values, -1, np.random.default_rng(0))
    said = answered(DIFFERENT, "p95_latency_s", ranks)
    assert said.startswith("a is the fastest: 95% of the served queries have their whole answer within 1.05 +- 0.64 s")
    assert said.endswith("The next, b, takes longer by 1 s (paired).")
    one = DIFFERENT[DIFFERENT["replication"] == 0]
    said = answered(one, "p95_latency_s", None)
    assert said.endswith("The next, b, takes 1 s longer. One replication cannot tell whether that is chance.")
    none = DIFFERENT.assign(p95_latency_s=math.nan)
    assert answered(none, "p95_latency_s", None) == "No query is served, so that there is no latency."


def test_the_table_of_a_question_of_latency_begins_with_latencies_and_ends_with_quality() -> None:
    of_latency = [str(column.header) for column in comparison(DIFFERENT, is_of_latency=True).columns]
    assert of_latency == [
        *("policy", "p50_latency_s", "p95_latency_s", "p99_latency_s", "served", "total_cost_usd", "quality")
    ]
    of_quality = [str(column.header) for column in comparison(DIFFERENT).columns]
    assert of_quality[:2] == ["policy", "quality"]
    assert of_quality[-2:] == ["p95_latency_s", "p99_latency_s"]


def test_where_queries_are_lost_a_sentence_says_how_many_and_what_percentiles_are_over() -> None:
    assert of_policies(DIFFERENT) is None  # all are served
    alone = of_policies(summary(a=(1.0, 1.0, 5.0, 5.0, 7)), ["down: x, 2 to 5 s"])
    assert alone is not None
    assert alone.startswith(
        "3 of 10 queries are not answered: 3 failed (in this run: down: x, 2 to 5 s). Percentiles are over served "
    )
    both = of_policies(summary(a=(1.0, 1.0, 5.0, 5.0, 10), b=(0.5, 0.5, 5.0, 5.0, 8)))
    assert both is not None
    assert both.startswith("Policies differ in what they serve: b serves 2 fewer of 10 queries than a (2 failed).")
    assert of_policies(summary(a=(0.0, 0.0, 5.0, 5.0, 7))) is None  # no query takes time


def differences(**means: tuple[float, float]) -> pd.DataFrame:
    """Differences of one policy's metrics: the mean in each study."""
    rows = [{"metric": metric, "mean_a": a, "mean_b": b} for metric, (a, b) in means.items()]
    table = pd.DataFrame(rows).assign(policy_a="p", policy_b="p", half_width=math.nan)
    return table.assign(difference=table["mean_a"] - table["mean_b"])


def test_diff_says_why_an_outage_lowered_a_percentile() -> None:
    fewer = differences(served=(100, 80), failed=(0, 20), p99_latency_s=(9.0, 4.0), mean_wait_s=(2.0, 1.0))
    [said] = of_studies(fewer, "calm", "outage")
    assert said == (
        "p: outage serves 20 fewer queries than calm (20 failed more); p99 of latency is 4 s there and 9 s in calm, "
        "and what it serves waits 1 s on average and not 2 s. Percentiles are over the served: a query that is lost or "
        "refused waits no longer, and nobody waits behind it, so that the lower one does not say that the service is "
        "faster"
    )
    assert of_studies(differences(served=(100, 100), p99_latency_s=(9.0, 4.0)), "calm", "outage") == []
    assert of_studies(differences(served=(100, 80), p99_latency_s=(0.0, 0.0)), "calm", "outage") == []


def test_a_panel_of_what_does_not_differ_is_left_out_of_diff() -> None:
    assert told_apart(differences(served=(100, 80), total_cost_usd=(1.0, 1.0001))) == ["served"]
    assert told_apart(differences(total_cost_usd=(1.0, 1.0))) == ["total_cost_usd"]  # one at least


def swept() -> pd.DataFrame:
    """A sweep of one axis, in which the served are all or nearly all of 4,000."""
    return pd.DataFrame(
        [
            {"n": n, "policy": "p", "replication": r, "arrived": 4000, "served": 4000 - 400 * r, "quality": 10.0 * r}
            | {"quality_per_query": 0.1, "quality_per_usd": 0.0, "p95_latency_s": 1.0 + r, "p99_latency_s": 2.0}
            for n in (1, 2)
            for r in range(2)
        ]
    )


def test_bands_of_a_sweep_end_at_what_can_be() -> None:
    table = with_served(swept())
    labels = drawn(table, None)
    assert list(labels) == ["quality", "p95_latency_s", "served_percent"]  # nothing per USD: it would be 0 everywhere
    figure = lines(table, "n", [], labels)
    bands = [panel.collections[0].get_paths()[0].get_extents() for panel in figure.axes]
    assert [band.ymin for band in bands[:2]] == [0.0, 0.0]
    assert bands[-1].ymax == 100.0  # per cent; its mean is 95, and its half-width 63
    plt.close(figure)


def test_a_sweep_that_asks_about_latency_shows_latency_and_no_quality() -> None:
    assert list(drawn(with_served(swept()), "p95_latency_s")) == ["p95_latency_s", "p99_latency_s", "served_percent"]


SMALL = ["workload.n_queries=60", "workload.n_history=30", "workload.n_models=2", "workload.dim=4", "fleet=slots"]


@pytest.mark.lengthy
def test_run_and_sweep_answer_a_question_of_latency_with_latency(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = [*SMALL, "policy=[random,least_loaded]", "metric=latency", "budget=unlimited"]
    assert main(["run", *words, f"out={tmp_path / 'o'}"]) == 0
    printed = capfd.readouterr().out
    assert "p99_latency_s" in printed
    assert "relative_quality" not in printed
    page = (tmp_path / "o" / "report.html").read_text()
    assert "Which of 2 policies gives the answers soonest of 60 queries in 1 replication?" in page
    assert not (tmp_path / "o" / "figures" / "quality.png").exists()
    sweep = ["sweep", *words, "fleet.service.slots=1,8", "replications=1", "store=null", f"out={tmp_path / 's'}"]
    assert main(sweep) == 0
    printed = capfd.readouterr().out
    assert "the fastest first" in printed
    page = (tmp_path / "s" / "report.html").read_text()
    assert "Which of 2 policies gives the answers soonest at 2 combinations of fleet.service.slots?" in page
    assert "is the fastest at both points" in page or "is the fastest at 1 of 2 points" in page


@pytest.mark.parametrize("figure", ["prefix_hit_rate", "mean_replicas", "spot_interruptions", "jain_latency"])
def test_a_metric_that_was_asked_for_is_on_the_console(figure: str) -> None:
    assert figure not in [str(column.header) for column in comparison(DIFFERENT).columns]
    [column] = [one for one in comparison(DIFFERENT.assign(**{figure: 0.5})).columns if one.header == figure]
    assert len(list(column.cells)) == 2
