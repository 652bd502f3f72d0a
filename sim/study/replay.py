"""A plan carried out in the world, as a policy. It knows decisions that were made beforehand, and looks at nothing."""

from __future__ import annotations

from sim.assignment.program import DECLINE
from sim.interface import Decision, IntArray, Policy, Query, State


class Replay(Policy):
    """Carry out a plan, so that a hindsight optimum goes through the same world as every policy.

    Parameters
    ----------
    plan : array (n_queries,)
        Deployment of each arrival, ``DECLINE`` for none.
    """

    def __init__(self, plan: IntArray) -> None:
        self._plan = plan.tolist()

    def decide(self, query: Query, state: State) -> Decision:
        """Look it up."""
        planned = self._plan[query.id]
        return Decision(None if planned == DECLINE else planned)
