"""Writes the files of a study: requests, summary and fleet. It knows files, not questions."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import TracebackType
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from sim.study.experiment import Run
from sim.study.metrics.sources import by_source
from sim.world.record import COLUMNS

SOURCES = "sources.csv"
NAME = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    [
        ("policy", NAME),
        ("replication", pa.int32()),
        *((name, NAME if kind == "category" else pa.type_for_alias(kind.lower())) for name, kind in COLUMNS.items()),
    ]
)


class Archive:
    """Collects runs in a folder.

    Parameters
    ----------
    folder : Path
        Exists; gets ``requests.parquet``, ``summary.csv``, ``fleet.csv`` and, if the workload has sources,
        ``sources.csv``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._summary: list[dict[str, Any]] = []
        self._fleets: dict[int, pd.DataFrame] = {}
        self._sources: list[pd.DataFrame] = []

    def __enter__(self) -> Archive:
        """Open the file of requests."""
        self._requests = pq.ParquetWriter(self._folder / "requests.parquet", SCHEMA)
        return self

    def add(self, run: Run) -> None:
        """Write a run's requests and note its row of the summary."""
        table = run.requests.assign(policy=run.policy, replication=run.replication)
        self._requests.write_table(pa.Table.from_pandas(table, schema=SCHEMA, preserve_index=False))
        self._summary.append(run.summary)
        sources = by_source(run.requests)
        if len(sources):
            sources.insert(0, "policy", run.policy)
            sources.insert(1, "replication", run.replication)
            self._sources.append(sources)
        self._fleets[run.replication] = run.fleet.assign(replication=run.replication)

    def finish(self) -> pd.DataFrame:
        """Write the tables of all runs; return the summary."""
        summary = pd.DataFrame(self._summary)
        summary.to_csv(self._folder / "summary.csv", index=False)
        pd.concat(self._fleets.values()).set_index("replication").to_csv(self._folder / "fleet.csv")
        if self._sources:
            pd.concat(self._sources).to_csv(self._folder / SOURCES, index=False)
        return summary

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the file of requests."""
        self._requests.close()


def file_hashes(files: tuple[Path, ...]) -> dict[str, str]:
    """Return the SHA-256 of each file, by the path as it was given."""
    hashes = {}
    for path in files:
        with path.open("rb") as stream:
            hashes[str(path)] = hashlib.file_digest(stream, "sha256").hexdigest()
    return hashes
