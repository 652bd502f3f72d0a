"""The documentation's site: its links, and that every command and number on its own pages is what comes out."""

import doctest
import importlib.util
import re
import shlex
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from sim.cli.api import compare, contract
from sim.cli.main import main

ROOT = Path(__file__).resolve().parents[2]


def of_the_site(name: str) -> ModuleType:
    """Load a module of docs/site, which is no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / "site" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


links = of_the_site("links")


def test_a_link_must_lead_to_a_page_and_a_heading_and_nothing_comes_from_the_network(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<h1 id="top">A</h1><a href="b.html#there">b</a><a href="https://a.org">far</a>')
    (tmp_path / "b.html").write_text('<p id="there">B</p><a href="a.html#top">a</a><img src="c.svg">')
    (tmp_path / "c.svg").write_text("<svg/>")
    assert links.faults(tmp_path) == []
    (tmp_path / "d.html").write_text(
        '<a href="e.html">e</a><a href="a.html#low">a</a><script src="https://cdn.org/x.js"></script>'
    )
    assert sorted(links.faults(tmp_path)) == [
        "d.html links to a.html#low, which has no such heading",
        "d.html links to e.html, which is not there",
        "d.html loads https://cdn.org/x.js",
    ]


def test_the_navigation_names_pages_that_are_there() -> None:
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    named = [page for section in settings["nav"] for pages in section.values() for page in pages]
    assert [page for page in named if not (ROOT / "docs" / page).is_file()] == []
    assert len(set(named)) == len(named)


CONCEPTS = sorted(page for page in (ROOT / "docs" / "concepts").glob("*.md") if page.stem != "index")


@pytest.mark.parametrize("page", CONCEPTS, ids=lambda page: page.stem)
def test_what_a_concept_page_computes_is_what_it_says(page: Path) -> None:
    done = doctest.testfile(str(page), module_relative=False, verbose=False)
    assert done.attempted > 0
    assert done.failed == 0
    assert f"pictures/{page.stem}.svg" in page.read_text()


@pytest.mark.lengthy
def test_the_pictures_are_those_that_are_drawn(tmp_path: Path) -> None:
    of_the_site("pictures").draw(tmp_path)
    kept = ROOT / "docs" / "concepts" / "pictures"
    assert sorted(path.name for path in kept.iterdir()) == sorted(path.name for path in tmp_path.iterdir())
    for path in kept.iterdir():
        words, drawn = (
            re.findall(r"<text[^>]*>([^<]*)</text>", (folder / path.name).read_text()) for folder in (kept, tmp_path)
        )
        assert words == drawn, path.name


TUTORIAL = (ROOT / "docs" / "tutorial" / "index.md").read_text()
STEPS = re.findall(r"```python\n(.*?)```", TUTORIAL, flags=re.DOTALL)


@pytest.mark.parametrize("step", range(1, 6))
def test_each_step_of_the_tutorial_earns_what_its_table_says(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "grown.py").write_text(STEPS[step - 1])  # other tests have a module named mine
    command = re.search(r"^switchyard compare (.*)$", TUTORIAL, flags=re.MULTILINE)
    assert command is not None
    words = command.group(1).replace("./mine.py", "./grown.py").split()
    words = [word for word in words if step > 1 or not word.startswith("estimator=")]
    summary = compare(*words, "oracle.names=[]")
    figures = summary[["quality", "served", "declined", "exhausted"]].mean()
    row = re.search(rf"^\| {step}: [a-z ]*\|(.*)\|$", TUTORIAL, flags=re.MULTILINE)
    assert row is not None
    assert [cell.strip() for cell in row.group(1).split("|")] == [f"{figure:.0f}" for figure in figures]


@pytest.mark.lengthy
def test_the_last_step_of_the_tutorial_is_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "grown.py").write_text(STEPS[-1])
    assert contract("policy=[./grown.py:Mine]", "estimator=exact") == []


HOW_TO = sorted(page for page in (ROOT / "docs" / "how_to").glob("*.md") if page.stem != "index")


def how_to(page: Path) -> object:
    """Mark as lengthy the pages whose commands take longer."""
    return pytest.param(page, id=page.stem, marks=pytest.mark.lengthy if page.stem in ("policy", "cluster") else ())


@pytest.mark.parametrize("page", [how_to(page) for page in HOW_TO])
def test_what_a_how_to_page_says_to_type_works(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for block in re.findall(r"```sh\n(.*?)```", page.read_text(), flags=re.DOTALL):
        for line in block.splitlines():
            words = shlex.split(line)
            if words[0] == "printf":
                assert words[2] in (">", ">>")
                with (tmp_path / words[3]).open("a") as file:
                    file.write(words[1].replace("\\n", "\n"))
            else:
                quiet = ["--no-report"] if words[1] in ("run", "compare") else []
                assert main([*words[1:], *quiet]) == 0, line
