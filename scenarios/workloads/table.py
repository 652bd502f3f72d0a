"""Makes a workload of a file in the unified schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from scenarios.readers.files import read
from scenarios.readers.places import files_at, located
from scenarios.readers.tables.answers import FREE
from scenarios.readers.tables.pricing import with_prices
from scenarios.readers.tables.reading import foreign
from scenarios.readers.unified import build
from scenarios.workloads.capping import with_columns, with_curve
from sim.workload import Workload
from sim.workload.prefixes import BLOCK_TOKENS
from sim.workload.tasks import Reward, every_step


def table(
    path: str,
    embeddings: str | None = None,
    embedder: str | None = None,
    models: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    n_queries: int | None = None,
    n_history: int | None = None,
    split_seed: int = 0,
    scores: str = "strict",
    reward: Reward = every_step,
    cap_curve: float | None = None,
    prices: str | None = None,
    price_as: Mapping[str, str] | None = None,
    block_tokens: int = BLOCK_TOKENS,
) -> Workload:
    """Read a table and its embeddings.

    ``scenarios.readers.unified.build`` has the schema and the parameters, ``scenarios.readers.files.read`` the formats.
    ``m@CAP`` is the score of model m's answer if it is cut at CAP output tokens (``capping.with_columns``). A file in
    one of the formats of ``scenarios.readers.tables`` is read by the rules that ``answers`` has.

    Parameters
    ----------
    cap_curve : float or None
        Makes scores of cut answers up, where the table has none: an answer of n tokens keeps (1 - exp(-a c/n)) /
        (1 - exp(-a)) of its score when it is cut at c, with this a, above 0 and at most 1000. None makes up nothing.
    reward : callable
        What a task earns from the scores (n_steps,) of its steps.
    prices : str or None
        A price list by which every model's tokens are charged, whatever the table says (``scenarios.readers.prices``);
        ``none`` charges nothing; None takes the table's costs.
    price_as : mapping of str to str or None
        Names of models in the price list, where they are other ones.

    Raises
    ------
    ValueError
        If the format is unknown, the file cannot be read, or it holds a value that cannot be right.
    OSError
        If there is no such file.
    """
    made = foreign(path, prices, price_as)
    frame = with_prices(read(located(path)), prices, price_as) if made is None else made.frame
    workload = build(
        frame,
        embeddings=embeddings,
        embedder=embedder,
        models=models,
        exclude=exclude,
        n_queries=n_queries,
        n_history=n_history,
        split_seed=split_seed,
        files=[*map(str, files_at(path)), *([] if prices in (None, FREE) else [str(prices)])],
        scores=scores,
        block_tokens=block_tokens,
    )
    return replace(with_curve(with_columns(workload, frame, scores), cap_curve), reward=reward)
