"""Money: what each deployment may spend, has promised and has paid. It knows amounts, not queries.

Two views of the same budget. *Committed* cost counts from the moment a query is taken on, at its true cost, and
enforces the budget. *Settled* cost counts from its completion, and is all that a policy sees: showing the committed
view would tell the true cost of a query before it has been served.
"""

from __future__ import annotations

from sim.interface import FloatArray
from sim.world.counts import Amounts


class Ledger:
    """Hard budgets of n_deployments deployments, each in its own unit.

    Parameters
    ----------
    budgets : array (n_deployments,)
        ``inf`` for no budget.

    Attributes
    ----------
    remaining : array (n_deployments,)
        Budget less settled cost; read-only, updated in place.
    """

    def __init__(self, budgets: FloatArray) -> None:
        self._budgets: list[float] = budgets.tolist()
        self._committed = [0.0] * len(budgets)
        self._settled = [0.0] * len(budgets)
        self._remaining = Amounts(budgets)
        self.remaining = self._remaining.view

    def commit(self, deployment: int, cost: float) -> bool:
        """Take on a cost if committed + cost <= budget; return whether it was."""
        committed = self._committed[deployment] + cost
        if committed > self._budgets[deployment]:
            return False
        self._committed[deployment] = committed
        return True

    def settle(self, deployment: int, cost: float) -> None:
        """Show a committed cost as spent."""
        self._settled[deployment] += cost
        self._remaining.write[deployment] = self._budgets[deployment] - self._settled[deployment]
