"""The command line from Python: the same words, the same numbers."""

from pathlib import Path

import pandas as pd
import pytest

from policies.balancing.round_robin import RoundRobin
from sim.cli.api import compare, explain, policies, ratio, run, scenario
from sim.cli.main import main
from sim.study import experiment

SMALL = ["workload.n_queries=120", "workload.n_history=80", "workload.n_models=3", "workload.dim=8"]
TWO = [*SMALL, "policy=[random,port_fallback]", "replications=2"]


def test_compare_gives_the_summary_that_the_command_writes(tmp_path: Path) -> None:
    summary = compare(*TWO)
    assert main(["compare", *TWO, f"out={tmp_path / 'o'}"]) == 0
    written = pd.read_csv(tmp_path / "o" / "summary.csv")
    pd.testing.assert_frame_equal(summary.drop(columns="wall_s"), written.drop(columns="wall_s"))


def test_run_gives_the_record_that_the_command_writes(tmp_path: Path) -> None:
    requests = run(*SMALL, "fleet=slots")
    assert main(["run", *SMALL, "fleet=slots", f"out={tmp_path / 'o'}"]) == 0
    written = pd.read_parquet(tmp_path / "o" / "requests.parquet")
    assert requests["policy"].tolist() == written["policy"].tolist() == ["port"] * 120
    columns = ["id", "arrived_at_s", "finished_at_s", "quality", "cost_usd"]
    pd.testing.assert_frame_equal(requests[columns], written[columns])


def test_ratio_and_explain_give_the_tables_that_the_commands_write(tmp_path: Path) -> None:
    words = [*SMALL, "policy=[random,port_fallback]"]
    sized = ["sizes=[60,null]", "order=[random,given]", "min_replications=2", "max_replications=2"]
    rows = ratio(*words, *sized)
    assert main(["ratio", *words, *sized, f"out={tmp_path / 'r'}"]) == 0
    pd.testing.assert_frame_equal(rows, pd.read_parquet(tmp_path / "r" / "ratio.parquet"))

    tables = explain(*words, "replications=2", "moments=3")
    assert main(["explain", *words, "replications=2", "moments=3", f"out={tmp_path / 'e'}"]) == 0
    for table, name in zip(tables, ("decomposition", "prices"), strict=True):
        pd.testing.assert_frame_equal(table, pd.read_csv(tmp_path / "e" / f"{name}.csv"), check_dtype=False)


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
