"""What goes on in a run by itself: events, budget renewals, snapshots of the state, autoscalers. It knows no policy."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

import numpy as np
import simpy

from sim.instance import Instance, frozen
from sim.world.dispatch import Dispatcher, Views
from sim.world.renewal import renewals


def goes_on_by_itself(instance: Instance) -> bool:
    """Return whether anything does, so that a run must be told when to end."""
    scenario = instance.scenario
    scales = any(deployment.autoscaler is not None for deployment in instance.fleet)
    return bool(scenario.events) or scenario.window is not None or scenario.state_refresh_s is not None or scales


def processes(
    instance: Instance, dispatcher: Dispatcher, env: simpy.Environment, show: Callable[[Views], None]
) -> Iterator[Generator[simpy.Event, None, None]]:
    """Yield the SimPy processes of a run; ``show`` takes each new snapshot of the state."""
    scenario = instance.scenario
    for number, event in enumerate(scenario.events):
        yield event.run(dispatcher, np.random.default_rng([*instance.seeds, 1 + number]))
    if scenario.window is not None:
        yield renewals(instance, dispatcher.ledger, env, dispatcher.offer_waiting, dispatcher.stop_waiting)
    if scenario.state_refresh_s is not None:
        yield snapshots(dispatcher.views, env, scenario.state_refresh_s, show)
    for station, deployment in zip(dispatcher.fleet, instance.fleet, strict=True):
        if deployment.autoscaler is not None:
            yield deployment.autoscaler.run(station, env)


def snapshots(
    views: Views, env: simpy.Environment, period_s: float, show: Callable[[Views], None]
) -> Generator[simpy.Event, None, None]:
    """Show copies of the live numbers every so often, for ever."""
    queued, in_flight, remaining, available = views
    while True:
        show((frozen(queued.copy()), frozen(in_flight.copy()), frozen(remaining.copy()), frozen(available.copy())))
        yield env.timeout(period_s)
