"""How far rounding alone moves a policy: the same run with estimates that differ in their tenth digit.

An interval over replications leaves out what is the same in all of them, such as a price that a solver left where the
last digits of its inputs happened to stop it.
"""

from __future__ import annotations

from sim.instance import Instance, stream
from sim.interface import Estimates, Policy
from sim.study.metrics import totals
from sim.world.record import frame
from sim.world.world import simulate

RELATIVE_NOISE = 1e-10
ROUNDED = ("lowest_rounded_quality", "highest_rounded_quality")  # columns of the summary


def quality_range(
    name: str, policy: Policy, instance: Instance, estimates: Estimates, quality: float, n: int
) -> tuple[float, float]:
    """Return the lowest and the highest total quality of a run and ``n`` more whose estimates are rounded otherwise.

    Every estimate is multiplied by 1 + 1e-10 x a normal number, from a stream of its own for each run; all else, the
    policy's own draws included, is as it was. What a policy computes from the history by itself stays.

    Parameters
    ----------
    name : str
        Of the policy.
    policy : Policy
    instance : Instance
    estimates : Estimates
        Of every test row, (n_test, n_deployments).
    quality : float
        Of the run itself.
    n : int
    """
    found = [quality]
    for number in range(n):
        rng = stream(*instance.seeds, f"rounding {number}")
        noisy = Estimates(*(part * (1 + RELATIVE_NOISE * rng.standard_normal(part.shape)) for part in estimates))
        table = simulate(name, policy, instance, noisy, stream(*instance.seeds, "policy"))
        found.append(float(totals(frame(table, instance))["quality"]))
    return min(found), max(found)
