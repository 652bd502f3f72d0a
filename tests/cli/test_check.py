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
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf" / "policy").mkdir(parents=True)
    for name, code in POLICIES.items():
        module = f"{name}_{tmp_path.name}"
        (tmp_path / f"{module}.py").write_text(f"from sim.interface import Decision, Policy\n{code}")
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


def test_an_option_that_is_chosen_takes_the_place_of_what_the_worlds_have() -> None:
    assert main(["check", "policy=random", "arrivals=mmpp", "window=null"]) == 1  # waiting needs a window
    assert main(["check", "policy=random", "arrivals=mmpp", "budget=uniform"]) == 0
