"""Reads litellm's ``model_prices_and_context_window.json``: an object of models by name.

Each has ``input_cost_per_token`` and ``output_cost_per_token`` in USD; entries without both (images, audio,
embeddings) are left out, and so is ``sample_spec``. Prices of long inputs, batches and cached tokens are not read.
Verified: the list in litellm 1.110.2.
"""

from __future__ import annotations

from scenarios.readers.opened import JSON, Opened
from scenarios.readers.prices.listed import PriceList

INPUT, OUTPUT, EXAMPLE = "input_cost_per_token", "output_cost_per_token", "sample_spec"
MILLION = 1e6
DIGITS = 12  # significant ones: a price of 1e-07 USD a token is 0.1 USD a million, whatever multiplying rounds it to


def is_mine(opened: Opened) -> bool:
    """Return whether entries of the object have costs per token."""
    if opened.kind != JSON or not isinstance(opened.value, dict):
        return False
    return any(isinstance(entry, dict) and INPUT in entry for entry in opened.value.values())


def read(opened: Opened) -> PriceList:
    """Return the list.

    Raises
    ------
    ValueError
        If a cost is no number.
    """
    prices = {}
    for name, entry in opened.value.items():
        if name == EXAMPLE or not isinstance(entry, dict) or INPUT not in entry or OUTPUT not in entry:
            continue
        costs = (entry[INPUT], entry[OUTPUT])
        if not all(isinstance(cost, int | float) and cost >= 0 for cost in costs):
            raise ValueError(f"the costs of {name!r} in {opened.path} are {costs}; they must be numbers of at least 0")
        prices[name] = (per_million(costs[0]), per_million(costs[1]))
    return PriceList(str(opened.path), prices)


def per_million(usd_per_token: float) -> float:
    """Return a price in USD per million tokens.

    >>> per_million(1.5e-07)
    0.15
    """
    return float(f"{usd_per_token * MILLION:.{DIGITS}g}")
