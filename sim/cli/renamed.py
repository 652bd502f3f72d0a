"""Gives classes that have moved their new names: an old ``_target_`` works on for a release, with a note."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig, ListConfig

from sim.errors import note

BUDGETED = (
    *("balance", "batch_program", "dual_subgradient", "dynamic_price", "knapsack_threshold", "largest_remaining"),
    *("mirror_descent", "msvv", "one_time_price", "paced_batch", "port", "primal_resolve", "sampled_dual", "steward"),
)
BALANCING = (
    *("latency_priced", "least_loaded", "lowest_latency", "power_of_two", "round_robin", "uniform_random"),
    "usage_based",
)
MOVED = {
    **{f"policies.{name}": f"policies.budgeted.{name}" for name in BUDGETED},
    **{f"policies.{name}": f"policies.balancing.{name}" for name in BALANCING},
    **{f"policies.{name}": f"policies.greedy.{name}" for name in ("best_predicted", "cheapest_available")},
    "policies.quality_threshold": "policies.greedy.quality_threshold",
    "sim.cli.launchers": "sim.cli.sweeping.launchers",
    "scenarios.workloads.routerbench": "scenarios.readers.routerbench",
    "sim.study.line": "sim.study.plan.line",
    "sim.study.mix": "sim.study.plan.mix",
    "sim.study.worst_order": "sim.study.ratio.worst_order",
    "sim.world.api": "sim.world.services.hosted",
    "sim.world.autoscaler": "sim.world.stations.autoscaler",
    "sim.world.balancer": "sim.world.stations.balancer",
    "sim.world.batching": "sim.world.services.batching",
    "sim.world.distributions": "sim.distributions",
    "sim.world.paged": "sim.world.services.paged",
    "sim.world.queue": "sim.world.stations.queue",
    "sim.world.service": "sim.world.services.slots",
    "sim.world.timed": "sim.world.services.timed",
}
"""The module of 0.1 and where its classes are now."""


def follow_moves(config: DictConfig | ListConfig) -> None:
    """Give every ``_target_`` of a configuration its name of today, and note each that had another."""
    for key in list(config) if isinstance(config, DictConfig) else range(len(config)):
        value: Any = config._get_node(key)
        if isinstance(value, DictConfig | ListConfig):
            if not value._is_none() and not value._is_missing() and not value._is_interpolation():
                follow_moves(value)
        elif key == "_target_":
            old = str(value._value())
            module, _, name = old.rpartition(".")
            if module in MOVED:
                config[key] = f"{MOVED[module]}.{name}"
                note(f"{old} is now {config[key]}; write that, as the old name goes with the next release")
