"""docs/reference/metrics.md has a line for every column that a command writes, and for no other."""

import re
from pathlib import Path

import pandas as pd
import pytest

from sim.cli.main import main
from sim.study.experiment import ALWAYS

ROOT = Path(__file__).resolve().parents[2]
GROUPS = sorted(path.stem for path in (ROOT / "conf" / "metric").glob("*.yaml"))
SMALL = ["workload.n_queries=40", "workload.n_history=30", "workload.n_models=3", "workload.dim=4"]
POLICIES = "policy=[random,port]"
WITH_CALLS = "policy=[random,port,cascade]"
COMMANDS = {
    "compare": [
        *("compare", "fleet=slots", WITH_CALLS, "replications=2", "roundings=1", f"metric=[{','.join(GROUPS)}]"),
        *("spending.limits={total: 0.001 USD a day}", "events=outage", "events.outage.at_s=0.5"),
    ],
    "sweep": [
        "sweep",
        "n_queries=20,30",
        POLICIES,
        "fleet=slots",
        "replications=1",
        "metric=[latency,first_token]",
        "store=null",
    ],
    "moving": [
        *("run", "fleet=autoscaled", "n_queries=9", "arrivals.rate_per_s=0.002", "policy=[random]", "metric=latency"),
    ],
    "ratio": ["ratio", "sizes=[20,30,40]", POLICIES, "order=random", "min_replications=2", "max_replications=2"],
    "export": ["export", POLICIES],
    "explain": ["explain", "fleet=slots", POLICIES, "replications=1", "moments=3"],
    "frontier": ["frontier", "policy=[random,knn_threshold]"],
    "leaderboard": ["leaderboard", POLICIES, "tables=[mmlu_two_models]", "orders=[random]", "seeds=[0]", "frozen=null"],
}
TABLES = {  # the heading of a table's section: the command that writes it, and the file
    "`requests.parquet`": ("compare", "requests.parquet"),
    "`calls.parquet`": ("compare", "calls.parquet"),
    "`summary.csv`": ("compare", "summary.csv"),
    "`sources.csv`": ("compare", "sources.csv"),
    "`fleet.csv`": ("compare", "fleet.csv"),
    "`limits.csv`": ("compare", "limits.csv"),
    "`alerts.csv`": ("compare", "alerts.csv"),
    "`events.csv`": ("compare", "events.csv"),
    "`replicas.csv`": ("moving", "replicas.csv"),
    "`hours.csv`": ("moving", "hours.csv"),
    "`sweep.parquet`": ("sweep", "sweep.parquet"),
    "`cells.csv` of a sweep": ("sweep", "cells.csv"),
    "`ratio.parquet`": ("ratio", "ratio.parquet"),
    "`cells.csv` of ratios": ("ratio", "cells.csv"),
    "`paired.csv`": ("ratio", "paired.csv"),
    "`worst.csv`": ("ratio", "worst.csv"),
    "`slopes.csv`": ("ratio", "slopes.csv"),
    "`queries.parquet`": ("export", "queries.parquet"),
    "`truth.parquet`": ("export", "truth.parquet"),
    "`estimates.parquet`": ("export", "estimates.parquet"),
    "`history.parquet`": ("export", "history.parquet"),
    "`history_truth.parquet`": ("export", "history_truth.parquet"),
    "`decomposition.csv`": ("explain", "decomposition.csv"),
    "`prices.csv`": ("explain", "prices.csv"),
    "`choices.parquet`": ("explain", "choices.parquet"),
    "`one_query.csv`": ("explain", "one_query.csv"),
    "`points.csv`": ("frontier", "points.csv"),
    "`frontier.csv`": ("frontier", "frontier.csv"),
    "`leaderboard.csv`": ("leaderboard", "leaderboard.csv"),
    "`ranking.csv`": ("leaderboard", "ranking.csv"),
    "`differences.csv`": ("leaderboard", "differences.csv"),
}


ELSEWHERE = {  # without figures, or of another command too
    "sweep": {"failures.csv"},
    "export": {"fleet.csv"},
    "moving": {"requests.parquet", "summary.csv", "sources.csv", "fleet.csv"},
}


def documented(heading: str) -> list[str]:
    """Return the columns that the tables of a section name, in order."""
    page = (ROOT / "docs" / "reference" / "metrics.md").read_text()
    section = page.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    firsts = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return [name for first in firsts for name in re.findall(r"`([^`]+)`", first)]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output directory of every command."""
    folder = tmp_path_factory.mktemp("outputs")
    for name, words in COMMANDS.items():
        small = [] if name == "leaderboard" else SMALL
        assert main([*words, *small, f"out={folder / name}", "--no-report"]) == 0
    return folder


@pytest.mark.parametrize("heading", TABLES)
def test_every_column_has_a_line_and_every_line_a_column(heading: str, outputs: Path) -> None:
    verb, file = TABLES[heading]
    path = outputs / verb / file
    written = (pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)).columns.tolist()
    lines = documented(heading)
    if verb == "sweep":
        lines.append("n_queries")  # the axis
    if file == "sweep.parquet":
        lines += [
            name
            for name in documented("`summary.csv`")
            if name in ALWAYS or "_latency_" in name or "_first_token_" in name
        ]
    assert sorted(lines) == sorted(written)


def test_no_output_of_these_commands_is_left_out(outputs: Path) -> None:
    described = set(TABLES.values())
    for verb in COMMANDS:
        files = {file.name for kind in ("*.csv", "*.parquet") for file in (outputs / verb).glob(kind)}
        assert files - {file for of, file in described if of == verb} <= ELSEWHERE.get(verb, set())


def test_every_column_says_its_unit_and_when_it_is_empty() -> None:
    page = (ROOT / "docs" / "reference" / "metrics.md").read_text()
    rows = [line.strip("|").split("|") for line in page.splitlines() if line.startswith("| `")]
    assert [row[0] for row in rows if not row[-1].strip()] == []
