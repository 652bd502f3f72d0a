"""Changes one input of a scenario: more traffic, longer prompts, longer answers, slower servers. It runs nothing."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sim.interface import FloatArray, IntArray
from sim.scenario import Arrivals, Controls, Scenario
from sim.traits import ArrivalsTraits
from sim.workload import Rows


@dataclass(frozen=True)
class Faster:
    """Another process's arrivals, ``factor`` times as fast; of a closed loop, so many times the users."""

    arrivals: Arrivals
    factor: float

    @property
    def users(self) -> int | None:
        """Of a closed loop."""
        users = ArrivalsTraits.of(self.arrivals).users
        return None if users is None else round(users * self.factor)

    @property
    def think_s(self) -> Callable[..., FloatArray] | None:
        """The process's."""
        return ArrivalsTraits.of(self.arrivals).think_s

    @property
    def times_of_rows(self) -> Callable[[IntArray], FloatArray] | None:
        """The process's, pressed together."""
        of_rows = ArrivalsTraits.of(self.arrivals).times_of_rows
        return None if of_rows is None else lambda rows: of_rows(rows) / self.factor

    def times_s(self, n_queries: int, rng: np.random.Generator) -> FloatArray:
        """Return its times (n_queries,), pressed together."""
        times: FloatArray = self.arrivals.times_s(n_queries, rng) / (1.0 if self.users else self.factor)
        return times


@dataclass(frozen=True)
class Slower:
    """An event: every deployment takes ``factor`` times as long, all along."""

    factor: float
    deployment = None
    moves_money = False

    def run(self, controls: Controls, rng: np.random.Generator) -> Generator[Any, Any, Any]:
        """Slow all of them down."""
        for station in controls.stations(None):
            station.slow_down(self.factor)
        yield controls.env.timeout(0)


def with_traffic(scenario: Scenario, factor: float) -> Scenario:
    """Return the scenario with more arrivals in the same time."""
    return replace(scenario, arrivals=Faster(scenario.arrivals, factor))


def with_prompts(scenario: Scenario, factor: float) -> Scenario:
    """Return the scenario with longer prompts."""
    test = scenario.workload.test
    return with_test(scenario, replace(test, input_tokens=longer(test.input_tokens, factor)))


def with_answers(scenario: Scenario, factor: float) -> Scenario | None:
    """Return the scenario with longer answers; None where the workload has no lengths."""
    test = scenario.workload.test
    if test.output_tokens is None:
        return None
    return with_test(scenario, replace(test, output_tokens=longer(test.output_tokens, factor)))


def with_test(scenario: Scenario, test: Rows) -> Scenario:
    """Return the scenario with other arriving queries."""
    return replace(scenario, workload=replace(scenario.workload, test=test))


def longer(tokens: IntArray, factor: float) -> IntArray:
    """Return whole numbers of tokens times a factor."""
    more: IntArray = np.rint(tokens * factor).astype(np.int64)
    return more


def with_service(scenario: Scenario, factor: float) -> Scenario:
    """Return the scenario with servers that take longer."""
    return replace(scenario, events=(*scenario.events, Slower(factor)))


INPUTS: Mapping[str, Callable[[Scenario, float], Scenario | None]] = {
    "more traffic": with_traffic,
    "longer prompts": with_prompts,
    "longer answers": with_answers,
    "slower servers": with_service,
}
