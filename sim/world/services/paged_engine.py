"""Counts one engine's batch in iterations: joining, prefill, decoding, preemption and leaving. It has no clock."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from sim.world.services.job import Job

INFINITY = float("inf")


class Member:
    """A request in an engine: its place in the order of joining, and how far it is."""

    __slots__ = ("job", "last_iteration", "left_tokens", "made_tokens", "number")

    def __init__(self, job: Job) -> None:
        self.job = job
        self.number = 0
        self.left_tokens = 0  # still to be prefilled
        self.made_tokens = 0  # output so far; not kept up while decoding
        self.last_iteration = 0  # when decoding

    def __lt__(self, other: Member) -> bool:
        """Order by joining."""
        return self.number < other.number


@dataclass(frozen=True)
class Costs:
    """What iterations cost, and the limits: see ``sim.world.services.paged.PagedBatching``."""

    slots: float
    kv_tokens: float
    batched_tokens: float
    base_s: float
    per_sequence_s: float
    per_kv_token_s: float
    prefill_base_s: float
    prefill_per_token_s: float


class Engine:
    """The batch, its key-value cache, and the requests that wait for both.

    Attributes
    ----------
    waiting : deque of Member
        The preempted ones come first.
    iterations : int
        How many iterations the plan lasts; 0 if the engine is idle.
    first_s, growth_s : float
        How long its first iteration takes, and how much longer each one takes than the one before.
    """

    def __init__(self, costs: Costs) -> None:
        self._costs = costs
        self._number = 0
        self._decoding: list[tuple[int, Member]] = []  # a heap on last iterations
        self._prefilling: deque[Member] = deque()
        self._held_tokens = 0
        self._chunks: list[tuple[Member, int]] = []
        self._growing = 0  # how many add a token to the cache in each iteration of the plan
        self.waiting: deque[Member] = deque()
        self.iterations = 0
        self.first_s = self.growth_s = 0.0

    @property
    def size(self) -> int:
        """How many are in the batch."""
        return len(self._decoding) + len(self._prefilling)

    def fits(self, tokens: int) -> bool:
        """Return whether a prompt can join; the first always can."""
        size, costs = self.size, self._costs
        return size == 0 or (size < costs.slots and self._held_tokens + len(self._decoding) + tokens <= costs.kv_tokens)

    def join(self, member: Member) -> None:
        """Take a request into the batch, to be prefilled with what it had made before."""
        self._number = member.number = self._number + 1
        prompt_tokens = self._prompt(member)
        self._held_tokens += prompt_tokens
        member.left_tokens = prompt_tokens - min(member.job.cached_tokens, max(prompt_tokens - 1, 0))  # never without
        self._prefilling.append(member)

    def leave(self, job: Job, iteration: int) -> None:
        """Forget a request, as of the end of an iteration."""
        member = next(one for one in (*self._members(), *self.waiting) if one.job is job)
        if member in self.waiting:
            self.waiting.remove(member)
        else:
            self._remove(member, iteration)

    def settle(self, iteration: int, now_s: float) -> None:
        """Between two iterations: preempt the last to join until all can make a token, or let waiting requests in."""
        full = False
        while self._held_tokens + len(self._decoding) > self._costs.kv_tokens and self.size > 1:
            last = max(self._members())
            self._remove(last, iteration)
            self.waiting.appendleft(last)
            full = True
        while not full and self.waiting and self.fits(self._prompt(self.waiting[0])):
            member = self.waiting.popleft()
            if member.number == 0:
                member.job.started_at_s = now_s
            self.join(member)

    def plan(self, iteration: int) -> None:
        """Set how many iterations, and how long, until anything changes."""
        costs = self._costs
        self._chunks = []
        self._growing = growing = len(self._decoding)
        self.growth_s = costs.per_kv_token_s * growing
        self.first_s = costs.base_s + costs.per_sequence_s * growing + costs.per_kv_token_s * self._held_tokens
        room = max(costs.batched_tokens - growing, 1)
        for member in self._prefilling:
            if room <= 0:
                break
            self._chunks.append((member, int(min(member.left_tokens, room))))
            room -= member.left_tokens
        if self._chunks:
            self.iterations = 1
            self.first_s += costs.prefill_base_s + costs.prefill_per_token_s * sum(size for _, size in self._chunks)
        elif growing:
            until_full = max((costs.kv_tokens - self._held_tokens) // growing, 1)
            self.iterations = int(min(self._decoding[0][0] - iteration, until_full))
        else:
            self.iterations = 0

    def land(self, iterations: int, iteration: int, now_s: float) -> list[Job]:
        """Carry out so many iterations, at most as planned, up to number ``iteration``; return the finished jobs."""
        self._held_tokens += self._growing * iterations
        gone = []
        for member, size in self._chunks:
            member.left_tokens -= size
            if member.left_tokens:
                continue
            self._prefilling.remove(member)
            member.made_tokens += 1  # the last chunk gives a token
            member.job.first_token_at_s = min(member.job.first_token_at_s, now_s)
            member.last_iteration = iteration + max(member.job.output_tokens - member.made_tokens, 0)
            heappush(self._decoding, (member.last_iteration, member))
        while self._decoding and self._decoding[0][0] <= iteration:
            _, member = heappop(self._decoding)
            self._held_tokens -= member.job.query.input_tokens + max(member.job.output_tokens, 1) - 1
            gone.append(member.job)
        return gone

    def _members(self) -> list[Member]:
        return [*self._prefilling, *(member for _, member in self._decoding)]

    @staticmethod
    def _prompt(member: Member) -> int:
        """Return how many tokens its prefill has: after a preemption, what it had made too."""
        return member.job.query.input_tokens + member.made_tokens

    def _remove(self, member: Member, iteration: int) -> None:
        if member in self._prefilling:
            self._prefilling.remove(member)
            self._chunks = [chunk for chunk in self._chunks if chunk[0] is not member]
            self._held_tokens -= member.job.query.input_tokens + member.made_tokens
        else:
            self._decoding.remove((member.last_iteration, member))
            heapify(self._decoding)
            member.made_tokens = member.job.output_tokens - (member.last_iteration - iteration)
            self._held_tokens -= member.job.query.input_tokens + member.made_tokens - 1
