"""How far rounding alone moves a policy, beside the interval over replications."""

import math
from pathlib import Path

import pandas as pd
import pytest

from policies.estimators.neighbours import ExactNeighbours
from policies.greedy.best_predicted import BestPredicted
from sim.cli.main import main
from sim.scenario import Scenario
from sim.show.tables.runs import by_rounding
from sim.study.experiment import compare
from sim.study.oracles import Oracle
from sim.study.rounding import ROUNDED
from tests.worlds import tiny_rows, tiny_scenario, tiny_workload


def world(known: list[float]) -> Scenario:
    """Four queries that model 0 answers rightly and model 1 does not, after a history in which they scored so."""
    history = tiny_rows([known] * 2, [[1.0, 1.0]] * 2)
    return tiny_scenario(tiny_workload(tiny_rows([[1.0, 0.0]] * 4, [[1.0, 1.0]] * 4), history))


def summary(known: list[float], **more: int) -> pd.DataFrame:
    policies = {"best": BestPredicted(ExactNeighbours(k=1))}
    return compare(world(known), policies, oracle=Oracle(("optimum",)), **more)  # type: ignore[arg-type]


def test_rounding_turns_a_tie_and_leaves_what_is_clear() -> None:
    tie = summary([0.5, 0.5], roundings=8).set_index("policy").loc["best"]
    assert tie["quality"] == 4  # the first of equals
    assert tie[ROUNDED[0]] < tie[ROUNDED[1]] <= 4
    clear = summary([0.6, 0.5], roundings=8).set_index("policy").loc["best"]
    assert (clear[ROUNDED[0]], clear[ROUNDED[1]]) == (4, 4)


def test_only_policies_run_again_and_only_in_the_first_replication() -> None:
    table = summary([0.5, 0.5], roundings=2, replications=2)
    assert table.set_index(["policy", "replication"])[ROUNDED[0]].notna().to_dict() == {
        ("optimum", 0): False,
        ("best", 0): True,
        ("optimum", 1): False,
        ("best", 1): False,
    }


def test_without_roundings_the_summary_has_no_such_column_and_its_figures_are_the_same() -> None:
    plain, rounded = summary([0.5, 0.5]), summary([0.5, 0.5], roundings=3)
    assert not set(ROUNDED) & set(plain)
    pd.testing.assert_frame_equal(plain.drop(columns="wall_s"), rounded[plain.columns].drop(columns="wall_s"))


def rows(qualities: list[float], low: float, high: float) -> pd.DataFrame:
    nothing = [math.nan] * (len(qualities) - 1)
    return pd.DataFrame(
        {
            "policy": "port",
            "replication": range(len(qualities)),
            "quality": qualities,
            ROUNDED[0]: [low, *nothing],
            ROUNDED[1]: [high, *nothing],
        }
    )


def test_a_sentence_says_when_rounding_moves_a_figure_further_than_its_interval_is_wide() -> None:
    (sentence,) = by_rounding(rows([10.0, 11.0, 12.0], 6.0, 13.0))  # 11 +- 2.48, so 4.97 wide
    assert "moves the quality of port from 6 to 13: a range of 7, wider than its interval over replications" in sentence
    assert by_rounding(rows([10.0, 11.0, 12.0], 9.0, 13.0)) == []
    (sentence,) = by_rounding(rows([10.0], 9.0, 13.0))
    assert "and it has no interval" in sentence


def test_a_number_of_roundings_below_0_and_a_verb_that_has_none_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ValueError, match="roundings is -1"):
        compare(world([0.5, 0.5]), {"best": BestPredicted(ExactNeighbours(k=1))}, roundings=-1)
    assert main(["ratio", "roundings=2", f"out={tmp_path / 'o'}", "--no-report"]) != 0
    assert "roundings is for run and compare and not for ratio" in capsys.readouterr().err
