"""Policies as conf/policy describes them."""

from pathlib import Path

from hydra import compose, initialize_config_module
from hydra.utils import instantiate

from sim.interface import Policy

NAMES = sorted(path.stem for path in (Path(__file__).resolve().parents[1] / "conf" / "policy").glob("*.yaml"))


def configured_policy(name: str) -> Policy:
    """Return the policy of conf/policy/NAME.yaml."""
    with initialize_config_module("conf", version_base="1.3"):
        config = compose("run", [f"policy={name}"])
    policy = instantiate(config.policy[name], _convert_="all")
    assert isinstance(policy, Policy)
    return policy
