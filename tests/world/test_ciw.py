"""Per-customer waits equal those of Ciw, and of two textbook recursions, on identical arrivals and services."""

from dataclasses import dataclass, field
from functools import cache

import ciw
import numpy as np
import pytest

from sim.distributions import Exponential
from sim.interface import FloatArray
from sim.study.theory.conditions import System
from sim.study.theory.laboratory import shared
from sim.study.theory.single import Arriving, serve
from sim.world.services.timed import Timed
from tests.conftest import Beside

N_CUSTOMERS = 20_000
LOAD = 0.9


@dataclass(frozen=True)
class Given:
    """Service times as given, in the order of arrival."""

    values_s: FloatArray = field(compare=False)
    mean_s = 1.0
    cv = 1.0

    def draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        return self.values_s[:n]


@cache
def customers(servers: int) -> tuple[FloatArray, FloatArray]:
    """Arrival times and service times (n,): exponential, with a load of 0.9 per server."""
    rng = np.random.default_rng(servers)
    gaps_s = rng.exponential(1 / (LOAD * servers), N_CUSTOMERS)
    return np.cumsum(gaps_s), rng.exponential(1.0, N_CUSTOMERS)


@cache
def waits_in_the_world(servers: int) -> FloatArray:
    arrived_at_s, services_s = customers(servers)
    requests = serve(Timed(servers, Given(services_s)), Arriving(arrived_at_s), N_CUSTOMERS)
    return (requests["started_at_s"] - requests["arrived_at_s"]).to_numpy()


@pytest.mark.parametrize("servers", [1, 3, 10])
def test_waits_equal_ciws(servers: int, beside: Beside) -> None:
    arrived_at_s, services_s = customers(servers)
    gaps_s = np.diff(arrived_at_s, prepend=0.0)
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Sequential([*gaps_s.tolist(), float("inf")])],
        service_distributions=[ciw.dists.Sequential(services_s.tolist())],
        number_of_servers=[servers],
    )
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_customers(N_CUSTOMERS, method="Finish")
    waits = {record.id_number - 1: record.waiting_time for record in simulation.get_all_records()}
    assert len(waits) == N_CUSTOMERS
    theirs = np.array([waits[k] for k in range(N_CUSTOMERS)])
    assert theirs.max() > 1  # there was a queue
    ours = waits_in_the_world(servers)
    assert np.abs(theirs - ours).max() < 1e-9
    figure = f"mean wait in s of 20,000 customers, servers: {servers}"
    beside("Queues", figure, ours.mean(), theirs.mean(), "Ciw 3.2.7", "each customer to 1e-9 s")


def test_one_servers_waits_follow_the_lindley_recursion() -> None:
    arrived_at_s, services_s = customers(1)
    steps = services_s[:-1] - np.diff(arrived_at_s)
    walk = np.concatenate([[0.0], np.cumsum(steps)])
    lindley = walk - np.minimum.accumulate(walk)  # the reflected walk solves W' = max(0, W + S - A)
    assert np.abs(lindley - waits_in_the_world(1)).max() < 1e-9


@pytest.mark.parametrize("servers", [3, 10])
def test_several_servers_waits_follow_the_recursion_of_kiefer_and_wolfowitz(servers: int) -> None:
    # The sorted workloads that an arrival finds; it joins the least, and all shrink by the gap to the next arrival.
    arrived_at_s, services_s = customers(servers)
    found, waits = [0.0] * servers, []
    for service_s, gap_s in zip(services_s.tolist(), [*np.diff(arrived_at_s).tolist(), 0.0], strict=True):
        waits.append(found[0])
        found = sorted(max(0.0, work - gap_s) for work in [found[0] + service_s, *found[1:]])
    assert np.abs(np.array(waits) - waits_in_the_world(servers)).max() < 1e-9


@pytest.mark.parametrize("places", [None, 4])
def test_departures_from_a_shared_server_equal_those_of_ciws_processor_sharing_node(
    places: int | None, beside: Beside
) -> None:
    # Work in whole tokens of 1 ms; a batch of b takes b ms for a token each.
    system = System("", Exponential(1.25), Exponential(1.0), places, shared=True)
    rng = np.random.default_rng(1)
    gaps_s = rng.exponential(1.25, N_CUSTOMERS)
    tokens = np.maximum(1, np.rint(rng.exponential(1000.0, N_CUSTOMERS))).astype(np.int64)
    ours = serve(shared(system), Arriving(np.cumsum(gaps_s)), N_CUSTOMERS, output_tokens=tokens)
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Sequential([*gaps_s.tolist(), float("inf")])],
        service_distributions=[ciw.dists.Sequential((tokens * 1e-3).tolist())],
        number_of_servers=[float("inf") if places is None else places],
    )
    simulation = ciw.Simulation(network, node_class=ciw.PSNode)
    simulation.simulate_until_max_customers(N_CUSTOMERS, method="Finish")
    left_at_s = {record.id_number - 1: record.exit_date for record in simulation.get_all_records()}
    theirs = np.array([left_at_s[k] for k in range(N_CUSTOMERS)])
    left_s = ours["finished_at_s"].to_numpy()
    assert np.abs(theirs - gaps_s[0] - left_s).max() < 1e-9
    figure = f"mean departure in s, shared server with {places or 'any number of'} places"
    beside("Queues", figure, left_s.mean(), (theirs - gaps_s[0]).mean(), "Ciw 3.2.7", "each customer to 1e-9 s")
