"""Holds the truth table: queries with the outcome of every model, validated once. It knows no fleet and no policy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sim.interface import EmbeddingArray, FloatArray, IntArray
from sim.row_checks import check_capped, check_rows, check_signals
from sim.tasks import Reward, Steps, check_steps, every_step


@dataclass(frozen=True)
class Rows:
    """Queries with the outcome of every model: the truth.

    Parameters
    ----------
    embeddings : array (n, dim), float32
    input_tokens : array (n,)
    quality, cost_usd : arrays (n, n_models)
        Score in [0, 1]; cost of at least 0 and at most ``MOST_COST_USD``.
    output_tokens : array (n, n_models) or None
        Needed by token budgets and by services with a clock.
    source : array (n,) of str or None
        Topic or data set of each query.
    priority : array (n,) of int or None
        Class of each query, 0 the most urgent.
    due_s : array (n,) or None
        Time from arrival to each query's deadline.
    confidence : array (n, n_models) or None
        How sure each model was of its answer: finite, at least 0, and the larger the surer. A margin between the two
        best answers is one, of logits or of probabilities, and so is a self-score in [0, 1]. Scales differ between
        models. A policy sees it with the answer (``Answer.confidence``). NaN for every query of a model that has none.
    latency_s : array (n, n_models) or None
        Measured time from the request to the last token, above 0, which services that replay measurements take. NaN
        for every query of a model that has none.
    energy_j : array (n, n_models) or None
        Energy of each answer in joules, at least 0; known with the feedback. NaN for every query of a model without.
    preference : array (n,) or None
        Weight of quality against cost for whoever asks, in [0, 1]: 1 is quality alone. A policy sees it on arrival.
    capped_quality : array (n, n_models, n_caps) or None
        Score in [0, 1] of each answer if it is cut at each of ``Workload.caps`` output tokens; not looked at where the
        answer is no longer than that. None where nobody knows.
    row : array (n,) of int or None
        Row of the file that each query was read from, from 0; None without a file.
    steps : Steps or None
        Which step of which task each query is; None where each stands for itself.
    expected_quality : array (n, n_models) or None
        E[score | query], in [0, 1], where the workload knows of what chance a score is one draw: what the best
        estimator would say of the query. Given the query, scores and costs are independent. Like the outcomes it is
        truth, which studies compare with and no policy sees. None where only outcomes are known.
    expected_cost_usd, expected_output_tokens : arrays (n, n_models) or None
        E[cost | query] and E[output tokens | query]; None where they are known before the answer, or nobody knows
        them: then the outcomes stand for them.
    """

    embeddings: EmbeddingArray
    input_tokens: IntArray
    quality: FloatArray
    cost_usd: FloatArray
    output_tokens: IntArray | None = None
    source: np.ndarray[Any, np.dtype[Any]] | None = None
    priority: IntArray | None = None
    due_s: FloatArray | None = None
    row: IntArray | None = None
    confidence: FloatArray | None = None
    expected_quality: FloatArray | None = None
    expected_cost_usd: FloatArray | None = None
    expected_output_tokens: FloatArray | None = None
    latency_s: FloatArray | None = None
    energy_j: FloatArray | None = None
    preference: FloatArray | None = None
    steps: Steps | None = None
    capped_quality: FloatArray | None = None

    def __post_init__(self) -> None:
        """Make every array read-only."""
        for array in vars(self).values():
            if isinstance(array, np.ndarray):
                array.setflags(write=False)

    def __len__(self) -> int:
        return len(self.input_tokens)

    def take(self, numbers: IntArray) -> Rows:
        """Return these rows, in this order."""
        if len(numbers) == len(self) and (np.diff(numbers) == 1).all():
            return self
        return replace(self, **{name: array[numbers] for name, array in vars(self).items() if array is not None})

    def as_expected(self) -> Rows | None:
        """Return the same queries with expected outcomes in the place of those drawn; None without expected quality."""
        if self.expected_quality is None:
            return None
        tokens: Any = self.output_tokens if self.expected_output_tokens is None else self.expected_output_tokens
        cost_usd = self.cost_usd if self.expected_cost_usd is None else self.expected_cost_usd
        return replace(self, quality=self.expected_quality, cost_usd=cost_usd, output_tokens=tokens)


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
