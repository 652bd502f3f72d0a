"""Makes arrivals, budget and events of a recorded day, which belong to its workload. It knows no world."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from scenarios.recorded.day import read_day
from sim.interface import FloatArray
from sim.scenario import BudgetBasis, Controls


@dataclass(frozen=True)
class RecordedTimes:
    """When the queries of a day came.

    Parameters
    ----------
    path : str or None
        The record.
    """

    path: str | None

    @property
    def files(self) -> tuple[Path, ...]:
        """What the times were read from, for the manifest."""
        return () if self.path is None else (Path(self.path),)

    def times_s(self, n_queries: int, rng: np.random.Generator) -> FloatArray:
        """Return the times (n_queries,); nothing is drawn."""
        times_s = read_day(self.path).frame["at_s"].to_numpy(dtype=np.float64)
        if n_queries > len(times_s):
            raise ValueError(f"{self.path} has {len(times_s)} queries, and {n_queries} are to arrive")
        return times_s[:n_queries].copy()


@dataclass(frozen=True)
class RecordedBudget:
    """What each deployment could spend on that day, in USD.

    Parameters
    ----------
    path : str or None
        The record.
    """

    path: str | None
    unit: ClassVar[str] = "usd"
    is_explicit: ClassVar[bool] = True

    def amounts(self, basis: BudgetBasis, rng: np.random.Generator) -> FloatArray:
        """Return the budgets (n_deployments,)."""
        day = read_day(self.path)
        given = dict(zip(day.names, day.about["budgets_usd"], strict=True))
        missing = [name for name in basis.names if name not in given]
        if missing:
            raise ValueError(f"{self.path} has no budget of {missing[0]!r}; choose another budget")
        return np.array([math.inf if given[name] is None else given[name] for name in basis.names], dtype=np.float64)


@dataclass(frozen=True)
class RecordedAbsences:
    """Deployments accept no query while they did not on that day; what they have is still served.

    Parameters
    ----------
    path : str or None
        The record.
    """

    path: str | None
    moves_money: ClassVar[bool] = False

    def run(self, controls: Controls, rng: np.random.Generator) -> Generator[Any, Any, Any]:
        """Leave and join as the record says, each just before the query that saw it."""
        day = read_day(self.path)
        stations = {name: controls.stations(name)[0] for name in day.names}
        before = [True] * len(stations)
        for at_s, now in zip(day.frame["at_s"].tolist(), day.available.tolist(), strict=True):
            if now == before:
                continue
            yield controls.env.timeout(at_s - controls.env.now)
            for station, was, is_there in zip(stations.values(), before, now, strict=True):
                if was and not is_there:
                    station.leave()
                elif is_there and not was:
                    station.join()
            before = now
