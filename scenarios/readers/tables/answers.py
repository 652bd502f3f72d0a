"""Makes a table in our schema of what models answered to questions. It knows no format.

The rules, each counted:

1. An answer that the file itself says has failed, or that has no score, is dropped.
2. Of several answers of a model to one question the best is kept (the first of those).
3. A question that some model did not answer is dropped.

``input_tokens`` of a question is the mean over the models that count it, rounded, as tokenizers differ. Costs are the
file's, or tokens of each model times its prices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from scenarios.readers.columns import COST, TOKENS
from scenarios.readers.prices.reading import prices_of

KEY, MODEL, SCORE, USD, INPUT, OUTPUT = "question", "model", "score", "cost_usd", "input_tokens", "output_tokens"
FREE = "none"
QUESTION_COLUMNS = ("prompt", "source", "split")


@dataclass(frozen=True)
class Answers:
    """What models answered.

    Parameters
    ----------
    file : str
        For messages.
    frame : DataFrame
        A row an answer: ``question`` (any key), ``model``, ``score`` (NaN where it failed), and as far as they are
        known ``cost_usd``, ``input_tokens`` and ``output_tokens``.
    questions : DataFrame
        By that key, in the file's order, some of ``prompt``, ``source`` and ``split``.
    said : sequence of str
        What a user should know besides, a clause each.
    """

    file: str
    frame: pd.DataFrame
    questions: pd.DataFrame
    said: Sequence[str] = ()


@dataclass(frozen=True)
class Table:
    """A table in our schema, and what was done to get there.

    Parameters
    ----------
    frame : DataFrame
    models : tuple of str
    n_questions, n_answers : int
        In the file.
    dropped : dict of str to int
        How many answers or questions were dropped, by reason; only reasons with any.
    said : sequence of str
    """

    frame: pd.DataFrame
    models: tuple[str, ...]
    n_questions: int
    n_answers: int
    dropped: dict[str, int] = field(default_factory=dict)
    said: Sequence[str] = ()


def by_rules(answers: Answers, prices: str | None = None, price_as: Mapping[str, str] | None = None) -> Table:
    """Return the table of answers.

    Parameters
    ----------
    answers : Answers
    prices : str or None
        A price list, by which tokens are charged whatever the file says; ``none`` charges nothing; None takes the
        file's costs.
    price_as : mapping of str to str or None
        Names of models in the price list, where they are other ones.

    Raises
    ------
    ValueError
        If the file has no costs and there are no prices, a model has no price, or no question is left.
    """
    frame, dropped = answers.frame, {}
    models = tuple(dict.fromkeys(frame[MODEL]))
    n_answers = len(frame)
    failed = frame[SCORE].isna()
    if failed.any():
        dropped["answers failed or without a score"] = int(failed.sum())
        frame = frame[~failed]
    best = frame.sort_values(SCORE, ascending=False, kind="stable").drop_duplicates([KEY, MODEL])
    if len(best) < len(frame):
        dropped["answers of a model to a question that it answers better elsewhere in the file"] = len(frame) - len(
            best
        )
    frame = best
    count = frame[KEY].value_counts()
    asked = answers.questions.index
    whole = asked[asked.isin(count.index[count == len(models)])]
    if len(whole) < len(asked):
        lacking = min(models, key=lambda model: int((frame[MODEL] == model).sum()))
        dropped[f"questions that some model did not answer, most often {lacking}"] = len(asked) - len(whole)
    if not len(whole):
        raise ValueError(f"no question of {answers.file} was answered by all of its models, {', '.join(models[:8])}")
    by_model = {model: frame[frame[MODEL] == model].set_index(KEY).loc[whole] for model in models}
    costs = costs_of(answers, by_model, prices, price_as)
    columns: dict[str, Any] = {
        name: answers.questions.loc[whole, name].to_numpy() for name in QUESTION_COLUMNS if name in answers.questions
    }
    if INPUT in frame and frame[INPUT].notna().all():
        counts = np.column_stack([part[INPUT].to_numpy(np.float64) for part in by_model.values()])
        columns[INPUT] = np.floor(counts.mean(axis=1) + 0.5).astype(np.int64)
    for model, part in by_model.items():
        columns[model] = part[SCORE].to_numpy(np.float64)
        columns[f"{model}|{COST}"] = costs[model]
        if OUTPUT in part and part[OUTPUT].notna().all():
            columns[f"{model}|{TOKENS}"] = part[OUTPUT].to_numpy(np.int64)
    said = [*answers.said, *([] if prices is None else [charged(prices)])]
    return Table(pd.DataFrame(columns), models, len(asked), n_answers, dropped, said)


def charged(prices: str) -> str:
    """Return what costs are where prices are given."""
    return "nothing is charged" if prices == FREE else f"costs are tokens times the prices in {prices}"


def costs_of(
    answers: Answers, by_model: Mapping[str, pd.DataFrame], prices: str | None, price_as: Mapping[str, str] | None
) -> dict[str, Any]:
    """Return the cost of each answer (n_questions,) in USD, by model."""
    if prices == FREE:
        return {model: np.zeros(len(part)) for model, part in by_model.items()}
    lacks = [name for name in (INPUT, OUTPUT) if name not in answers.frame or answers.frame[name].isna().all()]
    if prices is not None:
        if lacks:
            raise ValueError(
                f"{answers.file} has no {' and no '.join(lacks)}, so prices={prices} says nothing; "
                f"prices={FREE} charges nothing"
            )
        listed = prices_of(list(by_model), prices, price_as)
        return {
            model: (part[INPUT].to_numpy() * listed[model][0] + part[OUTPUT].to_numpy() * listed[model][1]) / 1e6
            for model, part in by_model.items()
        }
    if price_as:
        raise ValueError("price_as says names in a price list, and there is none: give one with prices=FILE")
    if USD not in answers.frame:
        how = f"prices={FREE} charges nothing" if lacks else f"prices=FILE charges its tokens, prices={FREE} nothing"
        raise ValueError(f"{answers.file} has no costs: {how}")
    return {model: part[USD].to_numpy(np.float64) for model, part in by_model.items()}
