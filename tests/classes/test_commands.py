"""Classes, tenants and preemption from the command line, with the verbs that know them."""

from pathlib import Path

import pandas as pd
import pytest

from sim.cli.main import main

SMALL = ["workload.n_queries=60", "workload.n_history=60", "workload.n_models=2", "workload.dim=4", "budget=unlimited"]
BOTH = "classes={interactive: {share: 0.5, priority: 0, due_s: 2}, batch: {share: 0.5, priority: 1, price: 0.5}}"
URGENT = "fleet.discipline={_target_: sim.world.stations.queue.highest_priority, _partial_: true}"
BUSY = ["fleet=slots", "fleet.service.slots=1", "arrivals.rate_per_s=2", URGENT, "fleet.preemptive=true"]
PLAN = ["min_replications=2", "max_replications=2", "search.low=1", "search.high=4", "policy=round_robin"]


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main([*words, "out=null"]) == 1
    return capsys.readouterr().err.strip().splitlines()[-1]


def test_a_column_for_each_class_and_the_urgent_one_is_served_first(tmp_path: Path) -> None:
    words = ["run", BOTH, "tenants={a: 0.5, b: 0.5}", *SMALL, *BUSY, "policy=round_robin", "metric=[classes,fairness]"]
    assert main([*words, f"out={tmp_path / 'out'}", "--no-report"]) == 0
    summary = pd.read_csv(tmp_path / "out" / "summary.csv").iloc[0]
    requests = pd.read_parquet(tmp_path / "out" / "requests.parquet")
    urgent = requests[requests["class"] == "interactive"]
    latency_s = urgent["finished_at_s"] - urgent["arrived_at_s"]
    assert summary["mean_latency_s[interactive]"] == pytest.approx(latency_s.mean())
    assert summary["deadline_met_share[interactive]"] == pytest.approx((latency_s <= 2).mean())
    assert summary["mean_latency_s[batch]"] > summary["mean_latency_s[interactive]"]
    assert requests["preempted_s"].max() > 0
    assert 0.5 <= summary["jain_latency"] <= 1


def test_a_target_may_be_of_a_class(tmp_path: Path) -> None:
    words = ["plan", BOTH, *SMALL, *BUSY, *PLAN, "targets=[p95_ttft_s[interactive]<=5, served_share[batch]>=0.9]"]
    assert main([*words, f"out={tmp_path / 'out'}", "--no-report"]) == 0
    tried = pd.read_csv(tmp_path / "out" / "candidates.csv")
    assert {"p95_ttft_s[interactive]<=5 mean", "served_share[batch]>=0.9 mean"} <= set(tried)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("p95_ttft_s[interactve]<=1", "unknown class 'interactve'; did you mean 'interactive'?"),
        ("p95_tft_s[interactive]<=1", "unknown metric 'p95_tft_s'; did you mean 'p95_ttft_s'"),
        ("served_share[batch]>=2", "the target served_share[batch]>=2 can never be met"),
        ("rent_usd[batch]<=2", "rent_usd is of all queries"),
        ("rent_per_hour_usd[batch]<=2", "rent_per_hour_usd is of the whole fleet, so no class has one"),
        ("p95_ttft_s[batch<=1", "cannot read the target 'p95_ttft_s[batch<=1'"),
    ],
)
def test_a_target_of_a_class_that_cannot_be_is_named(
    target: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert words in said(capsys, "plan", BOTH, *SMALL, *BUSY, *PLAN, f"targets=['{target}']")


def test_a_target_of_a_class_needs_classes(capsys: pytest.CaptureFixture[str]) -> None:
    line = said(capsys, "plan", *SMALL, *BUSY, *PLAN, "targets=['p95_ttft_s[batch]<=1']")
    assert "class 'batch' is asked for, and the queries have no classes: give classes={NAME: ...}" in line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["classes=3"], "classes is 3; it must be a mapping"),
        (["fleet=batching", URGENT, "fleet.preemptive=true"], "Batching cannot stop a query and go on with it later"),
        (["fleet=slots", "fleet.preemptive=true"], "it needs a discipline that says which query goes first"),
    ],
)
def test_what_cannot_be_is_one_line(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert message in said(capsys, "run", *SMALL, *words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["classes={a: {share: 0.5}, b: {priority: 1}}"], "classes.b.share has no value"),
        (["tenants={a: 0.5}"], "the shares of tenants sum to 0.5"),
        (["fleet=roofline", "fleet.gpu=h900"], "unknown GPU 'h900'; did you mean 'h200'"),
    ],
)
def test_what_there_is_not_ends_with_the_exit_code_of_what_is_not_understood(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *SMALL, *words, "out=null"]) == 2
    assert message in capsys.readouterr().err


def test_keys_of_a_class_may_be_given_one_by_one_and_swept(tmp_path: Path) -> None:
    one_by_one = ["classes.chat.share=0.25", "classes.rest.share=0.75", "classes.rest.priority=2"]
    assert main(["run", *SMALL, *one_by_one, "metric=classes", f"out={tmp_path / 'run'}", "--no-report"]) == 0
    assert "mean_latency_s[chat]" in pd.read_csv(tmp_path / "run" / "summary.csv")
    swept = ["sweep", BOTH, *SMALL, "fleet=slots", "classes.batch.price=0.5,1", "policy=random", "metric=classes"]
    assert main([*swept, "replications=2", "store=null", f"out={tmp_path / 'sweep'}", "--no-report"]) == 0
    cells = pd.read_parquet(tmp_path / "sweep" / "sweep.parquet")
    cost = cells.groupby("classes.batch.price")["cost_per_1000_arrivals_usd[batch]"].mean()
    assert cost[1.0] == pytest.approx(2 * cost[0.5])


def test_notes_say_what_has_no_figure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", *SMALL, "metric=[classes,fairness]", "out=null"]) == 0
    told = capsys.readouterr().err
    assert "metric=classes adds no column for a class, as the queries have none" in told
    assert "metric=fairness has no figures, as the queries have no tenants" in told


def test_the_report_has_a_row_for_each_figure_of_a_class(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", BOTH, *SMALL, *BUSY, "metric=classes", f"out={tmp_path / 'out'}"]) == 0
    assert "p95_latency_s[interactive]" in capsys.readouterr().out
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Queries of each class, 1 replication" in page
    assert "classes batch and interactive" in page


def test_a_frontier_has_the_figures_of_each_class(tmp_path: Path) -> None:
    assert main(["frontier", BOTH, *SMALL, "policy=[random]", "metric=classes", f"out={tmp_path / 'out'}"]) == 0
    assert "served_share[interactive]" in pd.read_csv(tmp_path / "out" / "points.csv")
