"""A user's own folder: found, put first, shown, hashed; and what ``switchyard new`` writes into it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from sim.cli.api import policies
from sim.cli.main import main

SMALL = ["workload.n_queries=40", "workload.n_history=30", "workload.n_models=2", "workload.dim=4"]
LAST = """
from sim.interface import Decision, Policy

class Last(Policy):
    def decide(self, query, state):
        return Decision(len(state.queued) - 1)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a policy that chooses the last deployment; its module's name is its own in each test."""
    module = f"last_{tmp_path.name}"
    (tmp_path / "conf" / "policy").mkdir(parents=True)
    (tmp_path / f"{module}.py").write_text(LAST)
    (tmp_path / "conf" / "policy" / "last.yaml").write_text(f"last:\n  _target_: {module}.Last\n")
    return tmp_path


def summary(out: Path) -> pd.DataFrame:
    return pd.read_csv(out / "summary.csv")


def test_a_policy_of_the_current_folder_runs_without_a_word(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    assert main(["run", *SMALL, "policy=last", "out=o", "--no-report"]) == 0
    assert summary(project / "o")["policy"].tolist() == ["last"]
    assert list(policies("last")) == ["last"]


def test_a_project_elsewhere_is_named(project: Path, tmp_path: Path) -> None:
    out = tmp_path / "o"
    assert main(["--project", str(project), "run", *SMALL, "policy=last", f"out={out}"]) == 0
    assert main(["run", *SMALL, "policy=last", f"out={out}", "--no-report"]) == 1  # the current folder is none


def test_its_options_come_before_those_that_are_shipped(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    (project / "conf" / "arrivals").mkdir()
    (project / "conf" / "arrivals" / "poisson.yaml").write_text(
        "_target_: scenarios.arrivals.renewal.Deterministic\nrate_per_s: 4\n"
    )
    assert main(["run", *SMALL, "policy=random", "out=o", "--no-report"]) == 0
    assert pd.read_parquet(project / "o" / "requests.parquet")["arrived_at_s"].diff().dropna().unique() == [0.25]


def test_the_marker_names_other_folders(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    (project / "conf").rename(project / "settings")
    (project / "src").mkdir()
    for module in project.glob("*.py"):
        module.rename(project / "src" / module.name)
    (project / "switchyard.yaml").write_text("conf: settings\npython: [src]\n")
    assert main(["run", *SMALL, "policy=last", "out=o"]) == 0


MARKERS = {
    "python: [lib]\n": "switchyard.yaml names lib, and there is no such folder",
    "cnf: settings\n": "unknown key in ",
    "[1, 2]\n": "it must be empty, or keys such as conf: conf",
    "conf: [a]\n": "must have conf: FOLDER and python: [FOLDER, ...]",
    "conf: {\n": "switchyard.yaml is no YAML",
}


@pytest.mark.parametrize("marker", MARKERS)
def test_a_marker_that_cannot_be_understood_is_refused_in_one_line(
    marker: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "switchyard.yaml").write_text(marker)
    assert main(["run"]) == 1
    errors = capsys.readouterr().err
    assert MARKERS[marker] in errors
    assert len(errors.splitlines()) == 1


def test_a_folder_that_is_no_project_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--project", str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        f"switchyard: {tmp_path} is no project: it has neither switchyard.yaml nor an option in conf/, "
        "such as conf/policy/mine.yaml\n"
    )


def test_help_shows_what_a_project_adds(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    assert f"of these, from the project in {project}:\n  policy     last\n" in printed
    assert " last," in printed.split("of these")[0]


@pytest.mark.lengthy
def test_the_manifest_has_the_hashes_of_its_configuration_and_code(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    manifests = []
    for name in ("before", "after"):
        command = [sys.executable, "-m", "sim", "run", *SMALL, "policy=last", f"out={name}"]
        root = str(Path(__file__).resolve().parents[3])
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PYTHONPATH": root})
        manifests.append(json.loads((project / name / "manifest.json").read_text()))
        [module] = project.glob("last_*.py")
        module.write_text(LAST + "\n# an edit\n")
    assert list(manifests[0]["project"]) == ["conf/policy/last.yaml"]
    assert manifests[0]["project"] == manifests[1]["project"]
    assert manifests[0]["source"] != manifests[1]["source"]


def test_a_sweep_finds_the_projects_modules_in_its_workers(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    words = [*SMALL[1:], "policy=last", "workload.n_queries=20,30", "replications=1", "oracle.names=[]"]
    assert main(["sweep", *words, "launcher=joblib", "launcher.n_jobs=2", "store=null", "out=o", "--no-report"]) == 0
    assert len(pd.read_parquet(project / "o" / "sweep.parquet")) == 2


@pytest.mark.lengthy
def test_what_new_writes_stands_where_the_marker_says_and_its_test_finds_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "switchyard.yaml").write_text("python: src\n")
    assert main(["new", "metric", "lost_in_src", "--project", str(tmp_path)]) == 0
    assert f"next:\n  cd {tmp_path}\n  python -m pytest src/test_lost_in_src.py\n" in capsys.readouterr().out
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])}
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "src/test_lost_in_src.py"]
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


NEW = [
    (kind, f"{kind}_of_a_user")
    for kind in ("policy", "metric", "workload", "arrivals", "fleet")
]  # fmt: skip


@pytest.mark.lengthy
def test_what_new_writes_passes_its_own_test_and_what_it_says_to_run_next_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    commands = []
    for kind, name in NEW:
        assert main(["new", kind, name]) == 0
        printed = capsys.readouterr().out
        assert (tmp_path / "conf" / kind / f"{name}.yaml").is_file()
        commands += [line.split() for line in printed.splitlines() if line.startswith("  switchyard")]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])}
    tests = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-W", "error", "."],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert tests.returncode == 0, tests.stdout
    assert "9 passed" in tests.stdout
    small = ["workload.n_queries=60", "workload.n_history=40"]
    for words in commands:
        sizes = (
            []
            if words[1] == "check"
            else [*small, f"out={tmp_path / 'o'}", "--overwrite", "replications=1", "--no-report"]
        )
        assert main([*words[1:], *sizes]) == 0, words


WRONG = {
    ("policy",): "give a kind and a name, as in: switchyard new policy mine",
    ("polcy", "mine"): "unknown kind 'polcy'; did you mean 'policy'?",
    ("policy", "port"): "Switchyard has a policy 'port' already; choose another name",
    ("policy", "json"): "the name is 'json', which Python has a module for; choose another",
    ("policy", "My-Rule"): "the name is 'My-Rule'; it must be small letters, digits and _, and begin with a letter",
    ("policy", "last"): "this project has a policy 'last' already; choose another name",
}


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_new_refuses_what_it_cannot_write_and_writes_nothing(
    words: tuple[str, ...], project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    before = sorted(project.rglob("*"))
    assert main(["new", *words]) == 1
    assert capsys.readouterr().err == f"switchyard: {WRONG[words]}\n"
    assert sorted(project.rglob("*")) == before
