"""Tells a run step by step, as ``trace=events`` and ``story`` do: notes what policies see, and prints event tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd
from rich.console import RenderableType

from sim.interface import Policy
from sim.show.steps.events import event_rows, event_table, prices, totals
from sim.study.experiment import Run
from sim.study.oracles import ORACLES
from sim.study.steps.hindsight import Hindsight, hindsight
from sim.study.steps.noted import Noted

MOST_SHOWN = 50  # queries in a table


class Told:
    """What policies saw in the first replication, kept until all have run.

    Parameters
    ----------
    policies : mapping of str to Policy

    Attributes
    ----------
    policies : dict of str to Policy
        The same, noted: they decide as they would.
    parts : list of (str, DataFrame, str)
        For each policy its name, its event table, and a sentence on what it earned.
    """

    def __init__(self, policies: Mapping[str, Policy]) -> None:
        self.policies: dict[str, Policy] = {}
        self._noted = {name: Noted(policy, range(MOST_SHOWN)) for name, policy in policies.items()}
        self.policies.update(self._noted)
        self.parts: list[tuple[str, pd.DataFrame, str]] = []
        self._n = 0
        self._best: Hindsight | str | None = None

    def add(self, run: Run) -> None:
        """Make the tables of a run, if it is a policy's in the first replication."""
        if run.replication != 0 or run.policy in ORACLES:
            return
        if self._best is None:
            self._best = hindsight(run.instance)
        rows = event_rows(run, self._noted[run.policy].notes, self._best, MOST_SHOWN)
        self.parts.append((run.policy, rows, totals(run, self._best)))
        self._n = len(run.requests)
        self._names = [info.name for info in run.instance.setting.fleet]

    def shown(self) -> Iterator[RenderableType | None]:
        """Yield tables and sentences of all runs, then the prices in hindsight."""
        part = f" (the first {MOST_SHOWN} of {self._n:,} queries)" if self._n > MOST_SHOWN else ""
        for policy, rows, earned in self.parts:
            yield event_table(rows, f"{policy}, step by step{part}")
            yield earned
        yield self.prices

    @property
    def prices(self) -> str | None:
        """What budgets are worth in hindsight, in a sentence; None where none is used up."""
        return prices(self._best, self._names) if isinstance(self._best, Hindsight) else None
