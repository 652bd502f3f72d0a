"""Puts one deployment to work: replicas behind a balancer, limits on waiting and on time, outages.

It knows no money and no policy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import simpy

from sim.deployment import Deployment
from sim.interface import PrefixTree
from sim.traits import AutoscalerTraits, ServiceTraits
from sim.world.moment import TIME_LIMITS, Moment
from sim.world.record.calls import Column
from sim.world.record.happenings import Change
from sim.world.record.replicas import ReplicaLog, Replicas
from sim.world.record.requests import ABANDONED, FAILED, REJECTED, TIMED_OUT, TOO_LONG, replica_seconds
from sim.world.services.job import Finish, Job
from sim.world.stations.balancer import LeastLoaded
from sim.world.stations.coming import Coming
from sim.world.stations.replica import Replica
from sim.world.stations.watch import Watch


class Station:
    """One deployment at work in one run.

    Parameters
    ----------
    deployment : Deployment
    number : int
        Its index in the fleet.
    counts : tuple
        The fleet's numbers, which this station keeps up to date: waiting, in service, whether available.
    env : simpy.Environment
    finish : callable
        Called with each job and the time at its completion, after the next one has begun.
    lose : callable
        Called with each job that was taken and then lost, its fate and the time.
    patience_s : column or None
        How long each query will wait here before it leaves, by its id.
    rng : Generator
        For the balancer.
    block_tokens : int
        Tokens of a block of a prefix.
    fails_after_s : column or None
        How long after its offer each query breaks off here, by its id; NaN for never.
    """

    def __init__(
        self,
        deployment: Deployment,
        number: int,
        counts: tuple[Any, Any, Any],
        env: simpy.Environment,
        finish: Finish,
        lose: Callable[[Job, int, float], None],
        patience_s: Column[float] | None,
        rng: np.random.Generator,
        block_tokens: int = 1,
        fails_after_s: Column[float] | None = None,
    ) -> None:
        queued, in_flight, self._available = counts
        self._deployment = deployment
        self._number = number
        self._counts = (queued, in_flight, number)
        self._env = env
        self._finish = finish
        self._lose = lose
        self._patience_s = patience_s
        self._capacity = deployment.queue_capacity if ServiceTraits.of(deployment.service).may_wait else 0
        self._context_tokens = deployment.service.context_tokens
        self._timeout_s = deployment.timeout_s
        self._fails_after_s = fails_after_s
        self._has_clocks = any(limit is not None for limit in (self._timeout_s, patience_s, fails_after_s))
        self._balancer = (deployment.balancer or LeastLoaded()).open(rng)
        self._choose_for = getattr(self._balancer, "choose_for", None)  # of a balancer that looks into jobs
        self._block_tokens = block_tokens
        self._opened = 0  # how many replicas so far
        self._slowdowns: list[float] = []  # the factors that hold at present
        self._outages = self._absences = 0  # how many events keep it down, or out, at present
        self._is_plain = not self._has_clocks and self._context_tokens is None and deployment.has_fixed_replicas
        self._only: Replica | None = None  # see ``_find_only``
        self._home: dict[Job, Replica] = {}  # of jobs that may be taken out again
        window_s = AutoscalerTraits.of(deployment.autoscaler).watches_s
        self.watch = None if window_s is None else Watch(window_s)
        self.slots_per_replica = deployment.total_slots / deployment.replicas
        self.on_open: Callable[[Replica], None] | None = None  # hears of each replica that opens
        self.replicas: list[Replica] = []
        self.happened: list[Change] = []  # what events did here
        self.coming = Coming()
        self.log = ReplicaLog()
        self._given_notice: set[Replica] = set()
        self._interrupted = self._interruptions = 0
        for _ in range(deployment.replicas):
            self.add_replica()

    # --- jobs ---------------------------------------------------------------------------------------------------------

    def offer(self, job: Job, now_s: float) -> int | None:
        """Begin the job or let it wait; return None if it was taken, else the fate that the refusal would be."""
        only = self._only
        if only is not None and only.begin(job, now_s):
            return None
        if not self._available[self._number]:
            return FAILED
        if self._context_tokens is not None and job.query.input_tokens + job.output_tokens > self._context_tokens:
            return TOO_LONG
        replica = self.replicas[0]
        if len(self.replicas) > 1:
            accepting = [replica for replica in self.replicas if replica.accepts]
            choose_for = self._choose_for
            replica = self._balancer.choose(accepting) if choose_for is None else choose_for(job, accepting)
        if self._has_clocks:
            self._home[job] = replica
        if self.watch is not None:
            self.watch.took(job, now_s)
        if not replica.begin(job, now_s):
            if self._capacity is not None and self._counts[0][self._number] >= self._capacity:
                self._home.pop(job, None)
                if self.watch is not None:
                    self.watch.lost(job)
                return REJECTED
            replica.wait(job)
            if self._patience_s is not None:
                patience = Moment(self._env, float(self._patience_s[job.query.id]), TIME_LIMITS, job)
                patience.callbacks.append(self._lose_patience)
        if self._timeout_s is not None:
            Moment(self._env, self._timeout_s, TIME_LIMITS, job).callbacks.append(self._time_out)
        if self._fails_after_s is not None and not math.isnan(after_s := self._fails_after_s[job.query.id]):
            Moment(self._env, after_s, TIME_LIMITS, job).callbacks.append(self._break_off)
        return None

    def _lose_patience(self, event: simpy.Event) -> None:
        job: Job = event.value  # type: ignore[assignment]
        if job.is_waiting and job.left_s is None:  # one that was stopped has waited already
            self._give_up(job, ABANDONED)

    def _time_out(self, event: simpy.Event) -> None:
        job: Job = event.value  # type: ignore[assignment]
        if not job.is_gone:
            self._give_up(job, TIMED_OUT)

    def _break_off(self, event: simpy.Event) -> None:
        job: Job = event.value  # type: ignore[assignment]
        if not job.is_gone:
            self._give_up(job, FAILED)

    def _give_up(self, job: Job, fate: int) -> None:
        self._home[job].remove(job, self._env.now)
        self._lost(job, fate)

    def _lost(self, job: Job, fate: int) -> None:
        self._home.pop(job, None)
        if self.watch is not None:
            self.watch.lost(job)
        self._lose(job, fate, self._env.now)

    def _finished(self, job: Job, now_s: float) -> None:
        self._home.pop(job, None)
        if self.watch is not None:
            self.watch.finished(job)
        self._finish(job, now_s)

    # --- replicas -----------------------------------------------------------------------------------------------------

    def add_replica(self) -> None:
        """Open one more replica."""
        deployment = self._deployment
        finish = self._finished if self._has_clocks or self.watch is not None else self._finish
        room, prefixes = deployment.prefix_cache_tokens, None
        if room is not None:
            prefixes = PrefixTree(None if math.isinf(room) else int(room // self._block_tokens))
        kept = (self._opened, prefixes, self._block_tokens)
        replica = Replica(
            deployment.service, deployment.discipline, deployment.preemptive, self._env, finish, self._counts, *kept
        )
        self._opened += 1
        replica.server.slow_down(self._factor(), self._env.now)
        self.replicas.append(replica)
        self._note_replicas()
        self._find_available()
        if self.on_open is not None:
            self.on_open(replica)

    @property
    def capacity(self) -> int:
        """How many replicas accept, or will once they have started."""
        return sum(replica.accepts for replica in self.replicas) + self.coming.to_serve

    def start_replica(self, after_s: float, is_paid: bool = True) -> None:
        """Order one more replica, which opens after so long, and pay for it from now on or not before."""
        self._order(after_s, is_paid, self.add_replica)

    def start_spare(self, after_s: float, price_share: float) -> None:
        """Order one more spare for the warm pool and pay for it as for any other until it is there."""

        def arrive() -> None:
            self.coming.add_spare(price_share)
            self._note_replicas()

        self._order(after_s, True, arrive, spare=True)

    def take_spare(self, after_s: float) -> bool:
        """Let a spare of the warm pool open after so long; return whether there was one."""
        if not self.coming.take_spare():
            return False
        self.start_replica(after_s)
        return True

    def _order(self, after_s: float, is_paid: bool, arrive: Callable[[], None], spare: bool = False) -> None:
        ticket = self.coming.order(is_paid, spare)
        self._note_replicas()
        event = self._env.timeout(after_s)

        def come(_: simpy.Event) -> None:
            if self.coming.arrives(ticket):
                arrive()

        event.callbacks.append(come)

    def retire_replica(self) -> None:
        """Do without one replica: one that is asked for and not paid for yet, or else the least loaded that is open.

        The latter accepts nothing more and closes when it is empty. One that is starting comes all the same.
        """
        accepting = [replica for replica in self.replicas if replica.accepts]
        if not self.coming.cancel() and len(accepting) > 1:
            min(accepting, key=lambda replica: replica.load).accepts = False
        self.close_empty()

    def close_empty(self) -> None:
        """Close the retired replicas that have nothing left to do."""
        self.replicas = [
            replica for replica in self.replicas if replica.accepts or replica.load or replica in self._given_notice
        ]
        self._note_replicas()

    def give_notice(self, replica: Replica) -> bool:
        """Let a replica accept nothing more, as it will be taken away; return whether it accepted until now."""
        accepted, replica.accepts = replica.accepts, False
        self._given_notice.add(replica)
        self._interruptions += 1
        self._note_replicas()
        self._find_available()
        return accepted

    def take_away(self, replica: Replica) -> None:
        """Close a replica now; what it has is lost."""
        self._given_notice.discard(replica)
        lost = replica.clear(self._env.now)
        self.replicas.remove(replica)
        self._interrupted += len(lost)
        self._note_replicas()
        for job in lost:
            self._lost(job, FAILED)

    def _note_replicas(self) -> None:
        coming, serving = self.coming, len(self.replicas)
        paid = serving + coming.starting + coming.spares_paid
        lost = self._interruptions, self._interrupted
        counts = (serving, coming.starting, coming.spares, coming.replacing, paid, *lost)
        self.log.note(Replicas(self._env.now, *counts))

    def total_replica_seconds(self) -> float:
        """Return the time that replicas were paid for so far, summed over them."""
        openings = self.log.openings
        return replica_seconds(openings, openings[0][0], self._env.now)

    # --- events -------------------------------------------------------------------------------------------------------

    # Each event begins and ends its own effect: down times and absences add up to their union, and factors multiply.

    def note(self, what: str, begins: bool) -> None:
        """Note, for the record, that something begins or ends here now."""
        self.happened.append(Change(self._env.now, what, begins))

    def fail(self) -> None:
        """Go down, or stay down for one more reason: every job here is lost."""
        self.note("down", True)
        self._outages += 1
        self._find_available()
        for replica in self.replicas:
            for job in replica.clear(self._env.now):
                self._lost(job, FAILED)

    def repair(self) -> None:
        """End one ``fail``: come up again, unless there is another reason to be down."""
        self.note("down", False)
        self._outages -= 1
        self._find_available()

    def slow_down(self, factor: float) -> None:
        """Take ``factor`` times as long as so far from now on."""
        self.note(f"{factor:g} times as slow", True)
        self._slowdowns.append(factor)
        self._set_speed()

    def restore_speed(self, factor: float) -> None:
        """End one ``slow_down`` by this factor."""
        self.note(f"{factor:g} times as slow", False)
        self._slowdowns.remove(factor)
        self._set_speed()

    def leave(self) -> None:
        """Accept nothing more; what is here is still served."""
        self.note("out of service", True)
        self._absences += 1
        self._find_available()

    def join(self) -> None:
        """End one ``leave``: accept queries again, unless there is another reason to be out."""
        self.note("out of service", False)
        self._absences -= 1
        self._find_available()

    def _factor(self) -> float:
        return math.prod(sorted(self._slowdowns))  # sorted, so that the order of events does not change a digit

    def _set_speed(self) -> None:
        for replica in self.replicas:
            replica.server.slow_down(self._factor(), self._env.now)

    def _find_available(self) -> None:
        is_open = self._outages == self._absences == 0
        self._available[self._number] = is_open and any(replica.accepts for replica in self.replicas)
        self._find_only()

    def _find_only(self) -> None:
        """Note the one replica while nothing can refuse or watch what it is offered: 4% of a run without a clock."""
        is_open = self._is_plain and self._outages == self._absences == 0
        self._only = self.replicas[0] if is_open and len(self.replicas) == 1 else None
