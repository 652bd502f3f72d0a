"""Serves as a hosted model behind rate limits. It knows the clock, tokens and the limits, and no money or policy.

Two token buckets, one of requests and one of tokens, each holding a minute's allowance and refilling evenly. Instead of
levels it keeps the time at which each bucket would be full again: a request of n units adds n / rate to it, and may
begin while that time is at most a minute away (the generic cell rate algorithm, ITU-T I.371). So nothing has to tick.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

import numpy as np
import simpy

from sim.errors import check_number, check_numbers
from sim.interface import FloatArray
from sim.world.moment import COMPLETIONS, Moment
from sim.world.services.job import Finish, Job, Room

MINUTE_S = 60.0
WHEN_LIMITED = ("wait", "reject")
ROUNDING_S = 1e-9  # a wake-up may fall short of the moment it waits for by the clock's rounding


@dataclass(frozen=True)
class Api:
    """Serve any number at once, each at its own random speed, but begin only as fast as the limits allow.

    Parameters
    ----------
    requests_per_minute, tokens_per_minute : int or None
        The limits, on input + output tokens; None for none. A request of more tokens than a minute's allowance begins
        when its bucket is full and leaves a debt.
    time_to_first_token_s, time_per_output_token_s : float
        Medians of two lognormal distributions; a request draws its own of each. The second is per later token.
    first_token_log_sd, output_token_log_sd : float
        Standard deviations of their logarithms; 0 for no randomness.
    when_limited : str
        ``wait``: a request waits in the deployment's queue until there is room. ``reject``: what cannot begin at once
        is rejected, whatever the deployment's queue_capacity.
    context_tokens : int or None
        Longer requests are refused before they queue; None for any length.

    Raises
    ------
    ValueError
        If a limit is below 1, a time or deviation is negative, or ``when_limited`` is unknown.
    """

    requests_per_minute: int | None
    tokens_per_minute: int | None
    time_to_first_token_s: float
    first_token_log_sd: float
    time_per_output_token_s: float
    output_token_log_sd: float
    when_limited: str = "wait"
    context_tokens: int | None = None
    needs_output_tokens = True
    is_hosted = True  # paid by the token, whatever is rented beside it

    def __post_init__(self) -> None:
        """Check the hyperparameters."""
        limits = ("requests_per_minute", "tokens_per_minute", "context_tokens")
        check_numbers(self, *limits, least=1, null="for no limit")
        check_numbers(
            self,
            "time_to_first_token_s",
            "first_token_log_sd",
            "time_per_output_token_s",
            "output_token_log_sd",
            least=0,
        )
        if self.when_limited not in WHEN_LIMITED:
            raise ValueError(f"when_limited is {self.when_limited!r}; it must be one of {', '.join(WHEN_LIMITED)}")

    @property
    def may_wait(self) -> bool:
        """Whether a request may wait for room."""
        return self.when_limited == "wait"

    def draw(self, n_queries: int, rng: np.random.Generator) -> FloatArray | None:
        """Return standard normal numbers (n_queries, 2): first token, then time per token; None if neither varies."""
        if self.first_token_log_sd == self.output_token_log_sd == 0:
            return None
        return rng.standard_normal((n_queries, 2))

    def open(self, env: simpy.Environment, finish: Finish) -> ApiServer:
        """Return the server of one run."""
        return ApiServer(self, env, finish)


class Bucket:
    """One limit; ``full_at_s`` is when it would be full again."""

    def __init__(self, per_minute: int | None) -> None:
        self._unit_s = 0.0 if per_minute is None else MINUTE_S / per_minute
        self.full_at_s = 0.0

    def ready_at_s(self, units: float) -> float:
        """Return when so many units, or a full bucket if they are more, will be there."""
        return self.full_at_s + min(units * self._unit_s, MINUTE_S) - MINUTE_S

    def take(self, units: float, now_s: float) -> None:
        """Take them out, whatever is there."""
        self.full_at_s = max(self.full_at_s, now_s) + units * self._unit_s


class ApiServer:
    """Two buckets, and one completion scheduled per request; ``on_room`` is called when a bucket has filled enough."""

    def __init__(self, service: Api, env: simpy.Environment, finish: Finish) -> None:
        self._service = service
        self._env = env
        self._finish = finish
        self._requests = Bucket(service.requests_per_minute)
        self._tokens = Bucket(service.tokens_per_minute)
        self._waits = service.when_limited == "wait"
        self._wake_at_s = float("inf")
        self._slowness = 1.0
        self._ends: dict[Job, simpy.Event] = {}
        self._ends_at_s: dict[Job, float] = {}
        self.on_room: Room | None = None

    def admits(self, job: Job) -> bool:
        """Return whether both buckets have enough; if not, and requests wait, call ``on_room`` when they will."""
        now_s = self._env.now
        ready_s = max(self._requests.ready_at_s(1), self._tokens.ready_at_s(tokens_of(job)))
        if ready_s <= now_s + ROUNDING_S:
            return True
        if self._waits and not now_s < self._wake_at_s <= ready_s:
            self._wake_at_s = ready_s
            Moment(self._env, ready_s - now_s, COMPLETIONS, ready_s).callbacks.append(self._wake)
        return False

    def begin(self, job: Job, now_s: float) -> None:
        """Take what the request needs out of the buckets and serve it."""
        self._requests.take(1, now_s)
        self._tokens.take(tokens_of(job), now_s)
        service = self._service
        first, each = job.draws if job.draws is not None else (0.0, 0.0)
        first_s = service.time_to_first_token_s * exp(service.first_token_log_sd * first)
        each_s = service.time_per_output_token_s * exp(service.output_token_log_sd * each)
        job.started_at_s = now_s
        job.first_token_at_s = now_s + first_s * self._slowness
        self._end_in(job, (first_s + each_s * max(job.output_tokens - 1, 0)) * self._slowness, now_s)

    def cancel(self, job: Job, now_s: float) -> None:
        """Stop serving the request; the limits have counted it."""
        del self._ends[job], self._ends_at_s[job]

    def slow_down(self, factor: float, now_s: float) -> None:
        """Take ``factor`` times as long as normal for everything from now on; the limits stay."""
        check_number("factor", factor, above=0)
        ratio, self._slowness = factor / self._slowness, factor
        for job, ends_at_s in list(self._ends_at_s.items()):
            if job.first_token_at_s > now_s:
                job.first_token_at_s = now_s + (job.first_token_at_s - now_s) * ratio
            self._end_in(job, (ends_at_s - now_s) * ratio, now_s)

    def _end_in(self, job: Job, wait_s: float, now_s: float) -> None:
        event = Moment(self._env, wait_s, COMPLETIONS, job)
        event.callbacks.append(self._end)
        self._ends[job], self._ends_at_s[job] = event, now_s + wait_s

    def _end(self, event: simpy.Event) -> None:
        job: Job = event.value  # type: ignore[assignment]
        if self._ends.get(job) is event:  # else it was cancelled, or ends at another time
            del self._ends[job], self._ends_at_s[job]
            self._finish(job, self._env.now)

    def _wake(self, event: simpy.Event) -> None:
        if event.value == self._wake_at_s:  # else an earlier one took its place
            self._wake_at_s = float("inf")
            if self.on_room is not None:
                self.on_room(self._env.now)


def tokens_of(job: Job) -> int:
    """Return input + output tokens, which is what providers' limits count."""
    return job.query.input_tokens + job.output_tokens
