"""Reads LLMPerf's individual responses: a JSON list, a record a request.

``number_input_tokens``, ``number_output_tokens``, ``ttft_s``, ``end_to_end_latency_s``, ``error_code`` (null where all
went well). There are no arrival times: the tool keeps a fixed number of requests in flight. Verified:
ray-project/llmperf-leaderboard, ``individual_responses.json``.
"""

from __future__ import annotations

from scenarios.readers.formats import Format
from scenarios.readers.opened import JSON, LINES, Opened
from scenarios.readers.traces.measured import each, recorded
from scenarios.readers.traces.recorded import INPUT, OUTPUT, Recorded

NEEDED = {"number_input_tokens", "number_output_tokens", "ttft_s"}


def is_mine(opened: Opened) -> bool:
    """Return whether the first record has both token counts and the time to the first token."""
    return opened.kind in (JSON, LINES) and set(opened.first) >= NEEDED


def read(opened: Opened) -> Recorded:
    """Return the requests; those with an error code have failed."""
    requests = each(
        opened,
        opened.records,
        lambda one: {
            INPUT: one["number_input_tokens"],
            OUTPUT: one["number_output_tokens"],
            "first_s": one["ttft_s"],
            "last_s": one.get("end_to_end_latency_s"),
        },
    )
    return recorded(opened, requests, [one.get("error_code") is not None for one in opened.records])


LLMPERF = Format("llmperf", "LLMPerf individual responses", is_mine, read)
