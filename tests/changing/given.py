"""What the answer that a user got is worth, recomputed from the truth, the events and the tables of a run."""

import numpy as np
import pandas as pd

from scenarios.quality_events import Practice, QualityChange
from sim.instance import Instance
from sim.interface import FloatArray, IntArray
from sim.study.experiment import Run

NEAR_S = 1e-9  # of a moment at which something changes, or of another answer: who was first is not known


def given_scores(run: Run, rows: IntArray) -> FloatArray:
    """Return the score of the one answer that each query got (n_queries,), by its test row.

    NaN where it got none, several or one that was cut, and where the tables do not tell which answer came first.
    """
    if run.calls is None:
        return scores_of(run.requests, rows, run.instance)
    calls = run.calls
    query, kept = calls["query"].to_numpy(), calls["kept"].to_numpy(dtype=np.bool_)
    scores = scores_of(calls, rows[query], run.instance)
    alone = kept & (np.bincount(query[kept], minlength=len(rows))[query] == 1)
    found = np.full(len(rows), np.nan)
    found[query[alone]] = scores[alone]
    return found


def scores_of(work: pd.DataFrame, rows: IntArray, instance: Instance) -> FloatArray:
    """Return the score of each answer of a table (n,); its test rows are ``rows`` (n,)."""
    ended_s, k = work["finished_at_s"].to_numpy(), work["deployment"].cat.codes.to_numpy()
    names = [info.name for info in instance.setting.fleet]
    scores = np.where(work["fate"] == "served", instance.quality[rows, k], np.nan)
    scores[work["max_output_tokens"].notna().to_numpy()] = np.nan
    factor = np.ones(len(work))
    for event in instance.scenario.events:
        if isinstance(event, Practice):
            for of in range(len(names)) if event.deployment is None else [names.index(event.deployment)]:
                here = np.flatnonzero((work["fate"] == "served").to_numpy() & (k == of))
                here = here[np.argsort(ended_s[here], kind="stable")]
                lacks = np.maximum(event.behind - event.gain * np.arange(1, len(here) + 1), 0.0)
                scores[here] = np.maximum(scores[here] - lacks, 0.0)
                close = np.diff(ended_s[here]) <= NEAR_S
                scores[here[:-1][close]] = scores[here[1:][close]] = np.nan
        elif isinstance(event, QualityChange):
            end_s = np.inf if event.for_s is None else event.at_s + event.for_s
            here = np.ones(len(work), np.bool_) if event.deployment is None else k == names.index(event.deployment)
            factor[here & (ended_s > event.at_s) & (ended_s <= end_s)] *= event.factor
            near = (np.abs(ended_s - event.at_s) <= NEAR_S) | (np.abs(ended_s - end_s) <= NEAR_S)
            scores[here & near] = np.nan
    return np.minimum(scores * factor, 1.0)
