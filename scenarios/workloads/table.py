"""Workloads from a CSV or Parquet file in the unified schema."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from scenarios.workloads.unified import build
from sim.workload import Workload


def table(
    path: str,
    embeddings: str | None = None,
    embedder: str | None = None,
    models: Sequence[str] | None = None,
    n_queries: int | None = None,
    n_history: int | None = None,
    split_seed: int = 0,
) -> Workload:
    """Read a table and its embeddings; see ``scenarios.workloads.unified.build`` for the schema and parameters.

    Raises
    ------
    ValueError
        If the file is neither CSV nor Parquet, cannot be read, or holds a value that cannot be right.
    OSError
        If there is no such file.
    """
    frame = read(Path(path))
    return build(
        frame,
        embeddings=embeddings,
        embedder=embedder,
        models=models,
        n_queries=n_queries,
        n_history=n_history,
        split_seed=split_seed,
        files=[path],
    )


def read(path: Path) -> pd.DataFrame:
    """Return the file as a frame with distinct column names."""
    if path.suffix not in (".csv", ".parquet"):
        raise ValueError(f"cannot tell the format of {path}: the file name must end in .csv or .parquet")
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        if path.suffix == ".parquet":
            content = pq.read_table(path)
            check_distinct(content.column_names, path)
            frame: pd.DataFrame = content.to_pandas()
            return frame
        with path.open(newline="", encoding="utf-8") as lines:
            check_distinct(next(csv.reader(lines), []), path)
        return pd.read_csv(path)
    except (
        pa.ArrowException,
        OSError,
        csv.Error,
        pd.errors.ParserError,
        pd.errors.EmptyDataError,
        UnicodeError,
    ) as error:
        kind = "Parquet" if path.suffix == ".parquet" else "CSV"
        raise ValueError(f"cannot read {path} as {kind}: {str(error).splitlines()[0]}") from error


def check_distinct(columns: Sequence[str], path: Path) -> None:
    """Raise ValueError if two columns, hence two models, have one name."""
    if len(set(columns)) < len(columns):
        raise ValueError(f"{path} has two columns named {max(columns, key=list(columns).count)!r}; names must differ")
