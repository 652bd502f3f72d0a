"""Says which policies have nothing to decide by in a scenario. It runs none of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from sim.instance import realise
from sim.interface import IntArray, Policy
from sim.scenario import Scenario
from sim.study.ratio.worst_order import WorstOrder
from sim.workload import Rows


def lacking(scenario: Scenario, policies: Mapping[str, Policy], seed: int) -> dict[str, str]:
    """Return for each policy that has nothing to decide by what it lacks, in the words of ``Policy.lacks``.

    Parameters
    ----------
    scenario : Scenario
        Its order may still be a search.
    policies : mapping of str to Policy
    seed : int
        Of the first replication, whose setting is looked at.
    """
    is_search = isinstance(scenario.order, WorstOrder)
    setting = realise(replace(scenario, order=as_given) if is_search else scenario, seed, 0).setting
    reasons = {name: policy.lacks(setting) for name, policy in policies.items()}
    return {name: why for name, why in reasons.items() if why is not None}


def as_given(rows: Rows, rng: np.random.Generator) -> IntArray:
    """Return the rows in their own order."""
    return np.arange(len(rows), dtype=np.int64)
