"""What each policy did with each query of a run, beside a plan that knows them all: for figures of single queries."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sim.assignment.certified import Certified, certified
from sim.assignment.program import DECLINE
from sim.instance import Instance
from sim.interface import Estimates, FloatArray, IntArray

HINDSIGHT = "hindsight"
MOST_QUERIES = 5000  # of a run, evenly spaced; what figures show does not change beyond
TELLING = 0.75  # which of the queries, by how much greed would lose, is shown with all its candidates


class Beside:
    """The queries of a replication, and what a plan does with them that knows them all.

    Parameters
    ----------
    instance : Instance

    Notes
    -----
    The plan is that of the linear program on expected quality and cost, where the workload knows these, and on the
    truth elsewhere. Its prices say what a unit of each budget is worth in quality.
    """

    def __init__(self, instance: Instance) -> None:
        known = instance.expected or Estimates(instance.quality, instance.cost)
        self._quality, self._cost = known.quality[instance.rows], known.cost[instance.rows]
        setting = instance.setting
        self._names = [info.name for info in setting.fleet]
        self._plan: Certified = certified(self._quality, self._cost, setting.budgets, setting.accounts)
        self._priced = self._plan.prices * self._cost
        n = len(instance.rows)
        self._shown = np.unique(np.linspace(0, n - 1, min(n, MOST_QUERIES)).round().astype(np.int64))
        rows = instance.rows[self._shown]
        across, up = two_axes(instance.features.embeddings[rows]).T
        self._about = pd.DataFrame(
            {
                "difficulty": 1 - self._quality[self._shown].mean(axis=1),
                "mean_cost_usd": instance.cost_usd[rows].mean(axis=1),
                "map_x": across,
                "map_y": up,
            }
        )

    def hindsight(self, requests: pd.DataFrame) -> pd.DataFrame:
        """Return what the plan does, as ``choices`` does of a policy; numbers and times are those of a run."""
        plan = self._plan.bound.plan
        fate = np.where(plan == DECLINE, "declined", "served")
        return self._table(HINDSIGHT, requests, plan, fate)

    def choices(self, policy: str, requests: pd.DataFrame) -> pd.DataFrame:
        """Return what became of the queries under a policy, at most 5,000 of them.

        Parameters
        ----------
        policy : str
        requests : DataFrame
            Of its run.

        Returns
        -------
        DataFrame
            A row per query: ``policy``, ``id``, ``arrived_at_s``, ``fate``, ``deployment`` that served it (empty for
            none), ``quality`` (expected where that is known) and ``priced_cost`` (what it took from the budget there,
            at the price of the plan, in units of quality), both 0 for a query that was not served; ``difficulty``, 1
            less its mean quality over all deployments; ``mean_cost_usd``, likewise; ``map_x`` and ``map_y``, its
            embedding on two axes.
        """
        fate = requests["fate"].astype(str).to_numpy()
        deployment = np.where(fate == "served", requests["deployment"].cat.codes, DECLINE).astype(np.int64)
        return self._table(policy, requests, deployment, fate)

    def candidates(self, requests: pd.DataFrame) -> pd.DataFrame:
        """Return a row per deployment for one query: ``id``, ``deployment``, ``quality`` and ``priced_cost``.

        Of the queries that the plan serves it is one on which the choice of the best quality loses more, quality less
        priced cost, than on three quarters of them.
        """
        gain = self._quality - self._priced
        every = np.arange(len(gain))
        lost = gain.max(axis=1) - gain[every, self._quality.argmax(axis=1)]
        shown = self._shown[self._plan.bound.plan[self._shown] != DECLINE]
        among = shown if len(shown) else self._shown
        ranked = among[np.argsort(lost[among], kind="stable")]
        query = int(ranked[int(TELLING * (len(ranked) - 1))])
        return pd.DataFrame(
            {
                "id": requests["id"].to_numpy()[query],
                "deployment": self._names,
                "quality": self._quality[query],
                "priced_cost": self._priced[query],
            }
        )

    def _table(self, policy: str, requests: pd.DataFrame, deployment: IntArray, fate: np.ndarray) -> pd.DataFrame:
        shown, to = self._shown, deployment[self._shown]
        is_served = to != DECLINE
        found = pd.DataFrame(
            {
                "policy": policy,
                "id": requests["id"].to_numpy()[shown],
                "arrived_at_s": requests["arrived_at_s"].to_numpy()[shown],
                "fate": fate[shown],
                "deployment": pd.Categorical.from_codes(to, pd.Index(self._names)),
                "quality": np.where(is_served, self._quality[shown, to], 0.0),
                "priced_cost": np.where(is_served, self._priced[shown, to], 0.0),
            }
        )
        return pd.concat([found, self._about], axis=1)


def two_axes(embeddings: FloatArray | np.ndarray) -> FloatArray:
    """Return embeddings (n, dim) on the two axes along which they differ most (n, 2): their principal components.

    Each axis points to where its largest weight is positive. An axis that is not there is 0.
    """
    found = np.zeros((len(embeddings), 2))
    if embeddings.shape[1] == 0:  # a table that brings its estimates needs none
        return found
    centred = np.asarray(embeddings, dtype=np.float64) - embeddings.mean(axis=0, dtype=np.float64)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    axes = vectors[:, ::-1][:, :2]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    found[:, : axes.shape[1]] = centred @ axes
    return found
