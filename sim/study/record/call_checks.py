"""Checks that a call table and the request table of the same run agree: no call is lost, and none comes from nowhere.

Like all checks of a record it looks at the tables alone. What holds for queries of one call each, such as budgets and
slots, is checked over calls by ``sim.study.record.checks`` itself.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.interface import TOLERANCE
from sim.study.metrics.counting import ended_at_s, is_served, numbers

CLOCK_ROUNDING = 1e-12  # of a time, relative to the last


def check_calls(requests: pd.DataFrame, calls: pd.DataFrame) -> None:
    """Raise RuntimeError unless each call has one fate and a query, and queries are the sums of their calls.

    A round begins when all calls of the round before have ended, and a query ends with its last round or later. What it
    cost is the sum of its calls, and it keeps an answer that came if it was served, and none otherwise.
    """
    n, query = len(requests), calls["query"].to_numpy()
    blame_call(calls, calls["id"].to_numpy() != np.arange(len(calls)), "is in the call table twice, or out of order")
    blame_call(calls, (query < 0) | (query >= n), "is for no query that arrived")
    blame_call(calls, (calls["fate"].isna() | (calls["fate"] == "pending")).to_numpy(dtype=np.bool_), "has no fate")
    counted = np.bincount(query, minlength=n)
    blame_query(
        requests, counted != requests["calls"].to_numpy(), "took another number of calls than the call table has"
    )
    cost_usd = np.bincount(query, weights=numbers(calls, "cost_usd"), minlength=n)
    of_requests = numbers(requests, "cost_usd")
    blame_query(requests, np.abs(cost_usd - of_requests) > TOLERANCE * cost_usd, "cost something else than its calls")
    kept = calls["kept"].to_numpy(dtype=np.bool_)
    blame_call(calls, kept & ~is_served(calls), "was kept without an answer")
    n_kept, served = np.bincount(query[kept], minlength=n), is_served(requests)
    blame_query(requests, served & (n_kept == 0), "was served and kept no answer")
    blame_query(requests, ~served & (n_kept > 0), "was not served and kept an answer")
    if not len(calls):
        return
    ended, slack_s = ended_at_s(calls), CLOCK_ROUNDING * float(np.abs(ended_at_s(requests)).max())
    last_s = np.full(n, -np.inf)
    np.maximum.at(last_s, query, ended)
    blame_query(requests, ended_at_s(requests) < last_s - slack_s, "ended before its last call")
    round_, decided = calls["round"].to_numpy(), numbers(calls, "decided_at_s")
    blame_call(
        calls, decided < numbers(requests, "decided_at_s")[query] - slack_s, "was made before its query's decision"
    )
    # The calls of a query stand in the order of asking, so those of its round before stand right before it.
    order = np.lexsort((np.arange(len(calls)), query))
    of_query, of_round = query[order], round_[order]
    begins = np.flatnonzero((np.diff(of_query, prepend=-1) != 0) | (np.diff(of_round, prepend=-1) != 0))
    ends = np.maximum.reduceat(ended[order], begins)
    follows = np.diff(of_query[begins], prepend=-1) == 0
    too_early = np.zeros(len(calls), dtype=np.bool_)
    later = begins[follows]
    too_early[order[later]] = decided[order[later]] < ends[np.flatnonzero(follows) - 1] - slack_s
    blame_call(calls, too_early, "began before the round before it had ended")


def blame_query(requests: pd.DataFrame, wrong: npt.NDArray[np.bool_], what: str) -> None:
    """Raise RuntimeError naming the first query that is wrong."""
    if wrong.any():
        row = requests.iloc[int(wrong.argmax())]
        raise RuntimeError(
            f"the call table is wrong: query {row['id']} {what} (fate {row['fate']}, {row['calls']} calls)"
        )


def blame_call(calls: pd.DataFrame, wrong: npt.NDArray[np.bool_], what: str) -> None:
    """Raise RuntimeError naming the first call that is wrong."""
    if wrong.any():
        row = calls.iloc[int(wrong.argmax())]
        raise RuntimeError(
            f"the call table is wrong: call {row['id']} {what} (of query {row['query']}, fate {row['fate']})"
        )
