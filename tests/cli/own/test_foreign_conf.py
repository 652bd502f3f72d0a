"""A folder named conf/ that is some other program's changes nothing, however the command is started."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SMALL = ["workload.n_queries=20", "workload.n_history=20", "workload.n_models=2", "workload.dim=4"]
ROOT = Path(__file__).resolve().parents[3]
FOREIGN = {
    "YAML of another kind": {"conf/config.yaml": "x: 1\n", "conf/deep/other.yaml": "y: 2\n"},
    "a file named like a group": {"conf/policy.yaml": "x: 1\n"},
    "a file named like a verb": {"conf/run.yaml": "workers: 3\n", "conf/compare.yaml": ": {\n"},
    "nothing": {},
    "a module": {"conf/__init__.py": "", "conf/settings.py": "X = 1\n"},
    "a folder named like a group": {"conf/policy/deny.yaml": "effect: deny\n", "conf/run.yaml": "workers: 3\n"},
    "packages named like ours": {"policies/__init__.py": "", "scenarios/__init__.py": "", "conf/__init__.py": ""},
}
STARTS = {
    "python -m sim": ["-m", "sim", "run", *SMALL, "policy=random"],
    "switchyard": ["-P", "-c", "from sim.cli.main import main; main()", "run", *SMALL, "policy=random"],
    "the API": ["-c", f"from sim.cli.api import run; assert len(run(*{SMALL}, 'policy=random')) == 20"],
}  # fmt: skip


RUN_TO_THE_END = ("a module",)  # of the others only the configuration is composed


def pair(what: str, start: str) -> object:
    """What runs to the end is tried in every way, and one of the others; make proof tries all."""
    is_first = what in RUN_TO_THE_END or (start, what) == ("switchyard", "packages named like ours")
    return pytest.param(what, start, marks=() if is_first else pytest.mark.slow)


@pytest.mark.parametrize(("what", "start"), [pair(what, start) for what in FOREIGN for start in STARTS])
@pytest.mark.lengthy
def test_a_folder_of_another_program_breaks_nothing(what: str, start: str, tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    for name, text in FOREIGN[what].items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    is_run = what in RUN_TO_THE_END
    more = [] if start == "the API" else ["out=o"] if is_run else ["--cfg"]
    done = subprocess.run(
        [sys.executable, *STARTS[start], *more],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    if start != "the API" and is_run:
        assert '"project"' not in (tmp_path / "o" / "manifest.json").read_text()
