"""Holds the figures of one run: functions of its request table, and of its fleet table. They know no world."""

from sim.study.metrics.counting import FATES, IN_EVERY_SUMMARY, Alone, Metric, counts, evaluate, totals

__all__ = ["FATES", "IN_EVERY_SUMMARY", "Alone", "Metric", "counts", "evaluate", "totals"]
