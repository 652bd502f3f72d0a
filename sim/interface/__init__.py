"""Defines all that a policy may see and do. It holds no outcome that has not been revealed.

Arrays are read-only. ``n_deployments`` is the size of the fleet, ``n_history`` the number of history rows, ``dim``
the embedding dimension; ``deployment`` is an index into ``Setting.fleet``.

A *cost* here is what a query takes from its deployment's budget, in that budget's unit (USD, or tokens).
"""

from sim.interface.arrays import TOLERANCE, BoolArray, EmbeddingArray, FloatArray, IntArray, affords
from sim.interface.policy import Estimates, Estimator, Policy, Predictor, Reasons, reviews
from sim.interface.prefixes import PrefixTree, place_of, prefix_key
from sim.interface.queries import Answer, Combine, Decision, Feedback, Gate, Hit, Keep, Query, State, Task
from sim.interface.setting import Capped, DeploymentInfo, Features, History, Setting, Signals

__all__ = [
    "TOLERANCE",
    "Answer",
    "BoolArray",
    "Capped",
    "Combine",
    "Decision",
    "DeploymentInfo",
    "EmbeddingArray",
    "Estimates",
    "Estimator",
    "Features",
    "Feedback",
    "FloatArray",
    "Gate",
    "History",
    "Hit",
    "IntArray",
    "Keep",
    "Policy",
    "Predictor",
    "PrefixTree",
    "Query",
    "Reasons",
    "Setting",
    "Signals",
    "State",
    "Task",
    "affords",
    "place_of",
    "prefix_key",
    "reviews",
]
