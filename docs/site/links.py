"""Checks a built site: every link leads to what is there, and no page asks the network for a part of itself.

python docs/site/links.py build/site
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "link": "href"}


class Page(HTMLParser):
    """Collects of one page what it links to, what it loads, and which anchors it has."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take the attributes of one tag."""
        found = {name: value for name, value in attrs if value}
        self.anchors.update(found[name] for name in ("id", "name") if name in found)
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        elif LOADED.get(tag) in found and found.get("rel") != "canonical":
            self.loaded.append(found[LOADED[tag]])


def faults(site: Path) -> list[str]:
    """Return a line for each link that leads nowhere and each part that would come from the network."""
    pages: dict[Path, Page] = {}
    for path in sorted(site.resolve().rglob("*.html")):
        if path.name == "404.html":  # which is for a server, and links from its root
            continue
        pages[path] = Page()
        pages[path].feed(path.read_text())
    found: list[str] = []
    for path, page in pages.items():
        here = path.relative_to(site.resolve())
        found.extend(f"{here} loads {part}" for part in page.loaded if urlsplit(part).netloc)
        for link in {*page.links, *page.loaded}:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                found.append(f"{here} links to {link}, which is not there")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                found.append(f"{here} links to {link}, which has no such heading")
    return found


if __name__ == "__main__":
    found = faults(Path(sys.argv[1]))
    sys.stderr.write("".join(f"{line}\n" for line in found))
    sys.exit(1 if found else 0)
