"""Finished studies, read back from their output directories. It knows files and runs nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from sim.study.experiment import ORACLES

DRAW = ["seed", "replication"]
ABOUT_RUNS = ("policy", *DRAW, "arrived", "wall_s")  # columns of the summary that measure no policy
SUMMARY = "summary.csv"


@dataclass(frozen=True)
class Finished:
    """What a run or a comparison left: its name, its manifest, and its summary without the hindsight optima."""

    name: str
    manifest: Mapping[str, Any]
    summary: pd.DataFrame

    @property
    def policies(self) -> list[str]:
        """Return the names of the policies, in their order."""
        return [str(policy) for policy in self.summary["policy"].unique()]

    @property
    def metrics(self) -> list[str]:
        """Return the columns that measure a policy; how long a computer took is not one of them."""
        return [column for column in map(str, self.summary) if column not in ABOUT_RUNS]

    def values(self, policy: str, metric: str) -> pd.Series[float]:
        """Return a metric of a policy, indexed by seed and replication."""
        rows = self.summary[self.summary["policy"] == policy]
        return rows.set_index(DRAW)[metric].astype(float)


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of an output directory.

    Raises
    ------
    FileNotFoundError, ValueError
        If the folder is not an output of switchyard.
    """
    path = folder / "manifest.json"
    if not path.is_file():
        missing = "does not exist" if not folder.exists() else "has no manifest.json, so it is no output of switchyard"
        raise FileNotFoundError(f"{folder} {missing}; give the directory that a verb wrote")
    try:
        manifest: dict[str, Any] = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if not {"verb", "config"} <= set(manifest):
        raise ValueError(f"{path} has no verb and config; it must be one that switchyard wrote")
    return manifest


def read_finished(folders: Sequence[Path]) -> list[Finished]:
    """Return what runs and comparisons left, named after their directories, or by their paths if names are alike.

    Raises
    ------
    FileNotFoundError, ValueError
        If a folder is no output directory, or one of another verb.
    """
    names = [folder.resolve().name for folder in folders]
    alike = len(set(names)) < len(names)
    found = []
    for folder, name in zip(folders, names, strict=True):
        manifest = read_manifest(folder)
        if not (folder / SUMMARY).is_file():
            raise ValueError(
                f"{folder} is of {manifest['verb']} and has no {SUMMARY}; give directories of run or compare"
            )
        summary = pd.read_csv(folder / SUMMARY)
        policies = summary[~summary["policy"].isin(ORACLES)].reset_index(drop=True)
        found.append(Finished(str(folder) if alike else name, manifest, policies))
    return found


def cautions(studies: Sequence[Finished]) -> list[str]:
    """Return what makes studies hard to compare, a line each: other data, other code, other numbers of queries."""
    lines = []
    for other in studies[1:]:
        first = studies[0]
        pair = f"{first.name} and {other.name}"
        if set(first.manifest.get("files", {}).values()) != set(other.manifest.get("files", {}).values()):
            lines.append(f"{pair} read different data files, so differences may be those of the data")
        if code(first) != code(other):
            lines.append(f"{pair} were made by different versions of the code")
        arrived = [float(study.summary["arrived"].mean()) for study in (first, other)]
        if arrived[0] != arrived[1]:
            lines.append(f"{pair} had {arrived[0]:,.0f} and {arrived[1]:,.0f} queries, so sums do not compare")
    return lines


def code(study: Finished) -> object:
    """Return what stands for the code that made a study: the digest of its source; the commit if it has none."""
    return study.manifest.get("source", study.manifest.get("git_commit"))


def differing_keys(a: Finished, b: Finished) -> pd.DataFrame:
    """Return the keys of the configuration in which two studies differ: ``key``, ``a``, ``b``, '-' for none."""
    left, right = (
        {key: value for key, value in study.manifest["config"].items() if key not in ("out", "command")}
        for study in (a, b)
    )
    return pd.DataFrame(list(differing(left, right)), columns=["key", "a", "b"])


def differing(a: Mapping[str, Any], b: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield dotted key and both values wherever two configurations differ; what one side has alone is one entry.

    >>> list(differing({"budget": {"total": 1.0}, "seed": 0}, {"budget": {"total": 2.0}, "seed": 0}))
    [('budget.total', '1.0', '2.0')]
    """
    for key in sorted({*a, *b}):
        left, right = a.get(key), b.get(key)
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            yield from differing(left, right, f"{prefix}{key}.")
        elif left != right:
            yield f"{prefix}{key}", short(left), short(right)


def short(value: Any) -> str:
    """Return a value of a configuration in few words; of a part, the name of what it makes."""
    if isinstance(value, Mapping) and "_target_" in value:
        return str(value["_target_"]).rpartition(".")[2]
    return "-" if value is None else json.dumps(value)
