"""Prefills in one pool and decodes in another, with a transfer of the key-value cache in between, each with its queue.

It knows the clock and tokens, and no money or policy. Prefill engines take one prompt at a time; the link sends one
cache after the other; a decode engine is a continuous batch (``sim.world.services.batching``).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import cached_property

from sim.errors import check_number, check_numbers
from sim.world.moment import Clock
from sim.world.services.batching import INFINITY, Batching, BatchingServer
from sim.world.services.job import Finish, Job, Room
from sim.world.services.slots import SlotsServer


@dataclass(frozen=True)
class Disaggregated:
    """Serve each query in three stages: prefill, transfer, decoding.

    A prompt waits in the deployment's queue for a prefill engine, which takes input tokens x ``prefill_per_token_s``.
    Then its cache waits for the link, which takes input tokens x ``kv_bytes_per_token`` / ``link_bytes_per_s``. Then it
    waits for room in the decode engine with the fewest queries, and joins its batch; the first iteration gives the
    first token. The latter two queues are first come, first served, and nothing is refused there.

    Parameters
    ----------
    prefill_engines, decode_engines : int
        Of each pool, in one replica.
    prefill_per_token_s : float
        Of one prefill engine. A prefix that is held is not prefilled, and is sent all the same.
    kv_bytes_per_token : float
        Of the key-value cache: 2 x layers x key-value heads x head dimension x bytes of a number.
    link_bytes_per_s : float or None
        Between the pools; None takes no time.
    slots : int or None
        The largest batch of a decode engine; None for any.
    iteration_base_s, iteration_per_sequence_s : float
        W and H of a decode engine, as in ``Batching``.
    kv_tokens : int or None
        Room in the cache of a decode engine, from when a query joins; None for any.
    context_tokens : int or None
        Longer requests are refused before they queue; None for any length.

    Raises
    ------
    ValueError
        If there is no engine, slot or room, a time or size is negative, or an iteration takes no time.

    Notes
    -----
    DistServe (Zhong et al. 2024, arXiv 2401.09670) and Splitwise (Patel et al. 2024, arXiv 2311.18677). With one engine
    each and one slot it is a tandem of queues: where arrivals are Poisson and times exponential and independent, each
    is an M/M/1 queue (Jackson 1957).
    """

    prefill_engines: int
    decode_engines: int
    prefill_per_token_s: float
    kv_bytes_per_token: float
    link_bytes_per_s: float | None
    slots: int | None
    iteration_base_s: float
    iteration_per_sequence_s: float
    kv_tokens: int | None = None
    context_tokens: int | None = None
    needs_output_tokens = True
    may_overlap = True
    kv_holds = "decoding"

    def __post_init__(self) -> None:
        """Check the hyperparameters; the decode engine checks its own."""
        check_numbers(self, "prefill_engines", "decode_engines", least=1)
        check_numbers(self, "prefill_per_token_s", "kv_bytes_per_token", least=0)
        check_number("link_bytes_per_s", self.link_bytes_per_s, above=0, null="for no time")
        assert self.decoder  # which raises what is wrong with it

    @property
    def ranks(self) -> int:
        """How many engines decode at once."""
        return self.decode_engines

    @property
    def prefills(self) -> bool:
        """Whether input tokens take time."""
        return self.prefill_per_token_s > 0

    @cached_property
    def decoder(self) -> Batching:
        """One decode engine."""
        each = (self.slots, self.iteration_base_s, self.iteration_per_sequence_s)
        return Batching(*each, kv_tokens=self.kv_tokens, context_tokens=self.context_tokens)

    def transfer_s(self, input_tokens: float) -> float:
        """Return how long the link takes for the cache of a prompt."""
        return 0.0 if self.link_bytes_per_s is None else input_tokens * self.kv_bytes_per_token / self.link_bytes_per_s

    def draw(self, n_queries: int, rng: object) -> None:
        """Return None: nothing is random."""

    def open(self, env: Clock, finish: Finish) -> DisaggregatedServer:
        """Return the server of one run."""
        return DisaggregatedServer(self, env, finish)

    def served_per_s(self, mean_input_tokens: float, mean_output_tokens: float) -> float | None:
        """Return what the slowest of the three stages serves; None if none takes time."""
        prefill_s, link_s = mean_input_tokens * self.prefill_per_token_s, self.transfer_s(mean_input_tokens)
        rates = [self.prefill_engines / prefill_s] if prefill_s > 0 else []
        rates += [1 / link_s] if link_s > 0 else []
        decoded = self.decoder.served_per_s(mean_input_tokens, mean_output_tokens)
        rates += [] if decoded is None else [decoded * self.decode_engines]
        return min(rates) if rates else None


class DisaggregatedServer:
    """The three stages of one replica; ``on_room`` is called when a prefill engine is free again."""

    def __init__(self, service: Disaggregated, env: Clock, finish: Finish) -> None:
        self._env = env
        self._finish = finish
        self._place: dict[Job, SlotsServer | BatchingServer] = {}  # where a job is served; not while it waits
        self._began_at_s: dict[Job, float] = {}
        self._for_link: deque[Job] = deque()
        self._for_decoding: deque[Job] = deque()

        def prefill_s(job: Job) -> tuple[float, float]:
            return (job.query.input_tokens - job.cached_tokens) * service.prefill_per_token_s, 0.0

        def link_s(job: Job) -> tuple[float, float]:
            return service.transfer_s(job.query.input_tokens), 0.0

        self._prefill = SlotsServer(service.prefill_engines, prefill_s, env, self._prefilled)
        self._link = SlotsServer(1, link_s, env, self._sent)
        self._decoders = [service.decoder.open(env, self._decoded) for _ in range(service.decode_engines)]
        self._load = dict.fromkeys(self._decoders, 0)
        self.on_room: Room | None = None

    def admits(self, job: Job) -> bool:
        """Return whether a prefill engine is free."""
        return self._prefill.admits(job)

    def begin(self, job: Job, now_s: float) -> None:
        """Begin the prefill."""
        self._began_at_s[job] = now_s
        self._enter(self._prefill, job, now_s)

    def cancel(self, job: Job, now_s: float) -> None:
        """Take a job out of the stage where it is, or of the queue before it."""
        del self._began_at_s[job]
        place = self._place.pop(job, None)
        if place is None:
            (self._for_link if job in self._for_link else self._for_decoding).remove(job)
            return
        place.cancel(job, now_s)
        if isinstance(place, BatchingServer):
            self._load[place] -= 1
            self._decode_waiting(now_s)
        elif place is self._link:
            self._send_waiting(now_s)

    def slow_down(self, factor: float, now_s: float) -> None:
        """Take ``factor`` times as long as normal for everything from now on, the link included."""
        stages: list[SlotsServer | BatchingServer] = [self._prefill, self._link, *self._decoders]
        for stage in stages:
            stage.slow_down(factor, now_s)

    def _enter(self, stage: SlotsServer | BatchingServer, job: Job, now_s: float) -> None:
        self._place[job] = stage
        stage.begin(job, now_s)
        job.started_at_s, job.first_token_at_s = self._began_at_s[job], INFINITY  # of the whole, and not known

    def _prefilled(self, job: Job, now_s: float) -> None:
        del self._place[job]
        self._for_link.append(job)
        self._send_waiting(now_s)
        if self.on_room is not None:
            self.on_room(now_s)

    def _send_waiting(self, now_s: float) -> None:
        while self._for_link and self._link.admits(self._for_link[0]):
            self._enter(self._link, self._for_link.popleft(), now_s)

    def _sent(self, job: Job, now_s: float) -> None:
        del self._place[job]
        self._for_decoding.append(job)
        self._send_waiting(now_s)
        self._decode_waiting(now_s)

    def _decode_waiting(self, now_s: float) -> None:
        while self._for_decoding:
            job = self._for_decoding[0]
            able = [decoder for decoder in self._decoders if decoder.admits(job)]
            if not able:
                return
            decoder = min(able, key=self._load.__getitem__)
            self._for_decoding.popleft()
            self._load[decoder] += 1
            self._enter(decoder, job, now_s)

    def _decoded(self, job: Job, now_s: float) -> None:
        self._load[self._place.pop(job)] -= 1  # type: ignore[index]  # it is a decoder
        del self._began_at_s[job]
        self._decode_waiting(now_s)
        self._finish(job, now_s)
