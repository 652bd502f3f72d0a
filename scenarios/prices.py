"""Looks up current list prices in the optional package ``genai-prices``. It knows models by name, not fleets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

PROMPT_TOKENS = 1000  # short enough for the first tier, where a price rises with the length of the prompt


@dataclass(frozen=True)
class Price:
    """List price of a model at a provider, in USD per million tokens; ``source`` names the package's version."""

    model: str
    provider: str
    input_usd_per_million: float
    output_usd_per_million: float
    source: str


def current_price(model: str, provider: str | None = None, as_of: date | None = None) -> Price:
    """Return the list price of a model.

    The prices are those in the installed version of the package (nothing is fetched), for prompts short enough for the
    first tier, without caching or batch discounts.

    Parameters
    ----------
    model : str
        As its provider calls it, such as ``gpt-4o-mini``; other names that the package knows will do.
    provider : str or None
        Such as ``openai``; None lets the package guess from the model's name.
    as_of : date or None
        The day of the price, where the package knows of a change; None for today.

    Raises
    ------
    ImportError
        If the package is not installed.
    ValueError
        If the package does not know the model or the provider, or has no price for its tokens.

    Notes
    -----
    A retired model keeps its last price in the package; that it has one does not say that it can be had.
    """
    genai_prices = package()
    release = f"genai-prices {genai_prices.__version__}"
    usage = genai_prices.Usage(input_tokens=PROMPT_TOKENS, output_tokens=PROMPT_TOKENS)
    moment = None if as_of is None else datetime.combine(as_of, time(), UTC)
    try:
        found = genai_prices.calc_price(usage, model, provider_id=provider, genai_request_timestamp=moment)
    except LookupError as error:
        where = "" if provider is None else f" at provider {provider!r}"
        raise ValueError(f"{release} has no model {model!r}{where}; give the provider's own name for it") from error
    per_million = 1e6 / PROMPT_TOKENS
    price_in, price_out = float(found.input_price) * per_million, float(found.output_price) * per_million
    if price_in <= 0 and price_out <= 0:
        raise ValueError(f"{release} has no price for the tokens of {model!r}")
    source = f"{release}, {found.provider.id} {found.model.id}"
    return Price(model, found.provider.id, round(price_in, 9), round(price_out, 9), source)


def package() -> Any:
    """Return the module, or raise ImportError that says how to get it."""
    try:
        import genai_prices
    except ImportError as error:
        raise ImportError(
            "current prices need the package genai-prices; install Switchyard with the extra 'prices', "
            "or use the prices that are listed in the fleet (fleet.prices=listed)"
        ) from error
    return genai_prices
