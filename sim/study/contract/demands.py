"""Demands that two runs are alike, and says in one line where they are not."""

from __future__ import annotations

import numpy as np

from sim.interface import Estimates, IntArray
from sim.study.contract.worlds import Made, Run


def demand_same(decisions: Made, others: Made, until_s: float, saw: str) -> None:
    """Raise AssertionError for the first query up to a time on which two runs decided differently."""
    in_order = sorted(decisions.items(), key=lambda made: (made[1][0], made[0]))
    for (number, n_calls), (time_s, decision) in in_order:
        if time_s <= until_s and others.get((number, n_calls)) != (time_s, decision):
            what = "decision on" if n_calls == 0 else f"review after {n_calls} call{'s' * (n_calls > 1)} of"
            raise AssertionError(f"the {what} query {number}, at {time_s:.6g} s, would have been another: {saw}")


def demand_same_run(run: Run, other: Run, saw: str) -> None:
    """Raise AssertionError for the first query on which two runs decided differently, or if their tables differ."""
    (requests, calls, decisions), (again, calls_again, others) = run, other
    demand_same(decisions, others, np.inf, f"it saw {saw}")
    same_calls = calls is calls_again or (calls is not None and calls_again is not None and calls.equals(calls_again))
    if not (requests.equals(again) and same_calls):
        raise AssertionError(f"the record depends on {saw}")


def demand_equal(estimates: Estimates, others: Estimates, rows: IntArray, when: str) -> None:
    """Raise AssertionError unless the first of the other estimates are those of ``rows``."""
    for what, known, other in zip(("quality", "cost"), estimates, others, strict=True):
        for row, before, after in zip(rows.tolist(), known[rows], other[: len(rows)], strict=True):
            if not np.array_equal(before, after):
                raise AssertionError(f"the estimator's {what} of row {row} changes {when}: it looks at other rows")
