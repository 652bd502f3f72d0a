"""Finds the prices of a model in a list, by its name. It knows no format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sim.errors import near

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

    def of(self, model: str) -> Price:
        """Return the prices of a model.

        The name itself comes first; then names that have a provider before it, if all of them have the same prices;
        then names whose pattern it fits, likewise.

        Raises
        ------
        ValueError
            If there is none, with the nearest names, or if several have different prices.
        """
        if model in self.prices:
            return self.prices[model]
        alike = [name for name in self.prices if name.rpartition("/")[2] == model]
        alike = alike or [name for name, fits in self.patterns.items() if fits(model)]
        found = {self.prices[name] for name in alike}
        if len(found) > 1:
            raise ValueError(
                f"model {model!r} has several prices in {self.file}: {', '.join(map(self.shown, alike[:5]))}; "
                f"say which, as in price_as={{{model}: {alike[0]}}}"
            )
        if not found:
            names = near(model, list(self.prices)) or near(model, [name.rpartition("/")[2] for name in self.prices])
            hint = f"did you mean {' or '.join(map(repr, names))}? " if names else ""
            name = names[0] if names else "NAME"
            raise ValueError(
                f"model {model!r} has no price in {self.file}; {hint}price_as={{{model}: {name}}} says its name there"
            )
        return next(iter(found))

    def shown(self, name: str) -> str:
        """Return a name with its prices."""
        return f"{name} {self.prices[name][0]:g}/{self.prices[name][1]:g}"
