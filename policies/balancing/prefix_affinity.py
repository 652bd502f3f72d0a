"""Send all turns of a session, or all prompts that begin alike, to the same deployment."""

from __future__ import annotations

import numpy as np

from policies.parts.load import candidates, least_loaded_of, slots_of
from sim.errors import check_number
from sim.interface import Decision, Policy, Query, Setting, State, place_of, prefix_key


class PrefixAffinity(Policy):
    """The available deployment to which a query's session belongs, or without one its first ``blocks`` blocks.

    By rendezvous hashing (``sim.interface.place_of``): when a deployment goes, its sessions are spread over the others,
    and no other session moves. It looks at no load and no quality. A query without a session and blocks goes to the
    least loaded deployment. If none is available, all count as available.

    Parameters
    ----------
    blocks : int
        How many first blocks count where there are no sessions, at least 1. Too few send everything to one deployment
        where all prompts begin alike, as with one system prompt.

    Raises
    ------
    ValueError
        If the number of blocks is below 1.
    """

    def __init__(self, blocks: int = 2) -> None:
        check_number("blocks", blocks, least=1)
        self._blocks = blocks

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Keep the slots."""
        self._slots = slots_of(setting)

    def lacks(self, setting: Setting) -> str | None:
        """Say so where queries have neither sessions nor prefixes."""
        signals = setting.signals
        return None if signals.prefixes or signals.sessions else "the workload has neither prefix blocks nor sessions"

    def decide(self, query: Query, state: State) -> Decision:
        """Return the deployment that the query belongs to, and the others by load as next choices."""
        there, key = candidates(state), prefix_key(query, self._blocks)
        chosen = least_loaded_of(there, state, self._slots) if key is None else place_of(key, there)
        others = [k for k in there if k != chosen]
        return Decision(chosen, [least_loaded_of(others, state, self._slots)] if others else ())
