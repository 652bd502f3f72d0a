"""The report of a verb that has none of its own: its tables and pictures as they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from rich.table import Table

from sim.show.page import Check, Report, Shown
from sim.show.words import number, several

MOST_ROWS = 60


def other_report(folder: Path, manifest: Mapping[str, Any]) -> Report:
    """Return every CSV and PNG of a directory."""
    tables = tuple(csv_table(path) for path in sorted(folder.glob("*.csv")))
    pictures = tuple(
        Shown(str(path.relative_to(folder).with_suffix("")), path.stem.replace("_", " "), path.read_bytes())
        for path in sorted(folder.rglob("*.png"))
    )
    return Report(
        f"What did switchyard {manifest['verb']} find?",
        "",
        f"See the {several(len(tables), 'table')} and {several(len(pictures), 'figure')} below.",
        tables,
        pictures,
        (Check(None, "This verb has no checks of its own in its report."),),
    )


def csv_table(path: Path) -> Table:
    """Return the first rows of a CSV file."""
    frame = pd.read_csv(path)
    title = path.name + (f": the first {MOST_ROWS} of {len(frame):,} rows" if len(frame) > MOST_ROWS else "")
    shown = Table(title=title, title_justify="left", title_style="bold")
    for column in frame:
        shown.add_column(str(column), justify="right" if pd.api.types.is_numeric_dtype(frame[column]) else "left")
    for row in frame.head(MOST_ROWS).itertuples(index=False):
        shown.add_row(*(number(value) if isinstance(value, float) else str(value) for value in row))
    return shown
