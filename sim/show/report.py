"""A report as one HTML file that needs nothing else: question, answer, tables, figures, checks. It knows no verb."""

from __future__ import annotations

import base64
import html
import io
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from string import Template
from typing import Any

import matplotlib as mpl
import yaml
from matplotlib.figure import Figure
from rich.table import Table

DPI = 150
STYLE = """\
body { font: 16px/1.5 system-ui, sans-serif; color: #111; background: #fff; max-width: 72rem; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.5rem; line-height: 1.3; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
.answer { font-size: 1.15rem; border-left: 4px solid #0173b2; padding: .2rem 0 .2rem 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; margin: 1.2rem 0; }
caption { text-align: left; font-weight: 600; padding-bottom: .4rem; white-space: nowrap; }
th, td { padding: .22rem .7rem; text-align: left; vertical-align: top; }
thead th { border-top: 2px solid #111; border-bottom: 1px solid #111; vertical-align: bottom; }
tbody tr:last-child > * { border-bottom: 2px solid #111; } tbody th { font-weight: 400; }
.right { text-align: right; } td.right { white-space: nowrap; }
.setting { color: #444; }
figure { margin: 1.8rem 0; } figure svg, figure img { max-width: 100%; height: auto; }
figcaption { font-size: .9rem; max-width: 48rem; }
pre { background: #f4f4f4; padding: .8rem; overflow-wrap: anywhere; white-space: pre-wrap; font-size: .85rem; }
.checks { list-style: none; padding-left: 0; } .checks li { padding-left: 1.8rem; text-indent: -1.8rem; }
.mark { display: inline-block; width: 1.8rem; text-indent: 0; font-weight: 700; }
@media print {
  @page { margin: 1.5cm; }
  body { font-size: 10pt; max-width: none; margin: 0; padding: 0; }
  .wide { overflow: visible; } table { font-size: 7.5pt; } th, td { padding: .15rem .35rem; }
  figure, tr { break-inside: avoid; } h2, caption { break-after: avoid; }
  figure svg, figure img { max-height: 22cm; }
  details::details-content { display: block; content-visibility: visible; }
}
"""
PAGE = Template("""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<link rel="icon" href="data:,">
<style>
$style</style>
</head>
<body>
<h1>$question</h1>
<p class="setting">$setting</p>
<p class="answer">$answer</p>
$tables
$figures
<h2>What was checked</h2>
<ul class="checks">
$checks
</ul>
<h2>How to run it again</h2>
$again
<details><summary>Configuration</summary>
<pre>$config</pre>
</details>
<details><summary>Versions and files</summary>
<pre>$made_with</pre>
</details>
</body>
</html>
""")


@dataclass(frozen=True)
class Shown:
    """A figure: the path of its PNG without the suffix, what it shows, and the drawing or the bytes of a PNG."""

    name: str
    caption: str
    drawing: Figure | bytes


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
    config = {key: value for key, value in manifest["config"].items() if key != "command"}
    made_with = {key: value for key, value in manifest.items() if key not in ("config", "verb", "outputs")}
    return PAGE.substitute(
        title=html.escape(f"switchyard {manifest['verb']}"),
        style=STYLE,
        question=text(report.question),
        setting=text(report.setting),
        answer=text(report.answer),
        tables="\n".join(table(rows) for rows in report.tables),
        figures="\n".join(figure(shown) for shown in report.figures),
        checks="\n".join(check(each) for each in report.checks)
        or "<li>Nothing beyond what the command itself checks.</li>",
        again=again(manifest["config"].get("command")),
        config=html.escape(yaml.safe_dump(config, sort_keys=True, allow_unicode=True)),
        made_with=html.escape(yaml.safe_dump(made_with, sort_keys=True, allow_unicode=True)),
    )


def text(words: str) -> str:
    """Return words as HTML, with the sign for what a terminal writes as +-."""
    return html.escape(words).replace("+-", "\N{PLUS-MINUS SIGN}")


def table(shown: Table) -> str:
    """Return a table for a terminal as one of HTML; its first column heads the rows."""
    columns = [(column, "right" if column.justify == "right" else "") for column in shown.columns]
    head = "".join(
        f'<th scope="col" class="{side}">{breakable(text(str(column.header)))}</th>' for column, side in columns
    )
    rows = []
    for words in zip(*(column.cells for column in shown.columns), strict=True):
        cells = [f'<td class="{side}">{text(str(word))}</td>' for word, (_, side) in zip(words, columns, strict=True)]
        cells[0] = f'<th scope="row">{text(str(words[0]))}</th>'
        rows.append(f"<tr>{''.join(cells)}</tr>")
    body = "\n".join(rows)
    caption = f"<caption>{text(str(shown.title))}</caption>" if shown.title else ""
    return (
        f'<div class="wide"><table>{caption}\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>'
    )


def breakable(name: str) -> str:
    """Return the heading of a column so that it can break after an underscore."""
    return name.replace("\n", "<br>").replace("_", "_<wbr>")


def figure(shown: Shown) -> str:
    """Return a figure with its caption: a drawing as SVG, a PNG as it is."""
    if isinstance(shown.drawing, Figure):
        picture = svg(shown.drawing, shown.name, shown.caption)
    else:
        picture = f'<img alt="{text(shown.caption)}" src="{data_uri(shown.drawing)}">'
    return f"<figure>\n{picture}\n<figcaption>{text(shown.caption)}</figcaption>\n</figure>"


def data_uri(png: bytes) -> str:
    """Return the bytes of a PNG as an address."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def svg(drawing: Figure, name: str, caption: str) -> str:
    """Return a drawing as an SVG element without a date, whose identifiers begin with the name.

    Letters are outlines, so that it looks alike on every machine, whatever fonts it has.
    """
    stream = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "path"}):
        drawing.savefig(stream, format="svg", dpi=DPI, bbox_inches="tight", metadata={"Date": None, "Creator": None})
    words = stream.getvalue()
    words = words[words.index("<svg") :].strip()
    prefix = re.sub(r"\W", "-", name)
    # Several drawings in one page must not refer to each other's parts.
    words = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", words)
    words = re.sub(r"<metadata>.*?</metadata>", "", words, flags=re.DOTALL)
    return words.replace("<svg", f'<svg role="img" aria-label="{text(caption)}"', 1)


def check(each: Check) -> str:
    """Return a check as an item of a list; the mark says in words what it is for those who hear it."""
    mark, said = {
        True: ("\N{CHECK MARK}", "holds"),
        False: ("\N{BALLOT X}", "does not hold"),
        None: ("?", "not known"),
    }[each.holds]
    return f'<li><span class="mark" role="img" aria-label="{said}">{mark}</span>{text(each.what)}</li>'


def again(command: list[str] | None) -> str:
    """Return how to make the directory again."""
    if command is None:
        return "<p>The manifest does not have the command; the configuration below is what it ran.</p>"
    return f"<pre>{html.escape(shlex.join(['switchyard', *command]))}</pre>"
