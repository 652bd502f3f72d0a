"""Reads a price list of any known format. It knows which formats there are."""

from __future__ import annotations

from collections.abc import Mapping

from scenarios.readers.formats import Format, recognised
from scenarios.readers.opened import Opened
from scenarios.readers.places import located
from scenarios.readers.prices import genai_prices, litellm, plain
from scenarios.readers.prices.listed import Price, PriceList
from sim.errors import UnreadableError, unknown

FORMATS: tuple[Format[PriceList], ...] = (
    Format("litellm", "litellm's model_prices_and_context_window.json", litellm.is_mine, litellm.read),
    Format("genai_prices", "the data of genai-prices", genai_prices.is_mine, genai_prices.read),
    Format("table", f"a table with {', '.join(plain.COLUMNS)}", plain.is_mine, plain.read),
)


def read(path: str) -> PriceList:
    """Return the prices in a file.

    Raises
    ------
    UnreadableError
        If it is of no known format, or not as its format has it.
    OSError
        If there is no such file.
    """
    file = located(path)
    try:
        opened = Opened(file)
        found = recognised(opened, FORMATS)
        if found is None:
            raise ValueError(
                f"{path} is {opened.described()}, which is no price list; "
                f"known are {'; '.join(one.what for one in FORMATS)}"
            )
        return found.read(opened)
    except ValueError as error:
        raise UnreadableError(str(error)) from error


def prices_of(models: list[str], path: str, price_as: Mapping[str, str] | None = None) -> dict[str, Price]:
    """Return the prices of models by their names, USD per million input and output tokens.

    Parameters
    ----------
    models : list of str
    path : str
        Of the list.
    price_as : mapping of str to str or None
        Names of models in the list, where they are other ones.

    Raises
    ------
    ValueError
        If a model is not in the list, with the nearest names, or ``price_as`` names a model that there is none of.
    """
    other = dict(price_as or {})
    for name in other:
        if name not in models:
            raise UnreadableError(unknown("model", name, models) + " (in price_as)")
    listed = read(path)
    return {model: listed.of(model, other.get(model)) for model in models}
