"""Send each query to the pool with the shortest context into which it fits with its answer."""

from __future__ import annotations

import numpy as np

from policies.parts.load import candidates, least_loaded_of, load, slots_of
from sim.errors import check_number
from sim.interface import Decision, Policy, Query, Setting, State


class TokenPools(Policy):
    """The shortest context >= input tokens + ``output_tokens``; of equal contexts the least loaded deployment.

    Routing by token budget (arXiv 2604.09613). A replica that takes long requests keeps room in its key-value cache
    for the longest in each slot, so it has few slots, and a pool for short requests has many. The estimate is the
    length of the prompt and the most that an answer may take. There the prompt's length is guessed from its bytes
    (``policies.parts.token_counter``); here it is known. A query that fits nowhere goes to the longest context. An
    estimate that is too low costs nothing but the refusal: the next choices are the longer pools.

    If the pool has ``spill`` queries or more for each slot, waiting or in service, the next longer one that has fewer
    takes the query. In the published simulator this is counted by GPU, so that 0.85 spills at once; by slot is ours.
    Compressing prompts into a shorter pool is left out, as nothing here says what that does to an answer. Where no
    deployment has a limit of its context, all are one pool. It looks at no quality.

    Parameters
    ----------
    output_tokens : int
        Room for the answer, at least 0.
    spill : float or None
        Queries per slot, above 0; null: a query waits for its pool.

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    def __init__(self, output_tokens: int = 1024, spill: float | None = None) -> None:
        check_number("output_tokens", output_tokens, least=0)
        check_number("spill", spill, above=0, null="for never")
        self._output_tokens = output_tokens
        self._spill = spill

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Keep contexts and slots."""
        self._contexts = [info.context_tokens for info in setting.fleet]
        self._slots = slots_of(setting)

    def lacks(self, setting: Setting) -> str | None:
        """Say so where all deployments take requests of the same length."""
        return (
            None
            if len({info.context_tokens for info in setting.fleet}) > 1
            else "all deployments take requests of the same length"
        )

    def decide(self, query: Query, state: State) -> Decision:
        """Return the best of the shortest pool, and that of each longer one as next choices."""
        there, contexts = candidates(state), self._contexts
        tokens = query.input_tokens + self._output_tokens
        fitting = sorted({contexts[k] for k in there if contexts[k] >= tokens}) or [max(contexts[k] for k in there)]
        pools = [[k for k in there if contexts[k] == context] for context in fitting]
        best = [least_loaded_of(pool, state, self._slots) for pool in pools]
        if self._spill is not None:
            queued, in_flight = state.queued.tolist(), state.in_flight.tolist()
            free = [k for k in best if load(self._slots[k], queued[k], in_flight[k]) < self._spill]
            if free:
                best.remove(free[0])
                best.insert(0, free[0])
        return Decision(best[0], best[1:])
