"""All published systems in one comparison: those that have nothing to decide by are left out, and it is said why."""

import json
from pathlib import Path

import pandas as pd
import pytest

from sim.cli.api import compare, scenario
from sim.cli.main import main
from sim.errors import Note
from sim.instance import realise
from sim.interface import Decision, Policy, Query, Setting, State
from tests.configured import configured_policy

TINY = ("workload.n_queries=30", "workload.n_history=40", "workload.n_models=3", "workload.dim=4")
TASKS = ("workload=agent_tasks", "workload.n_queries=4", "workload.n_history=10", "workload.dim=4", "fleet=slots")
SETTINGS = {name: realise(scenario(*words), 0, 0).setting for name, words in {"queries": TINY, "tasks": TASKS}.items()}
SYSTEMS = ("experiment=systems", "n_queries=null", "replications=2")


class Picky(Policy):
    """Lacks something everywhere."""

    def lacks(self, setting: Setting) -> str | None:
        return f"there are only {len(setting.fleet)} deployments"

    def decide(self, query: Query, state: State) -> Decision:
        return Decision(0)


def told(*words: str) -> tuple[set[str], list[str]]:
    """Run the experiment; return the policies that ran, and what was noted."""
    with pytest.warns(Note) as notes:
        summary = compare(*SYSTEMS, *words)
    return set(summary["policy"]), [str(note.message) for note in notes]


@pytest.mark.slow
def test_on_single_queries_rules_for_steps_do_not_run_and_all_others_do() -> None:
    ran, notes = told(*TINY)
    assert "steer, evo_route and bopo do not run, as the workload has no tasks" in notes
    assert "multiplexed does not run, as no prompt comes twice" in notes
    assert "token_pools does not run, as all deployments take requests of the same length" in notes
    assert {"carrot", "two_tier", "pareto_bandit", "x_router"} <= ran
    assert not {"steer", "bopo", "multiplexed"} & ran


@pytest.mark.slow
def test_on_tasks_they_run() -> None:
    ran, notes = told(*TASKS, "oracle.names=[]", "metric=tasks")
    assert {"steer", "evo_route", "bopo"} <= ran
    assert not any("tasks" in note for note in notes)


def test_what_a_policy_lacks_is_known_from_the_setting() -> None:
    names = ("steer", "two_tier", "cascade", "route_moa", "multiplexed", "token_pools", "bopo", "evo_route", "carrot")
    on_queries = {name: configured_policy(name).lacks(SETTINGS["queries"]) for name in names}
    assert on_queries["steer"] == on_queries["bopo"] == on_queries["evo_route"] == "the workload has no tasks"
    assert on_queries["two_tier"] is on_queries["cascade"] is on_queries["route_moa"] is on_queries["carrot"] is None
    assert on_queries["multiplexed"] == "no prompt comes twice"
    assert configured_policy("steer").lacks(SETTINGS["tasks"]) is None


def test_the_manifest_and_the_report_say_who_does_not_run(tmp_path: Path) -> None:
    words = ["compare", "policy=[random,steer]", "unfit=skip", "replications=1", *TINY, f"out={tmp_path / 'x'}"]
    assert main(words) == 0
    assert set(pd.read_csv(tmp_path / "x" / "summary.csv")["policy"]) >= {"random"}
    manifest = json.loads((tmp_path / "x" / "manifest.json").read_text())
    assert manifest["skipped"] == {"steer": "the workload has no tasks"}
    assert "steer does not run, as the workload has no tasks." in (tmp_path / "x" / "report.html").read_text()


def test_by_default_a_policy_runs_whatever_it_lacks() -> None:
    assert set(compare("policy=[random,bopo]", "replications=1", "oracle.names=[]", *TINY)["policy"]) == {
        "random",
        "bopo",
    }


MISTAKES = {
    "nobody is left": (["policy=[steer,bopo]", "unfit=skip"], "unfit=skip leaves no policy of steer, bopo; choose"),
    "an unknown choice": (["policy=random", "unfit=drop"], "unfit is 'drop'; it must be one of run, skip"),
}


@pytest.mark.parametrize(("words", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_gets_one_clear_line(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *words, *TINY, f"out={tmp_path / 'x'}", "--no-report"]) != 0
    assert message in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_a_policy_of_ones_own_says_what_it_lacks() -> None:
    with pytest.warns(Note, match="mine does not run, as there are only 3 deployments"):
        summary = compare(
            "policy=random", "unfit=skip", "replications=1", "oracle.names=[]", *TINY, others={"mine": Picky()}
        )
    assert summary["policy"].tolist() == ["random"]
