"""Reads the published RouterBench pickle, or a CSV of it, as a workload. It knows that file's columns, not splits.

RouterBench is arXiv 2403.12031. The file has no token counts; output tokens are estimated as a quarter of each
response's characters.
"""

from __future__ import annotations

from collections.abc import Sequence

from scenarios.readers.cells import text_tokens
from scenarios.readers.columns import TOKENS
from scenarios.readers.files import read
from scenarios.readers.pickled import read_pickle
from scenarios.readers.places import located
from scenarios.readers.unified import build
from sim.workload import Workload

RESPONSE = "model_response"


def routerbench(
    path: str,
    embeddings: str | None = None,
    embedder: str | None = None,
    models: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    n_queries: int | None = 10_000,
    n_history: int | None = None,
    split_seed: int = 0,
    scores: str = "strict",
) -> Workload:
    """Read ``routerbench_0shot.pkl``: test rows are drawn at random, the others are history, as in PORT's study.

    See ``scenarios.readers.unified.build`` for the parameters.

    Raises
    ------
    ValueError
        If the pickle holds anything but a data frame; a pickle that carries code is refused by the name of what it
        would call, before anything is called.
    OSError
        If there is no such file.
    """
    file = located(path)
    is_csv = file.suffix.lower() == ".csv"
    frame = (read(file) if is_csv else read_pickle(file)).rename(columns={"eval_name": "source"})
    frame.attrs["file"] = path  # for messages about its cells
    for column in [column for column in frame.columns if str(column).endswith(f"|{RESPONSE}")]:
        model = str(column).removesuffix(f"|{RESPONSE}")
        frame[f"{model}|{TOKENS}"] = text_tokens(frame.pop(column).fillna("").astype(str))
    return build(
        frame.drop(columns="oracle_model_to_route_to", errors="ignore"),
        embeddings=embeddings,
        embedder=embedder,
        models=models,
        exclude=exclude,
        n_queries=n_queries,
        n_history=n_history,
        split_seed=split_seed,
        files=[path],
        scores=scores,
    )
