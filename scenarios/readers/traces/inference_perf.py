"""Reads inference-perf's report of single requests, and says what is missing where a report has only percentiles.

``per_request_lifecycle_metrics.json`` is a list of ``start_time``, ``end_time`` (seconds), ``info`` with
``input_tokens``, ``output_tokens`` and ``output_token_times``, and ``error`` (null where all went well). Verified: a
summary (kubernetes-sigs/inference-perf), and the code that writes the list. Not verified: such a list.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scenarios.readers.formats import Format
from scenarios.readers.opened import JSON, Opened
from scenarios.readers.traces.measured import each, recorded
from scenarios.readers.traces.recorded import INPUT, OUTPUT, Recorded


def is_mine(opened: Opened) -> bool:
    """Return whether the file is a list of lifecycles, or a summary of them."""
    if opened.kind != JSON:
        return False
    return {"load_summary", "successes"} <= set(opened.columns) or {"start_time", "info"} <= set(opened.first)


def read(opened: Opened) -> Recorded:
    """Return the requests; those with an error have failed.

    Raises
    ------
    ValueError
        If the file is a summary.
    """
    if not isinstance(opened.value, list):
        raise ValueError(
            f"{opened.path} has percentiles and no single requests, so there is nothing to replay; needed is "
            "per_request_lifecycle_metrics.json: run inference-perf with report.request_lifecycle.per_request: true"
        )
    requests = each(opened, opened.records, request)
    return recorded(opened, requests, [one.get("error") is not None for one in opened.records])


def request(one: Mapping[str, Any]) -> dict[str, Any]:
    """Return one request; a failed one may have no counts."""
    info, start = one.get("info") or {}, one["start_time"]
    tokens_at = info.get("output_token_times") or []
    end = tokens_at[-1] if tokens_at else one.get("end_time")
    return {
        INPUT: info.get("input_tokens"),
        OUTPUT: info.get("output_tokens"),
        "arrival": start,
        "first_s": tokens_at[0] - start if tokens_at else None,
        "last_s": None if end is None else end - start,
    }


INFERENCE_PERF = Format("inference_perf", "inference-perf single requests", is_mine, read)
