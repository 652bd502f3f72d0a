"""Measures what caches bring: of answers, how often one answers and what that saves; of prefixes, what is held.

The figures of prefixes are of served queries whose deployment keeps them.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from sim.interface import BoolArray
from sim.study.metrics.counting import is_cached, numbers, ratio


def hit_rate(requests: pd.DataFrame) -> float:
    """Return the share of all arrivals that a cache answered; NaN if nothing arrived."""
    return ratio(float(is_cached(requests).sum()), len(requests))


def saved_usd(requests: pd.DataFrame) -> float:
    """Return what the answers that were given again had cost when they were made, in USD, once for each time."""
    return float(np.nansum(numbers(requests, "saved_usd")))


def saved_s(requests: pd.DataFrame) -> float:
    """Return how much sooner answers came from the cache than when they were made, summed; it may be negative."""
    return float(np.nansum(numbers(requests, "saved_s")))


def prefix_hit_rate(requests: pd.DataFrame) -> float:
    """Return the share of the prompts' blocks that the replica held; NaN if there were none."""
    kept = requests[keeps_prefixes(requests)]
    return ratio(float(numbers(kept, "hit_blocks").sum()), float(numbers(kept, "prefix_blocks").sum()))


def prefix_token_hit_rate(requests: pd.DataFrame) -> float:
    """Return the share of the input tokens that the replica held; NaN if there were none."""
    kept = requests[keeps_prefixes(requests)]
    return ratio(float(numbers(kept, "cached_tokens").sum()), float(numbers(kept, "input_tokens").sum()))


def saved_prefill_tokens(requests: pd.DataFrame) -> float:
    """Return how many input tokens were not prefilled, as a replica held them."""
    return float(numbers(requests[keeps_prefixes(requests)], "cached_tokens").sum())


def keeps_prefixes(requests: pd.DataFrame) -> BoolArray:
    """Mark the requests (n_queries,) that were served where prefixes are kept; none in a record of an older version."""
    if "hit_blocks" not in requests:
        return np.zeros(len(requests), dtype=np.bool_)
    return requests["hit_blocks"].notna().to_numpy(dtype=np.bool_)
