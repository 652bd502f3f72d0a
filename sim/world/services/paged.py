"""Serves in continuous batches as vLLM does, exact to the iteration. It knows clock and tokens, and no money or policy.

Beyond ``Batching``: requests join at the end of an iteration; prompts are prefilled in chunks that share iterations
with decoding; an iteration takes longer with more tokens in the key-value cache; and the cache is not reserved for
output, so it can run full, and then the request that joined last is preempted and later prefilled again.

An iteration with b decoding requests, m tokens in the cache and c prompt tokens takes

    W + H b + K m + (C + P c if c > 0)   seconds.

While nothing is prefilled m grows by b per iteration, so n iterations take n d + K b n (n - 1) / 2, d being the first.
The server leaps over them to the next that changes anything: a completion, a full cache, or the one under way when
a request joins or leaves. So no event stands for an iteration of decoding alone, and each iteration is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt

import simpy

from sim.errors import check_number, check_numbers
from sim.world.moment import COMPLETIONS, Moment
from sim.world.services.job import Finish, Job, Room
from sim.world.services.paged_engine import INFINITY, Costs, Engine, Member

TIE_ITERATIONS = 1e-9  # a request that comes this little after the end of an iteration comes with it


@dataclass(frozen=True)
class PagedBatching:
    """Serve up to ``slots`` requests in one batch, with a paged key-value cache.

    Parameters
    ----------
    slots : int or None
        The largest batch (vLLM's ``max_num_seqs``); None for any.
    iteration_base_s, iteration_per_sequence_s, iteration_per_kv_token_s : float
        W, H and K.
    prefill_base_s, prefill_per_token_s : float
        C and P: what an iteration takes more if it prefills anything, and for each token.
    batched_tokens : int or None
        The most tokens in one iteration (``max_num_batched_tokens``); longer prompts are prefilled in chunks.
    kv_tokens : int or None
        Room in the cache; None for any. A request larger than that is served alone.
    ranks : int
        Data-parallel engines that step together, as those of a mixture of experts do: each has its own slots, cache and
        queue, and every iteration lasts as long as the slowest engine's. More than one queue for themselves, so the
        deployment's own queue stays empty.
    overhead_s : float
        From the server to the client: a completion and a first token are known this much after their iteration.
    context_tokens : int or None
        Longer requests are refused before they queue; None for any length.

    Raises
    ------
    ValueError
        If there is no slot or room, or a time is negative, or an iteration takes no time.

    Notes
    -----
    The schedule is vLLM's (Kwon et al. 2023, arXiv 2309.06180, section 4.5) with the chunked prefill of Sarathi-Serve
    (Agrawal et al. 2024, arXiv 2403.02310): decoding first, then prompts as they came; the last to join is preempted.
    """

    slots: int | None
    iteration_base_s: float
    iteration_per_sequence_s: float
    iteration_per_kv_token_s: float = 0.0
    prefill_base_s: float = 0.0
    prefill_per_token_s: float = 0.0
    batched_tokens: int | None = None
    kv_tokens: int | None = None
    ranks: int = 1
    overhead_s: float = 0.0
    context_tokens: int | None = None
    needs_output_tokens = True
    kv_holds = "grows"

    def __post_init__(self) -> None:
        """Check the hyperparameters."""
        check_numbers(
            self, "slots", "batched_tokens", "kv_tokens", "ranks", "context_tokens", least=1, null="for no limit"
        )
        check_numbers(self, "iteration_base_s", "iteration_per_sequence_s", "iteration_per_kv_token_s", least=0)
        check_numbers(self, "prefill_base_s", "prefill_per_token_s", "overhead_s", least=0)
        if self.iteration_base_s + self.iteration_per_sequence_s == 0:
            raise ValueError("iteration_base_s and iteration_per_sequence_s are both 0; an iteration must take time")
        if self.slots is not None and self.batched_tokens is not None and self.batched_tokens < self.slots:
            raise ValueError(f"batched_tokens is {self.batched_tokens}; it must be at least the {self.slots} slots")

    @property
    def may_overlap(self) -> bool:
        """Whether more queries than slots may be in service at once, on the way back or in engines' own queues."""
        return self.overhead_s > 0 or self.ranks > 1

    @property
    def prefills(self) -> bool:
        """Whether input tokens take time."""
        return self.prefill_per_token_s > 0 or self.batched_tokens is not None

    def draw(self, n_queries: int, rng: object) -> None:
        """Return None: nothing is random."""

    def served_per_s(self, mean_input_tokens: float, mean_output_tokens: float) -> float | None:
        """Return what a full batch serves, C aside; None if that takes no time.

        As for ``Batching``, with K for the tokens that each query holds on average, its input and half of its output; b
        queries are as many as there are slots, and as the cache has room for. NaN where lengths are not known.
        """
        held_tokens = mean_input_tokens + mean_output_tokens / 2
        slots, room = (INFINITY if limit is None else limit for limit in (self.slots, self.kv_tokens))
        batch = min(slots, max(1.0, room / held_tokens)) if held_tokens > 0 else slots
        token_s = self.iteration_base_s / batch + self.iteration_per_sequence_s
        token_s += self.iteration_per_kv_token_s * held_tokens
        work_s = mean_output_tokens * token_s + mean_input_tokens * self.prefill_per_token_s
        return self.ranks / work_s if work_s > 0 else None

    def open(self, env: simpy.Environment, finish: Finish) -> PagedBatchingServer:
        """Return the server of one run."""
        return PagedBatchingServer(self, env, finish)


class PagedBatchingServer:
    """The engines of one replica and the leap that they are on.

    ``on_room`` is called when a request may begin before any completion is known.
    """

    def __init__(self, service: PagedBatching, env: simpy.Environment, finish: Finish) -> None:
        self._env = env
        self._finish = finish
        self._overhead_s = service.overhead_s
        costs = Costs(
            service.slots or INFINITY,
            service.kv_tokens or INFINITY,
            service.batched_tokens or INFINITY,
            service.iteration_base_s,
            service.iteration_per_sequence_s,
            service.iteration_per_kv_token_s,
            service.prefill_base_s,
            service.prefill_per_token_s,
        )
        self._engines = [Engine(costs) for _ in range(service.ranks)]
        self._engine_of: dict[Job, Engine] = {}
        self._closing: dict[Job, simpy.Event] = {}  # left the batch, not yet known
        self._iteration = 0  # how many have ended
        self._slowness = 1.0
        self._leap: simpy.Event | None = None  # its end
        self._since_s = 0.0
        self._spent_s = 0.0  # of the leap by then, at normal speed
        self._iterations = 0  # in the leap
        self._first_s = self._growth_s = 0.0
        self._landing = False
        self.on_room: Room | None = None

    def admits(self, job: Job) -> bool:
        """Return whether a slot is free and the prompt fits the cache; several ranks queue for themselves."""
        if len(self._engines) > 1:
            return True
        [engine] = self._engines
        return not engine.waiting and engine.fits(job.query.input_tokens)

    def begin(self, job: Job, now_s: float) -> None:
        """Join when the iteration under way ends."""
        job.started_at_s = now_s
        job.first_token_at_s = INFINITY  # until it is known
        # vLLM's score of a data-parallel rank
        engine = min(self._engines, key=lambda one: one.size + 4 * len(one.waiting))
        self._engine_of[job] = engine
        if not engine.waiting and engine.fits(job.query.input_tokens):
            engine.join(Member(job))
        else:
            engine.waiting.append(Member(job))
        self._interrupt(now_s)

    def cancel(self, job: Job, now_s: float) -> None:
        """Leave; the iteration under way takes as long as it would have."""
        if self._closing.pop(job, None) is None:
            self._interrupt(now_s)
            self._engine_of.pop(job).leave(job, self._iteration + self._iterations)

    def slow_down(self, factor: float, now_s: float) -> None:
        """Take ``factor`` times as long as normal for everything from now on."""
        check_number("factor", factor, above=0)
        if self._leap is not None:
            self._spent_s += (now_s - self._since_s) / self._slowness
            self._since_s = now_s
        self._slowness = factor
        if self._leap is not None:
            self._schedule(now_s)

    def _duration_s(self, iterations: int) -> float:
        return iterations * self._first_s + self._growth_s * iterations * (iterations - 1) / 2

    def _interrupt(self, now_s: float) -> None:
        """Land at the end of the iteration under way; if there is none, plan at once."""
        if self._landing:
            return
        if self._leap is None:
            self._plan(now_s)
            return
        if self._iterations == 1:
            return
        # The first n with n first_s + growth_s n (n - 1) / 2 at least what is spent.
        spent_s = self._spent_s + (now_s - self._since_s) / self._slowness
        half, slope = self._growth_s / 2, self._first_s - self._growth_s / 2
        root = 2 * spent_s / (slope + sqrt(slope * slope + 4 * half * spent_s))
        iterations = min(max(ceil(root - TIE_ITERATIONS), 1), self._iterations)
        if iterations < self._iterations:
            self._iterations = iterations
            self._schedule(now_s)

    def _plan(self, now_s: float) -> None:
        """Leap to the next end of an iteration that changes anything.

        Ranks step together, so each iteration lasts as long as that of the slowest; the leap ends before another
        becomes the slowest.
        """
        for engine in self._engines:
            engine.plan(self._iteration)
        busy = [engine for engine in self._engines if engine.iterations]
        self._leap = None
        if not busy:
            return
        slowest = max(busy, key=lambda engine: (engine.first_s, engine.growth_s))
        self._iterations = min(engine.iterations for engine in busy)
        self._first_s, self._growth_s = slowest.first_s, slowest.growth_s
        for engine in busy:
            if engine.growth_s > slowest.growth_s:
                before = (slowest.first_s - engine.first_s) / (engine.growth_s - slowest.growth_s)  # may be infinite
                if before < self._iterations:
                    self._iterations = min(self._iterations, int(before) + 1)
        self._since_s, self._spent_s = now_s, 0.0
        self._schedule(now_s)

    def _schedule(self, now_s: float) -> None:
        wait_s = (self._duration_s(self._iterations) - self._spent_s) * self._slowness - (now_s - self._since_s)
        self._leap = leap = Moment(self._env, max(wait_s, 0.0), COMPLETIONS)
        leap.callbacks.append(self._land)

    def _land(self, event: simpy.Event) -> None:
        """Between two leaps: finished requests leave, waiting ones join."""
        if event is not self._leap:
            return  # interrupted
        now_s = self._env.now
        self._iteration += self._iterations
        self._landing = True
        told_at_s = now_s + self._overhead_s
        gone = [job for engine in self._engines for job in engine.land(self._iterations, self._iteration, told_at_s)]
        for engine in self._engines:
            engine.settle(self._iteration, now_s)
        for job in gone:
            del self._engine_of[job]
            if self._overhead_s:
                self._closing[job] = closing = Moment(self._env, self._overhead_s, COMPLETIONS, job)
                closing.callbacks.append(self._close)
            else:
                self._finish(job, now_s)
        if self._overhead_s and self.on_room is not None:
            self.on_room(now_s)
        self._landing = False
        self._plan(now_s)

    def _close(self, event: simpy.Event) -> None:
        job: Job = event.value  # type: ignore[assignment]
        if self._closing.get(job) is event:  # else it was cancelled in the meantime
            del self._closing[job]
            self._finish(job, self._env.now)
