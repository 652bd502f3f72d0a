"""Holds a workload: history and test rows of one data set, validated once. It knows no fleet and no policy."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sim.interface import FloatArray
from sim.workload.rows import Rows, check_capped, check_rows, check_signals
from sim.workload.tasks import Reward, check_steps, every_step


@dataclass(frozen=True)
class Workload:
    """History and test queries of one data set; test rows arrive, history rows are known beforehand.

    Parameters
    ----------
    models : tuple of str
        Column names of the truth arrays.
    history, test : Rows
    files : tuple of Path
        What it was read from, for the manifest.
    tells_on_arrival : bool
        Whether a query tells on arrival what it would get and cost everywhere, as bids do in the AdWords model. Then
        the estimates of every estimator are the truth, and the history may be of other queries.
    combined : callable or None
        What several answers to one query are worth together, for policies that ``Combine``: from their scores
        (n_answers,), in the order in which they were named, to a score in [0, 1], such as ``max``. None where nobody
        knows.
    reward : callable
        What a task earns from the scores of its steps, where rows are steps of tasks.
    caps : tuple of int
        The numbers of output tokens of ``Rows.capped_quality``, at least 1, ascending; empty without.
    token_prices : tuple of (float, float) or None
        Input and output price of each model in USD per million tokens, where costs are made of them. Only what a cut
        answer costs depends on it.
    horizon : int or None
        How many queries policies are told to expect where all test rows arrive; None for as many as there are.

    Raises
    ------
    ValueError
        If a score, cost, embedding or size cannot be right; the message names the row and the model.
    """

    models: tuple[str, ...]
    history: Rows
    test: Rows
    files: tuple[Path, ...] = ()
    tells_on_arrival: bool = False
    combined: Callable[[FloatArray], float] | None = None
    reward: Reward = every_step
    caps: tuple[int, ...] = ()
    token_prices: tuple[tuple[float, float], ...] | None = None
    horizon: int | None = None

    def __post_init__(self) -> None:
        """Check the truth once, so that nothing downstream has to."""
        twice = {model for model in self.models if self.models.count(model) > 1}
        if twice:
            raise ValueError(f"two models are named {min(twice)!r}: model names must differ")
        if not self.models:
            raise ValueError("the workload has no models")
        for split, rows in (("history", self.history), ("test", self.test)):
            if len(rows) == 0:
                raise ValueError(f"the workload has no {split} rows; it needs at least one")
            check_rows(rows, self.models, split)
            check_signals(rows, self.models, split)
            if rows.steps is not None:
                check_steps(rows.steps, rows.input_tokens, rows.cost_usd, self.models, f"{split} row {{}}".format)
            check_capped(rows, self.models, self.caps, split)
        if self.test.steps is not None and self.history.steps is None:
            raise ValueError("test rows are steps of tasks and history rows are not; both must be, or neither")
        if self.history.embeddings.shape[1] != self.test.embeddings.shape[1]:
            raise ValueError(
                f"test embeddings have {self.test.embeddings.shape[1]} dimensions, "
                f"history embeddings {self.history.embeddings.shape[1]}; they must agree"
            )

    @functools.cached_property
    def repeats_prompts(self) -> bool:
        """Whether two test rows have the same prompt."""
        prompt = self.test.prompt
        return prompt is not None and len(np.unique(prompt)) < len(prompt)
