"""Policies that say more, or nothing, of their decisions, and a small world for all policies."""

from scenarios.arrivals.renewal import Poisson
from scenarios.budgets import Weighted
from scenarios.fleets import OnePerModel
from scenarios.orders import shuffled
from scenarios.workloads.synthetic import synthetic
from sim.interface import Decision, Policy, Query, Reasons, State
from sim.scenario import Scenario
from sim.world.services.slots import Slots

SLOTS = OnePerModel(Slots(slots=2, time_to_first_token_s=0.1, time_per_output_token_s=0.005), queue_capacity=4)
WORLD = Scenario(
    synthetic(n_queries=60, n_history=60, n_models=3, dim=8, seed=1), SLOTS, Weighted(total=2.0), Poisson(20), shuffled
)


class Silent(Policy):
    """Sends everything to the last deployment, and does not say why."""

    def decide(self, query: Query, state: State) -> Decision:
        return Decision(len(query.cost_hat) - 1)


class Talker(Silent):
    """Says which query it is asked about."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def reasons(self, query: Query, state: State) -> Reasons:
        self.asked.append(query.id)
        return Reasons(words=f"it is query {query.id}")
