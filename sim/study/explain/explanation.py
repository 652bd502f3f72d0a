"""The explanation of policies' quality over replications: where it was lost, and the prices of budgets and slots."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sim.errors import check_number
from sim.instance import Instance
from sim.interface import FloatArray, Policy
from sim.scenario import Scenario
from sim.study.experiment import runs
from sim.study.explain.choices import HINDSIGHT, Beside
from sim.study.explain.decomposition import bayes_quality, decompose
from sim.study.explain.shadow import beginnings_s, budget_prices, slot_prices
from sim.study.fleet import unbounded
from sim.study.oracles import OPTIMUM, BoundCache, EstimateCache, Oracle
from sim.study.replay import Watched

OPTIMUM_WITH_SLOTS = "optimum_with_slots"
ACHIEVED = "achieved"


@dataclass(frozen=True)
class Explanation:
    """One policy's replication.

    Parameters
    ----------
    policy : str
    replication : int
    quality : DataFrame
        A row per ``term``: ``optimum``, those of ``sim.study.explain.decomposition.decompose``, and ``achieved``;
        ``quality`` is in units of score.
    prices : DataFrame
        A row per moment and deployment: ``moment_s``, ``deployment``, ``unit``, ``budget``, ``budget_price`` (quality
        per unit) and ``slot_price_per_hour`` (quality per hour of one more slot, NaN where it has none). The first
        policy of a replication brings the rows of ``optimum`` and, where slots have prices, ``optimum_with_slots``.
    events : DataFrame
        The spans of time in which something happened, see ``sim.world.record.happenings``.
    choices : DataFrame or None
        What became of its queries, in the first replication only, see ``sim.study.explain.choices``. The first policy
        brings the rows of ``hindsight``.
    candidates : DataFrame or None
        All that one query could have got, with the first policy of the first replication only.
    """

    policy: str
    replication: int
    quality: pd.DataFrame
    prices: pd.DataFrame
    events: pd.DataFrame
    choices: pd.DataFrame | None = None
    candidates: pd.DataFrame | None = None


def explanations(
    scenario: Scenario, policies: Mapping[str, Policy], seed: int, replications: int, moments: int
) -> Iterator[Explanation]:
    """Run every policy on every replication and explain it.

    Parameters
    ----------
    scenario : Scenario
    policies : mapping of str to Policy
    seed, replications : int
    moments : int
        At how many points of a run there are prices.

    Raises
    ------
    ValueError
        If nothing bounds what a policy can achieve, as where it combines or caps answers, or a policy, the seed or a
        number cannot be.
    RuntimeError
        If a policy or HiGHS fails.
    """
    reason = unbounded(scenario)
    if reason is not None:
        raise ValueError(f"nothing bounds what a policy can achieve, as {reason}")
    check_number("moments", moments, least=1)
    for name in (OPTIMUM, OPTIMUM_WITH_SLOTS, HINDSIGHT):
        if name in policies:
            raise ValueError(f"a policy is named {name!r}, as hindsight is; rename it")
    watched = {name: Watched(policy, asks=True) for name, policy in policies.items()}
    estimates, bounds = EstimateCache(), BoundCache()
    replication = -1
    for run in runs(scenario, watched, seed, replications, Oracle(()), {}):
        instance, requests = run.instance, run.requests
        if run.beyond is not None:
            raise ValueError(
                f"policy {run.policy!r} {run.beyond}, so the optimum of whole single answers does not bound it and "
                "there is nothing to explain; explain policies that keep one whole answer"
            )
        at_s = beginnings_s(requests["arrived_at_s"].to_numpy(), moments)
        prices = []
        choices, candidates = [], None
        if run.replication != replication:
            replication = run.replication
            optimum = bounds.get(OPTIMUM, instance, estimates.get(None, instance)).value
            bayes = bayes_quality(instance)
            first = budget_prices(requests, instance, at_s[:1])  # of all queries, so the same for every policy
            prices.append(table(OPTIMUM, instance, at_s, first))
            slots = slot_prices(instance, at_s)
            if slots is not None:
                prices.append(table(OPTIMUM_WITH_SLOTS, instance, at_s, *slots))
            if replication == 0:
                beside = Beside(instance)
                choices.append(beside.hindsight(requests))
                candidates = beside.candidates(requests)
        if replication == 0:
            choices.append(beside.choices(run.policy, requests))
        of_budget = np.vstack([first, budget_prices(requests, instance, at_s[1:], run.calls)])
        prices.append(table(run.policy, instance, at_s, of_budget))
        achieved = float(requests["quality"].sum())
        terms = decompose(optimum, bayes, watched[run.policy], requests, instance, run.calls)
        parts = {OPTIMUM: optimum, **terms, ACHIEVED: achieved}
        quality = pd.DataFrame({"term": parts.keys(), "quality": parts.values()})
        quality.insert(0, "policy", run.policy)
        quality.insert(1, "replication", replication)
        yield Explanation(
            run.policy,
            replication,
            quality,
            pd.concat(prices, ignore_index=True),
            run.events,
            pd.concat(choices, ignore_index=True) if choices else None,
            candidates,
        )


def table(
    policy: str, instance: Instance, at_s: FloatArray, of_budget: FloatArray, of_slot: FloatArray | float = np.nan
) -> pd.DataFrame:
    """Return prices, (n_moments, n_deployments) or the same for all moments, with a row per moment and deployment."""
    setting, shape = instance.setting, (len(at_s), len(instance.fleet))
    return pd.DataFrame(
        {
            "policy": policy,
            "replication": instance.seeds[1],
            "moment_s": at_s.repeat(shape[1]),
            "deployment": [info.name for info in setting.fleet] * shape[0],
            "unit": [info.unit for info in setting.fleet] * shape[0],
            "budget": np.tile(setting.budgets, shape[0]),
            "budget_price": np.broadcast_to(of_budget, shape).ravel(),
            "slot_price_per_hour": np.broadcast_to(of_slot, shape).ravel(),
        }
    )
