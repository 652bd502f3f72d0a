"""Makes a workload of a serving trace: real token counts, made-up questions.

``scenarios.arrivals.replay`` reads times from the same file; with ``order=given`` both replay together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from scenarios.arrivals.replay import read_times_s
from scenarios.readers.cells import deadlines_s, names, whole_numbers
from scenarios.readers.files import read
from scenarios.readers.places import files_at, located
from scenarios.readers.prefixes import read_prefixes, read_sessions
from scenarios.readers.prices.reading import prices_of
from scenarios.readers.traces.reading import foreign
from scenarios.workloads.item_response import draw_scores
from scenarios.workloads.synthetic import ROUTERBENCH, Shared, ask, check_sizes, draw_shared, hardness_for
from sim.errors import check_number, unknown
from sim.interface import IntArray
from sim.workload import Rows, Workload
from sim.workload.prefixes import BLOCK_TOKENS, Prefixes

INPUT, OUTPUT = "input_tokens", "output_tokens"


@dataclass(frozen=True)
class PricedModel:
    """A model's mean score in [0, 1] and its prices in USD per million tokens.

    Raises
    ------
    ValueError
        If the score or a price cannot be right.
    """

    name: str
    quality: float
    input_usd_per_million: float
    output_usd_per_million: float

    def __post_init__(self) -> None:
        """Check score and prices."""
        if not 0 <= self.quality <= 1:
            raise ValueError(f"the mean score of model {self.name!r} is {self.quality}; it must be from 0 to 1")
        for price in (self.input_usd_per_million, self.output_usd_per_million):
            if not 0 <= price < float("inf"):
                raise ValueError(f"a price of model {self.name!r} is {price}; it must be at least 0 and finite, USD")


def trace(
    path: str,
    models: Sequence[PricedModel] | None = None,
    n_queries: int | None = None,
    n_history: int = 8000,
    loop: bool = False,
    dim: int = 64,
    seed: int = 0,
    columns: Mapping[str, str] | None = None,
    prices: str | None = None,
    price_as: Mapping[str, str] | None = None,
    span_s: float | None = None,
    block_tokens: int = BLOCK_TOKENS,
) -> Workload:
    """Give the requests of a trace, in the file's order, made-up questions that models answer.

    *Real*: the input and output tokens of every test query, as recorded, row by row. The models' prices and mean scores
    are as given (by default RouterBench's eleven, see ``scenarios.workloads.synthetic``).

    Also real, where the file has them: the blocks of tokens that prompts begin with (``prefix_blocks``, a list a
    row) and the sessions (``session``).

    *Made up*: everything else. Every model is taken to write the output tokens that the one recorded model wrote, and a
    cost is tokens times list price. Topics, difficulties, embeddings and scores are those of the synthetic workload,
    drawn independently of the token counts: an embedding says something about which model is right, nothing of lengths.
    History queries have the token counts of rows of the trace drawn at random with replacement, so history knows the
    trace's distribution of lengths. When the trace begins again
    (loop), its lengths repeat; its questions, blocks and sessions are new.

    Parameters
    ----------
    path : str
        A CSV, JSON-lines or Parquet file with the columns ``input_tokens`` and ``output_tokens``, or a file in one of
        the formats of ``scenarios.readers.traces``, whose rules then say which rows count. Optional in a file of our
        own are ``class`` and ``tenant`` (names), ``priority`` (0 the most urgent) and ``due_s`` (seconds to the
        deadline).
    models : sequence of PricedModel or None
        None for RouterBench's eleven.
    n_queries : int or None
        The first n rows; None for all. More than there are only with loop.
    n_history : int
        How many history queries there are; at least 1.
    dim : int
        Dimensions of the embeddings; at least 2.
    loop : bool
        Whether the trace begins again after its last row, as often as needed.
    seed : int
        Of all that is made up; token counts of the test rows do not depend on it.
    columns : mapping of str to str or None
        Our columns, each with its name in the file, as in {arrival_s: t, input_tokens: p, output_tokens: c}. A file
        with any is read by the rules of ``scenarios.readers.traces.recorded``.
    prices : str or None
        A price list, whose prices the models take by their names (``scenarios.readers.prices``); None leaves them.
    price_as : mapping of str to str or None
        Names of models in the price list, where they are other ones.
    span_s : float or None
        Keep the rows that came less than so long after the first, in the trace's own time; None keeps all. Not for a
        looped trace.
    block_tokens : int
        Input tokens of a block of ``prefix_blocks``; the published trace of Mooncake has 512.

    Raises
    ------
    ValueError
        If the file cannot be read, lacks a column or holds a count that cannot be right; if a size is too small, or too
        large without loop; if there are no models.
    OSError
        If there is no such file.
    """
    frame = read_trace(path, columns)
    if span_s is not None:
        if loop:
            raise ValueError(
                f"workload.span_s is {span_s}, and a looped trace is looped whole; leave one of the two out"
            )
        frame = first_of(frame, path, columns, span_s)
    tokens = whole_numbers(frame, INPUT), whole_numbers(frame, OUTPUT)
    n_rows = len(tokens[0])
    n_queries = n_rows if n_queries is None else n_queries
    check_sizes({"n_queries": n_queries, "n_history": n_history, "dim": dim})
    if n_queries > n_rows and not loop:
        raise ValueError(
            f"workload.n_queries is {n_queries} and {path} has {n_rows} rows; "
            "use fewer, or let the trace begin again with workload.loop=true"
        )
    if models is None:
        models = [
            PricedModel(model.name, model.quality, model.input_usd_per_million, model.output_usd_per_million)
            for model in ROUTERBENCH
        ]
    files = [*files_at(path)]
    if prices is not None:
        listed = prices_of([model.name for model in models], prices, price_as)
        models = [PricedModel(model.name, model.quality, *listed[model.name]) for model in models]
        files.append(located(prices))
    rng = np.random.default_rng(seed)
    shared = draw_shared(len(models), dim, rng)
    history = draw(shared, models, tokens, rng.integers(n_rows, size=n_history), rng)
    chosen = np.arange(n_queries) % n_rows
    prefix, session = in_rounds(frame, tokens[0], chosen, block_tokens)
    test = replace(draw(shared, models, tokens, chosen, rng), prefix=prefix, session=session)
    test = labelled(test, frame)
    return Workload(tuple(model.name for model in models), history, test, files=tuple(files))


def draw(
    shared: Shared,
    models: Sequence[PricedModel],
    tokens: tuple[IntArray, IntArray],
    chosen: IntArray,
    rng: np.random.Generator,
) -> Rows:
    """Draw questions and scores for the chosen rows (n,) of the trace, whose tokens are arrays (n_rows,)."""
    input_tokens, output_tokens = tokens[0][chosen], tokens[1][chosen]
    questions = ask(shared, len(chosen), rng)
    paid = [
        input_tokens * model.input_usd_per_million + output_tokens * model.output_usd_per_million for model in models
    ]
    drawn = [
        draw_scores(hardness_for(shared, questions, k), round(model.quality * len(chosen)), rng)
        for k, model in enumerate(models)
    ]
    quality, chance = np.array(drawn, dtype=np.float64).reshape(len(models), 2, len(chosen)).transpose(1, 2, 0)
    return Rows(
        embeddings=questions.embeddings,
        input_tokens=input_tokens,
        quality=quality,
        cost_usd=np.array(paid).reshape(len(models), len(chosen)).T / 1e6,
        output_tokens=np.tile(output_tokens[:, None], len(models)),
        source=questions.names(),
        row=chosen,
        expected_quality=chance,
    )


def first_of(frame: pd.DataFrame, path: str, columns: Mapping[str, str] | None, span_s: float) -> pd.DataFrame:
    """Return the rows that came less than span_s after the first."""
    check_number("workload.span_s", span_s, above=0)
    times_s = read_times_s(path, columns)
    return frame.iloc[: int(np.searchsorted(times_s, times_s[0] + span_s, side="left"))]


def labelled(test: Rows, frame: pd.DataFrame) -> Rows:
    """Return the rows with class, tenant, priority and deadline as the trace has them."""
    labels: dict[str, Any] = {"class_name": names(frame, "class"), "tenant": names(frame, "tenant")}
    labels["priority"] = whole_numbers(frame, "priority") if "priority" in frame.columns else None
    labels["due_s"] = deadlines_s(frame) if "due_s" in frame.columns else None
    return replace(test, **{name: values[test.row] for name, values in labels.items() if values is not None})


def in_rounds(
    frame: pd.DataFrame, input_tokens: IntArray, chosen: IntArray, block_tokens: int
) -> tuple[Prefixes | None, IntArray | None]:
    """Return blocks and sessions of the chosen rows (n,), those of each further round of the trace new."""
    prefix, session = read_prefixes(frame, input_tokens, block_tokens), read_sessions(frame)
    turn = np.arange(len(chosen)) // len(frame)
    if prefix is not None:
        taken = prefix[chosen]
        shift = turn * (int(prefix.blocks.max(initial=-1)) + 1)
        prefix = Prefixes(taken.blocks + np.repeat(shift, taken.sizes), taken.begins, taken.block_tokens)
    return prefix, None if session is None else session[chosen] + turn * (int(session.max()) + 1)


def read_trace(path: str, columns: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Return the rows of a trace, at least one, with input and output tokens."""
    trace = foreign(path, columns)
    if trace is not None:
        return trace.frame
    frame = read(located(path))
    for column in (INPUT, OUTPUT):
        if column not in frame.columns:
            raise ValueError(f"{path}: " + unknown("column", column, [str(name) for name in frame.columns]))
    if len(frame) == 0:
        raise ValueError(f"{path} has no rows; a trace needs at least one")
    return frame
