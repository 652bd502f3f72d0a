"""Writes drawn instances as tables that another program can solve: queries, truth, estimates, budgets and history.

A file of words says what is what. It runs nothing, and nothing here is for a policy to see.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from sim.instance import Instance
from sim.interface import EmbeddingArray, Estimates, FloatArray
from sim.selection import seen, unseen_topics
from sim.study.fleet import fleet_table, unbounded
from sim.workload import SIGNALS

PROGRAM = (
    "maximise the sum over id and deployment of quality x share, where for each deployment the sum over id of cost x "
    "share is at most its budget, for each id the sum over deployments of share is at most 1, and no share is below 0"
)
REPLICATION = {"replication": "number from 0 of the draw"}
OF_A_QUERY = {
    "row": "row of the workload's file, from 0; without a file the place among the workload's rows of that split",
    "source": "topic or data set; empty where the workload has none",
    "input_tokens": "length of the prompt",
    "embedding": "list of numbers; what an estimator may predict from, with input_tokens",
}
OUTCOME = {
    "deployment": "name, as in fleet.csv",
    "quality": "score in [0, 1]",
    "cost": "what it takes of the deployment's budget, in the unit of fleet.csv",
}
TABLES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "queries.parquet": (
        "a row per arrival, in order of arrival",
        {
            **REPLICATION,
            "id": "place in the order of arrival, from 0",
            "arrived_at_s": "seconds since the first arrival; empty in a closed loop, where it comes of the answers",
            "think_s": "in a closed loop, how long the user thinks before it; otherwise empty",
            "test_row": "place among the workload's test queries, from 0; what order=saved calls row",
            **OF_A_QUERY,
            "priority": "class, 0 the most urgent; empty where the workload has none",
            "due_s": "seconds from arrival to the deadline; empty where the workload has none",
            "preference": "weight of quality against cost, in [0, 1]; empty where the workload has none",
        },
    ),
    "truth.parquet": (
        "a row per arrival and deployment: what would come of it there, which no policy sees before",
        {
            **REPLICATION,
            "id": "of queries.parquet",
            **OUTCOME,
            "cost_usd": "the same cost in USD, at the prices of the beginning",
            "output_tokens": "length of the answer; empty where the workload has none",
            "confidence": "how sure the model is of the answer; empty where the workload has none of the model",
            "latency_s": "measured latency of the answer; empty where the workload has none of the model",
            "energy_j": "joules of the answer, measured or by output token; empty where neither is known",
        },
    ),
    "estimates.parquet": (
        "a row per policy, arrival and deployment: what the policy's estimator predicts from the history",
        {
            **REPLICATION,
            "policy": "name",
            "id": "of queries.parquet",
            "deployment": "name, as in fleet.csv",
            "quality": "predicted score; a prediction may lie outside [0, 1]",
            "cost": "predicted cost, in the unit of fleet.csv",
        },
    ),
    "history.parquet": (
        "a row per query that was answered before the first arrival",
        {**REPLICATION, "history": "number from 0", **OF_A_QUERY},
    ),
    "history_truth.parquet": (
        "a row per history query and deployment, which every policy sees; outcomes are empty where it is not known",
        {**REPLICATION, "history": "of history.parquet", **OUTCOME},
    ),
}
FLEET = "fleet.csv"
OF_FLEET = "a row per deployment: budget (inf for none) and its unit, and what run writes of it besides"
WORDS = "instance.json"


class InstanceFiles:
    """Collects instances in a folder.

    Parameters
    ----------
    folder : Path
        Exists; gets ``TABLES``, ``fleet.csv`` and ``instance.json``.

    Attributes
    ----------
    n_rows : dict of str to int
        So far, by file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[str, pq.ParquetWriter] = {}
        self._fleets: list[pd.DataFrame] = []
        self.n_rows: dict[str, int] = {}

    def __enter__(self) -> InstanceFiles:
        """Begin."""
        return self

    def add(self, instance: Instance, estimates: Mapping[str, Estimates]) -> None:
        """Write an instance, with the estimates of each policy on every test row (n_test, n_deployments)."""
        replication, rows = instance.seeds[1], instance.rows
        n_queries, names = len(rows), [info.name for info in instance.setting.fleet]
        ids = np.arange(n_queries)
        thinks = instance.think_s is not None
        self._write(
            "queries.parquet",
            replication,
            {
                "id": ids,
                "arrived_at_s": np.full(n_queries, np.nan) if thinks else np.cumsum(instance.gaps_s),
                "think_s": np.full(n_queries, np.nan) if instance.think_s is None else instance.think_s,
                "test_row": rows,
                "row": instance.table_row[rows],
                "source": texts(instance.source, rows),
                "input_tokens": instance.features.input_tokens[rows],
                "embedding": vectors(instance.features.embeddings[rows]),
                "priority": pa.nulls(n_queries, pa.int64()) if instance.priority is None else instance.priority[rows],
                "due_s": np.full(n_queries, np.nan) if instance.due_s is None else instance.due_s[rows],
                "preference": np.full(n_queries, np.nan) if instance.preference is None else instance.preference[rows],
            },
        )
        outcomes = pairs("id", ids, names, instance.quality[rows], instance.cost[rows])
        tokens = instance.output_tokens
        outcomes["cost_usd"] = instance.cost_usd[rows].ravel()
        n_pairs = n_queries * len(names)
        outcomes["output_tokens"] = pa.nulls(n_pairs, pa.int64()) if tokens is None else tokens[rows].ravel()
        for signal in SIGNALS:
            values = getattr(instance, signal)
            outcomes[signal] = np.full(n_pairs, np.nan) if values is None else values[rows].ravel()
        self._write("truth.parquet", replication, outcomes)
        for policy, (quality, cost) in estimates.items():
            named = {"policy": pa.array([policy] * n_pairs).dictionary_encode()}
            self._write("estimates.parquet", replication, named | pairs("id", ids, names, quality[rows], cost[rows]))
        self._add_history(instance, names)
        fleet = fleet_table(instance)
        fleet.insert(0, "replication", replication)
        self._fleets.append(fleet)

    def _add_history(self, instance: Instance, names: list[str]) -> None:
        """Write the history of an instance."""
        history, scenario = instance.setting.history, instance.scenario
        known = seen(scenario.workload.history, unseen_topics(scenario))
        numbers = np.arange(len(history.quality))
        self._write(
            "history.parquet",
            instance.seeds[1],
            {
                "history": numbers,
                "row": numbers if known.row is None else known.row,
                "source": texts(known.source, numbers),
                "input_tokens": history.features.input_tokens,
                "embedding": vectors(history.features.embeddings),
            },
        )
        outcomes = pairs("history", numbers, names, history.quality, history.cost)
        self._write("history_truth.parquet", instance.seeds[1], outcomes)

    def _write(self, name: str, replication: int, columns: Mapping[str, Any]) -> None:
        """Append columns to a table, in the order that ``TABLES`` documents."""
        whole = {"replication": np.full(len(next(iter(columns.values()))), replication, dtype=np.int32), **columns}
        table = pa.table({column: whole[column] for column in TABLES[name][1]})
        if name not in self._writers:
            self._writers[name] = pq.ParquetWriter(self._folder / name, table.schema)
        self._writers[name].write_table(table)
        self.n_rows[name] = self.n_rows.get(name, 0) + len(table)

    def finish(self, instance: Instance, estimators: Mapping[str, str | None]) -> None:
        """Write the fleets, and what is what.

        Parameters
        ----------
        instance : Instance
            Any of them.
        estimators : mapping of str to (str or None)
            Of each policy, in words; None for the means of the history.
        """
        fleets = pd.concat(self._fleets, ignore_index=True)
        fleets.to_csv(self._folder / FLEET, index=False)
        self.n_rows[FLEET] = len(fleets)
        scenario, reason = instance.scenario, unbounded(instance.scenario)
        words = {
            "program": PROGRAM,
            "program_bounds_every_policy": reason is None,
            "program_bounds_nothing_as": reason,
            "seed": instance.seeds[0],
            "replications": len(self._fleets),
            "exhausted": scenario.exhausted,
            "reserve": scenario.reserve,
            "estimators": {name: value or "the means of the history" for name, value in estimators.items()},
            "not_here": "service times, patience, events, windows of budgets, caches: manifest.json has their settings",
            "files": {
                name: {"rows": what, "n_rows": self.n_rows[name], "columns": dict(columns)}
                for name, (what, columns) in TABLES.items()
            }
            | {FLEET: {"rows": OF_FLEET, "n_rows": len(fleets)}},
        }
        (self._folder / WORDS).write_text(json.dumps(words, indent=2) + "\n")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the files."""
        for writer in self._writers.values():
            writer.close()


def pairs(
    key: str, numbers: np.ndarray[Any, Any], names: list[str], quality: FloatArray, cost: FloatArray
) -> dict[str, Any]:
    """Return the columns of a table with a row per query (n,) and deployment, of arrays (n, n_deployments)."""
    codes = pa.array(np.tile(np.arange(len(names), dtype=np.int32), len(numbers)))
    return {
        key: np.repeat(numbers, len(names)),
        "deployment": pa.DictionaryArray.from_arrays(codes, names),
        "quality": np.ascontiguousarray(quality).ravel(),
        "cost": np.ascontiguousarray(cost).ravel(),
    }


def texts(source: np.ndarray[Any, Any] | None, rows: np.ndarray[Any, Any]) -> pa.Array:
    """Return the topics of rows; no value where there is none."""
    if source is None:
        return pa.nulls(len(rows), pa.string())
    return pa.array(pd.Series(source[rows]).astype("string"), type=pa.string())


def vectors(embeddings: EmbeddingArray) -> pa.FixedSizeListArray:
    """Return embeddings (n, dim) as a column of lists."""
    flat = pa.array(np.ascontiguousarray(embeddings).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, embeddings.shape[1])
