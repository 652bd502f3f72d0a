"""What a study writes: requests, summary, budgets and manifest. It knows files, not questions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from sim.study.experiment import Run
from sim.study.output.directory import Directory
from sim.world.record import COLUMNS

NAME = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    [
        ("policy", NAME),
        ("replication", pa.int32()),
        *((name, NAME if kind == "category" else pa.type_for_alias(kind.lower())) for name, kind in COLUMNS.items()),
    ]
)


class Archive:
    """Collects runs in a ``Directory``; an error leaves nothing.

    Parameters
    ----------
    out : Path
    manifest : mapping
        What to write to ``manifest.json`` besides versions and the git commit.

    Attributes
    ----------
    folder : Path
        Where the files are until then.

    Raises
    ------
    FileExistsError
        If ``out`` holds files that no study wrote.
    """

    def __init__(self, out: Path, manifest: Mapping[str, Any]) -> None:
        self._directory = Directory(out)
        self._manifest = manifest
        self._summary: list[dict[str, Any]] = []
        self._fleets: dict[int, pd.DataFrame] = {}

    def __enter__(self) -> Archive:
        """Make the hidden directory."""
        self.folder = self._directory.__enter__().folder
        try:
            self._requests = pq.ParquetWriter(self.folder / "requests.parquet", SCHEMA)
        except BaseException as error:  # also an interrupt, for which __exit__ would not be called
            self._directory.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def add(self, run: Run) -> None:
        """Write a run's requests and note its row of the summary."""
        table = run.requests.assign(policy=run.policy, replication=run.replication)
        self._requests.write_table(pa.Table.from_pandas(table, schema=SCHEMA, preserve_index=False))
        self._summary.append(run.summary)
        self._fleets[run.replication] = run.fleet.assign(replication=run.replication)

    def finish(self) -> pd.DataFrame:
        """Write all but the figures; return the summary."""
        self._requests.close()
        summary = pd.DataFrame(self._summary)
        summary.to_csv(self.folder / "summary.csv", index=False)
        pd.concat(self._fleets.values()).set_index("replication").to_csv(self.folder / "fleet.csv")
        self._directory.write_manifest(self._manifest)
        return summary

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Put the directory in its place, or remove it after an error."""
        try:
            self._requests.close()
        except BaseException as failure:
            self._directory.__exit__(type(failure), failure, failure.__traceback__)
            raise
        self._directory.__exit__(kind, error, traceback)


def file_hashes(files: tuple[Path, ...]) -> dict[str, str]:
    """Return the SHA-256 of each file, by the path as it was given."""
    hashes = {}
    for path in files:
        with path.open("rb") as stream:
            hashes[str(path)] = hashlib.file_digest(stream, "sha256").hexdigest()
    return hashes
