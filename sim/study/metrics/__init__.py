"""Figures of one run: functions of its request table, and of its fleet if they ask. They know no world."""

from sim.study.metrics.counting import FATES, IN_EVERY_SUMMARY, Metric, counts, evaluate, totals

__all__ = ["FATES", "IN_EVERY_SUMMARY", "Metric", "counts", "evaluate", "totals"]
