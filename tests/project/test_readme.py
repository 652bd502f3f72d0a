"""What the README and CONTRIBUTING tell a newcomer to type works."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sim.cli.main import main

ROOT = Path(__file__).resolve().parents[2]


def commands(document: str) -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / document).read_text(), flags=re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.startswith("switchyard ")]


@pytest.mark.parametrize("command", commands("README.md"))
def test_every_command_of_the_readme_runs(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(shlex.split(command, comments=True)[1:]) == 0


def test_make_demo_runs_the_command_that_the_readme_says() -> None:
    makefile = (ROOT / "Makefile").read_text()
    demo = re.search(r"^demo:.*\n\t\$\(BIN\)/(.*)$", makefile, flags=re.MULTILINE)
    assert demo is not None
    assert demo.group(1) in commands("README.md")


RECIPES = {
    "A policy": "policies/cheapest.py",
    "An arrival process": "scenarios/arrivals/bursts.py",
    "A data set": "scenarios/workloads/coin.py",
    "A metric": "sim/study/metrics/counting.py",
}


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_works_when_followed_to_the_letter(recipe: str, tmp_path: Path) -> None:
    for package in ("sim", "policies", "scenarios", "conf"):
        shutil.copytree(ROOT / package, tmp_path / package)
    section = (ROOT / "CONTRIBUTING.md").read_text().split(f"## {recipe}\n")[1].split("\n## ")[0]
    [python] = re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)
    [yaml] = re.findall(r"```yaml\n(.*?)```", section, flags=re.DOTALL)
    [target] = re.findall(r"`(conf/[a-z/_]+\.yaml)`", section)
    [command] = re.findall(r"`(switchyard [^`]+)`", section)
    with (tmp_path / RECIPES[recipe]).open("a") as code:
        code.write("\n\n" + python)
    (tmp_path / target).write_text(yaml)
    words = [sys.executable, "-m", "sim", *shlex.split(command)[1:]]
    subprocess.run(words, cwd=tmp_path, check=True, env={"PYTHONPATH": str(tmp_path)}, capture_output=True)
