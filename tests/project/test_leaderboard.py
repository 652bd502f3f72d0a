"""The leaderboard: by hand in a tiny world, and against the standings that are shipped."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from scenarios.budgets import Each
from sim.cli.main import main
from sim.show.leaderboard import places
from sim.study.beside import beside, gaps, new_policies
from sim.study.leaderboard import Task, differing, ranking, read, standings, write
from sim.study.oracles import Oracle
from tests.scripted import Scripted
from tests.worlds import tiny_rows, tiny_scenario, tiny_workload


def tiny_task(order: str = "given") -> Task:
    """Two queries, two models, 1 USD each: at best 0.9 + 0.6."""
    workload = tiny_workload(tiny_rows([[0.9, 0.5], [0.8, 0.6]], [[1.0, 1.0]] * 2))
    return Task("tiny", order, replace(tiny_scenario(workload), budget=Each(1.0)))


def test_a_policys_row_is_its_mean_over_seeds_as_a_share_of_the_optimum() -> None:
    policies = {"best": Scripted([0, 1]), "half": Scripted([0, 0])}
    table = standings([tiny_task()], policies, [0, 1], Oracle())
    assert table["policy"].tolist() == ["best", "half"]
    assert table["seeds"].tolist() == [2, 2]
    assert table["optimum_ratio"].tolist() == pytest.approx([1.0, 0.6], abs=1e-4)
    assert table["served_share"].tolist() == [1.0, 0.5]
    assert table["total_cost_usd"].tolist() == [2.0, 1.0]


def shares(**by_policy: list[float]) -> pd.DataFrame:
    """Standings with these shares of the optimum, in two orders of one table."""
    rows = [
        {"table": "t", "order": order, "seeds": 5, "policy": policy, "optimum_ratio": share}
        | {"optimum_ratio_half_width": 0.05}
        for policy, found in by_policy.items()
        for order, share in zip("ab", found, strict=True)
    ]
    return pd.DataFrame(rows)


def test_ranks_are_by_the_mean_and_equal_means_share_one() -> None:
    ranks = ranking(shares(low=[0.2, 0.2], x=[0.5, 0.7], y=[0.8, 0.4]))
    assert ranks[["rank", "policy", "mean", "worst", "worst_at"]].to_numpy().tolist() == [
        [1, "x", 0.6, 0.5, "t, a"],
        [1, "y", 0.6, 0.4, "t, b"],
        [3, "low", 0.2, 0.2, "t, a"],
    ]


def test_a_file_reads_back_and_a_changed_figure_is_named(tmp_path: Path) -> None:
    table = standings([tiny_task()], {"best": Scripted([0, 1])}, [0], Oracle())
    path = tmp_path / "leaderboard.csv"
    write(table, path)
    frozen = read(path)
    assert differing(table, frozen) == (1, [])
    other = frozen.assign(quality=1.25, policy="best")
    assert differing(table, other) == (1, ["best on tiny in order given: quality is 1.5, frozen 1.25"])
    assert differing(table, frozen.assign(policy="another")) == (0, [])
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="has columns a, b; a leaderboard has table, order, policy"):
        read(path)


def test_the_shipped_standings_are_found_again_and_a_policy_of_ones_own_is_ranked_beside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["leaderboard", "policy=[random,port,msvv,knn_cost]"]
    assert main([*words, "tables=[mmlu_two_models]", "orders=[random,hard_first]", f"out={tmp_path / 'board'}"]) == 0
    said = capsys.readouterr().out
    assert "All figures of 8 rows are those of the frozen leaderboard." in said
    changed = tmp_path / "changed.csv"
    table = read(tmp_path / "board" / "leaderboard.csv")
    quality = table["quality"].to_numpy(copy=True)
    quality[0] += 1
    write(table.assign(quality=quality), changed)
    again = [*words, "tables=[mmlu_two_models]", "orders=[random,hard_first]", f"frozen={changed}", "out=null"]
    assert main(again) == 1
    assert "1 figure of 8 rows differs from the frozen leaderboard:" in capsys.readouterr().out


def test_a_policy_of_ones_own_is_set_beside_frozen_ones_that_have_every_task() -> None:
    frozen = shares(first=[0.9, 0.3], second=[0.6, 0.5]).drop(index=1)  # the first is not known in order b
    ranked = beside(shares(mine=[0.45, 0.75]), frozen)
    assert new_policies(ranked, frozen) == ["mine"]
    assert ranked["policy"].unique().tolist() == ["mine", "second"]
    found = gaps(ranked, ["mine"])
    assert found["best_other"].tolist() == ["second", "second"]
    assert found["gap"].tolist() == pytest.approx([0.15, -0.25])
    assert found["gap_half_width"].tolist() == pytest.approx([0.1, 0.1])
    assert found["verdict"].tolist() == ["behind", "ahead"]
    assert list(places(found)) == [
        "mine is behind the best of the others in 1 of 2 tables and orders, most in t, a: 0.450 against 0.600 of "
        "second; it is ahead in 1, and the intervals leave 0 open."
    ]


def test_a_policy_in_a_file_is_ranked_among_all_shipped_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rule = tmp_path / "ranked_rule.py"
    rule.write_text(
        "from sim.interface import Decision, Policy\n\n\n"
        "class Mine(Policy):\n    def decide(self, query, state):\n        return Decision(0)\n"
    )
    words = [f"policy=[{rule}:Mine]", "tables=[mmlu_two_models]", "orders=[random]"]
    assert main(["leaderboard", *words, f"out={tmp_path / 'board'}"]) == 0
    ranks = pd.read_csv(tmp_path / "board" / "ranking.csv")
    assert {"mine", "steward", "port"} < set(ranks["policy"])
    assert len(pd.read_csv(tmp_path / "board" / "gaps.csv")) == 1
    assert "mine is behind the best of the others in 1 of 1 tables and orders" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("tables=[mmlu]", "unknown table 'mmlu'; did you mean 'mmlu_pro'?"),
        ("seeds=[]", "seeds is []; give one or more whole numbers, each once"),
        ("seeds=[1,1]", "seeds is [1, 1]; give one or more whole numbers, each once"),
        ("orders=[rando]", "did you mean random?"),
        ("frozen=/nowhere.csv", "No such file or directory: '/nowhere.csv'"),
    ],
)
def test_what_cannot_be_is_one_line(
    word: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(
            [
                "leaderboard",
                "policy=random",
                "tables=[mmlu_two_models]",
                word,
                f"out={tmp_path / 'board'}",
                "--no-report",
            ]
        )
        == 1
    )
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not (tmp_path / "board").exists()
