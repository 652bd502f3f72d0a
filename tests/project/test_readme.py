"""What the README and CONTRIBUTING tell a newcomer to type works."""

import re
import shlex
from pathlib import Path

import pytest

from sim.cli.main import main

ROOT = Path(__file__).resolve().parents[2]


def commands(document: str) -> list[str]:
    blocks = [block for block in sh_blocks(document) if "switchyard new" not in block]
    return [line for block in blocks for line in block.splitlines() if line.startswith("switchyard ")]


def sh_blocks(document: str) -> list[str]:
    return re.findall(r"```sh\n(.*?)```", (ROOT / document).read_text(), flags=re.DOTALL)


def example(command: str) -> object:
    """A command that runs one policy is quick; the others are examples that take a while, for make examples."""
    is_quick = command.split()[1] in ("run", "check", "data", "report", "diff")
    return pytest.param(command, marks=() if is_quick else pytest.mark.lengthy)


@pytest.mark.parametrize("command", [example(command) for command in commands("README.md")])
def test_every_command_of_the_readme_runs(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = shlex.split(command, comments=True)[1:]
    assert main([*words, "--no-report"] if words[0] == "run" else words) == 0


def test_make_demo_runs_the_command_that_the_readme_says() -> None:
    makefile = (ROOT / "Makefile").read_text()
    demo = re.search(r"^demo:.*\n\t\$\(BIN\)/(.*)$", makefile, flags=re.MULTILINE)
    assert demo is not None
    assert demo.group(1) in commands("README.md")


RECIPES = re.findall(r"^## (An? .*)$", (ROOT / "CONTRIBUTING.md").read_text(), flags=re.MULTILINE)


def test_contributing_has_a_recipe_for_each_kind_of_part() -> None:
    assert RECIPES == ["A policy", "An arrival process", "A data set", "A metric", "A balancer"]


def test_the_readme_writes_a_policy_as_the_recipe_that_is_run_below_does() -> None:
    [shown] = [block for block in sh_blocks("README.md") if "switchyard new" in block]
    assert shown in sh_blocks("CONTRIBUTING.md")


@pytest.mark.lengthy
@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_works_when_followed_to_the_letter(
    recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    section = (ROOT / "CONTRIBUTING.md").read_text().split(f"## {recipe}\n")[1].split("\n## ")[0]
    [block] = re.findall(r"```sh\n(.*?)```", section, flags=re.DOTALL)
    for line in block.splitlines():
        assert main(shlex.split(line)[1:]) == 0, line


@pytest.mark.parametrize(
    "place", re.findall(r"`((?:conf|policies|scenarios|sim)/[\w./]*)`", (ROOT / "CONTRIBUTING.md").read_text())
)
def test_every_place_that_contributing_names_is_there(place: str) -> None:
    assert (ROOT / place).exists()
