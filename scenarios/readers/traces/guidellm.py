"""Reads GuideLLM's ``benchmarks.json``: benchmarks, each with its requests by how they ended.

``benchmarks[].requests`` has the lists ``successful``, ``incomplete`` and ``errored``; the last two have failed. A
request has ``prompt_tokens`` and ``output_tokens``, ``request_start_time`` (seconds since 1970; ``start_time`` in old
versions), ``time_to_first_token_ms`` and ``request_latency`` (seconds). Several benchmarks follow each other in one
trace. Verified: the schemas of GuideLLM 0.8.1. Not verified: a file; the names of versions before 0.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scenarios.readers.formats import Format
from scenarios.readers.opened import JSON, Opened
from scenarios.readers.traces.measured import each, recorded
from scenarios.readers.traces.recorded import INPUT, OUTPUT, RUN, Recorded

STATUSES = ("successful", "incomplete", "errored")


def is_mine(opened: Opened) -> bool:
    """Return whether the object has a list of benchmarks."""
    return opened.kind == JSON and isinstance(opened.value, dict) and isinstance(opened.value.get("benchmarks"), list)


def read(opened: Opened) -> Recorded:
    """Return the requests of all benchmarks.

    Raises
    ------
    ValueError
        If a benchmark has no requests by status.
    """
    records: list[Any] = []
    failed: list[bool] = []
    run: list[int] = []
    benchmarks = opened.value["benchmarks"]
    for number, benchmark in enumerate(benchmarks):
        requests = benchmark.get("requests") if isinstance(benchmark, dict) else None
        if not isinstance(requests, dict):
            raise ValueError(f"benchmark {number} of {opened.path} has no requests, by {', '.join(STATUSES)}")
        for status in STATUSES:
            there = requests.get(status) or []
            records += there
            failed += [status != "successful"] * len(there)
            run += [number] * len(there)
    made = each(opened, records, request)
    if len(benchmarks) > 1:
        made = [{**one, RUN: number} for one, number in zip(made, run, strict=True)]
    said = [f"the file has {len(benchmarks)} benchmarks, which follow each other"] if len(benchmarks) > 1 else []
    return recorded(opened, made, failed, said=said)


def request(one: Mapping[str, Any]) -> dict[str, Any]:
    """Return one request."""
    first_ms = one.get("time_to_first_token_ms")
    return {
        INPUT: one.get("prompt_tokens"),
        OUTPUT: one.get("output_tokens"),
        "arrival": one.get("request_start_time", one.get("start_time")),
        "first_s": None if first_ms is None else first_ms / 1000,
        "last_s": one.get("request_latency"),
    }


GUIDELLM = Format("guidellm", "GuideLLM benchmarks", is_mine, read)
