"""Send each query where most of its prompt was sent before, unless too many are there."""

from __future__ import annotations

import numpy as np

from policies.parts.load import candidates, least_loaded_of, slots_of
from sim.errors import check_number
from sim.interface import Decision, Policy, PrefixTree, Query, Setting, State


class PrefixThenLoad(Policy):
    """The available deployment that was sent the longest prefix of the prompt, unless it is too loaded.

    A router does not see what replicas hold. It remembers what it has sent to each deployment, as SGLang's router does
    (Zheng et al. 2024, arXiv 2312.07104, and its released router): the tree of a deployment keeps the blocks of all
    prompts that were sent there, the least recently sent dropped first. So it is wrong where a deployment has evicted,
    lost or never begun what it was sent, where several replicas share what was sent, and where another call of the
    query went; nothing corrects it but ``memory_blocks`` and ``forget_s``.

    Ties go to the least loaded. If the best has more than ``extra`` queries more than the least loaded, waiting and in
    service, that one takes the query. It looks at no quality. If none is available, all count as available.

    Parameters
    ----------
    extra : int
        At least 0.
    memory_blocks : int or None
        Most blocks that a deployment is taken to hold; None for any number.
    forget_s : float or None
        What was not sent again for so long counts as gone; None for never.

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    def __init__(self, extra: int = 16, memory_blocks: int | None = None, forget_s: float | None = None) -> None:
        check_number("extra", extra, least=0)
        check_number("memory_blocks", memory_blocks, least=1, null="for any number")
        check_number("forget_s", forget_s, above=0, null="for never")
        self._extra = extra
        self._memory_blocks = memory_blocks
        self._forget_s = forget_s

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Have sent nothing."""
        self._slots = slots_of(setting)
        self._sent = [PrefixTree(self._memory_blocks) for _ in setting.fleet]

    def lacks(self, setting: Setting) -> str | None:
        """Say so where queries have no prefixes."""
        return None if setting.signals.prefixes else "the workload has no prefix blocks"

    def decide(self, query: Query, state: State) -> Decision:
        """Return the deployment with the longest prefix, or the least loaded; the best other by load is the next."""
        there, blocks = candidates(state), query.prefix_blocks
        if self._forget_s is not None:
            for tree in self._sent:
                tree.forget(state.now_s - self._forget_s)
        queued, in_flight = state.queued.tolist(), state.in_flight.tolist()
        load = [waiting + serving for waiting, serving in zip(queued, in_flight, strict=True)]
        least = least_loaded_of(there, state, self._slots)
        held = {k: self._sent[k].held(blocks) for k in there}
        most = max(held.values())
        best = least_loaded_of([k for k in there if held[k] == most], state, self._slots)
        chosen = best if load[best] - load[least] <= self._extra else least
        self._sent[chosen].add(blocks, state.now_s)
        others = [k for k in there if k != chosen]
        return Decision(chosen, [least_loaded_of(others, state, self._slots)] if others else ())
