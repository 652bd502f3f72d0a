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
from sim.interface import BoolArray, EmbeddingArray, Estimates, FloatArray, IntArray
from sim.selection import seen, unseen_topics
from sim.study.fleet import fleet_table, unbounded
from sim.study.output.by_cap import by_cap, capped_truth
from sim.study.output.instance_columns import BESIDES, FLEET, OF_FLEET, PROGRAM, TABLES, WORDS
from sim.truth import cost_in_usd, energy_in_j
from sim.workload.prefixes import Prefixes
from sim.workload.rows import Rows


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
                **of_queries(instance.scenario.workload.test, rows),
            },
        )
        here = {name: getattr(instance, name) for name in BESIDES}
        taken = {name: None if values is None else values[rows] for name, values in here.items()}
        outcomes = pairs("id", ids, names, instance.quality[rows], instance.cost[rows])
        everywhere = np.ones((n_queries, len(names)), dtype=np.bool_)
        outcomes |= besides(taken, everywhere) | by_cap(capped_truth(instance), everywhere.size)
        self._write("truth.parquet", replication, outcomes)
        for policy, (quality, cost) in estimates.items():
            named = {"policy": pa.array([policy] * everywhere.size).dictionary_encode()}
            self._write("estimates.parquet", replication, named | pairs("id", ids, names, quality[rows], cost[rows]))
        self._add_history(instance, names)
        fleet = fleet_table(instance)
        fleet.insert(0, "replication", replication)
        self._fleets.append(fleet)

    def _add_history(self, instance: Instance, names: list[str]) -> None:
        """Write the history of an instance."""
        history, workload = instance.setting.history, instance.scenario.workload
        rows = seen(workload.history, unseen_topics(instance.scenario))
        numbers = np.arange(len(rows))
        self._write("history.parquet", instance.seeds[1], {"history": numbers, **of_queries(rows, numbers)})
        columns = [workload.models.index(deployment.model) for deployment in instance.fleet]
        here = {name: None if (of_all := getattr(rows, name)) is None else of_all[:, columns] for name in BESIDES}
        here["cost_usd"] = cost_in_usd(rows, columns, instance.fleet)
        here["energy_j"] = energy_in_j(rows, columns, instance.fleet)
        outcomes = pairs("history", numbers, names, history.quality, history.cost)
        outcomes |= besides(here, history.known) | by_cap(history.capped, history.quality.size)
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
            "caps": list(scenario.workload.caps),
            "estimators": {name: value or "the means of the history" for name, value in estimators.items()},
            "not_here": "service times, patience, events, windows of budgets, limits, caches: "
            "manifest.json has their settings",
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


def of_queries(rows: Rows, numbers: IntArray) -> dict[str, Any]:
    """Return the columns that tell a query, of some rows (n,) of a workload."""
    each: Mapping[str, pa.DataType] = {
        "priority": pa.int64(),
        "due_s": pa.float64(),
        "preference": pa.float64(),
        "session": pa.int64(),
    }
    values = {name: None if (all_ := getattr(rows, name)) is None else all_[numbers] for name in each}
    return {
        "row": numbers if rows.row is None else rows.row[numbers],
        "source": texts(rows.source, numbers),
        "class": texts(rows.class_name, numbers),
        "tenant": texts(rows.tenant, numbers),
        "input_tokens": rows.input_tokens[numbers],
        "embedding": vectors(rows.embeddings[numbers]),
        "prefix_blocks": lists(None if rows.prefix is None else rows.prefix[numbers], len(numbers)),
        **{name: cells(values[name], np.ones(len(numbers), dtype=np.bool_), kind) for name, kind in each.items()},
    }


def besides(outcomes: Mapping[str, Any], known: BoolArray) -> dict[str, pa.Array]:
    """Return the columns ``BESIDES`` of outcomes, each an array (n, n_deployments) or None, where they are known."""
    return {
        name: cells(outcomes[name], known, pa.int64() if name == "output_tokens" else pa.float64()) for name in BESIDES
    }


def cells(values: np.ndarray[Any, Any] | None, known: BoolArray, kind: pa.DataType) -> pa.Array:
    """Return a column of values that is empty where they are not known, and everywhere if there are none."""
    if values is None:
        return pa.nulls(known.size, kind)
    return pa.array(np.ascontiguousarray(values).ravel(), kind, mask=~known.ravel())


def texts(names: np.ndarray[Any, Any] | None, rows: np.ndarray[Any, Any]) -> pa.Array:
    """Return the names of rows, such as their topics; no value where there is none."""
    if names is None:
        return pa.nulls(len(rows), pa.string())
    return pa.array(pd.Series(names[rows]).astype("string"), type=pa.string())


def lists(prefixes: Prefixes | None, n: int) -> pa.ListArray:
    """Return prefix blocks of n rows as a column of lists; no value where there are none."""
    if prefixes is None:
        return pa.nulls(n, pa.list_(pa.int64()))
    return pa.ListArray.from_arrays(pa.array(prefixes.begins, pa.int32()), pa.array(prefixes.blocks, pa.int64()))


def vectors(embeddings: EmbeddingArray) -> pa.FixedSizeListArray:
    """Return embeddings (n, dim) as a column of lists."""
    flat = pa.array(np.ascontiguousarray(embeddings).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, embeddings.shape[1])
