"""Gives events their controls over a running world: deployments, budgets, prices and quality. It knows no policy."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import simpy

from sim.errors import unknown
from sim.instance import Instance
from sim.scenario import exact_share
from sim.traits import moves_quality
from sim.world.bill import score_of
from sim.world.budgets.ledger import Ledger
from sim.world.stations.station import Station


class Factors:
    """What costs, or scores, of each deployment are multiplied by: the product of all changes that hold at present.

    Attributes
    ----------
    factor : list of float
        For each deployment; 1 without a change.
    """

    def __init__(self, n_deployments: int) -> None:
        self._changes: list[list[float]] = [[] for _ in range(n_deployments)]
        self.factor = [1.0] * n_deployments

    def begin(self, deployment: int, factor: float) -> None:
        """Let one more change hold."""
        self._changes[deployment].append(factor)
        self._multiply(deployment)

    def end(self, deployment: int, factor: float) -> None:
        """End one change by this factor."""
        self._changes[deployment].remove(factor)
        self._multiply(deployment)

    def _multiply(self, deployment: int) -> None:
        # Sorted, so that the order of events does not change a digit.
        self.factor[deployment] = math.prod(sorted(self._changes[deployment]))


class Qualities:
    """What answers are worth in a run whose events change that.

    An answer has its score from when it ends, and keeps it: the workload's, plus what its deployment's practice adds at
    its number among the answers of that deployment, cut to [0, 1], times the factors that hold then, at most 1. Every
    answer counts, kept or not.

    Parameters
    ----------
    instance : Instance

    Attributes
    ----------
    factors : Factors
    """

    def __init__(self, instance: Instance) -> None:
        n_deployments = len(instance.fleet)
        self._score = score_of(instance)
        self._shifts: list[list[Callable[[int], float]]] = [[] for _ in range(n_deployments)]
        self._n_answers = [0] * n_deployments
        self.factors = Factors(n_deployments)

    def practise(self, deployment: int, shift: Callable[[int], float]) -> None:
        """Add ``shift(n)`` to the score of the n-th answer from now on, besides all shifts that hold already."""
        self._shifts[deployment].append(shift)

    def of_answer(self, row: int, deployment: int, tokens: int) -> float:
        """Return the score of an answer that ends now, of which so many tokens came; it counts as one more."""
        self._n_answers[deployment] = n = self._n_answers[deployment] + 1
        score = self._score(row, deployment, tokens)
        if self._shifts[deployment]:
            score = min(max(score + math.fsum(shift(n) for shift in self._shifts[deployment]), 0.0), 1.0)
        return min(score * self.factors.factor[deployment], 1.0) if score > 0 else 0.0


def qualities(instance: Instance) -> Qualities | None:
    """Return what keeps the quality of a run; None where no event changes it, so that nobody need ask."""
    return Qualities(instance) if moves_quality(instance.scenario.events) else None


class FleetControls:
    """The controls of one run, see ``sim.scenario.Controls``; ``deployment`` is a name, or None for every one."""

    def __init__(
        self,
        instance: Instance,
        env: simpy.Environment,
        fleet: Sequence[Station],
        ledger: Ledger,
        prices: Factors,
        qualities: Qualities | None,
        tell_price: Callable[[int, float], None],
    ) -> None:
        self.env = env
        self._instance = instance
        self._names = [info.name for info in instance.setting.fleet]
        self._fleet = fleet
        self._ledger = ledger
        self._prices = prices
        self._qualities = qualities
        self._tell_price = tell_price

    def stations(self, deployment: str | None) -> Sequence[Station]:
        """Return the deployment of that name, at work; all of them for None."""
        return [self._fleet[k] for k in self._numbers(deployment)]

    def top_up(self, deployment: str, amount: float) -> None:
        """Add to a budget."""
        self._ledger.flow_in(self.env.now)
        for k in self._numbers(deployment):
            self._ledger.top_up(k, amount)
            self._note_moment(k, f"budget + {amount:g}")

    def cut_budget(self, deployment: str | None, factor: float) -> None:
        """Multiply what remains of a budget, and all that is to come, by a factor of at most 1."""
        self._ledger.flow_in(self.env.now)
        self._ledger.cut(self._numbers(deployment), factor)
        for k in self._numbers(deployment):
            self._note_moment(k, f"budget times {factor:g}")

    def change_price(self, deployment: str | None, factor: float) -> None:
        """Multiply what queries cost by a factor from now on, besides all factors that hold already."""
        for k in self._numbers(deployment):
            self._prices.begin(k, factor)
            self._fleet[k].note(f"price times {factor:g}", True)

    def restore_price(self, deployment: str | None, factor: float) -> None:
        """End one ``change_price`` by this factor."""
        for k in self._numbers(deployment):
            self._prices.end(k, factor)
            self._fleet[k].note(f"price times {factor:g}", False)

    def announce_price(self, deployment: str | None) -> None:
        """Tell the policy what queries cost at present, as a multiple of what they did at the start."""
        for k in self._numbers(deployment):
            self._tell_price(k, self._prices.factor[k])

    def change_quality(self, deployment: str | None, factor: float) -> None:
        """Multiply the scores of answers that end from now on by a factor, besides all that hold already."""
        for k in self._numbers(deployment):
            self._moved().factors.begin(k, factor)
            self._fleet[k].note(f"quality times {factor:g}", True)

    def restore_quality(self, deployment: str | None, factor: float) -> None:
        """End one ``change_quality`` by this factor."""
        for k in self._numbers(deployment):
            self._moved().factors.end(k, factor)
            self._fleet[k].note(f"quality times {factor:g}", False)

    def practise(self, deployment: str | None, shift: Callable[[int], float]) -> None:
        """Add ``shift(n)`` to the score of a deployment's n-th answer in this run, from 1, if it ends from now on."""
        for k in self._numbers(deployment):
            self._moved().practise(k, shift)
            self._fleet[k].note("practice", True)

    def _note_moment(self, k: int, what: str) -> None:
        self._fleet[k].note(what, True)
        self._fleet[k].note(what, False)

    def _moved(self) -> Qualities:
        if self._qualities is None:
            raise RuntimeError("an event changes quality and does not say so: it needs moves_quality = True")
        return self._qualities

    def arrival_s(self, share: float | str) -> float:
        """Return when the first query arrives that is not among this share of all arrivals.

        Raises
        ------
        ValueError
            In a closed loop, whose arrival times are not known beforehand.
        """
        if self._instance.think_s is not None:
            raise ValueError(f"a closed loop has no {share} of its arrivals beforehand: give seconds")
        return float(np.cumsum(self._instance.gaps_s)[int(len(self._instance.gaps_s) * exact_share(share))])

    def _numbers(self, deployment: str | None) -> Sequence[int]:
        if deployment is None:
            return range(len(self._names))
        if deployment not in self._names:
            raise ValueError(unknown("deployment of an event", deployment, self._names))
        return [self._names.index(deployment)]
