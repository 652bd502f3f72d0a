"""Adds to the site what stands outside docs/: pages of the root, notebooks, and a page of docstrings per package.

MkDocs calls the functions by their names. Pages link to each other as they do in the repository; here such links are
made to lead to the same page of the site. It must not know what a page says.
"""

from __future__ import annotations

import json
import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PACKAGES = ("sim", "policies", "scenarios", "switchyard")
OF_ROOT = {
    "README.md": "project/overview.md",
    "ARCHITECTURE.md": "project/architecture.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changelog.md",
    "scenarios/shipped/README.md": "project/shipped_files.md",
}
SECTIONS = {"guide": "How to", "how_to": "How to", "reference": "Reference", "evidence": "Validation", "": "Start"}
LINK = re.compile(r"\[([^\[\]]*)\]\(\s*([^)\s#]+)(#[^)\s]*)?\s*\)")


def notebooks() -> dict[str, str]:
    """Return the page of the site of every notebook, both as paths from their roots."""
    paths = sorted((ROOT / "notebooks").rglob("*.ipynb"))
    return {str(path.relative_to(ROOT)): str(path.relative_to(ROOT).with_suffix(".md")) for path in paths}


def packages() -> dict[str, list[str]]:
    """Return the modules of every package by its dotted name, the package itself first."""
    found: dict[str, list[str]] = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if any(part.startswith("_") and part != "__init__" for part in parts):
                continue
            folder = ".".join(parts[:-1])
            name = folder if parts[-1] == "__init__" else ".".join(parts)
            found.setdefault(folder, []).append(name)
    return {folder: sorted(modules, key=lambda name: name != folder) for folder, modules in sorted(found.items())}


def text_of(notebook: Path) -> str:
    """Return a notebook as Markdown: its words as they are, its code as code."""
    parts = [f"*This page is the notebook `{notebook.relative_to(ROOT)}`.*"]
    for cell in json.loads(notebook.read_text())["cells"]:
        text = "".join(cell["source"])
        if "pip" in text and cell["cell_type"] == "code":
            continue  # it installs Switchyard, which says nothing to a reader of the page
        parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
    parts[0], parts[1] = parts[1], parts[0]  # the title comes first
    return "\n\n".join(parts)


def text_of_package(folder: str, modules: list[str]) -> str:
    """Return the page of a package, which the docstrings of its modules fill."""
    return f"# {folder}\n\n" + "\n\n".join(f"::: {name}" for name in modules) + "\n"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add to the navigation what mkdocs.yml does not name."""
    assert config.nav is not None
    sections = {title: pages for section in config.nav for title, pages in section.items()}
    named = {page for pages in sections.values() for page in pages}
    for path in sorted(DOCS.rglob("*.md")):
        page = path.relative_to(DOCS)
        if str(page) not in named:
            folder = "" if len(page.parts) == 1 else page.parts[0]
            sections[SECTIONS[folder]].append(str(page))
    sections["Notebooks"].extend(notebooks().values())
    sections["Docstrings"].extend(f"docstrings/{folder}.md" for folder in packages())
    sections["Project"].extend(OF_ROOT.values())
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that stand outside docs/."""
    texts = {page: (ROOT / source).read_text() for source, page in OF_ROOT.items()}
    texts |= {page: text_of(ROOT / source) for source, page in notebooks().items()}
    texts |= {f"docstrings/{folder}.md": text_of_package(folder, modules) for folder, modules in packages().items()}
    for page, text in texts.items():
        files.append(File.generated(config, page, content=text))
    return files


def place_in_repository(page: str) -> str:
    """Return where a page of the site stands in the repository."""
    moved = {there: source for source, there in (OF_ROOT | notebooks()).items()}
    return moved.get(page, f"docs/{page}")


def place_on_site(path: str) -> str | None:
    """Return where a path of the repository stands on the site, None if nowhere."""
    moved = (OF_ROOT | notebooks()).get(path)
    if moved is not None:
        return moved
    return path.removeprefix("docs/") if path.startswith("docs/") else None


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links to the page of the site; a link to another file of the repository becomes its words."""
    source = place_in_repository(page.file.src_uri)

    def led(link: re.Match[str]) -> str:
        words, target, anchor = link.groups()
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        there = place_on_site(path)
        if "://" in target or (there is None and not (ROOT / path).exists()):
            return link.group(0)  # which MkDocs judges
        if there is None:
            return words
        return f"[{words}]({posixpath.relpath(there, posixpath.dirname(page.file.src_uri))}{anchor or ''})"

    return LINK.sub(led, markdown)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Load from the site what the theme would load from the network: the stand-in for a worker."""
    away = posixpath.relpath("site/worker.js", posixpath.dirname(page.file.dest_uri))
    return re.sub(r"https://unpkg\.com/iframe-worker/shim", away, output)
