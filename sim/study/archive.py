"""A study's output directory, which appears under its name only when it is whole. It knows files, not questions."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from sim.study.experiment import Run

NAME = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    [
        ("policy", NAME),
        ("replication", pa.int32()),
        ("id", pa.int64()),
        ("arrived_at_s", pa.float64()),
        ("deployment", NAME),
        ("fate", NAME),
        ("decided_at_s", pa.float64()),
        ("started_at_s", pa.float64()),
        ("first_token_at_s", pa.float64()),
        ("finished_at_s", pa.float64()),
        ("ended_at_s", pa.float64()),
        ("attempts", pa.int32()),
        ("quality", pa.float64()),
        ("cost_usd", pa.float64()),
        ("input_tokens", pa.int64()),
        ("output_tokens", pa.int64()),
    ]
)
PACKAGES = (
    "faiss-cpu",
    "hydra-core",
    "llm-switchyard",
    "numpy",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "scipy",
    "seaborn",
    "simpy",
)


class Archive:
    """Collects runs in a hidden directory beside ``out`` and renames it at the end; an error leaves nothing.

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
        if out.exists() and not (out / "manifest.json").is_file() and (not out.is_dir() or any(out.iterdir())):
            raise FileExistsError(f"{out} exists and is not an output of switchyard; choose another with out=DIR")
        self._out = out
        self._manifest = manifest
        self._summary: list[dict[str, Any]] = []
        self._budgets: dict[int, pd.DataFrame] = {}

    def __enter__(self) -> Archive:
        """Make the hidden directory."""
        self._out.parent.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix=f".{self._out.name}.", suffix=".partial", dir=self._out.parent))
        self.folder.chmod(0o755)
        self._requests = pq.ParquetWriter(self.folder / "requests.parquet", SCHEMA)
        return self

    def add(self, run: Run) -> None:
        """Write a run's requests and note its row of the summary."""
        table = run.requests.assign(policy=run.policy, replication=run.replication)
        self._requests.write_table(pa.Table.from_pandas(table, schema=SCHEMA, preserve_index=False))
        self._summary.append(run.summary)
        setting = run.instance.setting
        self._budgets[run.replication] = pd.DataFrame(
            {
                "replication": run.replication,
                "deployment": [info.name for info in setting.fleet],
                "model": [info.model for info in setting.fleet],
                "unit": [info.unit for info in setting.fleet],
                "budget": setting.budgets,
            }
        )

    def finish(self) -> pd.DataFrame:
        """Write all but the figures; return the summary."""
        self._requests.close()
        summary = pd.DataFrame(self._summary)
        summary.to_csv(self.folder / "summary.csv", index=False)
        pd.concat(self._budgets.values()).to_csv(self.folder / "budgets.csv", index=False)
        manifest = {
            **self._manifest,
            "versions": {package: metadata.version(package) for package in PACKAGES},
            "git_commit": git_commit(),
        }
        (self.folder / "manifest.json").write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n")
        return summary

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Put the directory in its place, or remove it after an error."""
        self._requests.close()
        if error is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
            return
        old = self.folder.with_suffix(".old")
        if self._out.exists():
            self._out.rename(old)
        self.folder.rename(self._out)
        shutil.rmtree(old, ignore_errors=True)


def git_commit() -> str | None:
    """Return the commit of the checkout that this code runs from, with ``+changes`` if it has any; None elsewhere."""
    here = Path(__file__).resolve().parents[2]

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(here), *arguments], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")) != here:
            return None  # installed somewhere inside another project's checkout
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def file_hashes(files: tuple[Path, ...]) -> dict[str, str]:
    """Return the SHA-256 of each file, by the path as it was given."""
    hashes = {}
    for path in files:
        with path.open("rb") as stream:
            hashes[str(path)] = hashlib.file_digest(stream, "sha256").hexdigest()
    return hashes
