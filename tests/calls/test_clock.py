"""The clock: what is planned without an event has the turn that an event in its place would have."""

import pytest
from simpy.core import EmptySchedule

from sim.world.moment import ARRIVALS, COMPLETIONS, DECISIONS, RETRIES, Clock, Moment


class Noting:
    """A clock, and the names of what happened on it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.happened: list[str] = []

    def plan(self, delay_s: float, priority: int, name: str) -> None:
        """Plan an event."""
        Moment(self.clock, delay_s, priority).callbacks.append(lambda _: self.happened.append(name))

    def decide(self, name: str) -> None:
        """Plan a decision of this time without an event."""
        self.clock.decide(self.happened.append, name)


def test_a_decision_comes_after_all_that_ends_at_its_time_and_before_what_arrives_then() -> None:
    noting = Noting()
    Moment(noting.clock, 1.0, COMPLETIONS).callbacks.append(lambda _: noting.decide("review"))
    noting.plan(1.0, ARRIVALS, "arrival")
    noting.plan(1.0, RETRIES, "retry")
    noting.plan(1.0, COMPLETIONS, "completion")
    noting.clock.run()
    assert noting.happened == ["completion", "retry", "review", "arrival"]


def test_decisions_of_one_time_come_in_the_order_in_which_they_were_planned_with_an_event_or_without() -> None:
    noting = Noting()

    def end(_: object) -> None:
        noting.plan(0.0, DECISIONS, "gate planned before")
        noting.decide("first review")
        noting.plan(0.0, DECISIONS, "gate planned between")
        noting.decide("second review")

    Moment(noting.clock, 1.0, COMPLETIONS).callbacks.append(end)
    noting.clock.run()
    assert noting.happened == ["gate planned before", "first review", "gate planned between", "second review"]


def test_what_a_decision_plans_for_its_own_time_comes_before_what_is_later() -> None:
    noting = Noting()

    def review(name: str) -> None:
        noting.happened.append(f"{name} at {noting.clock.now}")
        noting.plan(0.0, COMPLETIONS, "completion")
        noting.decide("next review")

    Moment(noting.clock, 1.0, COMPLETIONS).callbacks.append(lambda _: noting.clock.decide(review, "review"))
    noting.plan(1.5, COMPLETIONS, "later")
    noting.clock.run()
    assert noting.happened == ["review at 1.0", "completion", "next review", "later"]


@pytest.mark.parametrize("until", [None, 2.0])
@pytest.mark.parametrize("in_steps", [False, True])
def test_a_call_has_the_turn_that_an_event_in_its_place_would_have(until: float | None, in_steps: bool) -> None:
    noting = Noting()

    def call(delay_s: float, priority: int, name: str) -> None:
        noting.clock.call(delay_s, priority, noting.happened.append, name)

    call(1.0, ARRIVALS, "arrival")
    noting.plan(1.0, COMPLETIONS, "first completion")
    call(1.0, COMPLETIONS, "second completion")
    noting.plan(1.0, COMPLETIONS, "third completion")
    noting.clock.call(1.0, RETRIES, lambda _: noting.decide("review"))
    call(0.5, ARRIVALS, "earlier arrival")
    if in_steps:
        while noting.clock.peek() < float("inf"):
            noting.clock.step()
    else:
        noting.clock.run(until)
    completions = ["first completion", "second completion", "third completion"]
    assert noting.happened == ["earlier arrival", *completions, "review", "arrival"]


@pytest.mark.parametrize("until", [None, 3.0])
@pytest.mark.parametrize("in_steps", [False, True])
def test_what_arrives_comes_after_all_else_of_its_time_that_was_planned_before_it(
    until: float | None, in_steps: bool
) -> None:
    noting = Noting()
    noting.clock.let_arrive(iter([(1.0, "first"), (0.0, "second"), (1.0, "third")]), noting.happened.append)
    noting.plan(1.0, ARRIVALS, "step of a task")  # planned after the first arrival, and before the second
    noting.plan(1.0, COMPLETIONS, "completion")
    noting.clock.call(1.0, RETRIES, lambda _: noting.decide("review"))
    noting.plan(2.5, COMPLETIONS, "late completion")
    assert noting.clock.expects_arrival
    if in_steps:
        while noting.clock.peek() < float("inf"):
            noting.clock.step()
    else:
        noting.clock.run(until)
    assert noting.happened == [
        *("completion", "review", "first", "step of a task", "second"),
        *("third", "late completion"),
    ]
    assert not noting.clock.expects_arrival


def test_a_clock_without_anything_to_come_has_no_next_step() -> None:
    clock = Clock()
    clock.let_arrive(iter([(1.0, "only")]), lambda _: None)
    clock.step()
    assert (clock.now, clock.peek()) == (1.0, float("inf"))
    with pytest.raises(EmptySchedule):
        clock.step()
