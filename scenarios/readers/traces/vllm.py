"""Reads what ``vllm bench serve --save-result --save-detailed`` writes: one JSON object of lists, a place a request.

``input_lens``, ``output_lens``, ``ttfts`` and ``itls`` (seconds), ``errors`` (a text, empty where all went well) and,
in newer versions, ``start_times`` (of the client's clock). A request with an error has failed. Verified: the code that
writes the object, in copies of ``vllm/benchmarks/serve.py``. Not verified: a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scenarios.readers.formats import Format
from scenarios.readers.opened import JSON, LINES, Opened
from scenarios.readers.traces.measured import each, recorded
from scenarios.readers.traces.recorded import INPUT, OUTPUT, Recorded

LENGTHS, ANSWERS, FIRSTS, GAPS, STARTS, ERRORS = "input_lens", "output_lens", "ttfts", "itls", "start_times", "errors"
SUMMARY = ("request_throughput", "mean_ttft_ms")


def is_mine(opened: Opened) -> bool:
    """Return whether the object has the lists, or the figures of the same benchmark without them."""
    keys = set(opened.columns) if opened.kind in (JSON, LINES) else set()
    return {LENGTHS, ANSWERS} <= keys or set(SUMMARY) <= keys


def read(opened: Opened) -> Recorded:
    """Return the requests.

    Raises
    ------
    ValueError
        If the lists are not there or not of one length, or a file of lines has several benchmarks.
    """
    if opened.kind == LINES and len(opened.records) > 1:
        raise ValueError(f"{opened.path} has {len(opened.records)} benchmarks, one a line; keep one of them in a file")
    found = opened.value if opened.kind == JSON else opened.first
    if not isinstance(found, dict) or LENGTHS not in found or ANSWERS not in found:
        raise ValueError(
            f"{opened.path} has the benchmark's summary and no single requests; "
            "run vllm bench serve with --save-result --save-detailed"
        )
    lists = lists_of(opened, found)
    requests, failed = answers(opened, lists)
    return recorded(opened, requests, failed)


def lists_of(opened: Opened, found: dict[str, Any]) -> dict[str, list[Any]]:
    """Return the lists that an object has, by name; raise ValueError if they are not of one length."""
    if not isinstance(found[LENGTHS], list):
        raise ValueError(f"{LENGTHS!r} of {opened.path} is a {type(found[LENGTHS]).__name__}; it must be a list")
    lists = {name: found[name] for name in (LENGTHS, ANSWERS, FIRSTS, GAPS, STARTS, ERRORS) if found.get(name)}
    for name, values in lists.items():
        if not isinstance(values, list) or len(values) != len(found[LENGTHS]):
            size = f"{len(values)} entries" if isinstance(values, list) else f"a {type(values).__name__}"
            raise ValueError(
                f"{name!r} of {opened.path} is {size}; it must be a list of {len(found[LENGTHS])}, one a request"
            )
    return lists


def answers(opened: Opened, lists: dict[str, list[Any]]) -> tuple[list[Mapping[str, Any]], list[bool]]:
    """Return the requests of lists, and which of them have failed."""
    rows = list(range(len(lists.get(LENGTHS, ()))))
    failed = [bool(lists[ERRORS][row]) if ERRORS in lists else False for row in rows]
    return each(opened, rows, lambda row: request(lists, row)), failed


def request(lists: dict[str, list[Any]], row: int) -> dict[str, Any]:
    """Return one request; its last token comes when all gaps between tokens have passed."""
    first_s = lists[FIRSTS][row] if FIRSTS in lists else None
    gaps_s = lists[GAPS][row] if GAPS in lists else None
    last_s = first_s + sum(gaps_s) if isinstance(first_s, int | float) and isinstance(gaps_s, list) else None
    return {
        INPUT: lists[LENGTHS][row],
        OUTPUT: lists[ANSWERS][row] if ANSWERS in lists else None,
        "arrival": lists[STARTS][row] if STARTS in lists else None,
        "first_s": first_s,
        "last_s": last_s,
    }


VLLM = Format("vllm", "vllm bench serve, detailed", is_mine, read)
