"""Reads AIPerf's ``profile_export.jsonl``: a record a request, with its metrics and their units.

``metadata`` has ``request_start_ns`` (since 1970) and ``benchmark_phase``, whose ``warmup`` is left out; ``metrics``
has ``input_sequence_length``, ``output_sequence_length``, ``time_to_first_token`` and ``request_latency``, each as
``value`` and ``unit``; ``error`` is null where all went well. Verified: the record's schema and the
metrics' names in AIPerf 0.13.0. Not verified: a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scenarios.readers.formats import Format
from scenarios.readers.opened import LINES, Opened
from scenarios.readers.traces.measured import each, recorded
from scenarios.readers.traces.recorded import INPUT, OUTPUT, Recorded

PER_SECOND = 1e9
UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "sec": 1.0, "s": 1.0}


def is_mine(opened: Opened) -> bool:
    """Return whether a record has metadata with a start, and metrics."""
    metadata = opened.first.get("metadata") if opened.kind == LINES else None
    return isinstance(metadata, dict) and "request_start_ns" in metadata and "metrics" in opened.first


def read(opened: Opened) -> Recorded:
    """Return the requests after the warm-up; those with an error have failed."""
    records = [one for one in opened.records if not is_warmup(one)]
    n_warmup = len(opened.records) - len(records)
    said = [f"{n_warmup} requests of the warm-up are left out"] if n_warmup else []
    failed = [one.get("error") is not None for one in records]
    requests = each(opened, records, request)
    return recorded(opened, requests, failed, PER_SECOND, said)


def is_warmup(one: Mapping[str, Any]) -> bool:
    """Return whether a record is of the warm-up."""
    metadata = one.get("metadata")
    return isinstance(metadata, dict) and metadata.get("benchmark_phase") == "warmup"


def request(one: Mapping[str, Any]) -> dict[str, Any]:
    """Return one request."""
    metrics = one["metrics"] if isinstance(one["metrics"], dict) else {}
    return {
        INPUT: value(metrics, "input_sequence_length"),
        OUTPUT: value(metrics, "output_sequence_length"),
        "arrival": one["metadata"]["request_start_ns"],
        "first_s": value(metrics, "time_to_first_token"),
        "last_s": value(metrics, "request_latency"),
    }


def value(metrics: Mapping[str, Any], name: str) -> Any:
    """Return a metric, times in seconds; None if the record lacks it."""
    metric = metrics.get(name)
    if metric is None:
        return None
    return metric["value"] * UNITS.get(metric.get("unit"), 1.0)


AIPERF = Format("aiperf", "AIPerf records", is_mine, read)
