"""Makes one HTML file of a report: question, answer, tables, figures, checks. It knows no verb.

The page is the template ``page.html.jinja``, in which every text is escaped.
"""

from __future__ import annotations

import base64
import functools
import io
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from rich.table import Table

DPI = 150
PAD_IN = 0.1
MARKS = {True: "\N{CHECK MARK}", False: "\N{BALLOT X}", None: "?"}
SAID = {True: "holds", False: "does not hold", None: "not known"}  # for those who hear the page


@dataclass(frozen=True)
class Shown:
    """A figure: the path of its PNG without the suffix, what it shows, and the drawing or the bytes of a PNG."""

    name: str
    caption: str
    drawing: Figure | bytes

    @functools.cached_property
    def box(self) -> Bbox:
        """What of the drawing to save, in inches: all of it. Its layout is settled here, once for all formats."""
        assert isinstance(self.drawing, Figure)
        self.drawing.draw_without_rendering()
        self.drawing.set_layout_engine(None)  # so that saving does not lay it out again
        return self.drawing.get_tightbbox().padded(PAD_IN)


@dataclass(frozen=True)
class Check:
    """A condition of validity: whether it holds (None: it cannot be known), and what it is."""

    holds: bool | None
    what: str


@dataclass(frozen=True)
class Report:
    """What the files of an output directory say: a question, what it is about, the answer, and what that rests on."""

    question: str
    setting: str
    answer: str
    tables: tuple[Table, ...] = ()
    figures: tuple[Shown, ...] = ()
    checks: tuple[Check, ...] = ()


def page(report: Report, manifest: Mapping[str, Any]) -> str:
    """Return the HTML of a report; the same files and versions give the same text.

    Parameters
    ----------
    report : Report
    manifest : mapping
        As ``manifest.json`` has it: ``verb``, ``config`` (with ``command``, the words that made it), ``versions``.
    """
    environment = Environment(
        loader=PackageLoader("sim.show", ""), autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
    )
    environment.filters |= {"sign": sign, "breakable": breakable}
    command = manifest["config"].get("command")
    return environment.get_template("page.html.jinja").render(
        verb=manifest["verb"],
        report=report,
        tables=[plain(table) for table in report.tables],
        figures=[{"picture": picture(shown), "caption": shown.caption} for shown in report.figures],
        marks=MARKS,
        said=SAID,
        command=None if command is None else shlex.join(["switchyard", *command]),
        config=listing({key: value for key, value in manifest["config"].items() if key != "command"}),
        made_with=listing({key: value for key, value in manifest.items() if key not in ("config", "verb", "outputs")}),
    )


def listing(values: Mapping[str, Any]) -> str:
    """Return plain values as YAML."""
    text: str = yaml.safe_dump(dict(values), sort_keys=True, allow_unicode=True)
    return text


def sign(words: object) -> str:
    """Return words with the sign for what a terminal writes as +-."""
    return str(words).replace("+-", "\N{PLUS-MINUS SIGN}")


def breakable(name: object) -> Markup:
    """Return the heading of a column so that it can break after an underscore."""
    return Markup(str(escape(sign(name))).replace("\n", "<br>").replace("_", "_<wbr>"))


def plain(shown: Table) -> dict[str, Any]:
    """Return a table for a terminal as the template reads it; its first column heads the rows."""
    columns = [
        {"heading": str(column.header), "side": "right" if column.justify == "right" else ""}
        for column in shown.columns
    ]
    rows = [[str(word) for word in words] for words in zip(*(column.cells for column in shown.columns), strict=True)]
    return {"title": "" if shown.title is None else str(shown.title), "columns": columns, "rows": rows}


def picture(shown: Shown) -> Markup:
    """Return a drawing as an SVG element, a PNG as an image."""
    if isinstance(shown.drawing, Figure):
        return svg(shown.drawing, shown.name, shown.caption, shown.box)
    address = "data:image/png;base64," + base64.b64encode(shown.drawing).decode()
    return Markup('<img alt="{}" src="{}">').format(sign(shown.caption), address)


def svg(drawing: Figure, name: str, caption: str, box: Bbox) -> Markup:
    """Return a drawing as an SVG element without a date, whose identifiers begin with the name.

    Letters are outlines, so that it looks alike on every machine, whatever fonts it has.
    """
    stream = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "path"}):
        drawing.savefig(stream, format="svg", dpi=DPI, bbox_inches=box, metadata={"Date": None, "Creator": None})
    words = stream.getvalue()
    words = words[words.index("<svg") :].strip()
    prefix = re.sub(r"\W", "-", name)
    # Several drawings in one page must not refer to each other's parts.
    words = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", words)
    words = re.sub(r"<metadata>.*?</metadata>", "", words, flags=re.DOTALL)
    return Markup(words.replace("<svg", f'<svg role="img" aria-label="{escape(sign(caption))}"', 1))
