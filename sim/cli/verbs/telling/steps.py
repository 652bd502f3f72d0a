"""Tells a run step by step, as ``trace=events`` and ``story`` do: notes what policies see, and prints event tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

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
    """

    def __init__(self, policies: Mapping[str, Policy]) -> None:
        self.policies: dict[str, Policy] = {}
        self._noted = {name: Noted(policy, range(MOST_SHOWN)) for name, policy in policies.items()}
        self.policies.update(self._noted)
        self._found: list[RenderableType] = []
        self._best: Hindsight | str | None = None

    def add(self, run: Run) -> None:
        """Make the tables of a run, if it is a policy's in the first replication."""
        if run.replication != 0 or run.policy in ORACLES:
            return
        if self._best is None:
            self._best = hindsight(run.instance)
        rows = event_rows(run, self._noted[run.policy].notes, self._best, MOST_SHOWN)
        n = len(run.requests)
        part = f" (the first {MOST_SHOWN} of {n:,} queries)" if n > MOST_SHOWN else ""
        self._found += [event_table(rows, f"{run.policy}, step by step{part}"), totals(run, self._best)]
        self._names = [info.name for info in run.instance.setting.fleet]

    def shown(self) -> Iterator[RenderableType | None]:
        """Yield tables and sentences of all runs, then the prices in hindsight."""
        yield from self._found
        if isinstance(self._best, Hindsight):
            yield prices(self._best, self._names)
