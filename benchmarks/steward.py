"""Steward beside PORT, its mended form and mirror descent on two real tables: six orders, missing topics, cut budgets.

    python -m benchmarks.steward [seeds, 20 by default] [seeds where a topic is missing] [folder of the tables]

Quality over that of the approximate optimum (the hindsight program on PORT's estimates, replayed in the same order in
the same world); weighted budgets. A mean over seeds: they draw the random order, the order of topics and ties. With
budgets cut there are two denominators: the plan that does not know of the cut, and one made with it in view (costs
count double after the cut, when half of what is left goes).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from hydra import initialize_config_module

from policies.estimators.neighbours import HnswNeighbours
from scenarios.events import BudgetCut
from sim.assignment.certified import certified
from sim.cli.building import build_policy, build_scenarios
from sim.cli.configuration import configure
from sim.instance import realise, stream
from sim.interface import Policy
from sim.scenario import Scenario
from sim.study.metrics import totals
from sim.study.oracles import APPROXIMATE, BoundCache, EstimateCache
from sim.study.replay import Replay, planned
from sim.world.record import frame
from sim.world.world import simulate

ORDERS = ("random", "cheap_first", "costly_first", "easy_first", "hard_first", "topic_blocks")
HNSW = HnswNeighbours()  # of the approximate optimum, as published
POLICIES = ("port", "port_fallback", "steward")
RIVALS = ("mirror_descent_entropic", "port_fallback")  # with steward's estimator


def main(seeds: int, topic_seeds: int, folder: Path) -> None:
    """Print a table for each case, one line per policy and one column per order."""
    for name in ("zeroeval", "mmlu_pro"):
        if not (folder / f"{name}.parquet").exists():
            print(f"{name} not measured: there is no {folder / name}.parquet")
            continue
        words = [
            f"experiment={name}",
            f"workload.path={folder / name}.parquet",
            f"workload.embeddings={folder / name}_embeddings.npy",
            f"order=[{','.join(ORDERS)}]",
        ]
        with initialize_config_module("conf", version_base="1.3"):
            config = configure("compare", [*words, f"policy=[{','.join(POLICIES)}]"])
            scenarios = build_scenarios(config)
            policies = {str(each): build_policy(spec, str(each)) for each, spec in config.policy.items()}
            config = configure("compare", [*words, f"policy=[{','.join(RIVALS)}]", "estimator=blend"])
            rivals = {f"{each}, blend": build_policy(spec, str(each)) for each, spec in config.policy.items()}
        source = next(iter(scenarios.values())).workload.history.source
        topics = [] if source is None else sorted(set(source.astype(str)))
        print(f"{name}, means of {seeds} seeds (of {topic_seeds} where a topic is missing)")
        print(f"{'':38}" + "".join(f"{order:>14}" for order in ORDERS), flush=True)
        show("", scenarios, {**policies, **rivals}, seeds)
        steward = {"steward": policies["steward"]}
        cut = {order: replace(each, events=[BudgetCut(0.5, "50%")]) for order, each in scenarios.items()}
        show("cut, ", cut, {**steward, **rivals}, seeds)
        show("cut, in view, ", cut, steward, seeds, in_view=True)
        for topic in topics:
            missing = {order: replace(each, unseen=[topic]) for order, each in scenarios.items()}
            show(f"without {topic}, ", missing, steward, topic_seeds)


def show(
    case: str, scenarios: Mapping[str, Scenario], policies: Mapping[str, Policy], seeds: int, *, in_view: bool = False
) -> None:
    """Print the mean ratio of every policy in every order."""
    estimates, bounds = EstimateCache(), BoundCache()
    for name, policy in policies.items():
        means = [
            np.mean([ratio(scenario, name, policy, seed, estimates, bounds, in_view=in_view) for seed in range(seeds)])
            for scenario in scenarios.values()
        ]
        print(f"{case + name:38}" + "".join(f"{mean:14.3f}" for mean in means), flush=True)


def ratio(
    scenario: Scenario,
    name: str,
    policy: Policy,
    replication: int,
    estimates: EstimateCache,
    bounds: BoundCache,
    *,
    in_view: bool,
) -> float:
    """Return the quality of one run over that of the replayed approximate optimum."""
    instance = realise(scenario, 0, replication)
    known = estimates.get(HNSW, instance)
    if in_view:
        n = len(instance.rows)
        cost = known.cost[instance.rows] * np.where(np.arange(n) < n // 2, 1.0, 2.0)[:, None]
        plan = certified(known.quality[instance.rows], cost, instance.setting.budgets).bound.plan
    else:
        plan = bounds.get(APPROXIMATE, instance, known).plan
    rng = stream(0, replication, "policy")
    predicted = estimates.get(policy.estimator, instance)
    achieved = totals(frame(simulate(name, policy, instance, predicted, rng), instance))["quality"]
    replayed = totals(frame(simulate("plan", Replay(planned(plan)), instance, known, rng), instance))["quality"]
    return float(achieved / replayed)


if __name__ == "__main__":
    n_seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    main(
        n_seeds,
        int(sys.argv[2]) if len(sys.argv) > 2 else n_seeds,
        Path(sys.argv[3]) if len(sys.argv) > 3 else Path("../shared/data"),
    )
