"""Makes events, which change the fleet while queries arrive. They act through the controls of a world only.

``deployment`` is a name, or None for every deployment. Times count from the first arrival. Events may overlap: each
begins and ends its own effect, so that down times add up to their union and factors multiply. Work in flight at an
outage is lost: those queries are failed or retried, never forgotten.

``moves_money`` and ``only_cuts`` are for studies that need to know whether a hindsight optimum still bounds the run;
``sim.traits.EventTraits`` has their meaning and their defaults.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np

from sim.errors import check_number
from sim.scenario import Controls, seconds_or_share


def check(event: object, *names: str, above: float | None = None, null: str | None = None) -> None:
    """Check numbers of an event: at least 0, or above something; the message names the kind of event."""
    for name in names:
        label = f"{name} of a {type(event).__name__}"
        check_number(label, getattr(event, name), least=0 if above is None else None, above=above, null=null)


@dataclass(frozen=True)
class Outage:
    """Down from ``at_s`` for ``for_s`` seconds."""

    at_s: float
    for_s: float
    deployment: str | None = None
    moves_money = False

    def __post_init__(self) -> None:
        """Check the times."""
        check(self, "at_s", "for_s")

    def run(self, controls: Controls, rng: np.random.Generator) -> Generator[Any, Any, Any]:
        """Fail, then repair."""
        stations = controls.stations(self.deployment)
        yield controls.env.timeout(self.at_s)
        for station in stations:
            station.fail()
        yield controls.env.timeout(self.for_s)
        for station in stations:
            station.repair()


@dataclass(frozen=True)
class RandomOutages:
    """Exponential times up and down, by turns, from up."""

    mean_up_s: float
    mean_down_s: float
    deployment: str | None = None
    moves_money = False

    def __post_init__(self) -> None:
        """Check the times."""
        check(self, "mean_up_s", "mean_down_s", above=0)

    def run(self, controls: Controls, rng: np.random.Generator) -> Generator[Any, Any, Any]:
        """Fail and repair for ever; with no name, all deployments together."""
        stations = controls.stations(self.deployment)
        while True:
            yield controls.env.timeout(float(rng.exponential(self.mean_up_s)))
            for station in stations:
                station.fail()
            yield controls.env.timeout(float(rng.exponential(self.mean_down_s)))
            for station in stations:
                station.repair()


@dataclass(frozen=True)
class Degradation:
    """Everything takes ``factor`` times as long, from ``at_s`` for ``for_s`` seconds."""

    at_s: float
    for_s: float
    factor: float
    deployment: str | None = None
    moves_money = False

    def __post_init__(self) -> None:
        """Check the numbers."""
        check(self, "at_s", "for_s")
        check(self, "factor", above=0)

    def run(self, controls: Controls, rng: np.random.Generator) -> Generator[Any, Any, Any]:
        """Slow down, then restore."""
        stations = controls.stations(self.deployment)
        yield controls.env.timeout(self.at_s)
        for station in stations:
            station.slow_down(self.factor)
        yield controls.env.timeout(self.for_s)
        for station in stations:
            station.restore_speed(self.factor)


@dataclass(frozen=True)
class PriceChange:
    """Queries cost ``factor`` times as much, from ``at_s`` for ``for_s`` seconds; for ever unless that is given.

    It is their price in USD: a budget in tokens is charged the same tokens. Factors of several changes multiply. Where
    it is ``announced``, policies that look at price lists hear of it when it begins and ends (``Policy.learn_price``);
    else they have only the bills.
    """

    at_s: float
    factor: float
    deployment: str | None = None
    for_s: float | None = None
    announced: bool = True
    only_cuts = True  # whatever the price, a budget buys no more than itself

    def __post_init__(self) -> None:
        """Check the numbers."""
        check(self, "at_s", "factor")
        check(self, "for_s", null="for ever")

    def run(self, controls: Controls, rng: np.random.Generator) -> Generator[Any, Any, Any]:
        """Change the price, then restore it."""
        controls.stations(self.deployment)
        yield controls.env.timeout(self.at_s)
        controls.change_price(self.deployment, self.factor)
        if self.announced:
            controls.announce_price(self.deployment)
        if self.for_s is not None:
            yield controls.env.timeout(self.for_s)
            controls.restore_price(self.deployment, self.factor)
            if self.announced:
                controls.announce_price(self.deployment)


@dataclass(frozen=True)
class TopUp:
    """Add ``amount`` to a deployment's budget, in its unit, at ``at_s``."""

    at_s: float
    amount: float
    deployment: str

    def __post_init__(self) -> None:
        """Check the numbers."""
        check(self, "at_s", "amount")

    def run(self, controls: Controls, rng: np.random.Generator) -> Generator[Any, Any, Any]:
        """Add the amount."""
        controls.stations(self.deployment)
        yield controls.env.timeout(self.at_s)
        controls.top_up(self.deployment, self.amount)


@dataclass(frozen=True)
class BudgetCut:
    """What is left of a budget is multiplied by ``factor`` at a moment.

    What is left is what ``State.remaining`` shows: the budget less settled costs. Queries in flight are still paid for,
    so that for a while more may be promised than there is; nothing is taken on until that is over. Where budgets renew
    themselves, what is to come is cut as well. A deployment without a budget keeps none.

    Parameters
    ----------
    factor : float
        From 0 to 1.
    at : float or str
        Seconds, or a share of the arrivals such as ``"50%"``: then the first of the other half meets the cut.
    deployment : str or None
        None: every deployment.

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    factor: float
    at: float | str = "50%"
    deployment: str | None = None
    only_cuts = True

    def __post_init__(self) -> None:
        """Check the numbers."""
        check(self, "factor")
        if self.factor > 1:
            raise ValueError(f"factor of a BudgetCut is {self.factor}; it must be at most 1, see TopUp for more budget")
        share = isinstance(self.at, str)
        if not 0 <= seconds_or_share(self.at) < (1.0 if share else float("inf")):
            right = "seconds from the first arrival on, or a share of the arrivals below 100% such as '50%'"
            raise ValueError(f"at of a BudgetCut is {self.at!r}; it must be {right}")

    def run(self, controls: Controls, rng: np.random.Generator) -> Generator[Any, Any, Any]:
        """Cut."""
        controls.stations(self.deployment)
        yield controls.env.timeout(controls.arrival_s(self.at) if isinstance(self.at, str) else self.at)
        controls.cut_budget(self.deployment, self.factor)


@dataclass(frozen=True)
class Joins:
    """A deployment that is not there before ``at_s``.

    Routers know its model from the history, unless the scenario's ``profiled`` says otherwise: 0 for a model that
    nobody has seen before it joins.
    """

    at_s: float
    deployment: str
    moves_money = False

    def __post_init__(self) -> None:
        """Check the time."""
        check(self, "at_s")

    def run(self, controls: Controls, rng: np.random.Generator) -> Generator[Any, Any, Any]:
        """Keep it out, then let it in."""
        (station,) = controls.stations(self.deployment)
        station.leave()
        yield controls.env.timeout(self.at_s)
        station.join()


@dataclass(frozen=True)
class Leaves:
    """A deployment that accepts nothing more from ``at_s`` on, for ``for_s`` seconds; what it has is still served.

    It is for ever unless ``for_s`` is given.
    """

    at_s: float
    deployment: str
    for_s: float | None = None
    moves_money = False

    def __post_init__(self) -> None:
        """Check the times."""
        check(self, "at_s")
        check(self, "for_s", null="for ever")

    def run(self, controls: Controls, rng: np.random.Generator) -> Generator[Any, Any, Any]:
        """Take it out."""
        (station,) = controls.stations(self.deployment)
        yield controls.env.timeout(self.at_s)
        station.leave()
        if self.for_s is not None:
            yield controls.env.timeout(self.for_s)
            station.join()
