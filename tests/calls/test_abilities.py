"""The cascade of docs/abilities.md: every step runs, and does what the page says."""

import re
from pathlib import Path

import pandas as pd
import pytest

from sim.cli.main import main
from sim.interface import Policy
from sim.world.record import frame
from tests.calls.reviewing import run, table_of, world

PAGE = Path(__file__).resolve().parents[2] / "docs" / "abilities.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
STEPS = [block for block in BLOCKS if "class Cascade" in block]


def cascade(step: str) -> Policy:
    """The policy of a step."""
    namespace: dict[str, type[Policy]] = {}
    exec(compile(step, "docs/abilities.md", "exec"), namespace)
    return namespace["Cascade"]()


def test_the_page_grows_a_cascade_in_four_steps_to_fifteen_lines() -> None:
    assert len(STEPS) == 4
    lines = [line for line in STEPS[-1].splitlines() if line.strip() and not line.startswith("from")]
    assert len(lines) <= 15


def test_the_first_step_asks_one_deployment() -> None:
    instance = world([0.0])
    assert frame(table_of(cascade(STEPS[0]), instance), instance)["deployment"].tolist() == ["small"]


@pytest.mark.parametrize(("step", "deployments"), [(1, 2), (2, 2), (3, 2)])
def test_the_later_steps_ask_the_next_where_the_first_is_unsure(step: int, deployments: int) -> None:
    requests, calls = run(cascade(STEPS[step]), world([0.0]))  # confidences 0.1, 0.6 and 0.9
    assert calls["deployment"].tolist() == ["small", "medium", "large"][:deployments]
    assert requests["deployment"].tolist() == ["medium"]


def test_the_command_of_the_page_runs_the_last_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "asks_again.py").write_text(STEPS[-1])
    monkeypatch.chdir(tmp_path)
    small = ["workload.n_queries=40", "workload.n_history=30", "workload.n_models=4", "workload.dim=4"]
    assert main(["run", "policy=[random,./asks_again.py:Cascade]", *small, "out=o", "--no-report"]) == 0
    assert pd.read_parquet("o/calls.parquet")["policy"].unique().tolist() == ["cascade"]
