"""Reads the requests and the calls of runs back from an output directory. It runs nothing."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from sim.study.output.archive import CALLS

REQUESTS = "requests.parquet"


def read_requests(folder: Path, replication: int) -> pd.DataFrame:
    """Return the request tables of all policies in one replication."""
    return read(folder / REQUESTS, replication)


def read_calls(folder: Path, replication: int) -> pd.DataFrame | None:
    """Return the call tables of the policies that have any in one replication; None if none has."""
    path = folder / CALLS
    if not path.is_file():
        return None
    calls = read(path, replication)
    return None if calls.empty else calls


def read(path: Path, replication: int) -> pd.DataFrame:
    """Return one replication's rows of a table of all runs."""
    table: pd.DataFrame = pq.read_table(path, filters=[("replication", "=", replication)]).to_pandas()
    return table


def work_by_policy(folder: Path, replication: int) -> dict[str, pd.DataFrame]:
    """Return what deployments did under each policy: a row per call, or per query where each takes one call.

    A call arrives at its deployment when it is made.
    """
    requests, calls = read_requests(folder, replication), read_calls(folder, replication)
    work = {str(policy): rows for policy, rows in requests.groupby("policy", observed=True)}
    if calls is not None:
        of_calls = calls.assign(arrived_at_s=calls["decided_at_s"])
        work |= {str(policy): rows for policy, rows in of_calls.groupby("policy", observed=True)}
    return work
