"""Computes what policies are compared with: predictions, and optima in hindsight, each once for all that share it.

It runs nothing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sim.assignment.prices import minimise
from sim.assignment.program import Bound, binary_program
from sim.errors import unknown
from sim.history import history_means
from sim.instance import Instance
from sim.interface import DeploymentInfo, Estimates, Estimator, Features, IntArray, Predictor
from sim.selection import unseen_topics
from sim.study.output.store import Store, optimum, predictions
from sim.truth import frozen

ON_ESTIMATES = APPROXIMATE, PUBLISHED = "approximate_optimum", "published_optimum"
OPTIMUM, BINARY = "optimum", "binary_optimum"
ORACLES = (APPROXIMATE, PUBLISHED, OPTIMUM, BINARY)
MOST_KEPT = 2**24  # predictions: 256 MiB of two numbers each
EVERY = slice(None)
BAYES = "bayes_optimum"  # on expected quality and true costs; computed, never replayed


@dataclass(frozen=True)
class Oracle:
    """Which hindsight optima to compute and replay before the policies.

    Parameters
    ----------
    names : sequence of str
        Any of ``approximate_optimum`` (linear program on estimates), ``published_optimum`` (the same plan, of which
        refused queries are lost whatever ``exhausted`` is, as in arXiv 2509.02718), ``optimum`` (on the truth) and
        ``binary_optimum`` (on the truth, with no query split; for at most 200,000 pairs of query and deployment).
    estimator : Estimator or None
        Makes the estimates of the first two.

    Notes
    -----
    A plan is replayed under the scenario's ``exhausted``, as policies are. Unless it is ``lost``, a planned query that
    is refused goes to the other deployments that are worth their price, in order of q_i - p_i c_i, with the plan's own
    qualities q, costs c and prices p of the budgets. A plan's own costs are what ``reserve=estimate`` reserves for it.
    """

    names: Sequence[str] = (APPROXIMATE, OPTIMUM)
    estimator: Estimator | None = None

    def __post_init__(self) -> None:
        """Check the names."""
        for name in self.names:
            if name not in ORACLES:
                raise ValueError(unknown("oracle", name, ORACLES))


Told = tuple[tuple[DeploymentInfo, ...], tuple[str, ...], bytes]


def told(instance: Instance) -> Told:
    """Return what tells the history of one replication from that of another: fleet, missing topics, known models."""
    known = instance.setting.history.known
    return (
        instance.setting.fleet,
        unseen_topics(instance.scenario),
        b"" if known.all() else np.packbits(known).tobytes(),
    )


def complete(estimates: Estimates, estimator: Estimator, instance: Instance) -> Estimates:
    """Return the estimates; raise ValueError if an estimator cannot do with a model that few history rows know."""
    known = instance.setting.history.known
    if not known.all():
        for k, info in enumerate(instance.setting.fleet):
            if not all(np.isfinite(each[:, k]).all() for each in estimates):
                raise ValueError(
                    f"{type(estimator).__name__} predicts no number for {info.name!r}, which {known[:, k].sum()} of "
                    f"{len(known)} history rows know (History.known); use another estimator, such as estimator=exact"
                )
    return estimates


class Parts:
    """Predictions that are made for some test rows at a time, and not kept; see ``sim.world.arriving.Upcoming``.

    Parameters
    ----------
    predictor : Predictor
        Of an estimator that was fitted on a history in which every model is known.
    instance : Instance

    Attributes
    ----------
    took_s : float
        How long the predictions so far took.
    """

    def __init__(self, predictor: Predictor, instance: Instance) -> None:
        self._predictor = predictor
        self._instance = instance
        self.took_s = 0.0

    def of(self, rows: IntArray) -> Estimates:
        """Return the predictions for these test rows (n_rows, n_deployments)."""
        began = time.perf_counter()
        features = self._instance.features
        predicted = self._predictor.predict(Features(features.embeddings[rows], features.input_tokens[rows]))
        found = at_own_price(predicted, self._instance, rows)
        self.took_s += time.perf_counter() - began
        return found


def at_own_price(estimates: Estimates, instance: Instance, rows: IntArray | slice = EVERY) -> Estimates:
    """Return estimates of these test rows, the costs in USD multiplied by what each query's own price is to others'."""
    if instance.price is None:
        return estimates
    is_usd = np.array([info.unit == "usd" for info in instance.setting.fleet])
    cost = np.where(is_usd, estimates.cost * instance.price[rows, None], estimates.cost)
    return Estimates(estimates.quality, frozen(cost))


class EstimateCache:
    """Fits each estimator once for each fleet and history, and predicts each test row once.

    Predictions are functions of single rows, so they hold for every order of arrival. A store keeps them on disk.

    Parameters
    ----------
    store : Store or None
    most_kept : int
        How many predictions, of a row and a deployment, are kept for one run; see ``upcoming``.
    """

    def __init__(self, store: Store | None = None, most_kept: int = MOST_KEPT) -> None:
        self._store = store
        self._most_kept = most_kept
        self._known: dict[tuple[Estimator | None, Told], Estimates] = {}
        self._fitted: dict[tuple[Estimator, Told], Predictor] = {}

    def upcoming(self, estimator: Estimator | None, instance: Instance) -> Estimates | Parts:
        """Return what ``get`` does, or, where that would be too much to keep, what makes it for any rows.

        The predictions are the same; a second run makes them anew. Estimators that predict no number for a model which
        the history lacks are found out beforehand, so such a history is predicted from as a whole, as it is with a
        store, and so are runs whose estimates need no prediction.
        """
        key = (estimator, told(instance))
        needs_none = estimator is None or instance.brought is not None or instance.scenario.workload.tells_on_arrival
        is_small = instance.quality.size <= self._most_kept
        whole = needs_none or is_small or self._store is not None or not instance.setting.history.known.all()
        if estimator is None or whole or key in self._known:
            return self.get(estimator, instance)
        if key not in self._fitted:
            self._fitted[estimator, key[1]] = estimator.fit(instance.setting.history)
        return Parts(self._fitted[estimator, key[1]], instance)

    def get(self, estimator: Estimator | None, instance: Instance) -> Estimates:
        """Return predictions for every test row (n_test, n_deployments); history means without an estimator.

        Of a workload that brings estimates of its own, these are the predictions of every estimator. Of a query that
        tells on arrival what it would get and cost, they are the truth. Of one that has a
        price of its own (``Rows.price``), everybody knows that price: a predicted cost in USD is multiplied by it.
        """
        estimates = self._predicted(estimator, instance)
        is_true = estimator is not None and instance.scenario.workload.tells_on_arrival
        return estimates if is_true else at_own_price(estimates, instance)

    def _predicted(self, estimator: Estimator | None, instance: Instance) -> Estimates:
        if instance.brought is not None:
            return instance.brought
        key = (estimator, told(instance))
        if key not in self._known:
            history, shape = instance.setting.history, instance.quality.shape
            if estimator is None:
                self._known[key] = Estimates(*(np.broadcast_to(mean, shape) for mean in history_means(history)))
            elif instance.scenario.workload.tells_on_arrival:
                self._known[key] = Estimates(instance.quality, instance.cost)
            else:
                predicted = predictions(self._store, estimator, history, instance.features)
                self._known[key] = complete(Estimates(*map(frozen, predicted)), estimator, instance)
        return self._known[key]


class BoundCache:
    """Solves each program once for each set of queries and budgets, whatever the order; a store keeps them on disk."""

    def __init__(self, store: Store | None = None) -> None:
        self._store = store
        self._known: dict[tuple[str, Told, bytes, bytes], Bound] = {}

    def get(self, name: str, instance: Instance, estimates: Estimates) -> Bound:
        """Return the optimum, its plan in order of arrival; only programs on estimates look at these."""
        by_row = np.argsort(instance.rows, kind="stable")
        rows, budgets, accounts = instance.rows[by_row], instance.setting.budgets, instance.setting.accounts
        program = APPROXIMATE if name == PUBLISHED else name
        key = (program, told(instance), rows.tobytes(), budgets.tobytes())
        if key not in self._known:
            known = estimates if name in ON_ESTIMATES else Estimates(instance.quality, instance.cost)
            quality, cost = known.quality[rows], known.cost[rows]
            if name == BAYES:
                if instance.expected is None:
                    raise ValueError("the workload knows no expected quality, so there is no Bayes optimum")
                quality = instance.expected.quality[rows]
            if name == BINARY:
                exact = binary_program(quality, cost, budgets, accounts=accounts)
                prices, _ = minimise(quality, cost, budgets, accounts=accounts)
                self._known[key] = replace(exact, prices=prices)
            else:
                self._known[key] = optimum(self._store, quality, cost, budgets, accounts)
        bound = self._known[key]
        plan = np.empty_like(bound.plan)
        plan[by_row] = bound.plan
        return replace(bound, plan=plan)
