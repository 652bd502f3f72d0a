"""Reads GenAI-Perf's ``profile_export.json``, the low-level export of Triton's Perf Analyzer.

``experiments[].requests`` have ``timestamp`` and ``response_timestamps`` (nanoseconds), ``request_inputs`` with the
payload as a JSON text, and ``response_outputs``, the texts of the stream. There are no token counts: those of a
stream's ``usage`` are taken where the server sent them; else the input is estimated from the payload's texts, four
characters a token, and the output is the number of responses. A request without a response has failed. Several
experiments follow each other. The summary ``profile_export_genai_perf.json`` is refused. Verified: GenAI-Perf's own
reader of the file (triton-inference-server/perf_analyzer) and its documentation. Not verified: a file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from scenarios.readers.formats import Format
from scenarios.readers.opened import JSON, Opened
from scenarios.readers.traces.measured import ESTIMATED, each, recorded, tokens_of
from scenarios.readers.traces.recorded import INPUT, OUTPUT, RUN, Recorded

PER_SECOND = 1e9
SUMMARY = {"request_latency", "request_throughput"}


def is_mine(opened: Opened) -> bool:
    """Return whether the object has experiments, or is the summary of GenAI-Perf or of AIPerf."""
    keys = set(opened.columns) if opened.kind == JSON else set()
    return "experiments" in keys or keys >= SUMMARY


def read(opened: Opened) -> Recorded:
    """Return the requests of all experiments.

    Raises
    ------
    ValueError
        If the file is a summary, or has no requests as described above.
    """
    experiments = opened.value.get("experiments") if isinstance(opened.value, dict) else None
    if not isinstance(experiments, list):
        raise ValueError(
            f"{opened.path} has percentiles and no single requests; "
            "needed is profile_export.json of GenAI-Perf, or profile_export.jsonl of AIPerf, from the same folder"
        )
    records: list[Any] = []
    run: list[int] = []
    for number, experiment in enumerate(experiments):
        if not isinstance(experiment, dict) or not isinstance(experiment.get("requests"), list):
            raise ValueError(f"experiment {number} of {opened.path} has no list of requests")
        records += experiment["requests"]
        run += [number] * len(experiment["requests"])
    requests = each(opened, records, request)
    said = [f"the file has {len(experiments)} experiments, which follow each other"] if len(experiments) > 1 else []
    said += [ESTIMATED.replace("the texts", "the payload")] if any("estimated" in one for one in requests) else []
    if len(experiments) > 1:
        requests = [{**one, RUN: number} for one, number in zip(requests, run, strict=True)]
    return recorded(opened, requests, [not one["response_timestamps"] for one in records], PER_SECOND, said)


def request(one: Mapping[str, Any]) -> dict[str, Any]:
    """Return one request."""
    start, stamps = one["timestamp"], one["response_timestamps"]
    usage = next((found for found in map(usage_of, reversed(one["response_outputs"])) if found), {})
    made: dict[str, Any] = {
        INPUT: usage.get("prompt_tokens"),
        OUTPUT: usage.get("completion_tokens"),
        "arrival": start,
        "first_s": (stamps[0] - start) / PER_SECOND if stamps else None,
        "last_s": (stamps[-1] - start) / PER_SECOND if stamps else None,
    }
    if not usage:
        payload = one["request_inputs"].get("payload", "")
        made |= {INPUT: tokens_of("".join(texts(loaded(payload)))), OUTPUT: len(stamps), "estimated": True}
    return made


def usage_of(response: Mapping[str, Any]) -> dict[str, Any]:
    """Return the token counts that a response of a stream brings; nothing if it brings none."""
    text = str(response.get("response", ""))
    for line in text.splitlines():
        found = loaded(line.removeprefix("data: "))
        if isinstance(found, dict) and isinstance(found.get("usage"), dict):
            usage: dict[str, Any] = found["usage"]
            return usage
    return {}


def loaded(text: Any) -> Any:
    """Return what a JSON text says; what is no JSON as it is."""
    try:
        return json.loads(text)
    except (TypeError, json.JSONDecodeError):
        return text


def texts(payload: Any) -> Iterator[str]:
    """Yield the prompt, or what the messages say, of a payload."""
    if isinstance(payload, str):
        yield payload
    elif isinstance(payload, list):
        for one in payload:
            yield from texts(one)
    elif isinstance(payload, dict):
        for key in ("prompt", "messages", "content", "text", "text_input"):
            yield from texts(payload.get(key))


GENAI_PERF = Format("genai_perf", "GenAI-Perf profile export", is_mine, read)
