"""Choose by predicted quality less the price of its cost and of its predicted wait."""

from __future__ import annotations

import numpy as np

from policies.parts.load import candidates, slots_now, slots_of
from policies.parts.paying import among_payers
from sim.errors import check_number
from sim.interface import Decision, Estimator, Feedback, Policy, Query, Setting, State


class LatencyPriced(Policy):
    """argmax over available i of quality_hat_i - price_per_usd x cost_hat_i - price_per_s x wait_i.

    The predicted wait, with c_i slots, q_i queued, m_i in flight and a service time S_i, is

        ahead_i = max(0, q_i + 1 - max(0, c_i - m_i))      completions that must come before this query begins,
        wait_i  = ahead_i x S_i / c_i

    which is the mean wait exactly where service is exponential (c busy servers complete one query every S / c), and an
    upper value of it where service is more regular. An unlimited deployment has no wait unless it has a queue; then
    its slots are what it has in flight.

    S_i is learned: the latency of a query that found ``ahead`` was ahead x S / c + S in the mean, so each answer shows
    latency / (1 + ahead / c), and S_i is the exponentially weighted mean of these; before the first answer it is 0, so
    that nothing is avoided for a wait that nobody has seen. Answers to queries that went elsewhere than to the first
    choice teach nothing.

    Ties go to the lowest index; the other deployments are the next choices, best first. If none is available, all
    count as available. Where refused queries are lost, only those whose settled budget covers the estimated cost count,
    if any does. A cost is in its budget's unit, so ``price_per_usd`` is per token where budgets are in tokens.

    Parameters
    ----------
    estimator : Estimator
    price_per_usd, price_per_s : float
        Quality that one USD, and one second of waiting, is worth; at least 0.
    decline : bool
        Decline a query whose best value is not positive, and name only next choices of positive value.
    weight : float
        Of the newest service time, in (0, 1].

    Raises
    ------
    ValueError
        If a price is negative or the weight is out of range.
    """

    def __init__(
        self,
        estimator: Estimator,
        price_per_usd: float = 100.0,
        price_per_s: float = 0.05,
        decline: bool = False,
        weight: float = 0.05,
    ) -> None:
        check_number("price_per_usd", price_per_usd, least=0)
        check_number("price_per_s", price_per_s, least=0)
        check_number("weight", weight, above=0, most=1)
        self.estimator = estimator
        self._price_per_usd = price_per_usd
        self._price_per_s = price_per_s
        self._decline = decline
        self._weight = weight

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Know of no service time."""
        self._slots = slots_of(setting)
        self._refused = setting.refused
        self._service_s = [0.0] * len(setting.fleet)
        self._is_known = [False] * len(setting.fleet)
        self._found: dict[int, tuple[int, float]] = {}  # query id -> where it was sent, 1 + ahead / c there

    def decide(self, query: Query, state: State) -> Decision:
        """Return the argmax, or decline."""
        queued, in_flight = state.queued.tolist(), state.in_flight.tolist()
        turns = [waiting_turns(*seen) for seen in zip(self._slots, queued, in_flight, strict=True)]
        quality, cost, service_s = query.quality_hat.tolist(), query.cost_hat.tolist(), self._service_s
        value = [
            quality[k] - self._price_per_usd * cost[k] - self._price_per_s * turns[k] * service_s[k]
            for k in range(len(turns))
        ]
        able = among_payers(candidates(state), query, state, self._refused)
        open_ones = [k for k in able if value[k] > 0 or not self._decline]
        if not open_ones:
            return Decision(None)
        best_first = sorted(open_ones, key=value.__getitem__, reverse=True)  # stable: ties keep the order of the fleet
        chosen = best_first[0]
        self._found[query.id] = (chosen, 1.0 + turns[chosen])
        return Decision(chosen, best_first[1:])

    def learn(self, feedback: Feedback) -> None:
        """Move the service time towards what the answer shows."""
        chosen, services = self._found.pop(feedback.query.id, (-1, 1.0))
        if chosen == feedback.deployment:
            weight = self._weight if self._is_known[chosen] else 1.0
            self._service_s[chosen] += weight * (feedback.latency_s / services - self._service_s[chosen])
            self._is_known[chosen] = True


def waiting_turns(slots: float, queued: int, in_flight: int) -> float:
    """Return ahead / c: the wait in service times.

    >>> waiting_turns(2, queued=3, in_flight=2), waiting_turns(2, queued=0, in_flight=1)
    (2.0, 0.0)
    """
    at_once = slots_now(slots, queued, in_flight)
    return max(0.0, queued + 1 - max(0.0, at_once - in_flight)) / at_once
