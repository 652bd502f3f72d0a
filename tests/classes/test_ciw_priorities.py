"""Each customer of a queue with priorities leaves when Ciw says, on identical arrivals, services and classes."""

import ciw
import numpy as np
import pytest

from sim.study.theory.single import Arriving, serve
from sim.world.services.slots import Slots
from tests.conftest import Beside

N_CUSTOMERS = 10_000
TOKEN_S = 1e-3


@pytest.mark.parametrize(("servers", "preemptive"), [(1, False), (1, True), (3, False), (3, True)])
def test_departures_equal_ciws(servers: int, preemptive: bool, beside: Beside) -> None:
    rng = np.random.default_rng(servers)
    arrived_at_s = np.cumsum(rng.exponential(1 / (0.9 * servers), N_CUSTOMERS))
    tokens = np.maximum(1, np.rint(rng.exponential(1000, N_CUSTOMERS))).astype(np.int64)
    rank = rng.integers(3, size=N_CUSTOMERS)
    ours = serve(
        Slots(servers, 0.0, TOKEN_S),
        Arriving(arrived_at_s),
        N_CUSTOMERS,
        output_tokens=tokens,
        priority=rank,
        preemptive=preemptive,
    )
    names = [f"rank {k}" for k in range(3)]
    gaps_s = {name: np.diff(arrived_at_s[rank == k], prepend=0.0) for k, name in enumerate(names)}
    places = dict(zip(names, range(3), strict=True))
    network = ciw.create_network(
        arrival_distributions={name: [ciw.dists.Sequential([*gaps_s[name].tolist(), float("inf")])] for name in names},
        service_distributions={
            name: [ciw.dists.Sequential((tokens[rank == k] * TOKEN_S).tolist())] for k, name in enumerate(names)
        },
        number_of_servers=[servers],
        priority_classes=(places, ["resume" if preemptive else False]),
    )
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_customers(N_CUSTOMERS, method="Finish")
    left_at_s = {
        record.id_number - 1: record.exit_date
        for record in simulation.get_all_records()
        if record.record_type == "service"
    }
    theirs = np.array([left_at_s[k] for k in range(N_CUSTOMERS)])
    left_s = ours["finished_at_s"].to_numpy()
    assert np.abs(theirs - arrived_at_s[0] - left_s).max() < 1e-6
    figure = f"mean departure in s, 3 ranks, servers: {servers}, {'preemptive' if preemptive else 'not preemptive'}"
    beside(
        "Priorities", figure, left_s.mean(), (theirs - arrived_at_s[0]).mean(), "Ciw 3.2.7", "each customer to 1e-6 s"
    )
    assert (ours["preempted_s"].max() > 0) == preemptive
