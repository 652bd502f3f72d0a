"""Starts what goes on beside the queries: events, renewals of budgets, snapshots, autoscalers, spot replicas.

It knows no policy.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Generator, Iterator

import simpy

from sim.instance import Instance, stream
from sim.traits import EventTraits
from sim.truth import frozen
from sim.world.budgets.renewal import renewals
from sim.world.controls import FleetControls
from sim.world.dispatch import Dispatcher, Views
from sim.world.moment import SNAPSHOTS, Moment


def goes_on_by_itself(instance: Instance) -> bool:
    """Return whether anything does, so that a run must be told when to end."""
    scenario = instance.scenario
    scales = any(not deployment.has_fixed_replicas for deployment in instance.fleet)
    renews = scenario.window is not None or scenario.spending.renews
    return bool(scenario.events) or renews or scenario.state_refresh_s is not None or scales


def processes(
    instance: Instance,
    dispatcher: Dispatcher,
    env: simpy.Environment,
    show: Callable[[Views], None],
    tell_price: Callable[[int, float], None],
) -> Iterator[Generator[simpy.Event, None, None]]:
    """Yield the processes of a run; ``show`` takes each snapshot of the state, ``tell_price`` each announced price."""
    scenario = instance.scenario
    controls = FleetControls(
        instance, env, dispatcher.fleet, dispatcher.ledger, dispatcher.prices, dispatcher.qualities, tell_price
    )
    kinds: Counter[str] = Counter()
    for event in scenario.events:
        kind = f"event {type(event).__name__} {EventTraits.of(event).deployment}"
        kinds[kind] += 1  # two alike differ by their number, and no event depends on another kind
        yield event.run(controls, stream(*instance.seeds, f"{kind} {kinds[kind]}"))
    if scenario.window is not None:
        yield renewals(instance, dispatcher.ledger, env, dispatcher.waiting.offer_all, dispatcher.waiting.close)
    if dispatcher.limits is not None:
        yield dispatcher.limits.renewals(dispatcher.waiting.offer_all)
    if scenario.state_refresh_s is not None:
        yield snapshots(dispatcher, env, scenario.state_refresh_s, show)
    for station, deployment in zip(dispatcher.fleet, instance.fleet, strict=True):
        if deployment.spot is not None:
            deployment.spot.begin(station, env, stream(*instance.seeds, f"spot {deployment.name}"))
        if deployment.autoscaler is not None:
            yield deployment.autoscaler.run(station, env)


def snapshots(
    dispatcher: Dispatcher, env: simpy.Environment, period_s: float, show: Callable[[Views], None]
) -> Generator[simpy.Event, None, None]:
    """Show copies of the live numbers every so often from 0 on, for ever, except where they cannot have changed."""
    queued, in_flight, remaining, available = dispatcher.views
    number = 0
    while True:
        dispatcher.ledger.flow_in(env.now)
        show((frozen(queued.copy()), frozen(in_flight.copy()), frozen(remaining.copy()), frozen(available.copy())))
        number += 1
        if not dispatcher.ledger.fills and not math.isinf(next_s := env.peek()):
            # Until something happens the numbers stay as they are: the last snapshot before it shows them.
            last = math.floor(next_s / period_s)
            number = max(number, last - (last * period_s > next_s))
        yield Moment(env, max(number * period_s - env.now, 0.0), SNAPSHOTS)
