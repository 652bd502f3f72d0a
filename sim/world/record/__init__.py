"""Holds what happened in a run: the tables of requests, calls and tasks. It knows not why."""

from sim.world.record.frames import frame
from sim.world.record.requests import COLUMNS, FATES, RequestTable, replica_seconds

__all__ = ["COLUMNS", "FATES", "RequestTable", "frame", "replica_seconds"]
