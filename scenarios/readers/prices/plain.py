"""Reads a price list of the user's own: a table with ``model`` and USD per million input and output tokens."""

from __future__ import annotations

from scenarios.readers.cells import numbers, of
from scenarios.readers.opened import FOLDER, Opened
from scenarios.readers.prices.listed import PriceList

COLUMNS = ("model", "input_usd_per_million", "output_usd_per_million")


def is_mine(opened: Opened) -> bool:
    """Return whether a table has the three columns."""
    return opened.kind != FOLDER and set(COLUMNS) <= set(opened.columns)


def read(opened: Opened) -> PriceList:
    """Return the list; raise ValueError for a price that is no number of at least 0."""
    frame = opened.frame
    prices = [numbers(frame, column) for column in COLUMNS[1:]]
    if any((one < 0).any() for one in prices):
        raise ValueError(f"a price is below 0{of(frame)}")
    names = [str(name) for name in frame["model"]]
    return PriceList(
        str(opened.path), dict(zip(names, zip(*(one.tolist() for one in prices), strict=True), strict=True))
    )
