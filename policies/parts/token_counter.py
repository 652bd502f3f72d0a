"""Estimates how many tokens a request will take from its bytes, by what earlier requests have turned out to take.

It knows no rule. In the world here the tokens of a prompt are counted for every policy (``Query.input_tokens``), so
this is for whoever sees bytes alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sim.errors import check_number

BYTES_PER_TOKEN = 4.0  # until enough is known
LEAST_SAMPLES = 10
MOST_CATEGORIES = 256
STEP = 0.005  # towards what was observed
DOWN, UP = 0.9, 0.1  # the same of the careful counter, towards fewer and towards more bytes a token


@dataclass
class Ratio:
    """Bytes per token of one category, from so many samples."""

    value: float = BYTES_PER_TOKEN
    n: int = 0


class TokenCounter:
    """Bytes per token by category, as an average in which old observations fade (arXiv 2604.09613).

    In the form of vllm-project/semantic-router 3d48f8c: the first observation sets the ratio of a category, and each
    further one moves it by 0.005 of the way. Before 10 observations 4 bytes count as a token. There are at most 256
    categories, and all later ones share one more.

    Parameters
    ----------
    careful : bool
        Move 0.9 of the way to a smaller ratio and 0.1 to a larger one, so that tokens are over-estimated.
    """

    def __init__(self, careful: bool = False) -> None:
        self._down, self._up = (DOWN, UP) if careful else (STEP, STEP)
        self._ratios: dict[str, Ratio] = {}
        self._others = Ratio()

    def learn(self, category: str, size_bytes: int, tokens: int) -> None:
        """Take note of what a prompt of so many bytes has taken; one without bytes or tokens says nothing."""
        if size_bytes <= 0 or tokens <= 0:
            return
        if category not in self._ratios and len(self._ratios) < MOST_CATEGORIES:
            self._ratios[category] = Ratio()
        ratio, seen = self._of(category), size_bytes / tokens
        step = self._down if seen < ratio.value else self._up
        ratio.value = (1 - step) * ratio.value + step * seen if ratio.n else seen
        ratio.n += 1

    def bytes_per_token(self, category: str) -> float:
        """Return the ratio that estimates are made with."""
        ratio = self._of(category)
        return ratio.value if ratio.n >= LEAST_SAMPLES else BYTES_PER_TOKEN

    def estimate(self, category: str, size_bytes: int, output_limit_tokens: int) -> int:
        """Return ceil(bytes / ratio) and the most tokens of the answer.

        Raises
        ------
        ValueError
            If a number is below 0.
        """
        check_number("size_bytes", size_bytes, least=0)
        check_number("output_limit_tokens", output_limit_tokens, least=0)
        return math.ceil(size_bytes / self.bytes_per_token(category)) + output_limit_tokens

    def _of(self, category: str) -> Ratio:
        return self._ratios.get(category, self._others)
