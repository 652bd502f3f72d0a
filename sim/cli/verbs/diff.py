"""Carries out the verb diff: from output directories to differences and probabilities of being the best."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from omegaconf import DictConfig
from rich.console import RenderableType

from sim.cli.output import Output
from sim.errors import unknown
from sim.show.answers.fates import of_studies
from sim.show.answers.subject import latency_column
from sim.show.diff import best_sentence, difference_table, ranking_table, sentences, shown_metrics
from sim.study.diff.comparison import differences
from sim.study.diff.ranking import alternatives, rankings
from sim.study.output.archive import file_hashes
from sim.study.output.finished import SUMMARY, Finished, cautions, differing_keys, read_finished

OF_TIME = (
    *("p95_first_token_s", "p50_latency_s", "p95_latency_s", "p99_latency_s", "served", "exhausted", "rejected"),
    *("abandoned", "timed_out", "failed", "total_cost_usd"),
)
RANKED_FROM = 3  # of two, the difference says it all
MOST_KEYS = 8


def diff(verb: str, config: DictConfig) -> int:
    """Carry out the verb: print the tables, write the output directory if one is named; return 0."""
    folders = [Path(directory) for directory in config.directories]
    output = Output(verb, config)
    if output.path is not None and output.path.resolve() in [folder.resolve() for folder in folders]:
        raise ValueError(f"out is {output.path}, which is to be compared; choose another directory")
    studies = studied(config)
    metrics = chosen(config.metrics, studies) or of_time(studies)
    tables = compared(config, studies)
    warnings = cautions(studies)
    for warning in [*warnings, *unranked(studies)]:
        sys.stderr.write(f"switchyard: warning: {warning}\n")
    with output.whole() as folder:
        files = file_hashes(tuple(study / SUMMARY for study in folders))
        output.note(files=files, studies=[study.name for study in studies], cautions=warnings, shown=metrics)
        for name, table in tables.items():
            table.to_csv(folder / f"{name}.csv", index=False)
    output.say(*found(tables, [study.name for study in studies], metrics))
    return 0


def studied(config: DictConfig) -> list[Finished]:
    """Read the studies that a configuration names; raise ValueError if it names none."""
    if not config.directories:
        raise ValueError("no directory is given; give one or more of run or compare, as in: switchyard diff A B")
    return read_finished([Path(directory) for directory in config.directories])


def compared(config: DictConfig, studies: list[Finished]) -> dict[str, pd.DataFrame]:
    """Return the tables that studies have together, by the names of their files.

    Of two studies ``differences`` and ``configuration``; of one, of three or more, or of two with enough policies,
    ``best``.
    """
    tables: dict[str, pd.DataFrame] = {}
    if len(studies) == 2:
        if not 0 <= config.margin < 1:
            raise ValueError(f"margin is {config.margin}; it must be a share from 0 to below 1, such as 0.01")
        tables["differences"] = differences(studies[0], studies[1], margin=config.margin)
        tables["configuration"] = differing_keys(*studies)
    if len(studies) != 2 or (len(alternatives(studies)) >= RANKED_FROM and replicated(studies)):
        tables["best"] = rankings(studies, config.seed)
    return tables


def unranked(studies: list[Finished]) -> list[str]:
    """Return a line about metrics of which nothing says whether more is better; none if there are none."""
    undirected = dict.fromkeys(metric for study in studies for metric in study.undirected)
    if not undirected:
        return []
    return [
        f"{', '.join(undirected)} cannot be ranked, as nothing says whether more is better; "
        "put better: more or better: less into the YAML of the metric"
    ]


def chosen(metrics: Any, studies: list[Finished]) -> list[str] | None:
    """Return the metrics that were asked for; raise ValueError for one that a study does not have."""
    if metrics is None:
        return None
    if isinstance(metrics, str):
        raise ValueError(f"metrics is {metrics!r}; it must be a list, such as [{metrics}]")
    for metric in metrics:
        for study in studies:
            if metric not in study.metrics:
                raise ValueError(unknown("metric", str(metric), study.metrics) + f" (in {study.name})")
    return list(metrics)


def of_time(studies: list[Finished]) -> list[str] | None:
    """Return the metrics that matter most where all studies ask about latency and not about quality; None elsewhere."""
    if any(latency_column(study.manifest["config"], study.summary) is None for study in studies):
        return None
    common = [metric for metric in OF_TIME if all(metric in study.metrics for study in studies)]
    return [metric for metric in common if any(study.summary[metric].any() for study in studies)]


def replicated(studies: list[Finished]) -> bool:
    """Return whether every study has replications enough for probabilities."""
    return all(study.summary["replication"].nunique() > 1 for study in studies)


def found(tables: dict[str, pd.DataFrame], names: list[str], metrics: list[str] | None) -> Iterator[RenderableType]:
    """Yield the tables and what they say in sentences."""
    if "differences" in tables:
        table = shown_metrics(tables["differences"], metrics)
        yield difference_table(table, *names)
        yield from sentences(table, *names)
        yield from of_studies(tables["differences"], *names)
        keys = [f"{row.key} ({row.a}, {row.b})" for row in tables["configuration"].itertuples()]
        more = [f"{len(keys) - MOST_KEYS} more keys"] if len(keys) > MOST_KEYS else []
        yield f"the configurations differ in {', '.join([*keys[:MOST_KEYS], *more]) or 'nothing'}"
    if "best" in tables:
        ranks = shown_metrics(tables["best"], metrics)
        yield ranking_table(ranks)
        yield best_sentence(ranks)
