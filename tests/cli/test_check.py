"""``switchyard check`` names what a policy breaks."""

from pathlib import Path

import pytest

from sim.cli.main import main

POLICIES = {
    "keeps": """
class Mine(Policy):
    def decide(self, query, state):
        return Decision(0)
""",
    "forgets_nothing": """
class Mine(Policy):
    n = 0
    def decide(self, query, state):
        Mine.n += 1
        return Decision(Mine.n % len(state.queued))
""",
    "raises": """
class Mine(Policy):
    def decide(self, query, state):
        return Decision({}["no such key"])
""",
    "reads_history": """
class Mine(Policy):
    def reset(self, setting, rng):
        self.best = truth().scenario.workload.history.quality.argmax(axis=1)
    def decide(self, query, state):
        return Decision(int(self.best[query.id % len(self.best)]))
""",
    "knows_calls": """
class Mine(Policy):
    def decide(self, query, state):
        return Decision(0)
    def review(self, query, answers, state):
        if len(answers) == 1 and truth().quality[query.id, 1] > 0.5:
            return Decision(1)
        return super().review(query, answers, state)
""",
    "knows_scores": """
class Mine(Policy):
    def decide(self, query, state):
        return Decision(0, alongside=(1, 2))
    def review(self, query, answers, state):
        came = [(truth().quality[query.id, one.deployment], place) for place, one in enumerate(answers) if one.came]
        return Keep(max(came)[1]) if came else Decision(None)
""",
}
TRUTH = """
def truth():  # of the run at hand, among the variables of what called
    caller = inspect.currentframe()
    while caller.f_code.co_name != "simulate":
        caller = caller.f_back
    return caller.f_locals["instance"]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf" / "policy").mkdir(parents=True)
    for name, code in POLICIES.items():
        module = f"{name}_{tmp_path.name}"
        (tmp_path / f"{module}.py").write_text(
            f"import inspect\nfrom sim.interface import Decision, Keep, Policy\n{TRUTH}{code}"
        )
        (tmp_path / "conf" / "policy" / f"{name}.yaml").write_text(f"{name}:\n  _target_: {module}.Mine\n")
    return tmp_path


def test_a_policy_that_keeps_the_contract_is_told_so(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "policy=keeps"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("keeps keeps the contract of a policy in every world.\n")
    assert "NO" not in printed
    assert [path.name for path in project.iterdir() if path.name == "outputs"] == []


def test_a_policy_that_remembers_the_run_before_is_named_with_query_and_world(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "policy=[keeps,forgets_nothing]"]) == 1
    printed = capsys.readouterr().out
    assert "keeps keeps the contract of a policy in every world." in printed
    assert "forgets_nothing breaks the contract of a policy." in printed
    assert "forgets_nothing, slots and a budget: the decision on query 0, at 0 s, would have been another" in printed
    assert "reset left something of the run before" in printed


def test_a_policy_that_raises_breaks_every_check_that_runs_it(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "policy=raises"]) == 1
    assert "raised KeyError on query 0: 'no such key'" in capsys.readouterr().out


def row(printed: str, policy: str, what: str) -> list[str]:
    """The cells of one check of a policy, by world."""
    (line,) = [line for line in printed.splitlines() if line.startswith(f"│ {policy} ") and what in line]
    return [cell.strip() for cell in line.split("│")[3:-1]]


@pytest.mark.lengthy
def test_a_policy_that_reads_the_history_of_models_that_nobody_has_seen_is_caught(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "policy=[keeps,reads_history]"]) == 1
    printed = capsys.readouterr().out
    assert "reads_history breaks the contract of a policy." in printed
    assert row(printed, "keeps", "history that is hidden") == ["-"] * 4 + ["yes"] * 2 + ["-"] * 2
    assert row(printed, "reads_history", "history that is hidden") == ["-"] * 4 + ["NO"] * 2 + ["-"] * 2
    assert row(printed, "reads_history", "future") == ["yes"] * 8  # no other check notices
    assert "reads_history, slots and a budget, models that nobody has seen: the decision on query" in printed
    assert "would have been another: it saw a part of the history that is hidden" in printed
    assert "-: 'sees nothing of the history that is hidden' did not run where every model is known on the" in printed


@pytest.mark.lengthy
def test_the_history_that_the_words_hide_is_fenced_in_every_world(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "policy=random", "new_model_share=0.4"]) == 0
    assert row(capsys.readouterr().out, "random", "history that is hidden") == ["yes"] * 8


@pytest.mark.lengthy
def test_a_policy_by_place_that_knows_calls_that_it_did_not_make_is_caught(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "cheats.py").write_text((project / f"knows_calls_{project.name}.py").read_text())
    assert main(["check", "policy=[keeps,./cheats.py:Mine]"]) == 1
    printed = capsys.readouterr().out
    assert row(printed, "mine", "call that was not made") == ["NO"] * 8
    assert row(printed, "keeps", "score of an answer that it did not keep") == ["-"] * 8
    assert "-: 'sees no score of an answer that it did not keep' did not run where every answer was kept" in printed
    assert "the review after 1 call of query" in printed
    assert "it saw the outcome of a deployment that a query was never offered to" in printed


@pytest.mark.slow
def test_a_policy_that_knows_the_scores_of_answers_that_it_does_not_keep_is_caught(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "policy=knows_scores"]) == 1
    printed = capsys.readouterr().out
    assert row(printed, "knows_scores", "score of an answer that it did not keep")[0] == "NO"
    assert "the review after 3 calls of query" in printed
    assert "it saw the score of an answer that was not kept" in printed


@pytest.mark.slow
def test_its_worlds_take_keys_and_a_workload(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "policy=random", "seed=5", "workload=synthetic", "workload.n_queries=50"]) == 0
    assert main(["check", "policy=random", "fleet.sloots=2"]) == 1
    assert "unknown key 'fleet.sloots'" in capsys.readouterr().err


def test_a_fleet_that_refuses_by_the_length_of_answers_to_come_cannot_be_used(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["check", "policy=random", "fleet=batching", "fleet.service.kv_tokens=1500"]) == 1
    errors = capsys.readouterr().err
    assert errors.endswith("so no check can tell what a policy saw\n")
    assert len(errors.splitlines()) == 1


@pytest.mark.lengthy
def test_an_option_that_is_chosen_takes_the_place_of_what_the_worlds_have() -> None:
    assert main(["check", "policy=random", "arrivals=mmpp", "window=null"]) == 1  # waiting needs a window
    assert main(["check", "policy=random", "arrivals=mmpp", "budget=uniform"]) == 0
