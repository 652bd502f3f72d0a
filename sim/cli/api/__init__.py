"""Offers the command line in Python: the same words, DataFrames instead of a directory. It adds nothing to the verbs.

A word is what stands after the verb on the command line, such as ``"budget=uniform"``, and means the same; defaults are
those of the verb. The verbs take further policies as objects, by name.

>>> from sim.cli.api import compare
>>> summary = compare("policy=[random,port_exact]", "workload.n_queries=200", "oracle.names=[]", "replications=2")
>>> summary[["policy", "replication", "arrived"]].values.tolist()
[['random', 0, 200], ['port_exact', 0, 200], ['random', 1, 200], ['port_exact', 1, 200]]
"""

from sim.cli.api.asking import contract, diff, plan, sweep
from sim.cli.api.simulating import compare, explain, frontier, policies, ratio, run, scenario

__all__ = [
    "compare",
    "contract",
    "diff",
    "explain",
    "frontier",
    "plan",
    "policies",
    "ratio",
    "run",
    "scenario",
    "sweep",
]
