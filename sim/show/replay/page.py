"""Puts records, styles and scripts into one HTML file that needs no network. It knows directories, and no policy.

The files that a browser reads stand beside this module: ``page.html``, ``page.css``, and the scripts, of which each
uses only those before it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from sim.show.replay.record import Study, Told, chosen, run_of
from sim.show.words import in_currency
from sim.study.output.finished import differing_keys

SCRIPTS = ("record.js", "words.js", "drawing.js", "timeline.js", "page.js")
MARK = '<meta name="generator" content="switchyard replay">'  # by which a file is known as one that may be replaced
NOT_SETTINGS = ("policy", "metric", "oracle", "out", "command", "replications")  # keys that change no run of a policy


def nothing(study: Study, policy: str) -> Told:
    """Return what a record says beside what it is: nothing."""
    return Told()


def replay_page(
    studies: Sequence[Study],
    policies: list[str] | None,
    most: int,
    tell: Callable[[Study, str], Told] = nothing,
) -> str:
    """Return the page of one or more studies, which a slider tells apart.

    Parameters
    ----------
    studies : sequence of Study
        Each a setting, such as a budget.
    policies : list of str or None
        Shown side by side, two at a time; None for the first two.
    most : int
        How many queries of a run are drawn one by one at most.
    tell : callable
        Returns what is known of the run of a policy beside its record: reasons and prices.

    Raises
    ------
    ValueError
        If a study lacks a policy.
    """
    shown = chosen(list(studies), policies)
    varied, labels = settings(studies)
    order = sorted(range(len(studies)), key=lambda number: sort_key(labels[number]))
    record = {
        "currency": in_currency("USD", studies[0].finished.manifest["config"]),
        "replication": studies[0].replication,
        "policies": shown,
        "varied": varied,
        "settings": [
            {
                "label": labels[number],
                "runs": [run_of(studies[number], policy, most, tell(studies[number], policy)) for policy in shown],
            }
            for number in order
        ],
    }
    return written(record)


def written(record: dict[str, Any]) -> str:
    """Return the page of a record of plain values."""
    here = resources.files("sim.show.replay")
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    data = json.dumps(record, separators=(",", ":"), allow_nan=False)
    for character, escaped in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):  # no markup within the script
        data = data.replace(character, escaped)
    return template.from_string((here / "page.html").read_text(encoding="utf-8")).render(
        mark=Markup(MARK),
        title=f"Replay of {' and '.join(record['policies'][:2])}",
        style=Markup((here / "page.css").read_text(encoding="utf-8")),
        script=Markup("\n".join((here / name).read_text(encoding="utf-8") for name in SCRIPTS)),
        data=Markup(data),
    )


def settings(studies: Sequence[Study]) -> tuple[str, list[str]]:
    """Return the key in which studies differ, and the value of each; their directories if not exactly one differs."""
    first = studies[0].finished
    tables = [differing_keys(first, study.finished) for study in studies[1:]]
    keys = sorted(
        {str(key) for table in tables for key in table["key"] if str(key).partition(".")[0] not in NOT_SETTINGS}
    )
    if len(keys) != 1:
        return "directory", [study.finished.name for study in studies]
    key, values = keys[0], [""]
    for table in tables:
        row = table[table["key"] == key]
        values[0] = str(row["a"].iloc[0]) if len(row) else values[0]
        values.append(str(row["b"].iloc[0]) if len(row) else "")
    return key, [value or values[0] for value in values]


def sort_key(label: str) -> tuple[bool, float, str]:
    """Return by what settings are in order: by number where they are numbers, then by name."""
    try:
        return (False, float(label), label)
    except ValueError:
        return (True, 0.0, "")
