"""Makes a workload of a file in the unified schema."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from scenarios.readers.files import read
from scenarios.readers.places import located
from scenarios.readers.unified import build
from sim.tasks import Reward, every_step
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
    reward: Reward = every_step,
) -> Workload:
    """Read a table and its embeddings.

    ``scenarios.readers.unified.build`` has the schema and the parameters, ``scenarios.readers.files.read`` the formats.

    Parameters
    ----------
    path, embeddings, embedder, models, exclude, n_queries, n_history, split_seed, scores
        See there.
    reward : callable
        What a task earns from the scores (n_steps,) of its steps.

    Raises
    ------
    ValueError
        If the format is unknown, the file cannot be read, or it holds a value that cannot be right.
    OSError
        If there is no such file.
    """
    workload = build(
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
    return replace(workload, reward=reward)
