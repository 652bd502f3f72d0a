"""Reads a CSV, JSON-lines, Parquet or pickle file into a data frame, or says in one line why not. It knows no schema.

Texts stay texts, whatever they say: a topic may be called NA.
"""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from scenarios.readers.pickled import read_pickle
from sim.errors import note

TEXTS = ("prompt", "source", "split", "sample_id", "eval_name")  # where NA is a word like any other
MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"]
FORMATS = {
    ".csv": "CSV",
    ".jsonl": "JSON lines",
    ".ndjson": "JSON lines",
    ".parquet": "Parquet",
    ".pkl": "a pickle",
    ".pickle": "a pickle",
}
TEXT_FORMATS = ("CSV", "JSON lines")  # which may be compressed
PACKED = (".gz", ".bz2", ".xz", ".zip")


def read(path: Path) -> pd.DataFrame:
    """Return a file as a frame with distinct column names.

    Parameters
    ----------
    path : Path
        Its ending says the format: ``.csv`` (with commas or semicolons), ``.jsonl`` (an object a line), ``.parquet`` or
        ``.pkl`` (of a data frame). The first two may be compressed, as in ``.csv.gz``.

    Raises
    ------
    ValueError
        If the format is another one, the file cannot be read, or two columns have one name.
    OSError
        If there is no such file.
    """
    kind = format_of(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    if kind == "a pickle":
        frame = read_pickle(path)
        check_distinct(list(frame.columns), path)
    else:
        frame = read_plain(path, kind)
    frame.columns = frame.columns.map(str)
    frame.attrs["file"] = str(path)  # for messages about its cells
    return frame


def format_of(path: Path) -> str:
    """Return the format that a file's name says; raise ValueError if it says none."""
    name = path.name.lower()
    inner = name.removesuffix(Path(name).suffix) if name.endswith(PACKED) else name
    kind = FORMATS.get(Path(inner).suffix)
    if kind is None or (inner != name and kind not in TEXT_FORMATS):
        raise ValueError(
            f"cannot tell the format of {path}: the file name must end in .csv, .jsonl, .parquet or .pkl, "
            f"or in .csv or .jsonl and one of {', '.join(PACKED)}"
        )
    return kind


def read_plain(path: Path, kind: str) -> pd.DataFrame:
    """Return a file that is no pickle as a frame; raise ValueError if it cannot be read."""
    try:
        if kind == "Parquet":
            content = pq.read_table(path)
            check_distinct(content.column_names, path)
            frame: pd.DataFrame = content.to_pandas()
            return frame
        if kind == "JSON lines":
            return read_json_lines(path)
        return read_csv(path)
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
        raise ValueError(f"cannot read {path} as {kind}: {line}") from error


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


def read_json_lines(path: Path) -> pd.DataFrame:
    """Return a file with a JSON object a line as a frame; raise ValueError for the first line that is none."""
    return pd.DataFrame(json_records(path))


def json_records(path: Path) -> list[dict[str, Any]]:
    """Return the JSON objects of a file with one a line; raise ValueError for the first line that is none."""
    records = []
    for number, line in enumerate(unpacked(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"cannot read {path} as JSON lines: line {number} is no JSON: {error}") from error
        if not isinstance(record, dict):
            kind = type(record).__name__
            raise ValueError(f"cannot read {path} as JSON lines: line {number} holds a {kind}, not an object")
        records.append(record)
    return records


def unpacked(path: Path) -> str:
    """Return the text of a file, which may be compressed."""
    packing = path.suffix.lower()
    if packing == ".zip":
        with zipfile.ZipFile(path) as archive:
            return archive.read(archive.namelist()[0]).decode()
    unpack = {".gz": gzip.decompress, ".bz2": bz2.decompress, ".xz": lzma.decompress}.get(packing, bytes)
    return unpack(path.read_bytes()).decode()


def check_distinct(columns: Sequence[str], path: Path) -> None:
    """Raise ValueError if two columns, hence two models, have one name."""
    if len(set(columns)) < len(columns):
        raise ValueError(f"{path} has two columns named {max(columns, key=list(columns).count)!r}; names must differ")
