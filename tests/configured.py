"""Policies as conf/policy describes them."""

from functools import cache
from pathlib import Path

import pytest
from hydra import compose, initialize_config_module
from hydra.utils import instantiate
from omegaconf import DictConfig

from sim.interface import Policy

NAMES = sorted(path.stem for path in (Path(__file__).resolve().parents[1] / "conf" / "policy").glob("*.yaml"))

QUICK = {
    "random",
    "greedy_perf",
    "batch_split",
    "port",
    "port_fallback",
    "msvv",
    "latency_priced",
    "steward",
    "cascade",
    "pareto_bandit",
}
LONG = {"primal_resolve_each", "barp", "omnirouter_dual", "omnirouter_batch", "robust_batch", "paced_batch"}
ALL = [pytest.param(name, marks=pytest.mark.slow if name in LONG else ()) for name in NAMES]
"""All policies; those that take long by themselves with ``make proof``."""

MOST_SLOW = [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in NAMES]
"""All policies for what takes long: a few of every kind always, the others with ``make proof``."""


def configured_policy(name: str) -> Policy:
    """Return the policy of conf/policy/NAME.yaml, as new each time."""
    policy = instantiate(described(name), _convert_="all")
    assert isinstance(policy, Policy)
    return policy


@cache
def described(name: str) -> DictConfig:
    """Return what conf/policy/NAME.yaml says, composed once."""
    with initialize_config_module("conf", version_base="1.3"):
        config = compose("run", [f"policy={name}"])
    description = config.policy[name]
    assert isinstance(description, DictConfig)
    return description
