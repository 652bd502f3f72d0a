"""Holds the truth table: queries with the outcome of every model, and checks it once. It knows no fleet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sim.interface import BoolArray, EmbeddingArray, FloatArray, IntArray
from sim.workload.prefixes import Prefixes, check_prefixes
from sim.workload.tasks import Steps

MOST_COST_USD = 1e9
"""Of one query: a sum of costs must be a number, and one that shows each of them."""

OUTCOMES = ("quality", "cost_usd", "output_tokens")
SIGNALS = ("confidence", "latency_s", "energy_j")  # arrays (n, n_models), NaN where a model has none, or None
RECORDED = ("scored_after_s", "fails_after_s")
BROUGHT = ("quality_hat", "cost_hat_usd")
EXPECTED = tuple(f"expected_{name}" for name in OUTCOMES)
OF_EACH_MODEL = (*OUTCOMES, *SIGNALS, *RECORDED, *EXPECTED)  # arrays (n, n_models), or None


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
    class_name, tenant : arrays (n,) of str, or None
        Which traffic each query belongs to, such as interactive or batch, and who sends it.
    price : array (n,) or None
        What each query costs in USD, as a multiple of what it costs otherwise; at least 0. None: 1 for all.
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
    prompt : array (n,) of int or None
        Which prompt each query has: two with the same number have the same prompt, as a cache sees it. None: each row
        is a prompt of its own. A row that arrives twice is the same prompt both times, whatever stands here.
    prefix : Prefixes or None
        The blocks that each prompt begins with; None where nobody knows.
    session : array (n,) of int or None
        Which conversation each query is a turn of, the turns in the order of the rows; None without sessions.
    row : array (n,) of int or None
        Row of the file that each query was read from, from 0; None without a file.
    scored_after_s : array (n, n_models) or None
        How long after each answer somebody scores it, at least 0; NaN for an answer that nobody scores, so that no
        policy hears its score. None: what reaches policies of scores is the scenario's affair (``Scenario.feedback``).
    fails_after_s : array (n, n_models) or None
        How long after it was offered each call breaks off, with its answer lost; NaN for one that does not. None: none.
    steps : Steps or None
        Which step of which task each query is; None where each stands for itself.
    quality_hat, cost_hat_usd : arrays (n, n_models) or None
        What is predicted of each query, by whoever made the workload: finite numbers, the cost at least 0. Both or
        neither. Every policy then sees these estimates, whatever its estimator, and no estimator is fitted.
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
    prompt: IntArray | None = None
    class_name: np.ndarray[Any, np.dtype[Any]] | None = None
    tenant: np.ndarray[Any, np.dtype[Any]] | None = None
    price: FloatArray | None = None
    prefix: Prefixes | None = None
    session: IntArray | None = None
    scored_after_s: FloatArray | None = None
    fails_after_s: FloatArray | None = None
    quality_hat: FloatArray | None = None
    cost_hat_usd: FloatArray | None = None

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


def refuser(models: Sequence[str], split: str) -> Callable[[BoolArray, Any, str, str], None]:
    """Return what raises ValueError for the first bad value of ``what``, by its model and row, if there is any."""

    def refuse(bad: BoolArray, values: Any, what: str, right: str) -> None:
        if bad.any():
            row, k = np.argwhere(bad)[0]
            raise ValueError(
                f"{what} of model {models[k]!r} is {values[row, k]} in {split} row {row}; it must be {right}"
            )

    return refuse


def check_signals(rows: Rows, models: Sequence[str], split: str) -> None:
    """Raise ValueError for the first confidence, latency, energy or preference outside its range."""
    refuse = refuser(models, split)
    for name in SIGNALS:
        values = getattr(rows, name)
        if values is not None:
            within = np.isfinite(values) & ((values > 0) if name == "latency_s" else (values >= 0))
            least = "above 0" if name == "latency_s" else "at least 0"
            refuse(~(within | np.isnan(values).all(axis=0)), values, name, f"finite and {least}")
    for name in RECORDED:
        values = getattr(rows, name)
        if values is not None:
            refuse(~(np.isnan(values) | (np.isfinite(values) & (values >= 0))), values, name, "finite and at least 0")
    check_brought(rows, models, split)
    if rows.preference is not None:
        bad = ~((rows.preference >= 0) & (rows.preference <= 1))
        if bad.any():
            row = int(np.argmax(bad))
            raise ValueError(f"the preference is {rows.preference[row]} in {split} row {row}; it must be in [0, 1]")


def check_brought(rows: Rows, models: Sequence[str], split: str) -> None:
    """Raise ValueError for the first estimate that cannot be, or quality without cost, or cost without quality."""
    given = [getattr(rows, name) for name in BROUGHT]
    if (given[0] is None) != (given[1] is None):
        raise ValueError(f"the {split} rows have one of quality_hat and cost_hat_usd; they must have both, or neither")
    for name, values in zip(BROUGHT, given, strict=True):
        if values is not None:
            if values.shape != (len(rows), len(models)):
                raise ValueError(f"{split} {name} has shape {values.shape}, not {(len(rows), len(models))}")
            bad = ~np.isfinite(values) | ((values < 0) if name == "cost_hat_usd" else False)
            refuser(models, split)(bad, values, name, "finite" + (" and at least 0" if name == "cost_hat_usd" else ""))


def check_rows(rows: Rows, models: Sequence[str], split: str) -> None:
    """Raise ValueError for the first score, cost, token count or embedding that cannot be right."""
    refuse = refuser(models, split)

    for name in OF_EACH_MODEL:
        array = getattr(rows, name)
        if array is not None and array.shape != (len(rows), len(models)):
            raise ValueError(f"{split} {name} has shape {array.shape}, not {(len(rows), len(models))}")
    if rows.embeddings.ndim != 2 or len(rows.embeddings) != len(rows):
        raise ValueError(
            f"{split} embeddings have shape {rows.embeddings.shape}, not ({len(rows)}, dim): one row per query"
        )
    check_alike(rows, split)
    for scores, of in ((rows.quality, "the score"), (rows.expected_quality, "the expected score")):
        if scores is not None:
            refuse(~((scores >= 0) & (scores <= 1)), scores, of, "in [0, 1]")
    for costs, of in ((rows.cost_usd, "the cost"), (rows.expected_cost_usd, "the expected cost")):
        if costs is not None:
            paid = (costs >= 0) & (costs <= MOST_COST_USD)
            refuse(~paid, costs, of, f"finite, at least 0 and at most {MOST_COST_USD:.0f} USD")
    if rows.output_tokens is not None:
        refuse(rows.output_tokens < 0, rows.output_tokens, "the number of output tokens", "at least 0")
    if rows.expected_output_tokens is not None:
        lengths = rows.expected_output_tokens
        refuse(~((lengths >= 0) & np.isfinite(lengths)), lengths, "the expected output tokens", "finite and at least 0")
    if (rows.input_tokens < 0).any():
        row = int(np.argmax(rows.input_tokens < 0))
        raise ValueError(f"input_tokens is {rows.input_tokens[row]} in {split} row {row}; it must be at least 0")
    finite = np.isfinite(rows.embeddings).all(axis=1)
    if not finite.all():
        raise ValueError(f"the embedding of {split} row {int(np.argmin(finite))} is not finite")


def check_alike(rows: Rows, split: str) -> None:
    """Raise ValueError if what says which queries are alike is not of every row, or cannot be."""
    for numbers, of in ((rows.prompt, "prompt"), (rows.session, "session")):
        if numbers is not None and numbers.shape != (len(rows),):
            raise ValueError(f"{split} {of} has shape {numbers.shape}, not ({len(rows)},): one number per query")
    if rows.prefix is not None:
        check_prefixes(rows.prefix, rows.input_tokens, f"{split} row {{}}".format)


def check_capped(rows: Rows, models: Sequence[str], caps: Sequence[int], split: str) -> None:
    """Raise ValueError for caps that cannot be, or the first score of a cut answer outside its range."""
    if any(cap < 1 for cap in caps) or list(caps) != sorted(set(caps)):
        raise ValueError(f"caps are {', '.join(map(str, caps))}; they must be at least 1 token, and ascend")
    if not caps and rows.capped_quality is None:
        return
    shape = (len(rows), len(models), len(caps))
    if rows.capped_quality is None or rows.capped_quality.shape != shape:
        found = "missing" if rows.capped_quality is None else f"of shape {rows.capped_quality.shape}"
        raise ValueError(f"{split} capped_quality is {found}, not of shape {shape}, as there are {len(caps)} caps")
    if rows.output_tokens is None:
        raise ValueError(f"the {split} rows have quality by cap and no output tokens, so nobody knows what a cap cuts")
    for place, cap in enumerate(caps):
        scores = rows.capped_quality[..., place]
        refuser(models, split)(~((scores >= 0) & (scores <= 1)), scores, f"the score at cap {cap}", "in [0, 1]")
