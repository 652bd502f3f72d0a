"""Says how much each deployment may spend: the published splits of one total, and explicit amounts.

A split gives deployment i the share w_i / sum(w) of ``total`` x the cost of serving every query by the cheapest
deployment (arXiv 2509.02718, section 5 and released code). The weights w come from history means, never from test rows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sim.errors import check_number, unknown
from sim.interface import FloatArray
from sim.scenario import BudgetBasis

OF = ("arriving", "all")


@dataclass(frozen=True)
class Split(ABC):
    """A total, shared by weights.

    Parameters
    ----------
    total : float
        Multiple of the total cost of the fleet's cheapest deployment.
    unit : str
        ``usd`` or ``tokens``.
    of : str
        Which queries it is the cost of: the ``arriving`` ones (as published: the budget grows with volume, and scarcity
        stays as it is), or ``all`` of the workload's test queries (a budget that is fixed while volume varies).
    """

    total: float = 1.0
    unit: str = "usd"
    of: str = "arriving"

    def __post_init__(self) -> None:
        """Check the total and what it is of."""
        if self.of not in OF:
            raise ValueError(unknown("budget.of", self.of, OF))
        check_number("budget.total", self.total, least=0)

    def amounts(self, basis: BudgetBasis, rng: np.random.Generator) -> FloatArray:
        """Return the budgets (n_deployments,)."""
        weights = self.weights(basis, rng)
        if not weights.sum() > 0:
            raise ValueError(
                "every deployment has quality 0 in the history, so this split is undefined: use budget=uniform"
            )
        cheapest_total = basis.cheapest_total if self.of == "arriving" else basis.cheapest_total_of_all
        budgets: FloatArray = self.total * cheapest_total * weights / weights.sum()
        return budgets

    @abstractmethod
    def weights(self, basis: BudgetBasis, rng: np.random.Generator) -> FloatArray:
        """Return positive weights (n_deployments,), of any scale."""


class Weighted(Split):
    """Shares proportional to sqrt(mean quality / mean cost)."""

    def weights(self, basis: BudgetBasis, rng: np.random.Generator) -> FloatArray:
        """Return the weights."""
        return np.sqrt(basis.quality_mean / positive_cost(basis))


class Cost(Split):
    """Shares proportional to sqrt(1 / mean cost)."""

    def weights(self, basis: BudgetBasis, rng: np.random.Generator) -> FloatArray:
        """Return the weights."""
        return np.sqrt(1 / positive_cost(basis))


class Quality(Split):
    """Shares proportional to mean quality (the published ``perf``)."""

    def weights(self, basis: BudgetBasis, rng: np.random.Generator) -> FloatArray:
        """Return the weights."""
        return basis.quality_mean


class Uniform(Split):
    """Equal shares."""

    def weights(self, basis: BudgetBasis, rng: np.random.Generator) -> FloatArray:
        """Return the weights."""
        return np.ones(len(basis.names))


class Random(Split):
    """Shares drawn from U(5, 30), anew in each replication."""

    def weights(self, basis: BudgetBasis, rng: np.random.Generator) -> FloatArray:
        """Return the weights."""
        return rng.uniform(5, 30, len(basis.names))


@dataclass(frozen=True)
class Extreme(Split):
    """80% for the h least cost-effective deployments (mean quality / mean cost), 20% for the others.

    The published weights: 50 for each of the h, 12.5 h / (n_deployments - h) for each other.
    """

    h: int = 1

    def weights(self, basis: BudgetBasis, rng: np.random.Generator) -> FloatArray:
        """Return the weights."""
        others = len(basis.names) - self.h
        if self.h < 1 or others < 1:
            raise ValueError(
                f"budget.h is {self.h}; it must be from 1 to {len(basis.names) - 1}, one less than the fleet"
            )
        least = np.argsort(basis.quality_mean / positive_cost(basis), kind="stable")[: self.h]
        weights = np.full(len(basis.names), 12.5 * self.h / others)
        weights[least] = 50.0
        return weights


@dataclass(frozen=True)
class Amounts:
    """Explicit amounts, one per deployment: in the fleet's order, or by deployment name; ``.inf`` for no budget.

    Parameters
    ----------
    amounts_by_deployment : sequence or mapping of float
    unit : str or sequence of str
        ``usd`` or ``tokens``, one for all or one per deployment.
    """

    amounts_by_deployment: Sequence[float] | Mapping[str, float]
    unit: str | Sequence[str] = "usd"
    is_explicit: ClassVar[bool] = True

    def amounts(self, basis: BudgetBasis, rng: np.random.Generator) -> FloatArray:
        """Return the budgets (n_deployments,)."""
        given = self.amounts_by_deployment
        if not isinstance(given, Mapping):
            return np.array(given, dtype=np.float64)
        for name in given:
            if name not in basis.names:
                raise ValueError(unknown("deployment in the budget", name, basis.names))
        missing = [name for name in basis.names if name not in given]
        if missing:
            raise ValueError(f"the budget names no amount for deployment {missing[0]!r}; give every deployment one")
        return np.array([given[name] for name in basis.names], dtype=np.float64)


@dataclass(frozen=True)
class Each:
    """The same amount for every deployment.

    Parameters
    ----------
    amount : float
        Of each; ``inf`` for no budget.
    unit : str
        ``usd`` or ``tokens``.
    """

    amount: float
    unit: str = "usd"

    def __post_init__(self) -> None:
        """Check the amount, which is missing where a workload declares none."""
        if not isinstance(self.amount, int | float) or not self.amount >= 0:
            raise ValueError(f"budget.amount is {self.amount}; give every deployment at least 0")

    def amounts(self, basis: BudgetBasis, rng: np.random.Generator) -> FloatArray:
        """Return the budgets (n_deployments,)."""
        return np.full(len(basis.names), float(self.amount))


@dataclass(frozen=True)
class Unlimited:
    """No budget at all."""

    unit: str = "usd"

    def amounts(self, basis: BudgetBasis, rng: np.random.Generator) -> FloatArray:
        """Return ``inf`` for each deployment."""
        return np.full(len(basis.names), np.inf)


def positive_cost(basis: BudgetBasis) -> FloatArray:
    """Return the mean costs; raise ValueError for a free deployment, whose cost-effectiveness is undefined."""
    if (basis.cost_mean <= 0).any():
        free = basis.names[int(np.argmin(basis.cost_mean))]
        raise ValueError(
            f"{free!r} costs nothing in the history, so this split is undefined: use budget=uniform or amounts"
        )
    return basis.cost_mean
