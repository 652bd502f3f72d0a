"""Makes small days at a gateway: a history, queries that come while others are in flight, answers, failures, scores."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from scenarios.recorded.truth import history_rows
from sim.interface import Policy
from sim.live.clock import TickClock
from sim.live.gateway import Gateway
from sim.live.record import Origin
from sim.live.settings import setting

NAMES = ("small", "middle", "large")
COST_USD = (0.001, 0.004, 0.02)
DIM = 4


def write_history(folder: Path, n_rows: int = 80, seed: int = 1) -> Path:
    """Write a table with embeddings beside it; return its path."""
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((n_rows, DIM)).astype(np.float32)
    table = {"prompt": [f"question {row}" for row in range(n_rows)], "input_tokens": rng.integers(5, 200, n_rows)}
    for k, (name, cost) in enumerate(zip(NAMES, COST_USD, strict=True)):
        table[name] = rng.random(n_rows) * (0.5 + 0.2 * k)
        table[f"{name}|total_cost"] = cost * rng.uniform(0.5, 1.5, n_rows)
    path = folder / "history.csv"
    pd.DataFrame(table).to_csv(path, index=False)
    np.save(folder / "history.npy", vectors)
    return path


@dataclass
class Hands:
    """A clock that is moved by hand."""

    at_s: float = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.at_s


def live_day(
    folder: Path,
    policy: Policy,
    *,
    n_queries: int = 60,
    seed: int = 0,
    shadow: bool = False,
    budgets: tuple[float, ...] = (0.02, 0.05, 0.2),
    expected: int | None = None,
    outages: bool = True,
) -> Path:
    """Let a policy route made-up traffic; return the record."""
    history = write_history(folder)
    known = history_rows(str(history), str(folder / "history.npy"), NAMES)
    hands, rng = Hands(), np.random.default_rng(seed)
    origin = Origin("of_the_day", str(history), str(folder / "history.npy"), NAMES)
    day = folder / "day.jsonl"
    gateway = Gateway(
        policy,
        setting(NAMES, budgets, known, expected or n_queries),
        record=str(day),
        shadow=shadow,
        origin=origin,
        clock=TickClock(hands),
    )
    to_do: list[tuple[float, int, Callable[[], None]]] = []
    number = 0

    def plan(at_s: float, act: Callable[[], None]) -> None:
        nonlocal number
        number += 1
        heapq.heappush(to_do, (at_s, number, act))

    def ask() -> None:
        available = [bool(rng.random() > 0.15) for _ in NAMES] if outages else None
        own = int(rng.integers(len(NAMES)))
        routed = gateway.route(rng.standard_normal(DIM), int(rng.integers(5, 200)), available, own)
        if routed.served is None:
            return
        fails, when_scored = rng.random() < 0.1, rng.random()
        cost = COST_USD[routed.served] * float(rng.uniform(0.3, 2.0))
        score = float(rng.random())

        def end() -> None:
            if fails:
                gateway.failed(routed.id)
                return
            gateway.answered(routed.id, cost, 10, score if when_scored < 0.4 else None)
            if 0.4 <= when_scored < 0.8:
                plan(hands.at_s + float(rng.exponential(3.0)), lambda: gateway.scored(routed.id, score))

        if rng.random() < 0.97:  # a few never end
            plan(hands.at_s + float(rng.exponential(1.0)), end)

    at_s = 1000.0
    for _ in range(n_queries):
        plan(at_s, ask)
        at_s += float(rng.exponential(0.3)) if rng.random() < 0.9 else 0.0
    while to_do:
        hands.at_s, _, act = heapq.heappop(to_do)
        act()
    gateway.close()
    return day
