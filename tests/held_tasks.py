"""What holds for the tasks of every run, recomputed from the truth and the tables: steps, costs, limits, rewards."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.interface import TOLERANCE, FloatArray, IntArray
from sim.study.experiment import Run
from tests.changing.given import given_scores

SLACK_S = 1e-9


def test_rows(run: Run) -> IntArray:
    """The test row of each query (n_queries,)."""
    named = run.instance.table_row
    by_name = np.argsort(named)
    return by_name[np.searchsorted(named[by_name], run.requests["row"].to_numpy())]


test_rows.__test__ = False  # type: ignore[attr-defined]  # it is no test


def true_costs(run: Run, rows: IntArray) -> FloatArray:
    """What each query costs at each deployment (n_queries, n_deployments): less where the step before was answered."""
    cost_usd, tasks, requests = run.instance.cost_usd[rows], run.instance.tasks, run.requests
    if tasks is None:
        return cost_usd
    answered_by: dict[tuple[int, int], int] = {}
    facts = zip(requests["task"], requests["step"], requests["deployment"].cat.codes, strict=True)
    for number, (task, step, deployment) in enumerate(facts):
        last = answered_by.get((task, step - 1))
        if last is not None:
            cost_usd[number, last] = tasks.cached_cost_usd[rows[number], last]
        answered_by[task, step] = deployment
    return cost_usd


def hold_tasks(run: Run, rows: IntArray) -> None:
    """Steps follow their answers and tools, money and time are within limits, and tasks earn what their answers do."""
    instance, requests, tasks = run.instance, run.requests, run.tasks
    assert instance.tasks is not None
    assert tasks is not None
    limits, reward = instance.scenario.task, instance.scenario.workload.reward
    given = given_scores(run, rows)
    due_s = np.inf if limits.deadline_s is None else limits.deadline_s
    assert len(tasks) == len(instance.gaps_s)
    facts: Any
    for task, facts in enumerate(tasks.itertuples()):
        steps = requests[requests["task"] == task].sort_values("step")
        whole = instance.rows[instance.tasks.begins[task] : instance.tasks.begins[task + 1]]
        taken = rows[steps["id"].to_numpy()]
        assert taken.tolist() == whole[: len(steps)].tolist()
        arrived_s, ended_s = steps["arrived_at_s"].to_numpy(), steps["ended_at_s"].to_numpy()
        tool_s = instance.tasks.steps.tool_s
        slack_s = SLACK_S * (1 + ended_s.max())
        assert np.allclose(arrived_s[1:], ended_s[:-1] + tool_s[taken[1:]], rtol=0, atol=slack_s)
        took_s = facts.ended_at_s - facts.arrived_at_s
        if facts.fate == "done":
            assert len(steps) == len(whole)
            assert took_s <= due_s + slack_s
            scores = given[steps["id"].to_numpy()]
            assert np.isnan(scores).any() or abs(facts.quality - reward(scores)) < SLACK_S
        else:
            assert facts.quality == 0
        if facts.fate == "late":
            following = whole[len(steps) : len(steps) + 1]
            assert took_s + tool_s[following].sum() >= due_s - slack_s
        if limits.budget_usd is not None and instance.scenario.reserve == "true_cost":
            assert facts.cost_usd <= limits.budget_usd * (1 + TOLERANCE) + 1e-15
