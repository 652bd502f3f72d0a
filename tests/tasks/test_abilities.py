"""The policy of docs/abilities.md that knows of tasks, and the command there."""

import re
from pathlib import Path

import pandas as pd
import pytest

from sim.cli.main import main
from tests.tasks.tiny import run, scenario

PAGE = Path(__file__).resolve().parents[2] / "docs" / "abilities.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
HEAD = "from sim.interface import Decision, Policy\n\n\n"
SMALL = ["workload.n_queries=6", "workload.n_history=6", "workload.mean_steps=4", "workload.dim=4"]


def test_the_policy_of_the_page_goes_on_with_the_model_that_began() -> None:
    (written,) = (block for block in BLOCKS if "class Stays" in block)
    namespace: dict[str, type] = {}
    exec(compile(HEAD + written, "docs/abilities.md", "exec"), namespace)
    _, tasks = run(namespace["Stays"](), scenario())
    assert tasks["switches"].tolist() == [0, 0]
    assert tasks["fate"].tolist() == ["done", "done"]


def test_the_command_of_the_page_writes_tasks_and_their_metrics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = next(
        line for line in PAGE.read_text().splitlines() if line.startswith("switchyard compare workload=agent")
    )
    monkeypatch.chdir(tmp_path)
    assert main([*command.split()[1:], *SMALL, "replications=2", "out=o", "--no-report"]) == 0
    assert "task_success" in capsys.readouterr().out
    summary, tasks = pd.read_csv("o/summary.csv"), pd.read_parquet("o/tasks.parquet")
    assert (summary["tasks"] == 6).all()
    first = tasks[(tasks["policy"] == "cascade") & (tasks["replication"] == 0)]
    found = summary[(summary["policy"] == "cascade") & (summary["replication"] == 0)].iloc[0]
    assert found["task_success"] == pytest.approx(first["quality"].mean())
    assert found["cost_per_task_usd"] == pytest.approx(first["cost_usd"].mean())
    assert found["quality"] == pytest.approx(first["quality"].sum())
    assert "approximate_optimum" not in set(summary["policy"])  # no program of single queries bounds tasks


@pytest.mark.parametrize("verb", ["ratio", "explain", "export"])
def test_verbs_that_need_queries_of_their_own_refuse_tasks_in_one_line(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([verb, "workload=agent_tasks", "policy=greedy_perf", *SMALL, "out=o", "--no-report"]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "steps of tasks" in line
    assert not (tmp_path / "o").exists()


def test_limits_without_tasks_are_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["policy=random", "workload.n_queries=20", "workload.n_history=20", "task.budget_usd=1", "out=null"]
    assert main(["run", *words]) == 0
    assert "task.budget_usd and task.deadline_s do nothing, as the workload has no tasks" in capsys.readouterr().err
