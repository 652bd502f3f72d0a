"""Measures tasks of several steps: how many succeed, what they cost, how long they take, how often they switch.

Without tasks every figure is NaN.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from sim.interface import FloatArray
from sim.study.metrics.counting import numbers, ratio


def task_success(requests: pd.DataFrame, tasks: pd.DataFrame | None = None) -> float:
    """Return what tasks earned on average, from 0 to 1; a task that failed or was late earned nothing."""
    return float("nan") if tasks is None else ratio(float(tasks["quality"].sum()), len(tasks))


def tasks_done(requests: pd.DataFrame, tasks: pd.DataFrame | None = None) -> float:
    """Return the share of tasks whose last step was answered in time, whatever they earned."""
    return float("nan") if tasks is None else ratio(float((tasks["fate"] == "done").sum()), len(tasks))


def cost_per_task_usd(requests: pd.DataFrame, tasks: pd.DataFrame | None = None) -> float:
    """Return the mean cost of a task in USD, with all calls of all its steps."""
    return float("nan") if tasks is None else ratio(float(tasks["cost_usd"].sum()), len(tasks))


def cost_per_success_usd(requests: pd.DataFrame, tasks: pd.DataFrame | None = None) -> float:
    """Return the cost of all tasks in USD over what they earned together; NaN if they earned nothing."""
    return float("nan") if tasks is None else ratio(float(tasks["cost_usd"].sum()), float(tasks["quality"].sum()))


def mean_task_s(requests: pd.DataFrame, tasks: pd.DataFrame | None = None) -> float:
    """Return the mean time from the arrival of a task to the end of its last step, of tasks that were done."""
    return float("nan") if tasks is None or not len(done_s(tasks)) else float(done_s(tasks).mean())


def p95_task_s(requests: pd.DataFrame, tasks: pd.DataFrame | None = None) -> float:
    """Return the 95th percentile of that time."""
    return float("nan") if tasks is None or not len(done_s(tasks)) else float(np.percentile(done_s(tasks), 95))


def switches_per_task(requests: pd.DataFrame, tasks: pd.DataFrame | None = None) -> float:
    """Return how often a task went on at another deployment than the step before, on average."""
    return float("nan") if tasks is None else ratio(float(tasks["switches"].sum()), len(tasks))


def cached_input_share(requests: pd.DataFrame, tasks: pd.DataFrame | None = None) -> float:
    """Return the share of all input tokens of tasks that a deployment still held from the step before."""
    if tasks is None:
        return float("nan")
    return ratio(float(tasks["cached_tokens"].sum()), float(tasks["input_tokens"].sum()))


def done_s(tasks: pd.DataFrame) -> FloatArray:
    """Return how long each task took (n,) that was done."""
    done = tasks[tasks["fate"] == "done"]
    return numbers(done, "ended_at_s") - numbers(done, "arrived_at_s")
