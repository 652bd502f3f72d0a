"""Tables of requests and fleets made by hand, with the columns of a real record."""

import math
from typing import Any

import pandas as pd

from sim.world.record import FATES

Row = dict[str, Any]


def served(
    number: int,
    arrived: float,
    started: float,
    first: float,
    finished: float,
    *,
    decided: float | None = None,
    deployment: str = "a",
    tokens: int = 11,
    quality: float = 1.0,
    cost_usd: float = 0.001,
) -> Row:
    """One query that was served, 10 input tokens long."""
    return {
        "id": number,
        "arrived_at_s": arrived,
        "deployment": deployment,
        "fate": "served",
        "decided_at_s": arrived if decided is None else decided,
        "started_at_s": started,
        "first_token_at_s": first,
        "finished_at_s": finished,
        "ended_at_s": finished,
        "attempts": 1,
        "quality": quality,
        "cost_usd": cost_usd,
        "input_tokens": 10,
        "output_tokens": tokens,
    }


def refused(number: int, arrived: float, fate: str, *, ended: float | None = None, deployment: str | None = "a") -> Row:
    """One query that never started."""
    row = served(number, arrived, math.nan, math.nan, math.nan, quality=0.0, cost_usd=0.0)
    return row | {
        "deployment": deployment,
        "fate": fate,
        "ended_at_s": arrived if ended is None else ended,
        "output_tokens": None,
    }


def record(*rows: Row) -> pd.DataFrame:
    """The table of these queries."""
    table = pd.DataFrame(list(rows))
    return table.assign(
        deployment=pd.Categorical(table["deployment"], categories=["a", "b"]),
        fate=pd.Categorical(table["fate"], categories=FATES),
        output_tokens=table["output_tokens"].astype("Int64"),
    )


def fleet(**columns: list[Any]) -> pd.DataFrame:
    """Deployments a (2 slots) and b (no limit), without budgets; columns given replace these."""
    table: dict[str, list[Any]] = {
        "deployment": ["a", "b"],
        "model": ["small", "large"],
        "unit": ["usd", "usd"],
        "budget": [math.inf, math.inf],
        "replicas": [1, 1],
        "slots": [2.0, math.inf],
        "price_per_hour_usd": [math.nan, math.nan],
        "energy_j_per_token": [math.nan, math.nan],
    }
    return pd.DataFrame(table | columns)
