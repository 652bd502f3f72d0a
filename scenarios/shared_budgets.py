"""Says how much deployments may spend together: one budget for all, or one for each of several accounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from scenarios.budgets import Split
from sim.errors import unknown
from sim.interface import FloatArray
from sim.scenario import BudgetBasis

OTHERS = "others"  # all deployments that a shared budget does not name


@dataclass(frozen=True)
class Global(Split):
    """One budget for all deployments: ``total`` x the cost of serving every query by the cheapest of them."""

    def weights(self, basis: BudgetBasis, rng: np.random.Generator) -> FloatArray:
        """Return the weights, of which ``amounts`` makes no use."""
        return np.ones(len(basis.names))

    def amounts(self, basis: BudgetBasis, rng: np.random.Generator) -> FloatArray:
        """Return the whole amount at each deployment (n_deployments,)."""
        return np.full(len(basis.names), super().amounts(basis, rng).sum())

    def accounts(self, names: Sequence[str]) -> list[str]:
        """Return the one account, for each deployment."""
        return ["all"] * len(names)


@dataclass(frozen=True)
class Shared:
    """Budgets that several deployments pay from together, such as one for each provider.

    Parameters
    ----------
    amount_by_account : mapping of str to float
        Of each account; ``inf`` for no budget.
    account_by_deployment : mapping of str to str
        Which account each deployment pays from; ``others`` stands for all that are not named. Without it one that is
        not named pays from the account of its own name.
    unit : str
        ``usd`` or ``tokens``, of all accounts.
    """

    amount_by_account: Mapping[str, float]
    account_by_deployment: Mapping[str, str]
    unit: str = "usd"
    is_explicit: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Check that each account has an amount."""
        for account, amount in self.amount_by_account.items():
            if not isinstance(amount, int | float) or not amount >= 0:
                raise ValueError(
                    f"budget.amount_by_account.{account} is {amount}; it must be at least 0, .inf for no budget"
                )
        for account in self.account_by_deployment.values():
            if account not in self.amount_by_account:
                raise ValueError(unknown("account of the budget", account, list(self.amount_by_account)))

    def accounts(self, names: Sequence[str]) -> list[str]:
        """Return the account of each deployment."""
        for name in self.account_by_deployment:
            if name not in (*names, OTHERS):
                raise ValueError(unknown("deployment in the budget", name, names))
        others = self.account_by_deployment.get(OTHERS)
        return [self.account_by_deployment.get(name, others or name) for name in names]

    def amounts(self, basis: BudgetBasis, rng: np.random.Generator) -> FloatArray:
        """Return the amount of the account of each deployment (n_deployments,)."""
        accounts = self.accounts(basis.names)
        missing = [account for account in accounts if account not in self.amount_by_account]
        if missing:
            raise ValueError(
                f"deployment {missing[0]!r} has no account; name one in budget.account_by_deployment, for it or for "
                "others, or an amount of its own in budget.amount_by_account"
            )
        return np.array([self.amount_by_account[account] for account in accounts], dtype=np.float64)
