"""Holds a workload, its rows and its tasks: the truth, validated once. It knows no fleet and no policy."""

from sim.workload.rows import Rows
from sim.workload.workload import Workload

__all__ = ["Rows", "Workload"]
