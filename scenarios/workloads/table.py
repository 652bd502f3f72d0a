"""Workloads from a CSV or Parquet file in the unified schema."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from scenarios.readers.unified import build
from sim.errors import note
from sim.workload import Workload

TEXTS = ("prompt", "source", "split", "sample_id", "eval_name")  # where NA is a word like any other
MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"]
PACKED = (".gz", ".bz2", ".xz", ".zip")


def table(
    path: str,
    embeddings: str | None = None,
    embedder: str | None = None,
    models: Sequence[str] | None = None,
    n_queries: int | None = None,
    n_history: int | None = None,
    split_seed: int = 0,
    scores: str = "strict",
) -> Workload:
    """Read a table and its embeddings; see ``scenarios.readers.unified.build`` for the schema and parameters.

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
        scores=scores,
    )


def read(path: Path) -> pd.DataFrame:
    """Return the file as a frame with distinct column names; texts stay texts, whatever they say.

    A CSV file may be compressed (``.csv.gz``), and have semicolons between its columns.
    """
    name = path.name.lower()
    is_parquet = name.endswith(".parquet")
    if not is_parquet and not name.removesuffix(Path(name).suffix if name.endswith(PACKED) else "").endswith(".csv"):
        raise ValueError(
            f"cannot tell the format of {path}: the file name must end in .csv or .parquet, or in .csv and one of "
            f"{', '.join(PACKED)}"
        )
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        if is_parquet:
            content = pq.read_table(path)
            check_distinct(content.column_names, path)
            frame: pd.DataFrame = content.to_pandas()
        else:
            frame = read_csv(path)
    except (
        pa.ArrowException,
        OSError,
        EOFError,
        zlib.error,
        lzma.LZMAError,
        zipfile.BadZipFile,
        pd.errors.ParserError,
        pd.errors.EmptyDataError,
        UnicodeError,
    ) as error:
        line = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"cannot read {path} as {'Parquet' if is_parquet else 'CSV'}: {line}") from error
    frame.attrs["file"] = str(path)  # for messages about its cells
    return frame


def read_csv(path: Path) -> pd.DataFrame:
    """Return a CSV file as a frame; raise what pandas raises, and ValueError for two columns of one name."""
    header: dict[str, list[str]] = {}
    for separator in ",;":
        names = pd.read_csv(path, sep=separator, header=None, nrows=1, dtype=str, keep_default_na=False)
        header[separator] = names.iloc[0].tolist()
    separator = max(header, key=lambda each: len(header[each]))
    if separator != ",":
        note(f"{path} is read with {separator!r} between its columns")
    check_distinct(header[separator], path)
    texts = [name for name in header[separator] if name in TEXTS or name.endswith("|model_response")]
    missing = {name: MISSING for name in header[separator] if name not in texts}
    return pd.read_csv(path, sep=separator, dtype=dict.fromkeys(texts, str), keep_default_na=False, na_values=missing)


def check_distinct(columns: Sequence[str], path: Path) -> None:
    """Raise ValueError if two columns, hence two models, have one name."""
    if len(set(columns)) < len(columns):
        raise ValueError(f"{path} has two columns named {max(columns, key=list(columns).count)!r}; names must differ")
