"""Looks up the truth of what a user got of several calls: what a combination is worth, and what all calls have cost."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from sim.instance import Instance
from sim.world.asked import Asked
from sim.world.bill import score_of
from sim.world.record.calls import CallTable


class TruthOfAnswers:
    """The truth of the answers of one run whose queries may take several calls.

    Parameters
    ----------
    instance : Instance
    calls : CallTable
    rows : sequence of int
        The test row of each query; it may grow.
    """

    def __init__(self, instance: Instance, calls: CallTable, rows: Sequence[int]) -> None:
        self._score, self._cost_usd = score_of(instance), instance.cost_usd
        self._combined = instance.scenario.workload.combined
        self._calls = calls
        self._rows = rows

    def worth(self, asked: Asked, places: Sequence[int]) -> float:
        """Return what a combination of the answers in these places is worth.

        Raises
        ------
        RuntimeError
            If the workload says that it is worth something outside [0, 1].
        """
        assert self._combined is not None  # or it would have been refused
        answers, row = [asked.answers[place] for place in places], self._rows[asked.number]
        scores = np.array([self._score(row, answer.deployment, answer.output_tokens) for answer in answers])
        if self._calls.scores:
            scores = np.array([self._calls.scores[asked.calls[place]] for place in places])
        worth = float(self._combined(scores))
        if not 0 <= worth <= 1:
            raise RuntimeError(
                f"the workload says that answers with scores {scores.tolist()} are worth {worth} together "
                f"(query {asked.number}); it must be from 0 to 1"
            )
        return worth

    def paid_usd(self, asked: Asked) -> float:
        """Return what all calls of a query have cost in USD."""
        row, paid_usd = self._rows[asked.number], 0.0
        for call, answer in zip(asked.calls, asked.answers, strict=True):
            if answer.came:
                charged_usd = self._calls.cost_usd[call]
                paid_usd += self._cost_usd[row, answer.deployment] if math.isnan(charged_usd) else charged_usd
        return float(paid_usd)
