"""Finds the prices of a model in a list, by its name. It knows no format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sim.errors import UnreadableError, near

Price = tuple[float, float]
"""USD per million input tokens, and per million output tokens."""


@dataclass(frozen=True)
class PriceList:
    """Prices by name.

    Parameters
    ----------
    file : str
        Where they are from, for messages.
    prices : mapping of str to tuple of float
        USD per million input and output tokens. A name may have its provider before it, as in ``openai/gpt-4o``.
    patterns : mapping of str to callable
        For names of the list, whether another name means the same model.
    """

    file: str
    prices: Mapping[str, Price]
    patterns: Mapping[str, Callable[[str], bool]] = field(default_factory=dict)

    def of(self, model: str, listed_as: str | None = None) -> Price:
        """Return the prices of a model.

        The name itself comes first; then names that have a provider before it, if all of them have the same prices;
        then names whose pattern it fits, likewise.

        Parameters
        ----------
        model : str
        listed_as : str or None
            Its name in the list; None for the same.

        Raises
        ------
        ValueError
            If there is none, with the nearest names, or if several have different prices.
        """
        name = listed_as or model
        if name in self.prices:
            return self.prices[name]
        alike = [one for one in self.prices if one.rpartition("/")[2] == name]
        alike = alike or [one for one, fits in self.patterns.items() if fits(name)]
        found = {self.prices[one] for one in alike}
        if len(found) == 1:
            return next(iter(found))
        called = repr(model) if name == model else f"{model!r}, as {name!r},"
        if found:
            raise UnreadableError(
                f"model {called} has several prices in {self.file}: {', '.join(map(self.shown, alike[:5]))}; "
                f"say which, as in price_as={{{model}: {alike[0]}}}"
            )
        names = near(name, list(self.prices)) or near(name, [one.rpartition("/")[2] for one in self.prices])
        hint = f"did you mean {' or '.join(map(repr, names))}? " if names else ""
        raise UnreadableError(
            f"model {called} has no price in {self.file}; {hint}"
            f"price_as={{{model}: {names[0] if names else 'NAME'}}} says its name there"
        )

    def shown(self, name: str) -> str:
        """Return a name with its prices."""
        return f"{name} {self.prices[name][0]:g}/{self.prices[name][1]:g}"
