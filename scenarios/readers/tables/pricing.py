"""Charges the tokens of a table in our own form by a price list. It knows columns, and no format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from scenarios.readers.cells import input_tokens, of, whole_numbers
from scenarios.readers.columns import COST, TOKENS
from scenarios.readers.prices.reading import prices_of
from scenarios.readers.tables.answers import FREE


def models_of(columns: Sequence[str]) -> list[str]:
    """Return the models of a table: columns with scores beside which there are costs or output tokens."""
    return [name for name in columns if f"{name}|{COST}" in columns or f"{name}|{TOKENS}" in columns]


def with_prices(frame: pd.DataFrame, prices: str | None, price_as: Mapping[str, str] | None) -> pd.DataFrame:
    """Return a table with the costs of its tokens; as it is without prices.

    Parameters
    ----------
    frame : DataFrame
        A table in our schema, with or without costs.
    prices : str or None
        A price list; ``none`` charges nothing; None leaves the costs as they are.
    price_as : mapping of str to str or None
        Names of models in the price list, where they are other ones.

    Raises
    ------
    ValueError
        If a model has no output tokens or no price, or there are names for a price list and no list.
    """
    models = models_of([str(column) for column in frame.columns])
    if prices is None:
        if price_as:
            raise ValueError("price_as says names in a price list, and there is none: give one with prices=FILE")
        return frame
    if prices == FREE:
        return frame.assign(**{f"{model}|{COST}": 0.0 for model in models})
    listed = prices_of(models, prices, price_as)
    asked = input_tokens(frame)
    costs = {}
    for model in models:
        if f"{model}|{TOKENS}" not in frame:
            raise ValueError(f"model {model!r} has no output tokens, so prices={prices} says nothing{of(frame)}")
        answered = whole_numbers(frame, f"{model}|{TOKENS}")
        costs[f"{model}|{COST}"] = (asked * listed[model][0] + answered * listed[model][1]) / 1e6
    return frame.assign(**costs)
