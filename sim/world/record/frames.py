"""Makes the request table of a finished run a DataFrame, with the truth of what was answered looked up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals

from sim.instance import Instance
from sim.interface import FloatArray, IntArray
from sim.world.bill import Worth
from sim.world.record.requests import CACHED, COLUMNS, DECLINED, FATES, SERVED, RequestTable

LONG = 200_000


def frame(table: RequestTable, instance: Instance) -> pd.DataFrame:
    """Return the request table as a DataFrame with ``COLUMNS``, the truth of what was served looked up.

    Rows and topics are joined here, as neither the world nor a policy sees them. A query that was not served has
    quality 0, cost 0 (unless it took several calls) and neither output tokens nor energy. Of a query that was tried
    several times, the row speaks of the last try; of one that took several calls, of the one that was kept. A query
    that a cache answered was not served: it has the quality of what it got, and names the query that this was for.
    """
    rows, n = np.array(table.row, dtype=np.int64), len(table.row)
    columns = of_tries(table, n, instance)
    n_calls: np.ndarray[Any, np.dtype[Any]] = ~np.isin(np.asarray(table.fate)[:n], (DECLINED, CACHED))
    if table.calls is not None:
        query = np.asarray(table.calls.query)[: table.calls.size]
        n_calls = np.bincount(query, minlength=n)
        of_calls = of_tries(table.calls, table.calls.size, instance)
        columns["cost_usd"] = np.bincount(query, weights=of_calls["cost_usd"], minlength=n)
    for number, quality in table.quality.items():
        columns["quality"][number] = quality
    columns |= (
        savings(table, columns)
        | held_prefixes(columns, instance, rows)
        | {
            "id": np.arange(n),
            "row": instance.table_row[rows],
            "source": labels(instance.source, rows),
            "class": labels(instance.class_name, rows),
            "tenant": labels(instance.tenant, rows),
            "due_s": repeated(np.nan, n) if instance.due_s is None else instance.due_s[rows],
            "session": whole_numbers(None if instance.session is None else instance.session[rows], n),
            "task": whole_numbers(None if table.tasks is None else table.tasks.task, n),
            "step": whole_numbers(None if table.tasks is None else np.array(table.tasks.step) + 1, n),
            "arrived_at_s": np.asarray(table.arrived_at_s)[:n],
            "calls": n_calls.astype(np.int32),
            "explored": np.asarray(table.explored, dtype=np.bool_)[:n],
        }
    )
    # Long columns stay where they are; short ones are copied side by side, by which many small tables are faster.
    return pd.DataFrame({name: columns[name] for name in COLUMNS}, copy=n < LONG)


def held_prefixes(columns: dict[str, Any], instance: Instance, rows: IntArray) -> dict[str, Any]:
    """Return the columns that count the blocks of prompts, and those that were held where queries were served.

    Tokens that were held are whole blocks, but for the last block of a prompt, so they tell how many.
    """
    n, prefix = len(rows), instance.prefix
    if prefix is None:
        return {"prefix_blocks": whole_numbers(None, n), "hit_blocks": whole_numbers(None, n)}
    keeps = np.array([deployment.prefix_cache_tokens is not None for deployment in instance.fleet])
    deployment = columns["deployment"].codes
    is_kept = (columns["fate"].codes == SERVED) & keeps[deployment]
    hit_blocks = -(-columns["cached_tokens"] // prefix.block_tokens)
    return {
        "prefix_blocks": whole_numbers(prefix.sizes[rows], n),
        "hit_blocks": pd.arrays.IntegerArray(np.where(is_kept, hit_blocks, 0).astype(np.int64), ~is_kept),
    }


def savings(table: RequestTable, columns: dict[str, Any]) -> dict[str, Any]:
    """Return the columns that speak of answers from a cache: whose they were, and what they once cost and took."""
    n_queries = len(table.row)
    if not table.answer_of:
        nothing = repeated(np.nan, n_queries)
        return {"answer_of": whole_numbers(None, n_queries), "saved_usd": nothing, "saved_s": nothing}
    hits, queries = (
        np.fromiter(each, np.int64, len(table.answer_of)) for each in (table.answer_of, table.answer_of.values())
    )
    answer_of, is_missing = np.zeros(n_queries, np.int64), np.ones(n_queries, np.bool_)
    saved_usd, saved_s = np.full(n_queries, np.nan), np.full(n_queries, np.nan)
    latency_s = columns["ended_at_s"] - np.asarray(table.arrived_at_s)[:n_queries]
    answer_of[hits], is_missing[hits] = queries, False
    saved_usd[hits] = columns["cost_usd"][queries]
    saved_s[hits] = latency_s[queries] - latency_s[hits]
    return {
        "answer_of": pd.arrays.IntegerArray(answer_of, is_missing),
        "saved_usd": saved_usd,
        "saved_s": saved_s,
    }


def whole_numbers(values: Sequence[int] | IntArray | None, n: int) -> pd.arrays.IntegerArray:
    """Return whole numbers (n,) as a column; one without a value for None."""
    if values is None:
        return pd.arrays.IntegerArray(repeated(0, n), repeated(True, n))
    return pd.arrays.IntegerArray(np.asarray(values, dtype=np.int64), np.zeros(n, dtype=np.bool_))


def repeated(value: float, n: int) -> np.ndarray[Any, np.dtype[Any]]:
    """Return a column (n,) of one value, read-only, without room for each: most runs have several such columns."""
    return np.broadcast_to(np.asarray(value), n)


def of_tries(table: RequestTable, n: int, instance: Instance) -> dict[str, Any]:
    """Return the columns that speak of tries, for the first n entries of a table."""
    rows = np.array(table.row, dtype=np.int64)
    fate, deployment = np.asarray(table.fate)[:n], np.asarray(table.deployment)[:n]
    served = fate == SERVED
    chosen = np.where(served, deployment, 0)

    def outcome(truth: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> FloatArray:
        return np.where(served, truth[rows, chosen], 0.0)

    decided_at_s, finished_at_s = np.asarray(table.decided_at_s)[:n], np.asarray(table.finished_at_s)[:n]
    began_at_s, lost_at_s = np.asarray(table.offered_at_s)[:n], np.asarray(table.ended_at_s)[:n]
    offered_at_s = np.where(np.isnan(began_at_s), decided_at_s, began_at_s)
    ended_at_s = np.where(served, finished_at_s, lost_at_s)
    tokens = whole_numbers(None, n)
    if instance.output_tokens is not None:
        tokens = pd.arrays.IntegerArray(instance.output_tokens[rows, chosen].astype(np.int64), ~served)
    whole_energy_j, charged_usd = instance.energy_j, np.asarray(table.cost_usd)[:n]
    cost_usd, quality = outcome(instance.cost_usd), outcome(instance.quality)
    energy_j = repeated(np.nan, n) if whole_energy_j is None else np.where(served, whole_energy_j[rows, chosen], np.nan)
    max_tokens, cached_tokens = whole_numbers(None, n), np.asarray(table.cached_tokens)[:n]
    if table.caps:
        worth, caps, energy_j = Worth(instance), np.zeros(n, dtype=np.int64), np.array(energy_j)
        for number, cap in table.caps.items():
            caps[number] = cap
            if served[number]:
                row, k = int(rows[number]), int(chosen[number])
                quality[number], energy_j[number] = worth.quality(row, k, cap), worth.energy_j(row, k, cap)
                tokens[number] = min(tokens[number], cap)
        max_tokens = pd.arrays.IntegerArray(caps, caps == 0)
    for number, score in table.scores.items():
        quality[number] = score
    return {
        "deployment": pd.Categorical.from_codes(deployment, pd.Index([info.name for info in instance.setting.fleet])),
        "fate": pd.Categorical.from_codes(fate, pd.Index(FATES)),
        "decided_at_s": decided_at_s,
        "offered_at_s": offered_at_s,
        "started_at_s": np.asarray(table.started_at_s)[:n],
        "first_token_at_s": np.asarray(table.first_token_at_s)[:n],
        "finished_at_s": finished_at_s,
        "ended_at_s": np.where(np.isnan(ended_at_s), offered_at_s, ended_at_s),
        "preempted_s": stopped_s(table, n),
        "attempts": np.asarray(table.attempts)[:n],
        "quality": quality,
        "cost_usd": np.where(served & ~np.isnan(charged_usd), charged_usd, cost_usd),
        "input_tokens": instance.features.input_tokens[rows],
        "cached_tokens": np.where(served, cached_tokens, 0) if cached_tokens.any() else repeated(0, n),
        "output_tokens": tokens,
        "max_output_tokens": max_tokens,
        "energy_j": energy_j,
    }


def stopped_s(table: RequestTable, n: int) -> FloatArray:
    """Return how long each of the first n entries was stopped in service, 0 for most."""
    if not table.preempted_s:
        return repeated(0.0, n)
    values = np.zeros(n)
    for number, value in table.preempted_s.items():
        values[number] = value
    return values


def labels(names: np.ndarray[Any, np.dtype[Any]] | None, rows: IntArray) -> pd.Categorical[Any]:
    """Return the names of test rows (n,), such as their topics; no value where the workload has none.

    Names of some rows at a time become numbers, as texts take several times the room.
    """
    if names is None:
        return pd.Categorical.from_codes(repeated(-1, len(rows)), pd.Index([], dtype="str"))
    starts = range(0, max(len(rows), 1), LONG)
    parts = [pd.Categorical(pd.Series(names[rows[start : start + LONG]]).astype("string")) for start in starts]
    return parts[0] if len(parts) == 1 else union_categoricals(parts, sort_categories=True)
