"""Reads what SGLang's ``bench_serving --output-details`` appends to its file: JSON lines, a run a line.

A line has vLLM's lists ``input_lens``, ``output_lens``, ``ttfts``, ``itls`` and ``errors``, and beside them the
arguments (``request_rate``, ``max_concurrency``) and ``total_output_tokens_retokenized``. There are no start times.
Where the rate is infinite they are known all the same: requests begin in the order of the lists, ``max_concurrency`` of
them at once (all of them without it), each further one when one of those in flight has ended. Where every run is so,
the runs follow each other a second apart; where one is not, the file has no times. Verified: the code that writes the
line, in copies of ``sglang/bench_serving.py``. Not verified: a file.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from typing import Any

from scenarios.readers.formats import Format
from scenarios.readers.opened import JSON, LINES, Opened
from scenarios.readers.traces.measured import recorded
from scenarios.readers.traces.recorded import RUN, Recorded
from scenarios.readers.traces.vllm import ANSWERS, LENGTHS, answers, lists_of

MARKS = {"total_output_tokens_retokenized", "sharegpt_output_len"}  # which vLLM's benchmark does not write
RATE, CONCURRENCY = "request_rate", "max_concurrency"
APART_S = 1.0


def is_mine(opened: Opened) -> bool:
    """Return whether an object has what only this benchmark writes."""
    return opened.kind in (JSON, LINES) and bool(MARKS & set(opened.columns))


def read(opened: Opened) -> Recorded:
    """Return the requests of all runs.

    Raises
    ------
    ValueError
        If a run has no lists, or lists that are not of one length.
    """
    runs = [opened.value] if isinstance(opened.kind == JSON and opened.value, dict) else opened.records
    requests: list[Mapping[str, Any]] = []
    failed: list[bool] = []
    begins_s = 0.0
    has_times = all(is_closed(run) for run in runs)
    for number, run in enumerate(runs):
        if LENGTHS not in run or ANSWERS not in run:
            raise ValueError(
                f"run {number} of {opened.path} has the benchmark's summary and no single requests; "
                "run sglang.bench_serving with --output-details"
            )
        made, lost = answers(opened, lists_of(opened, run))
        if len(runs) > 1:
            made = [{**one, RUN: number} for one in made]
        if has_times:
            takes_s = [0.0 if gone else last_s(one) for one, gone in zip(made, lost, strict=True)]
            starts_s = [begins_s + start_s for start_s in starts(takes_s, run.get(CONCURRENCY))]
            made = [{**one, "arrival": start_s} for one, start_s in zip(made, starts_s, strict=True)]
            ends_s = [start_s + take_s for start_s, take_s in zip(starts_s, takes_s, strict=True)]
            begins_s = max(ends_s, default=begins_s) + APART_S
        requests += made
        failed += lost
    said = ["requests begin as those before them end, as the rate was infinite"] if has_times else []
    said += [f"the file has {len(runs)} runs, which follow each other"] if len(runs) > 1 and has_times else []
    return recorded(opened, requests, failed, said=said)


def is_closed(run: Mapping[str, Any]) -> bool:
    """Return whether requests were sent as fast as those in flight allowed."""
    rate = run.get(RATE)
    return rate == "inf" or (isinstance(rate, float) and math.isinf(rate))


def last_s(request: Mapping[str, Any]) -> float:
    """Return when a request ended, in seconds from its beginning; 0 if that is not known."""
    found = request["last_s"]
    return float(found) if isinstance(found, int | float) else 0.0


def starts(takes_s: Sequence[float], at_once: int | None) -> list[float]:
    """Return when each of some requests begins, of which at most so many are in flight at once.

    >>> starts([3.0, 1.0, 1.0, 1.0], 2)
    [0.0, 0.0, 1.0, 2.0]
    """
    in_flight: list[float] = []
    found = []
    for take_s in takes_s:
        start_s = heapq.heappop(in_flight) if at_once is not None and len(in_flight) >= at_once else 0.0
        heapq.heappush(in_flight, start_s + take_s)
        found.append(start_s)
    return found


SGLANG = Format("sglang", "SGLang bench_serving, detailed", is_mine, read)
