"""A table typed by hand: its own estimates, and every step of a run on it."""

from pathlib import Path

import numpy as np
import pytest

from scenarios.workloads.table import table
from sim.cli import api
from sim.cli.main import main

THREE = """\
source,input_tokens,small,small|total_cost,small|quality_hat,small|cost_hat,large,large|total_cost,large|quality_hat,large|cost_hat
easy,100,0.9,1,0.8,1,1.0,3,0.9,3
middling,100,0.5,1,0.5,1,0.9,3,0.8,3
hard,100,0.1,1,0.2,1,1.0,3,0.9,3
"""
BUDGETS = ("budget=amounts", "budget.amounts_by_deployment={small: 3, large: 3}")
PLAIN = ("order=given", "arrivals=deterministic", "arrivals.rate_per_s=1", "metric=null", "out=null", *BUDGETS)


@pytest.fixture
def mine(tmp_path: Path) -> list[str]:
    (tmp_path / "mine.csv").write_text(THREE)
    return ["workload=table", f"workload.path={tmp_path / 'mine.csv'}", *PLAIN]


def test_all_rows_arrive_with_their_own_estimates_and_the_history_is_their_mean(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text(THREE)
    made = table(str(tmp_path / "mine.csv"))
    assert made.test.quality_hat is not None
    assert made.test.quality_hat.tolist() == [[0.8, 0.9], [0.5, 0.8], [0.2, 0.9]]
    assert made.test.cost_hat_usd is not None
    assert made.test.cost_hat_usd.tolist() == [[1, 3]] * 3
    assert made.test.embeddings.shape == (3, 0)
    assert made.history.quality == pytest.approx(np.array([[0.5, 2.6 / 3]]))
    assert made.history.cost_usd.tolist() == [[1, 3]]


def test_a_table_with_a_history_keeps_it(tmp_path: Path) -> None:
    split = ["split", "history", "test", "test"]
    lines = [f"{part},{line}" for part, line in zip(split, THREE.splitlines(), strict=True)]
    (tmp_path / "mine.csv").write_text("\n".join(lines))
    made = table(str(tmp_path / "mine.csv"))
    assert made.history.quality.tolist() == [[0.9, 1.0]]
    assert made.test.quality_hat is not None
    assert made.test.quality_hat.tolist() == [[0.5, 0.8], [0.2, 0.9]]


def test_a_table_of_tasks_needs_no_history_either(tmp_path: Path) -> None:
    steps = ["task,step", "a,1", "a,2", "b,1"]
    lines = [f"{step},{line}" for step, line in zip(steps, THREE.splitlines(), strict=True)]
    (tmp_path / "mine.csv").write_text("\n".join(lines))
    made = table(str(tmp_path / "mine.csv"))
    assert made.history.steps is not None
    assert made.history.steps.step.tolist() == [1, 2]  # a task has 1.5 steps on average, rounded
    assert made.history.quality == pytest.approx(np.array([[0.5, 2.6 / 3]] * 2))


def test_events_of_a_task_say_which_step_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [
        f"{step},{line}" for step, line in zip(["task,step", "a,1", "a,2", "b,1"], THREE.splitlines(), strict=True)
    ]
    (tmp_path / "mine.csv").write_text("\n".join(lines))
    monkeypatch.setenv("COLUMNS", "200")
    words = ["workload=table", f"workload.path={tmp_path / 'mine.csv'}", *PLAIN[:4], "policy=greedy_perf"]
    assert main(["run", *words, "trace=events", "--no-report", "budget=unlimited", f"out={tmp_path / 'out'}"]) == 0
    printed = capsys.readouterr().out
    assert "ends step 1 of task 0, for 3 USD" in printed
    assert "ends the last step of task 0, which earns 0.9, for 3 USD" in printed  # the product, 1.0 x 0.9


def test_a_policy_decides_by_the_estimates_that_were_typed(mine: list[str]) -> None:
    requests = api.run(*mine, "policy=knn_threshold", "policy.knn_threshold.threshold=0.6").sort_values("id")
    assert requests["deployment"].tolist() == ["small", "large", "large"]  # by 0.8, 0.8 and 0.9
    assert requests["fate"].tolist() == ["served", "served", "exhausted"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("large|cost_hat", "large_hat", "the table brings estimates and lacks the column 'large|cost_hat'"),
        ("0.8,1,1.0", "inf,1,1.0", "'small|quality_hat' is inf in row 0 of the table; it must be finite"),
        ("0.8,3", "0.8,-3", "'large|cost_hat' is -3.0 in row 1 of the table; it must be finite and at least 0"),
        ("0.2,1", "x,1", "'small|quality_hat' is 'x' in row 2 of the table; it must be a number"),
    ],
)
@pytest.mark.filterwarnings("ignore::sim.errors.Note")
def test_an_estimate_that_cannot_be_is_one_clear_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    (tmp_path / "mine.csv").write_text(THREE.replace(old, new))
    with pytest.raises(ValueError, match="table") as error:
        table(str(tmp_path / "mine.csv"))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_estimates_in_dollars_do_not_fit_budgets_in_tokens(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [line.split(",") for line in THREE.splitlines()]
    head, *rest = rows
    head = [*head, "small|output_tokens", "large|output_tokens"]
    (tmp_path / "mine.csv").write_text("\n".join(",".join(row) for row in [head, *([*row, "5", "5"] for row in rest)]))
    words = ["workload=table", f"workload.path={tmp_path / 'mine.csv'}", "budget=uniform", "budget.unit=tokens"]
    assert main(["run", *words, "policy=greedy_perf", "out=null"]) == 1
    assert "estimates of cost are in USD and a budget in tokens; use budget.unit=usd" in capsys.readouterr().err


def test_an_estimator_beside_estimates_does_nothing_and_a_note_says_so(
    mine: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *mine, "policy=greedy_perf", "estimator=exact"]) == 0
    assert "estimator= does nothing, as the workload brings estimates of its own" in capsys.readouterr().err


def test_trace_events_prints_every_step_beside_hindsight(mine: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", *mine, "policy=greedy_perf", "trace=events"]) == 0
    shown = capsys.readouterr().out
    steps = [line.replace("│", "|").split("|") for line in shown.splitlines() if line.startswith(("│ ", "| "))]
    steps = [[cell.strip() for cell in row] for row in steps]
    assert [row[1:6] for row in steps[:3]] == [
        ["0", "served", "0", "large", "0"],
        ["1", "refused", "1", "large", "0"],
        ["2", "refused", "2", "large", "0"],
    ]
    assert [row[-2] for row in steps[:3]] == ["small 0.9", "small 0.5", "large 1"]  # 0.9 + 0.5 + 1 is the most
    assert "Hindsight would earn 2.4 for 5 USD." in shown


def test_a_query_that_goes_on_to_its_next_choice_is_told_in_two_steps(
    mine: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *mine, "policy=carrot", "policy.carrot.cost_weight=0", "trace=events"]) == 0
    shown = capsys.readouterr().out
    steps = [[cell.strip() for cell in line.split("│")] for line in shown.splitlines() if line.startswith("│ ")]
    assert [row[2:5] for row in steps[:3]] == [
        ["served", "0", "large"],
        ["refused", "1", "large"],
        ["served", "1", "small"],
    ]
    assert steps[2][6] == "it is the next choice; earns 0.5 for 1 USD"


def test_a_file_named_events_is_a_trace_where_its_place_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.csv").write_text(THREE)
    (tmp_path / "events.csv").write_text("arrival_s,input_tokens,output_tokens\n0,10,1\n2,20,2\n")
    small = ("workload.n_history=20", "workload.dim=4", "budget=unlimited", "policy=random")
    assert api.run("trace=./events.csv", *small)["arrived_at_s"].tolist() == [0, 2]
    (tmp_path / "events.csv").rename(tmp_path / "events")
    words = ["workload=table", "workload.path=mine.csv", *PLAIN, "policy=random"]
    assert main(["run", *words, "trace=events"]) == 0
    assert "the file of that name is trace=./events" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["plan", "sweep"])
def test_other_verbs_refuse_to_print_steps(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "trace=events"]) == 1
    said = f"trace=events is for run and compare and not for {verb}; a file of that name is trace=./events"
    assert said in capsys.readouterr().err
