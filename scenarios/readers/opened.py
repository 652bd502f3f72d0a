"""Opens a file of any format, by what is in it and not by its name. It knows no schema.

What a format's reader needs to say whether a file is its own is read first: the names of the columns, and the first
record. The whole is read when it is asked for.
"""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import zipfile
import zlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from scenarios.readers.files import FORMATS, check_distinct, json_records, read_plain, unpacked
from scenarios.readers.pickled import read_pickle

HEAD_BYTES = 2**20  # enough for the first line of a file
FOLDER, PICKLE, PARQUET, CSV, JSON, LINES = "a folder", "a pickle", "Parquet", "CSV", "JSON", "JSON lines"
DAMAGE = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
BEGINS_JSON = ("{", "[")


class Opened:
    """A file or folder that is read as far as is asked for.

    Parameters
    ----------
    path : Path

    Raises
    ------
    ValueError
        If it is empty or cannot be read as what it seems to be; so do the attributes.
    OSError
        If there is no such file.

    Attributes
    ----------
    path : Path
    kind : str
        ``a folder``, ``a pickle``, ``Parquet``, ``CSV``, ``JSON`` or ``JSON lines``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._head = b"" if path.is_dir() else head(path)
        self.kind = FOLDER if path.is_dir() else kind_of(self._head, path)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of columns, or keys of the object or of the first record; none of a folder."""
        if self.kind == FOLDER:
            return ()
        if self.kind == PARQUET:
            return tuple(self._parquet.schema_arrow.names)
        if self.kind in (CSV, PICKLE):
            return tuple(str(name) for name in (header(self.path) if self.kind == CSV else self.frame.columns))
        value = self.value if self.kind == JSON and isinstance(self.value, dict) else self.first
        return tuple(str(key) for key in value)

    @cached_property
    def first(self) -> Mapping[str, Any]:
        """The first record; empty where there is none, or the file holds something else."""
        if self.kind == JSON:
            record = self.value[0] if isinstance(self.value, list) and self.value else self.value
        elif self.kind == LINES:
            record = json.loads(first_line(self._head.decode(errors="replace")))
        elif self.kind == PARQUET:
            record = self._first_row()
        elif self.kind == FOLDER:
            return {}
        else:
            record = self.frame.iloc[0].to_dict() if len(self.frame) else {}
        return record if isinstance(record, dict) else {}

    def _first_row(self) -> dict[str, Any]:
        try:
            batch = next(self._parquet.iter_batches(batch_size=1), None)
        except (pa.ArrowException, OSError) as error:
            raise ValueError(f"cannot read {self.path} as Parquet: {one_line(error)}") from error
        return batch.to_pylist()[0] if batch is not None and len(batch) else {}

    @cached_property
    def _parquet(self) -> pq.ParquetFile:
        try:
            return pq.ParquetFile(self.path)
        except (pa.ArrowException, OSError) as error:
            raise ValueError(f"cannot read {self.path} as Parquet: {one_line(error)}") from error

    @cached_property
    def value(self) -> Any:
        """What a JSON file holds."""
        try:
            return json.loads(unpacked(self.path))
        except (json.JSONDecodeError, UnicodeError, RecursionError, *DAMAGE) as error:
            raise ValueError(f"cannot read {self.path} as JSON: {one_line(error)}") from error

    @cached_property
    def records(self) -> list[dict[str, Any]]:
        """The objects of JSON lines, or of a JSON list."""
        try:
            found = json_records(self.path) if self.kind == LINES else self.value
        except (UnicodeError, *DAMAGE) as error:
            raise ValueError(f"cannot read {self.path} as {self.kind}: {one_line(error)}") from error
        if not isinstance(found, list) or not all(isinstance(record, dict) for record in found):
            raise ValueError(f"cannot read {self.path} as a list of requests: its JSON is no list of objects")
        return found

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The rows of a table, or the records of JSON lines or of a JSON list, as a frame."""
        if self.kind == PICKLE:
            frame = read_pickle(self.path)
            check_distinct(list(frame.columns), self.path)
        elif self.kind in (JSON, LINES):
            frame = pd.DataFrame(self.records)
        else:
            frame = read_plain(self.path, self.kind)
        frame.columns = frame.columns.map(str)
        frame.attrs["file"] = str(self.path)  # for messages about its cells
        return frame

    def described(self) -> str:
        """Return what the file holds, in words."""
        if self.kind == FOLDER:
            return "a folder"
        names = ", ".join(self.columns[:8]) + (", ..." if len(self.columns) > 8 else "")
        if self.kind in (JSON, LINES):
            return f"{self.kind} with the keys {names}" if names else f"{self.kind} without keys"
        return f"{self.kind} with the columns {names}"


def head(path: Path) -> bytes:
    """Return how a file begins, unpacked."""
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        found = packed_head(path)
    except DAMAGE as error:
        raise ValueError(f"cannot read {path}: {one_line(error)}") from error
    if not found.replace(BYTE_ORDER_MARK, b"").strip():
        ending = path.suffix.lower()
        raise ValueError(f"cannot read {path} as {FORMATS.get(ending, ending[1:].upper() or 'a file')}: it is empty")
    return found


def packed_head(path: Path) -> bytes:
    """Return how a file begins; raise what unpacking raises."""
    packing = path.suffix.lower()
    if packing == ".zip":
        with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as member:
            return member.read(HEAD_BYTES)
    if packing in (".gz", ".bz2", ".xz"):
        opener: Any = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}[packing]
        with opener(path, "rb") as stream:
            return bytes(stream.read(HEAD_BYTES))
    with path.open("rb") as stream:
        return stream.read(HEAD_BYTES)


def kind_of(begins: bytes, path: Path) -> str:
    """Return what kind of file begins so."""
    if begins.startswith(b"PAR1"):
        return PARQUET
    if begins.startswith(b"\x80") or path.suffix.lower() in (".pkl", ".pickle"):
        return PICKLE
    text = begins.decode(errors="replace").lstrip("\ufeff \t\r\n")
    if not text.startswith(BEGINS_JSON):
        return CSV
    line = first_line(text)
    try:
        is_record = isinstance(json.loads(line), dict)
    except (json.JSONDecodeError, RecursionError):
        is_record = False
    named_lines = Path(path.name.lower().removesuffix(".gz")).suffix in (".jsonl", ".ndjson")
    return LINES if is_record and (named_lines or text.strip() != line.strip()) else JSON


def first_line(text: str) -> str:
    """Return the first line that is not blank."""
    return text.lstrip("\ufeff \t\r\n").partition("\n")[0]


def header(path: Path) -> list[str]:
    """Return the first row of a CSV file, with commas or semicolons between its cells."""
    rows = []
    for separator in ",;":
        try:
            names = pd.read_csv(path, sep=separator, header=None, nrows=1, dtype=str, keep_default_na=False)
        except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeError, *DAMAGE) as error:
            raise ValueError(f"cannot read {path} as CSV: {one_line(error)}") from error
        rows.append([str(name) for name in names.iloc[0]])
    return max(rows, key=len)


def one_line(error: BaseException) -> str:
    """Return the first line of an error."""
    return (str(error).splitlines() or [type(error).__name__])[0]
