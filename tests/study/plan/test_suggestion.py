"""Which policy of a comparison fits a goal, by hand and from the command line."""

from pathlib import Path

import pandas as pd
import pytest

from sim.cli.main import main
from sim.study.suggestion import suggest


def summary(**rows: list[tuple[float, float]]) -> pd.DataFrame:
    """Quality and cost in USD of ten arrivals, all served, in each replication of each policy."""
    return pd.DataFrame(
        [
            {"policy": name, "replication": number, "arrived": 10, "served": 10, "quality": quality}
            | {"total_cost_usd": cost, "p95_latency_s": cost}
            for name, values in rows.items()
            for number, (quality, cost) in enumerate(values)
        ]
    )


THREE = summary(
    poor=[(3.0, 0.1), (3.2, 0.1)],
    fair=[(7.5, 0.5), (7.6, 0.5)],
    fine=[(8.0, 1.0), (8.1, 1.0)],
    optimum=[(9.0, 0.1), (9.0, 0.1)],  # it is no policy
)


def test_the_cheapest_is_of_those_that_are_shown_to_keep_the_limits() -> None:
    found = suggest(THREE, "cost", ["quality_per_query>=0.6"])
    assert (found.best, found.n_kept, found.n_policies, found.following) == ("fair", 2, 3, "fine")
    assert found.sentence == (
        "fair is the cheapest of 2 policies that keep quality_per_query>=0.6 (of 3): "
        "total cost per 1000 arrivals 50 USD; fine follows, 50 USD worse"
    )


def test_a_limit_inside_the_interval_is_not_kept() -> None:
    wide = pd.concat([THREE, summary(wild=[(6.0, 0.2), (9.0, 0.2)])])
    assert suggest(wide, "cost", ["quality_per_query>=0.6"]).best == "fair"


def test_without_limits_it_is_the_best_of_all_and_chance_is_said() -> None:
    assert suggest(THREE, "quality").sentence.startswith(
        "fine is the best of all policies: quality per query 0.805 +- "
    )
    close = summary(one=[(5.0, 1.0), (6.0, 1.0)], other=[(5.2, 1.0), (5.7, 1.0)])
    assert suggest(close, "quality").sentence.endswith("worse, which may be chance")
    assert suggest(THREE, "latency").best == "poor"


def test_if_nobody_keeps_the_limits_the_nearest_is_named() -> None:
    found = suggest(THREE, "cost", ["quality_per_query>=0.9"])
    assert found.best is None
    assert found.sentence == (
        "no policy was shown to keep quality_per_query>=0.9; the nearest is fine: quality per query is 0.805"
    )


TINY = (
    *("workload.n_queries=40", "workload.n_history=60", "workload.n_models=3", "workload.dim=4", "oracle.names=[]"),
    *("policy=[random,greedy_perf]", "budget=unlimited", "replications=3"),
)


def test_one_command_runs_and_suggests(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["compare", "--suggest", "cost", *TINY, "needs=[served_share>=0.9]", f"out={tmp_path / 'x'}"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert " is the cheapest of 2 policies that keep served_share>=0.9 (of 2): total cost per 1000 arrivals " in said
    assert "is the cheapest of 2 policies" in (tmp_path / "x" / "report.html").read_text()


MISTAKES = {
    "no such goal": (["suggest=price"], "suggest is 'price'; it must be one of cost, quality, latency"),
    "limits without a goal": (
        ["needs=[served_share>=1]"],
        "needs is for suggest; give suggest=cost, quality or latency",
    ),
    "one replication": (["suggest=cost", "replications=1"], "suggest needs replications=2 or more"),
    "no such column": (["suggest=cost", "needs=[qualiti>=1]"], "unknown metric 'qualiti'; did you mean 'quality'"),
}


@pytest.mark.parametrize(("words", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_gets_one_clear_line(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *TINY, *words, "out=null"]) != 0
    assert message in capsys.readouterr().err
