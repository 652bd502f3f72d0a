"""Marks which deployments a run has offered queries to, at which caps, and which have answered.

That is what a policy may know of outcomes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

import numpy as np
import pandas as pd

from sim.interface import BoolArray, Decision
from sim.study.contract.worlds import Made, Told, World


def offered(requests: pd.DataFrame, calls: pd.DataFrame | None, decisions: Made, n_deployments: int) -> BoolArray:
    """Mark the deployments that each query was offered to (n_queries, n_deployments).

    They are the choices of each of its calls in turn up to the one that served it, and all of them if the call was
    offered more than once. Of a query that a cache answered they are those whose answer it was.
    """
    marks = np.zeros((len(requests), n_deployments), dtype=np.bool_)
    for number, choice, _ in offers(requests, calls, decisions):
        marks[number, choice] = True
    return marks | given_again(requests, calls, marks.shape)


def offers(
    requests: pd.DataFrame, calls: pd.DataFrame | None, decisions: Made
) -> Iterator[tuple[int, int, int | None]]:
    """Yield each query, a deployment that it was offered to, and the cap of the answer that was asked for."""
    asked = requests[requests["fate"] != "cached"]
    tried = asked.assign(query=asked["id"], place=0) if calls is None else calls
    is_first_try = (tried["fate"] == "served") & (tried["offered_at_s"] == tried["decided_at_s"])
    n_calls = [0] * len(requests)  # so far
    for number, place, served_by, stops in zip(
        tried["query"], tried["place"], tried["deployment"].cat.codes, is_first_try, strict=True
    ):
        _, decision = decisions[number, n_calls[number] - place]
        n_calls[number] += 1
        assert isinstance(decision, Decision)  # of which the call was one
        choices = decision.alongside[place - 1 : place] if place else (decision.deployment, *decision.fallbacks)
        for choice in choices:
            if choice is None:
                break
            yield number, choice, decision.max_output_tokens
            if stops and choice == served_by:
                break


def told_by_caps(world: World, requests: pd.DataFrame, calls: pd.DataFrame | None, decisions: Made) -> Told:
    """Return what a run could tell of each answer: the whole of it, or its score at the caps beside the decision's.

    A score between two caps tells of both, or of the cap below and the whole answer, if that ends before the next cap.
    """
    instance, caps = world.instance, world.instance.scenario.workload.caps
    tokens, marks = instance.output_tokens, offered(requests, calls, decisions, len(instance.fleet))
    whole, at_caps = ~marks, np.zeros((*marks.shape, len(caps)), dtype=np.bool_)
    for number, choice, cap in offers(requests, calls, decisions):
        n_whole = 0 if tokens is None else int(tokens[number, choice])
        if cap is None or cap >= n_whole:
            whole[number, choice] = True
            continue
        place = bisect_left(caps, cap)
        if place < len(caps) and caps[place] == cap:
            at_caps[number, choice, place] = True
            continue
        if place > 0:
            at_caps[number, choice, place - 1] = True
        if place < len(caps) and caps[place] < n_whole:
            at_caps[number, choice, place] = True
        else:
            whole[number, choice] = True
    return Told(whole, at_caps)


def given_again(requests: pd.DataFrame, calls: pd.DataFrame | None, shape: tuple[int, ...]) -> BoolArray:
    """Mark the deployments whose stored answer each query got from a cache (n_queries, n_deployments)."""
    marks, cached = np.zeros(shape, dtype=np.bool_), (requests["fate"] == "cached").to_numpy()
    if cached.any():
        served = requests[requests["fate"] == "served"]
        whose = kept(served.assign(query=served["id"], kept=True) if calls is None else calls, shape)
        marks[cached] = whose[requests.loc[cached, "answer_of"].to_numpy(dtype=np.int64)]
    return marks


def kept(calls: pd.DataFrame, shape: tuple[int, ...]) -> BoolArray:
    """Mark the deployments whose answer each query kept (n_queries, n_deployments)."""
    return marked(calls[calls["kept"]], shape)


def answered(calls: pd.DataFrame, moment_s: float, shape: tuple[int, ...]) -> BoolArray:
    """Mark the deployments that had answered each query by a moment (n_queries, n_deployments)."""
    return marked(calls[calls["finished_at_s"] <= moment_s], shape)


def marked(calls: pd.DataFrame, shape: tuple[int, ...]) -> BoolArray:
    """Mark where these calls were served (n_queries, n_deployments)."""
    marks = np.zeros(shape, dtype=np.bool_)
    marks[calls["query"], calls["deployment"].cat.codes] = True
    return marks
