"""The command line from Python: the same words, the same numbers."""

import json
from pathlib import Path

import pandas as pd
import pytest

from policies.balancing.round_robin import RoundRobin
from sim.cli.api import compare, diff, explain, plan, policies, ratio, run, scenario, sweep
from sim.cli.main import main
from sim.study import experiment

SMALL = ["workload.n_queries=120", "workload.n_history=80", "workload.n_models=3", "workload.dim=8"]
TWO = [*SMALL, "policy=[random,port_fallback]", "replications=2"]


def test_compare_gives_the_summary_that_the_command_writes(tmp_path: Path) -> None:
    summary = compare(*TWO)
    assert main(["compare", *TWO, f"out={tmp_path / 'o'}", "--no-report"]) == 0
    written = pd.read_csv(tmp_path / "o" / "summary.csv")
    pd.testing.assert_frame_equal(summary.drop(columns="wall_s"), written.drop(columns="wall_s"))


def test_run_gives_the_record_that_the_command_writes(tmp_path: Path) -> None:
    requests = run(*SMALL, "fleet=slots")
    assert main(["run", *SMALL, "fleet=slots", f"out={tmp_path / 'o'}", "--no-report"]) == 0
    written = pd.read_parquet(tmp_path / "o" / "requests.parquet")
    assert requests["policy"].tolist() == written["policy"].tolist() == ["port"] * 120
    columns = ["id", "arrived_at_s", "finished_at_s", "quality", "cost_usd"]
    pd.testing.assert_frame_equal(requests[columns], written[columns])


@pytest.mark.lengthy
def test_ratio_and_explain_give_the_tables_that_the_commands_write(tmp_path: Path) -> None:
    words = [*SMALL, "policy=[random,port_fallback]"]
    sized = ["sizes=[60,null]", "order=[random,given]", "min_replications=2", "max_replications=2"]
    rows = ratio(*words, *sized)
    assert main(["ratio", *words, *sized, f"out={tmp_path / 'r'}", "--no-report"]) == 0
    pd.testing.assert_frame_equal(rows, pd.read_parquet(tmp_path / "r" / "ratio.parquet"))

    tables = explain(*words, "replications=2", "moments=3")
    assert main(["explain", *words, "replications=2", "moments=3", f"out={tmp_path / 'e'}", "--no-report"]) == 0
    for table, name in zip(tables, ("decomposition", "prices"), strict=True):
        pd.testing.assert_frame_equal(table, pd.read_csv(tmp_path / "e" / f"{name}.csv"), check_dtype=False)


def test_sweep_gives_the_table_that_the_command_writes_and_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [*TWO, "n_queries=60,120"]
    table = sweep(*words)
    assert list(tmp_path.iterdir()) == []
    assert main(["sweep", *words, "store=null", "out=s"]) == 0
    written = pd.read_parquet("s/sweep.parquet")
    pd.testing.assert_frame_equal(table.drop(columns="wall_s"), written.drop(columns="wall_s"))


def test_a_point_of_a_sweep_that_fails_is_an_error() -> None:
    with pytest.raises(RuntimeError, match=r"n_queries=500: n_queries is 500, and the workload has 120"):
        sweep(*TWO, "n_queries=60,500")


PLAN = [*SMALL, "fleet=slots", "search=replicas", "arrivals.rate_per_s=2", "targets=[served_share>=0.5]"]


@pytest.mark.lengthy
def test_plan_gives_the_answer_that_the_command_writes(tmp_path: Path) -> None:
    words = [*PLAN, "policy=round_robin", "budget=unlimited", "min_replications=2", "max_replications=2"]
    found = plan(*words)
    assert main(["plan", *words, f"out={tmp_path / 'p'}", "--no-report"]) == 0
    assert found.as_dict() == json.loads((tmp_path / "p" / "plan.json").read_text())
    assert plan(*words[:-1], "max_replications=2", policy=RoundRobin()).sentence == found.sentence
    with pytest.raises(ValueError, match="policy names random, port; a plan is for one policy"):
        plan(*PLAN, "policy=[random,port]")


@pytest.mark.lengthy
def test_diff_gives_the_tables_that_the_command_writes(tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder, total in zip(folders, (0.5, 1.0), strict=True):
        assert main(["compare", *TWO, "oracle.names=[]", f"budget.total={total}", f"out={folder}", "--no-report"]) == 0
    tables = diff(*folders, "margin=0.01")
    assert main(["diff", *map(str, folders), "margin=0.01", f"out={tmp_path / 'd'}", "--no-report"]) == 0
    assert {path.name for path in (tmp_path / "d").glob("*.csv")} == {f"{name}.csv" for name in tables}
    for name, table in tables.items():
        written = pd.read_csv(tmp_path / "d" / f"{name}.csv", dtype=dict(table.dtypes))
        pd.testing.assert_frame_equal(table, written)
    with pytest.raises(ValueError, match="unknown metric 'qualty'; did you mean 'quality'"):
        diff(*folders, "metrics=[qualty]")


def test_a_scenario_and_policies_made_of_words_go_into_a_study_by_hand() -> None:
    by_hand = experiment.compare(scenario(*SMALL), policies("random", "port_fallback"), replications=2)
    words = compare(*TWO, "oracle.names=[]")
    assert by_hand["quality"].tolist() == words["quality"].tolist()


def test_policies_of_ones_own_stand_beside_those_of_the_words() -> None:
    summary = compare(*SMALL, "policy=round_robin", "oracle.names=[]", others={"mine": RoundRobin()})
    assert summary["policy"].tolist() == ["round_robin", "mine"] * 5
    assert summary["quality"].tolist()[::2] == summary["quality"].tolist()[1::2]


def test_words_change_the_policies_that_are_named() -> None:
    assert list(policies("random", "port", "policy.port.eps=0.5")) == ["random", "port"]
    with pytest.raises(ValueError, match="eps is 2"):
        policies("port", "policy.port.eps=2.0")


def test_a_word_that_the_command_would_not_understand_is_an_error_with_a_hint() -> None:
    with pytest.raises(ValueError, match=r"unknown budget 'unifrm'; did you mean uniform\?"):
        scenario("budget=unifrm")
