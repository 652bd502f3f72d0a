"""Reads finished studies back from their output directories. It runs nothing."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from sim.study.metrics.groups.classes import SUFFIX, split
from sim.study.oracles import ORACLES
from sim.study.output.source_digest import HOME
from sim.study.rounding import ROUNDED

DRAW = ["seed", "replication"]
ABOUT_RUNS = ("policy", *DRAW, "arrived", "tasks", *ROUNDED, "wall_s")  # columns of the summary that measure no policy
SUMMARY = "summary.csv"
SIGNS = {"more": 1, "less": -1}
MORE_IS_BETTER = ("quality", "served", "quality_per_usd", "relative_quality", "optimum_ratio", "bayes_ratio")
LESS_IS_BETTER = (
    *("exhausted", "rejected", "too_long", "abandoned", "timed_out", "failed", "overshoot"),
    *("cost_usd", "token_cost_usd", "rent_usd", "total_cost_usd"),
)
NEITHER = ("declined", "cached")


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

    def direction(self, metric: str) -> int:
        """Return 1 if more of a metric is better, -1 if less is, 0 if nobody says: for a chosen one, its YAML does."""
        chosen = self.manifest["config"].get("metric") or {}
        for name in keys_of(metric):
            if "better" in (chosen.get(name) or {}):
                return SIGNS[chosen[name]["better"]]
        return direction(metric)

    @property
    def undirected(self) -> list[str]:
        """Return the metrics of which nobody says whether more is better, those aside that are neither."""
        return [metric for metric in self.metrics if self.direction(metric) == 0 and metric not in NEITHER]

    def values(self, policy: str, metric: str) -> pd.Series[float]:
        """Return a metric of a policy, indexed by seed and replication."""
        rows = self.summary[self.summary["policy"] == policy]
        return rows.set_index(DRAW)[metric].astype(float)


@functools.cache
def shipped() -> Mapping[str, Any]:
    """Return what the YAML of every shipped metric says, by its column."""
    found: dict[str, Any] = {}
    for file in sorted((HOME / "conf" / "metric").glob("*.yaml")):
        found |= yaml.safe_load(file.read_text())
    return found


def direction(metric: str) -> int:
    """Return 1 if more is better of a column of every summary or a shipped metric, -1 if less is, 0 for all others.

    >>> direction("quality_per_usd"), direction("p95_latency_s"), direction("declined")
    (1, -1, 0)
    """
    if metric in MORE_IS_BETTER:
        return 1
    if metric in LESS_IS_BETTER:
        return -1
    words = [(shipped().get(name) or {}).get("better", "") for name in keys_of(metric)]
    return next((SIGNS[word] for word in words if word in SIGNS), 0)


def keys_of(metric: str) -> tuple[str, ...]:
    """Return the keys of ``metric`` that a column may come from: of a class, that of each class or of all queries."""
    figure, name = split(metric)
    return (metric,) if name is None else (f"{figure}{SUFFIX}", figure)


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


def unvaried(summary: pd.DataFrame) -> list[str]:
    """Return the policies of which every figure is the same in all of several replications: nothing was redrawn."""
    found = []
    for policy, rows in summary.groupby("policy", sort=False):
        measured = rows.drop(columns=[column for column in (*DRAW, *ROUNDED, "wall_s") if column in rows])
        if len(rows) > 1 and len(measured.drop_duplicates()) == 1:
            found.append(str(policy))
    return found


def cautions(studies: Sequence[Finished]) -> list[str]:
    """Return what makes studies hard to compare, a line each: replications alike, or other data, code or sizes."""
    lines = [
        f"{study.name}: every figure of {', '.join(same)} is the same in all replications, as nothing was redrawn; "
        "they count as one, and no interval says how much is chance"
        for study in studies
        if (same := unvaried(study.summary))
    ]
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
