"""The documentation's site: what is checked of it, and that every command and number on its own pages is what comes out."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
import yaml

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
