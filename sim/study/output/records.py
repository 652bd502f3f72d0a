"""Reads the requests and the calls of runs back from an output directory. It runs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from sim.study.output.archive import CALLS

REQUESTS = "requests.parquet"


def read_requests(folder: Path, replication: int, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Return the request tables of all policies in one replication; those of these columns that there are, or all."""
    return read(folder / REQUESTS, replication, columns)


def read_calls(folder: Path, replication: int, columns: Sequence[str] | None = None) -> pd.DataFrame | None:
    """Return the call tables of the policies that have any in one replication, likewise; None if none has."""
    path = folder / CALLS
    if not path.is_file():
        return None
    calls = read(path, replication, columns)
    return None if calls.empty else calls


def read(path: Path, replication: int, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Return one replication's rows of a table of all runs.

    Rows of a run are in row groups of their own, so that a filter need not go through them, which takes as much room
    again as the rows.
    """
    with pq.ParquetFile(path) as file:
        names = file.schema_arrow.names
        wanted = None if columns is None else [name for name in names if name in columns]
        of_groups = [replications(file.metadata.row_group(number), names) for number in range(file.num_row_groups)]
        if all(least == most for least, most in of_groups):
            groups = [number for number, (least, _) in enumerate(of_groups) if least == replication]
            rows = file.read_row_groups(groups, columns=wanted)
        else:
            rows = pq.read_table(path, columns=wanted, filters=[("replication", "=", replication)])
    table: pd.DataFrame = rows.to_pandas(split_blocks=True)
    return table


def replications(group: pq.RowGroupMetaData, names: Sequence[str]) -> tuple[int, int]:
    """Return the least and the greatest replication of a row group, 0 and 1 where the file does not say."""
    found = group.column(names.index("replication")).statistics
    return (found.min, found.max) if found is not None and found.has_min_max else (0, 1)


def work_by_policy(folder: Path, replication: int, columns: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Return what deployments did under each policy: a row per call, or per query where each takes one call.

    Parameters
    ----------
    folder : Path
    replication : int
    columns : sequence of str
        What is asked of each, if the tables have it.

    Notes
    -----
    A call arrives at its deployment when it is made.
    """
    wanted = ("policy", "decided_at_s", *columns)
    work = of_each_policy(read_requests(folder, replication, wanted))
    calls = read_calls(folder, replication, wanted)
    if calls is not None:
        work |= of_each_policy(calls.assign(arrived_at_s=calls["decided_at_s"]))
    return work


def of_each_policy(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the rows of each policy, without a copy where there is one policy."""
    policies = table["policy"].unique().tolist()
    if len(policies) == 1:
        return {str(policies[0]): table}
    return {str(policy): rows for policy, rows in table.groupby("policy", observed=True)}
