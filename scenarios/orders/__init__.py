"""Holds the orders of arrival: functions from rows and a random stream to row numbers. They know no clock.

``exchangeable`` (what guarantees assume), ``popular`` (some queries come again and again), ``recorded`` (the data
set's or a file's), ``ranked`` (by cost, quality or density), ``topics`` (by ``source``) and ``adversarial`` (to
mislead, and families to search). Ties are broken at random, and all models of the workload count, in the fleet or not.
"""

from scenarios.orders.exchangeable import shuffled
from scenarios.orders.recorded import given

__all__ = ["given", "shuffled"]
