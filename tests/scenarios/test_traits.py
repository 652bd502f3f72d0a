"""Parts of a scenario that say nothing of themselves: plain functions and classes that inherit from nothing."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np

from scenarios.orders import given
from sim.interface import Decision, FloatArray
from sim.scenario import Controls
from sim.traits import EventTraits, OrderTraits, ServiceTraits
from sim.world.services.job import Finish, Server
from sim.world.services.slots import Instant
from tests.scripted import Scripted, run


class FailsAtTwo:
    """An event with ``run`` alone."""

    def run(self, controls: Controls, rng: np.random.Generator) -> Generator[Any, Any, Any]:
        yield controls.env.timeout(2.0)
        for station in controls.stations("a"):
            station.fail()


@dataclass(frozen=True)
class Plain:
    """A service of another project: it says nothing but what a service must."""

    needs_output_tokens = False
    context_tokens: int | None = None

    def draw(self, n_queries: int, rng: np.random.Generator) -> FloatArray | None:
        return None

    def open(self, env: Any, finish: Finish) -> Server:
        return Instant().open(env, finish)


def test_an_event_with_run_alone_happens_and_is_assumed_to_move_money() -> None:
    requests = run(Scripted([0, 0, 0]), [0, 1, 3], events=[FailsAtTwo()])
    assert requests["fate"].tolist() == ["served", "served", "failed"]
    assert EventTraits.of(FailsAtTwo()) == EventTraits(deployment=None, moves_money=True, only_cuts=False)


def test_an_order_that_is_a_plain_function_brings_every_row_once_and_hides_no_topic() -> None:
    assert OrderTraits.of(given) == OrderTraits(with_replacement=False, unseen=(), arriving=None)


def test_a_service_that_says_nothing_has_no_limit_and_no_formula() -> None:
    requests = run(Scripted([Decision(0), Decision(1)]), [0, 0], service=Plain())
    assert requests["finished_at_s"].tolist() == [0, 0]
    said = ServiceTraits.of(Plain())
    assert (said.slots, said.ranks, said.may_wait, said.is_hosted) == (None, 1, True, False)
    assert said.served_per_s(10.0, 100.0) is None
    assert said.holds_s(np.array([1, 2]), None) is None
