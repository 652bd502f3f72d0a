"""Small worlds at one deployment whose replicas come and go."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from scenarios.fleets import Listed
from sim.deployment import Deployment
from sim.renewing import Retry
from sim.scenario import Arrivals
from sim.study.experiment import Run, runs
from sim.study.oracles import Oracle
from sim.world.services.slots import Slots
from tests.scripted import At, Scripted
from tests.worlds import MODELS, tiny_rows, tiny_scenario, tiny_workload

ONE_SLOT = Slots(1, 0.0, 0.01)  # 100 output tokens take 1 s


def run(
    times: Sequence[float] | Arrivals,
    lasts_s: Sequence[float],
    *,
    metrics: dict[str, Any] | None = None,
    retry: Retry | None = None,
    seed: int = 0,
    **settings: Any,
) -> Run:
    """Send queries that last so long to one deployment with these settings, at 1 USD a second and replica."""
    n = len(lasts_s)
    rows = tiny_rows([[1.0]] * n, [[0.0]] * n, [[round(100 * each)] for each in lasts_s])
    rows = replace(rows, input_tokens=np.full(n, 10))
    deployment = Deployment("d", MODELS[0], **{"service": ONE_SLOT, "price_per_hour_usd": 3600.0, **settings})
    scenario = replace(
        tiny_scenario(tiny_workload(rows)),
        fleet=Listed([deployment]),
        arrivals=At(tuple(times)) if isinstance(times, Sequence) else times,
        retry=retry or Retry(),
    )
    [done] = runs(scenario, {"p": Scripted([0] * n)}, seed, 1, Oracle(()), metrics or {})
    return done


def paid(done: Run) -> float:
    """Return the integral of what was paid for, from the first arrival to the last end, by hand."""
    assert done.replicas is not None
    from_s, number = done.replicas["from_s"].to_numpy(), done.replicas["paid"].to_numpy()
    end_s = float(done.requests["ended_at_s"].max())
    until_s = np.minimum(np.append(from_s[1:], np.inf), end_s)
    return float((number * np.maximum(until_s - from_s, 0.0)).sum())


def changes(done: Run, column: str) -> list[tuple[float, int]]:
    """Return when a column of the replicas changed, and to what."""
    assert done.replicas is not None
    found: list[tuple[float, int]] = []
    for at_s, number in zip(done.replicas["from_s"], done.replicas[column], strict=True):
        if not found or found[-1][1] != number:
            found.append((float(at_s), int(number)))
    return found
