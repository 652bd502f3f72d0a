"""Checks that answers from a cache can be true: each is another query's, which had been served by then, and is free.

Like all checks of a record it looks at the tables alone.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from sim.interface import TOLERANCE, BoolArray
from sim.study.metrics.counting import ended_at_s, is_cached, is_served, numbers

CLOCK_ROUNDING = 1e-12  # of a time, relative to the last
Blame = Callable[..., None]


def check_cached(requests: pd.DataFrame, blame: Blame) -> None:
    """Call ``blame`` with the arrivals (n_queries,) that are wrong, and with what is wrong.

    Records of earlier versions know no cache, and pass. A query that a cache answered cost nothing and went to no
    deployment. The query whose answer it got was served, and had ended when it did. What is said to be saved is that
    query's cost, and its latency less its own.
    """
    if "answer_of" not in requests:
        return
    cached = is_cached(requests)
    named = requests["answer_of"].notna().to_numpy(dtype=np.bool_)
    blame(requests, cached & ~named, "was answered by a cache and names no query whose answer it is")
    blame(requests, ~cached & named, "was not answered by a cache and names another query", "answer_of")
    blame(requests, cached & (numbers(requests, "cost_usd") != 0), "was answered by a cache and cost money", "cost_usd")
    placed = requests["deployment"].notna().to_numpy(dtype=np.bool_)
    blame(requests, cached & placed, "was answered by a cache and names a deployment", "deployment")
    if not cached.any():
        return
    of = np.where(named, numbers(requests, "answer_of"), 0).astype(np.int64)
    blame(requests, cached & ((of < 0) | (of >= len(requests))), "has the answer to no query", "answer_of")
    ended, latency_s = ended_at_s(requests), ended_at_s(requests) - numbers(requests, "arrived_at_s")
    slack_s = CLOCK_ROUNDING * float(np.abs(ended).max())
    unserved: BoolArray = ~is_served(requests)[of] | (ended[of] > ended + slack_s)
    blame(requests, cached & unserved, "has an answer that was not there yet", "answer_of", "ended_at_s")
    cost_usd = numbers(requests, "cost_usd")[of]
    differs = np.abs(numbers(requests, "saved_usd") - cost_usd) > TOLERANCE * cost_usd
    blame(requests, cached & differs, "saved something else than its answer had cost", "saved_usd")
    saved_s = latency_s[of] - latency_s
    differs = np.abs(numbers(requests, "saved_s") - saved_s) > 2 * slack_s
    blame(requests, cached & differs, "saved other time than its answer had taken", "saved_s")
