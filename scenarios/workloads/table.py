"""Makes a workload of a file in the unified schema."""

from __future__ import annotations

from collections.abc import Sequence

from scenarios.readers.files import read
from scenarios.readers.places import located
from scenarios.readers.unified import build
from sim.workload import Workload


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
) -> Workload:
    """Read a table and its embeddings.

    ``scenarios.readers.unified.build`` has the schema and the parameters, ``scenarios.readers.files.read`` the formats.

    Raises
    ------
    ValueError
        If the format is unknown, the file cannot be read, or it holds a value that cannot be right.
    OSError
        If there is no such file.
    """
    return build(
        read(located(path)),
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
