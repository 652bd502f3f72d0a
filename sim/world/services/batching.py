"""Serves in continuous batches, on a virtual token clock. It knows the clock and tokens, and no money or policy.

Requests in one batch of b advance together, one token per iteration of W + H b seconds. So the server keeps one clock V
that counts iterations, V' = 1 / (W + H b): a request that joins at V with w tokens to generate leaves when V reaches
V + w. A change of the batch changes the clock's speed and no target, so there is a heap of targets, one pending event,
and O(log b) work per change; no event stands for an iteration.

A prefill is compute that the batch waits for: first come, first served, V stands still for the input tokens times
``prefill_per_token_s``. So the server keeps the time at which V runs on, and needs no event for that either. Then the
request's first iteration gives its first token.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from sim.errors import check_number, check_numbers
from sim.world.moment import COMPLETIONS, Clock
from sim.world.services.job import Finish, Job, Room

INFINITY = float("inf")
TIE_TOKENS = 1e-9  # targets nearer than this are reached together: they differ by rounding
REBASE_AT_TOKENS = 2.0**20  # a clock kept below this resolves 1e-9 of a token, however long a run is never idle


@dataclass(frozen=True)
class Batching:
    """Serve up to ``slots`` requests in one batch; with b of them an iteration takes W + H b seconds.

    Parameters
    ----------
    slots : int or None
        The largest batch; None for any.
    iteration_base_s : float
        W, the part of an iteration that does not grow with the batch. With W = 0 and without prefill this is processor
        sharing (Kleinrock 1976, Queueing Systems II, section 4.4).
    iteration_per_sequence_s : float
        H, what each query in the batch adds to an iteration.
    prefill_per_token_s : float
        How long the whole batch stands still for each input token.
    kv_tokens : int or None
        Room in the key-value cache, from admission to completion; None for any. A request that needs more than all of
        it is served alone.
    context_tokens : int or None
        Longer requests are refused before they queue; None for any length.
    reserved_output_tokens : int or None
        What an admission reserves beside the input; None for the true output, as if it were known.

    Raises
    ------
    ValueError
        If there is no slot or room, or a time is negative, or an iteration takes no time.
    """

    slots: int | None
    iteration_base_s: float
    iteration_per_sequence_s: float
    prefill_per_token_s: float = 0.0
    kv_tokens: int | None = None
    context_tokens: int | None = None
    reserved_output_tokens: int | None = None
    needs_output_tokens = True

    def __post_init__(self) -> None:
        """Check the hyperparameters."""
        check_numbers(
            self, "slots", "kv_tokens", "context_tokens", "reserved_output_tokens", least=1, null="for no limit"
        )
        check_numbers(self, "iteration_base_s", "iteration_per_sequence_s", "prefill_per_token_s", least=0)
        if self.iteration_base_s + self.iteration_per_sequence_s == 0:
            raise ValueError("iteration_base_s and iteration_per_sequence_s are both 0; an iteration must take time")

    @property
    def prefills(self) -> bool:
        """Whether input tokens take time."""
        return self.prefill_per_token_s > 0

    def draw(self, n_queries: int, rng: object) -> None:
        """Return None: nothing is random."""

    def open(self, env: Clock, finish: Finish) -> BatchingServer:
        """Return the server of one run."""
        return BatchingServer(self, env, finish)

    def served_per_s(self, mean_input_tokens: float, mean_output_tokens: float) -> float | None:
        """Return what a full batch serves; None if that takes no time.

        A batch of b makes b tokens in W + H b seconds and stands still for every prefill, so a query takes mean output
        tokens x (W / b + H) + mean input tokens x prefill time of it; b grows without end if it has no limit.
        """
        token_s = self.iteration_per_sequence_s + self.iteration_base_s / (self.slots or INFINITY)
        work_s = mean_output_tokens * token_s + mean_input_tokens * self.prefill_per_token_s
        return 1 / work_s if work_s > 0 else None


class BatchingServer:
    """The clock V, the targets on it, and when it runs on after what is still to be prefilled."""

    on_room: Room | None = None

    def __init__(self, service: Batching, env: Clock, finish: Finish) -> None:
        self._env = env
        self._finish = finish
        self._slots = float("inf") if service.slots is None else service.slots
        self._kv_tokens = service.kv_tokens
        self._reserved_tokens = service.reserved_output_tokens
        self._base_s = service.iteration_base_s
        self._per_sequence_s = service.iteration_per_sequence_s
        self._prefill_s = service.prefill_per_token_s
        self._slowness = 1.0
        self._iteration_s = 0.0  # (W + H b) x slowness
        self._clock = 0.0  # V at _since_s
        self._since_s = 0.0  # from when on V runs at its present speed; before, it stands still
        self._number = 0
        self._batch: list[tuple[float, int, Job]] = []  # a heap on targets
        self._held_tokens = 0
        self._prefills: deque[tuple[Job, float]] = deque()  # when each ends; those that have ended stay for a while
        self._first_tokens: deque[tuple[float, Job]] = deque()  # targets, in order
        self._armed_s = INFINITY  # when the pending event fires: not after the head of the heap is due
        self._leaving = False

    def admits(self, job: Job) -> bool:
        """Return whether a slot is free and the input and the reserved output fit the cache."""
        if self._kv_tokens is None or not self._batch:
            return len(self._batch) < self._slots
        return len(self._batch) < self._slots and self._held_tokens + self._needs(job) <= self._kv_tokens

    def begin(self, job: Job, now_s: float) -> None:
        """Join the batch."""
        batch = self._batch
        if not batch:
            self._clock, self._since_s = 0.0, now_s
            self._first_tokens.clear()
        elif self._since_s < now_s:
            self._advance(now_s)
        clock = self._clock
        self._number = number = self._number + 1
        job.started_at_s = now_s
        job.first_token_at_s = INFINITY  # until it is known
        self._first_tokens.append((clock + 1, job))
        entry = (clock + job.output_tokens, number, job)
        heappush(batch, entry)
        if self._kv_tokens is not None:
            self._held_tokens += self._needs(job)
        if self._prefill_s:
            self._prefill(job, now_s)
        self._iteration_s = (self._base_s + self._per_sequence_s * len(batch)) * self._slowness
        if batch[0] is entry and not self._leaving:  # else all leave later: the pending event will see to it
            self._expect(now_s)

    def cancel(self, job: Job, now_s: float) -> None:
        """Leave the batch at once, with what was left of the prefill."""
        if self._since_s < now_s:
            self._advance(now_s)
        place = next(place for place, (_, _, member) in enumerate(self._batch) if member is job)
        del self._batch[place]
        heapify(self._batch)
        if self._kv_tokens is not None:
            self._held_tokens -= self._needs(job)
        self._drop_prefill(job, now_s)
        self._first_tokens = deque(entry for entry in self._first_tokens if entry[1] is not job)
        self._change(now_s)

    def slow_down(self, factor: float, now_s: float) -> None:
        """Take ``factor`` times as long as normal for everything from now on."""
        check_number("factor", factor, above=0)
        if self._batch and self._since_s < now_s:
            self._advance(now_s)
        ratio, self._slowness = factor / self._slowness, factor
        self._prefills = deque((job, now_s + (end_s - now_s) * ratio) for job, end_s in self._prefills if end_s > now_s)
        if self._prefills:
            self._since_s = self._prefills[-1][1]
        self._change(now_s)

    def _needs(self, job: Job) -> int:
        reserved = self._reserved_tokens
        return job.query.input_tokens + (job.output_tokens if reserved is None else reserved)

    def _advance(self, now_s: float) -> None:
        """Bring the clock, which runs, to now."""
        start_s, self._since_s = self._since_s, now_s
        before, iteration_s = self._clock, self._iteration_s
        self._clock = clock = before + (now_s - start_s) / iteration_s
        first_tokens = self._first_tokens
        while first_tokens and first_tokens[0][0] <= clock + TIE_TOKENS:
            target, job = first_tokens.popleft()
            if job.first_token_at_s == INFINITY:
                job.first_token_at_s = start_s + (target - before) * iteration_s

    def _prefill(self, job: Job, now_s: float) -> None:
        """Let the clock stand still for a job's input, after that of all before it."""
        while self._prefills and self._prefills[0][1] <= now_s:
            self._prefills.popleft()
        self._since_s += (job.query.input_tokens - job.cached_tokens) * self._prefill_s * self._slowness
        self._prefills.append((job, self._since_s))

    def _drop_prefill(self, job: Job, now_s: float) -> None:
        """Let those after a job have their prefill the earlier by what is left of its own."""
        kept: deque[tuple[Job, float]] = deque()
        before_s, left_s = now_s, 0.0
        for other, end_s in self._prefills:
            if other is job:
                left_s = max(end_s - before_s, 0.0)
            else:
                kept.append((other, end_s - left_s))
            before_s = max(before_s, end_s)
        self._prefills = kept
        self._since_s -= left_s

    def _change(self, now_s: float) -> None:
        """Set the speed for the present batch."""
        self._iteration_s = (self._base_s + self._per_sequence_s * len(self._batch)) * self._slowness
        self._expect(now_s)

    def _expect(self, now_s: float) -> None:
        """See that an event fires no later than the first member leaves."""
        if not self._batch:
            return
        due_s = self._since_s + (self._batch[0][0] - self._clock) * self._iteration_s
        if due_s < self._armed_s:  # else the pending event comes too early, and sets the next
            self._armed_s = due_s = due_s if due_s > now_s else now_s  # by rounding
            self._env.call_at(due_s, COMPLETIONS, self._leave, due_s)

    def _leave(self, now_s: float) -> None:
        """Let every request go whose target is reached."""
        if now_s != self._armed_s:
            return  # an earlier event took the place of this one
        self._armed_s = INFINITY
        batch = self._batch
        if not batch:
            return
        due_s = self._since_s + (batch[0][0] - self._clock) * self._iteration_s
        if due_s > now_s:  # others have joined since, and slowed it down
            self._armed_s = due_s
            self._env.call_at(due_s, COMPLETIONS, self._leave, due_s)
            return
        if self._since_s < now_s:
            self._advance(now_s)
        clock, _, job = heappop(batch)
        self._clock = clock  # exactly: no rounding is carried on
        gone = [job]
        while batch and batch[0][0] <= clock + TIE_TOKENS:
            gone.append(heappop(batch)[2])
        if clock > REBASE_AT_TOKENS:
            self._rebase()
        for job in gone:
            if self._kv_tokens is not None:
                self._held_tokens -= self._needs(job)
            if job.first_token_at_s > now_s:  # noqa: PLR1730 - min takes longer; not known yet, or by rounding
                job.first_token_at_s = now_s
        self._leaving = True  # one change for all that leave and all that follow them
        for job in gone:
            self._finish(job, now_s)
        self._leaving = False
        self._iteration_s = (self._base_s + self._per_sequence_s * len(batch)) * self._slowness
        self._expect(now_s)

    def _rebase(self) -> None:
        """Set the clock back to 0; the order of targets stays, so the heap stays one."""
        clock, self._clock = self._clock, 0.0
        self._batch[:] = [(target - clock, number, job) for target, number, job in self._batch]
        self._first_tokens = deque((target - clock, job) for target, job in self._first_tokens)
