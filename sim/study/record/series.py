"""Follows a run over time, per deployment: in service, queued, utilisation, key-value cache, spending, arrivals.

Nothing was watched while the run went on: the number of queries in a stage at time t is the number of starts up to t
less the number of ends up to t, both of which the request table has. So an average over a bin is exact, whatever the
bin.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from sim.interface import FloatArray, IntArray
from sim.study.metrics.counting import ended_at_s, numbers, offered_at_s
from sim.study.metrics.load import of_fleet


def even_edges(requests: pd.DataFrame, n_bins: int) -> FloatArray:
    """Return the edges (n_bins + 1,) of equal bins from the first arrival to the last end, in seconds.

    Raises
    ------
    ValueError
        If no time passes between the two.
    """
    arrived_at_s = numbers(requests, "arrived_at_s")
    start_s, end_s = (float(arrived_at_s.min()), float(ended_at_s(requests).max())) if len(requests) else (0.0, 0.0)
    if not end_s > start_s:
        ends = f"the request table ends at {end_s} s and begins at {start_s} s"
        raise ValueError(f"{ends}; a series needs time between them")
    return np.linspace(start_s, end_s, n_bins + 1)


def over_time(requests: pd.DataFrame, fleet: pd.DataFrame, edges_s: FloatArray) -> pd.DataFrame:
    """Return what each deployment did in each bin of time.

    Parameters
    ----------
    requests : DataFrame
        A row per arrival of one run.
    fleet : DataFrame
        A row per deployment.
    edges_s : array (n_bins + 1,)
        Increasing.

    Returns
    -------
    DataFrame
        A row per deployment and bin, in the order of both: ``deployment``, ``from_s``, ``until_s``; time averages
        ``in_service`` (the batch size, of all replicas together), ``queued``, and ``utilisation`` (in service / slots,
        NaN without a known limit) and ``kv_share`` (tokens in the key-value caches / their room, NaN likewise; see
        ``held_tokens``); ``arrivals_per_s``, of queries whose row names the deployment; ``spent_usd``, of
        queries that ended up to ``until_s``. A query that was tried more than once counts as its row says, which is
        its last try.
    """
    n_deployments, n_bins = len(fleet), len(edges_s) - 1
    where = rows_of_fleet(requests, fleet)
    queue, service = stage(requests, where, "queue"), stage(requests, where, "service")
    queued = average_number(*queue, n_deployments, edges_s)
    in_service = average_number(*service, n_deployments, edges_s)
    named = where >= 0
    arrivals = sums(numbers(requests, "arrived_at_s")[named], where[named], None, n_deployments, edges_s)
    spent = sums(
        ended_at_s(requests)[named], where[named], numbers(requests, "cost_usd")[named], n_deployments, edges_s
    )
    slots = of_fleet(fleet, "slots")[:, None]
    utilisation = np.divide(in_service, slots, out=np.full_like(in_service, np.nan), where=np.isfinite(slots))
    return pd.DataFrame(
        {
            "deployment": np.repeat(fleet["deployment"].to_numpy(), n_bins),
            "from_s": np.tile(edges_s[:-1], n_deployments),
            "until_s": np.tile(edges_s[1:], n_deployments),
            "in_service": in_service.ravel(),
            "queued": queued.ravel(),
            "utilisation": utilisation.ravel(),
            "kv_share": kv_share(requests, where, fleet, edges_s).ravel(),
            "arrivals_per_s": (arrivals / np.diff(edges_s)).ravel(),
            "spent_usd": spent.cumsum(axis=1).ravel(),
        }
    )


def kv_share(requests: pd.DataFrame, where: IntArray, fleet: pd.DataFrame, edges_s: FloatArray) -> FloatArray:
    """Return which share of the key-value caches is in use (n_deployments, n_bins), NaN without a known limit."""
    unknown = np.full((len(fleet), len(edges_s) - 1), np.nan)
    if "kv_tokens" not in fleet:  # the table of an earlier version
        return unknown
    room = of_fleet(fleet, "kv_tokens")[:, None]
    if not np.isfinite(room).any():
        return unknown
    held = held_tokens(requests, where, fleet, edges_s)
    share: FloatArray = np.divide(held, room, out=unknown, where=np.isfinite(room))
    return share


def held_tokens(requests: pd.DataFrame, where: IntArray, fleet: pd.DataFrame, edges_s: FloatArray) -> FloatArray:
    """Return the time average of tokens in the key-value caches (n_deployments, n_bins), as the record has them.

    What the fleet's ``kv_holds`` says of a query in service: ``reserved``, input and output (or the reservation for it)
    from its start on; ``grows``, the input, and from the first token on the output as it is made, at an even rate;
    ``decoding``, input and output from the first token on. The record does not know when a query was preempted, so
    that it counts as if it had stayed.
    """
    started_at_s, ended = numbers(requests, "started_at_s"), ended_at_s(requests)
    here = ~np.isnan(started_at_s) & (where >= 0)
    row, start_s, end_s = where[here], started_at_s[here], ended[here]
    first_s = numbers(requests, "first_token_at_s")[here]
    first_s = np.clip(np.where(np.isnan(first_s), end_s, first_s), start_s, end_s)
    input_tokens = numbers(requests, "input_tokens")[here]
    output_tokens = np.nan_to_num(numbers(requests, "output_tokens")[here])
    reserved = of_fleet(fleet, "reserved_output_tokens")[row]
    holds = fleet["kv_holds"].to_numpy(dtype=object)[row]
    grows = holds == "grows"
    begin_s = np.where(holds == "decoding", first_s, start_s)
    steady = input_tokens + np.where(grows, 0.0, np.where(np.isnan(reserved), output_tokens, reserved))
    growing = np.where(grows, output_tokens, 0.0)
    lasts_s, grows_s = end_s - begin_s, end_s - first_s
    held = np.zeros((len(fleet), len(edges_s)))  # token-seconds up to each edge
    for place, edge_s in enumerate(edges_s):
        passed_s, made_s = np.clip(edge_s - begin_s, 0.0, lasts_s), np.clip(edge_s - first_s, 0.0, grows_s)
        of_output = np.divide(made_s**2, 2 * grows_s, out=np.zeros_like(made_s), where=grows_s > 0)
        held[:, place] = np.bincount(row, steady * passed_s + growing * of_output, minlength=len(fleet))
    average: FloatArray = np.diff(held, axis=1) / np.diff(edges_s)
    return average


def rows_of_fleet(requests: pd.DataFrame, fleet: pd.DataFrame) -> IntArray:
    """Return the row of the fleet table (n_queries,) that each arrival's row names, -1 for none."""
    deployment = requests["deployment"].array
    if isinstance(deployment, pd.Categorical):
        row: IntArray = pd.Index(fleet["deployment"]).get_indexer(deployment.categories)
        return np.append(row, -1)[deployment.codes]  # type: ignore[no-any-return] # code -1 is the last
    direct: IntArray = pd.Index(fleet["deployment"]).get_indexer(pd.Index(requests["deployment"]))
    return direct


def stage(requests: pd.DataFrame, where: IntArray, name: str) -> tuple[FloatArray, FloatArray, IntArray]:
    """Return start, end and deployment of every stay in the ``queue`` or in ``service``, each (n_stays,).

    The queue is from the offer to the start, or to the end of a query that left, timed out or failed without a start;
    service is from start to end. Queries that were refused stayed nowhere. Of a query that was tried several times, the
    stays are those of its last try. The record knows how long a query was preempted and not when: it counts as if that
    had been at its end, which leaves totals as they are.
    """
    started_at_s, ended = numbers(requests, "started_at_s"), ended_at_s(requests)
    has_started = ~np.isnan(started_at_s)
    stopped_s = numbers(requests, "preempted_s") if "preempted_s" in requests else np.zeros(len(requests))
    served_until = ended - stopped_s
    if name == "service":
        keep = has_started & (where >= 0)
        return started_at_s[keep], served_until[keep], where[keep]
    lost_in_queue = requests["fate"].isin(["abandoned", "timed_out", "failed"]).to_numpy(dtype=np.bool_)
    keep = (has_started | lost_in_queue) & (where >= 0)
    left_queue = np.where(has_started, started_at_s, ended)
    again = stopped_s > 0
    return (
        np.append(offered_at_s(requests)[keep], served_until[again]),
        np.append(left_queue[keep], ended[again]),
        np.append(where[keep], where[again]),
    )


def average_number(
    starts_s: FloatArray, ends_s: FloatArray, row: IntArray, n_rows: int, edges_s: FloatArray
) -> FloatArray:
    """Return the time average (n_rows, n_bins) of the number of stays [start, end) under way, per row.

    Parameters
    ----------
    starts_s, ends_s : arrays (n_stays,)
    row : array (n_stays,)
        From 0 to n_rows - 1.
    n_rows : int
    edges_s : array (n_bins + 1,)

    Notes
    -----
    Over a bin from a to b, int N dt = N(a) (b - a) + sum_{starts s in the bin} (b - s) - sum_{ends e in it} (b - e).
    Per bin, because differences of times since 0 would lose digits as the clock grows.
    """
    size = n_rows * (len(edges_s) - 1)
    changes, integral = np.zeros(size), np.zeros(size)
    for times_s, sign in ((starts_s, 1.0), (ends_s, -1.0)):
        inside = np.clip(times_s, edges_s[0], edges_s[-1])
        time_bin = bins(inside, edges_s)
        cell = row * (len(edges_s) - 1) + time_bin
        changes += sign * np.bincount(cell, minlength=size)
        integral += sign * np.bincount(cell, weights=edges_s[time_bin + 1] - inside, minlength=size)
    shape = (n_rows, len(edges_s) - 1)
    number_before = changes.reshape(shape).cumsum(axis=1) - changes.reshape(shape)
    average: FloatArray = number_before + integral.reshape(shape) / np.diff(edges_s)
    return average


def sums(
    times_s: FloatArray, row: IntArray, weights: FloatArray | None, n_rows: int, edges_s: FloatArray
) -> FloatArray:
    """Return the sum of weights (1 each for None) of events per row and bin (n_rows, n_bins).

    The last bin holds its end, as in ``numpy.histogram``; events outside all bins are left out.
    """
    n_bins = len(edges_s) - 1
    inside = (times_s >= edges_s[0]) & (times_s <= edges_s[-1])
    cell = row[inside] * n_bins + bins(times_s[inside], edges_s)
    counted = np.bincount(cell, weights=None if weights is None else weights[inside], minlength=n_rows * n_bins)
    return counted.reshape(n_rows, n_bins).astype(np.float64)


def bins(times_s: FloatArray, edges_s: FloatArray) -> IntArray:
    """Return the bin (n,) of times within the edges; the last edge belongs to the last bin."""
    return np.minimum(np.searchsorted(edges_s, times_s, side="right") - 1, len(edges_s) - 2)
