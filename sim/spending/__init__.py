"""Describes spending as finance knows it: calendar periods, and limits over several deployments. It knows no clock."""

from sim.spending.calendar import PERIODS, Calendar
from sim.spending.limits import Limit, Spending

__all__ = ["PERIODS", "Calendar", "Limit", "Spending"]
