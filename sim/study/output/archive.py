"""Writes the files of a study: requests, summary and fleet. It knows files, not questions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from sim.study.experiment import Record
from sim.study.metrics.sources import by_source
from sim.world.record import COLUMNS
from sim.world.record.calls import CALL_COLUMNS
from sim.world.record.tasks import TASK_COLUMNS

SOURCES = "sources.csv"
ROW_GROUP = 256 * 1024  # rows that are made ready to be written at a time
NAME = pa.dictionary(pa.int32(), pa.string())
CALLS, TASKS = "calls.parquet", "tasks.parquet"
LIMITS, ALERTS, EVENTS = "limits.csv", "alerts.csv", "events.csv"
CHOICES, ONE_QUERY = "choices.parquet", "one_query.csv"
REPLICAS, HOURS = "replicas.csv", "hours.csv"


def schema(columns: Mapping[str, str]) -> pa.Schema:
    """Return the schema of a table of all runs, from the pandas types of its columns."""
    kinds = {name: NAME if kind == "category" else pa.type_for_alias(kind.lower()) for name, kind in columns.items()}
    return pa.schema({"policy": NAME, "replication": pa.int32(), **kinds})


SCHEMA, CALL_SCHEMA, TASK_SCHEMA = schema(COLUMNS), schema(CALL_COLUMNS), schema(TASK_COLUMNS)


class Archive:
    """Collects runs in a folder.

    Parameters
    ----------
    folder : Path
        Exists; gets ``requests.parquet``, ``summary.csv``, ``fleet.csv``, if the workload has sources ``sources.csv``,
        ``calls.parquet`` if queries of any run could take several calls, and ``tasks.parquet`` if they were steps of
        tasks; ``limits.csv`` and ``alerts.csv`` if there are limits; ``events.csv`` if anything happened to deployments
        or arrivals; ``replicas.csv`` if replicas come and go, and ``hours.csv`` if a run takes more than an hour.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._summary: list[dict[str, Any]] = []
        self._fleets: dict[int, pd.DataFrame] = {}
        self._sources: list[pd.DataFrame] = []
        named = (LIMITS, ALERTS, EVENTS, REPLICAS, HOURS)
        self._tables: dict[str, list[pd.DataFrame]] = {name: [] for name in named}
        self._others: dict[str, pq.ParquetWriter] = {}

    def __enter__(self) -> Archive:
        """Open the file of requests."""
        self._requests = pq.ParquetWriter(self._folder / "requests.parquet", SCHEMA)
        return self

    def add(self, run: Record) -> None:
        """Write a run's requests and note its row of the summary."""
        write(self._requests, run, run.requests, SCHEMA)
        for name, table, of in ((CALLS, run.calls, CALL_SCHEMA), (TASKS, run.tasks, TASK_SCHEMA)):
            if table is not None:
                if name not in self._others:
                    self._others[name] = pq.ParquetWriter(self._folder / name, of)
                write(self._others[name], run, table, of)
        self._summary.append(run.summary)
        events = None if run.events.empty else run.events
        found = (*(run.limits or (None, None)), events, run.replicas, run.hours)
        for name, rows_of in zip(self._tables, found, strict=True):
            if rows_of is not None:
                named = rows_of.assign(policy=run.policy, replication=run.replication)
                self._tables[name].append(named[["policy", "replication", *rows_of.columns]])
        sources = by_source(run.requests, run.tasks)
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
        for name, tables in self._tables.items():
            if tables:
                pd.concat(tables).to_csv(self._folder / name, index=False)
        if self._sources:
            pd.concat(self._sources).to_csv(self._folder / SOURCES, index=False)
        return summary

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the files of requests, calls and tasks."""
        for file in (self._requests, *self._others.values()):
            file.close()


def write(file: pq.ParquetWriter, run: Record, table: pd.DataFrame, of: pa.Schema) -> None:
    """Write a table of one run, a row group at a time, so that no second one of its size is in memory."""
    for start in range(0, max(len(table), 1), ROW_GROUP):
        file.write_table(rows(run, table.iloc[start : start + ROW_GROUP], of), row_group_size=ROW_GROUP)


def rows(run: Record, table: pd.DataFrame, of: pa.Schema) -> pa.Table:
    """Return a table of one run as rows of the table of all runs."""
    named = table.assign(policy=run.policy, replication=run.replication)
    return pa.Table.from_pandas(named, schema=of, preserve_index=False)


def file_hashes(files: tuple[Path, ...]) -> dict[str, str]:
    """Return the SHA-256 of each file, by the path as it was given."""
    hashes = {}
    for path in files:
        with path.open("rb") as stream:
            hashes[str(path)] = hashlib.file_digest(stream, "sha256").hexdigest()
    return hashes
