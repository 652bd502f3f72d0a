"""Reads the data of genai-prices (pydantic): a JSON list of providers, each with its models.

A model has an ``id``, a ``match`` (which names mean it) and ``prices``: ``input_mtok`` and ``output_mtok`` in USD per
million tokens, each a number or a ``base`` with tiers for long inputs, of which the base is taken. Where ``prices`` is
a list, each with a constraint, the one with the latest start date in the file counts; prices for hours of the day are
left out. A name here is ``provider/id``. Verified: the types of genai-prices 0.2.3 and an excerpt of its
``prices/data_slim.json``.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any

from scenarios.readers.opened import JSON, Opened
from scenarios.readers.prices.listed import Price, PriceList

INPUT, OUTPUT = "input_mtok", "output_mtok"
TESTS: dict[str, Callable[[str, str], bool]] = {
    "equals": lambda text, given: text.lower() == given.lower(),
    "starts_with": lambda text, given: text.lower().startswith(given.lower()),
    "ends_with": lambda text, given: text.lower().endswith(given.lower()),
    "contains": lambda text, given: given.lower() in text.lower(),
    "regex": lambda text, given: re.search(given, text) is not None,
}


def is_mine(opened: Opened) -> bool:
    """Return whether the first entry of a list is a provider with models."""
    return opened.kind == JSON and isinstance(opened.value, list) and {"id", "models"} <= set(opened.first)


def read(opened: Opened) -> PriceList:
    """Return the list of all models that have a price for input and for output.

    Raises
    ------
    ValueError
        If a provider or a model is not as described above.
    """
    prices: dict[str, Price] = {}
    patterns = {}
    for number, provider in enumerate(opened.value):
        try:
            for model in provider["models"]:
                price = price_of(model.get("prices"))
                if price is not None:
                    name = f"{provider['id']}/{model['id']}"
                    prices[name] = price
                    patterns[name] = functools.partial(fits, model.get("match") or {})
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"provider {number} of {opened.path} is not as genai-prices has them: {error}") from error
    return PriceList(str(opened.path), prices, patterns)


def price_of(prices: Any) -> Price | None:
    """Return the prices of a model; None if one of the two is missing."""
    if isinstance(prices, list):
        plain = [one for one in prices if "start_time" not in (one.get("constraint") or {})]
        newest = max(plain, key=lambda one: (one.get("constraint") or {}).get("start_date") or "", default=None)
        return None if newest is None else price_of(newest["prices"])
    if not isinstance(prices, dict):
        return None
    usd = [one.get("base") if isinstance(one, dict) else one for one in (prices.get(INPUT), prices.get(OUTPUT))]
    asked, answered = usd
    return None if asked is None or answered is None else (float(asked), float(answered))


def fits(clause: Mapping[str, Any], name: str) -> bool:
    """Return whether a name fits a clause of a match: one test, or several joined by ``or`` and ``and``."""
    if "or" in clause:
        return any(fits(one, name) for one in clause["or"])
    if "and" in clause:
        return all(fits(one, name) for one in clause["and"])
    return any(TESTS[test](name, given) for test, given in clause.items() if test in TESTS)
