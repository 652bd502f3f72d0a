"""Spells out the words ``trace=FILE`` and ``record=FILE``. It reads no file.

``trace=events`` is no file: it asks for the event table, and stays as it is; ``trace=./events`` is a file of that name.
The first chooses times, lengths and order of one recorded trace; the second all of a day that a gateway recorded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import OverrideParseException
from omegaconf import DictConfig, OmegaConf

EVENTS = "events"
BRINGS = {"workload": "trace", "arrivals": "replay", "order": "given"}
OF_PROFILE = BRINGS | {"arrivals": "profile", "order": "resampled"}
SETS = {
    "workload.path": "trace",
    "workload.columns": "columns",
    "arrivals.path": "trace",
    "arrivals.columns": "columns",
    "arrivals.rate_scale": "rate_scale",
}
OF_BLOCKS = {"order.blocks.rows": "${trace_block}", "arrivals.by_row": "true"}
"""Keys of what it chooses, and the keys beside it that they take their values from."""


OF_RECORD = {"workload": "recorded", "workload.path": "${record}"}
RECORD_RESERVES = "reserve=estimate"  # as a gateway does, which knows no cost before the answer


def with_record(words: Sequence[str]) -> list[str]:
    """Return the overrides with all that ``record=FILE`` stands for; also ``workload=recorded`` reserves estimates.

    Raises
    ------
    ValueError
        If the words choose another workload, or a trace, beside a record.
    """
    given = values(words)
    record = given.get("record")
    for key in (*(("trace",) if given.get("trace") != EVENTS else ()), *OF_RECORD) if record is not None else ():
        if given.get(key, OF_RECORD.get(key)) != OF_RECORD.get(key):
            raise ValueError(f"record={record} brings its own workload; leave {key}={given[key]} out")
    brought = [] if record is None else [f"{key}={value}" for key, value in OF_RECORD.items() if key not in given]
    is_of_record = record is not None or given.get("workload") == OF_RECORD["workload"]
    return [*words, *brought, *([RECORD_RESERVES] if is_of_record and "reserve" not in given else [])]


def with_trace(words: Sequence[str]) -> list[str]:
    """Return the overrides with all that ``trace=FILE`` stands for, if it is among them.

    With ``arrivals=profile`` the times are not replayed: those of the trace's rates by hour are drawn, and its lengths.
    The values stay where they are and are referred to, so that a sweep may vary them. An order may be another one; a
    note then says that the lengths come at other times than their own.

    Raises
    ------
    ValueError
        If the words choose another workload or other arrivals, or set what the trace sets.
    """
    given = values(words)
    if given.get("trace") in (None, EVENTS):
        return list(words)
    brings = OF_PROFILE if given.get("arrivals") == OF_PROFILE["arrivals"] else BRINGS
    for group, option in brings.items():
        if group != "order" and given.get(group, option) != option:
            raise ValueError(
                f"trace={given['trace']} brings its own {group}, {group}={option}; leave {group}={given[group]} out"
            )
    for key, source in SETS.items():
        if key in given:
            raise ValueError(f"trace={given['trace']} sets {key}; leave {key} out, or set {source}")
    chosen = {group: option for group, option in brings.items() if group not in given}
    values_of = {key: f"${{{source}}}" for key, source in SETS.items()}
    if given.get("trace_block") is not None:
        if brings is OF_PROFILE:
            raise ValueError(
                f"trace_block={given['trace_block']} draws blocks of recorded times, and arrivals=profile draws every "
                "time anew; leave one of the two out"
            )
        if "order" in given:
            raise ValueError(
                f"trace_block={given['trace_block']} brings order=blocks; leave order={given['order']} out"
            )
        chosen["order"] = "blocks"
        values_of |= OF_BLOCKS
    return [*words, *(f"{key}={value}" for key, value in (chosen | values_of).items())]


def values(words: Sequence[str]) -> Mapping[str, object]:
    """Return the values of the keys that matter here, by key; nothing if Hydra cannot read one, which it then says."""
    keys = ("trace", "trace_block", "record", "reserve", *BRINGS, *SETS)
    wanted = [word for word in words if word.partition("=")[0].lstrip("+") in keys]
    parser = OverridesParser.create(GlobalHydra.instance().config_loader())
    try:
        return {word.get_key_element().lstrip("+"): word.value() for word in parser.parse_overrides(wanted)}
    except OverrideParseException:
        return {}


def check_trace(config: DictConfig) -> None:
    """Raise ValueError if a configuration has keys of a trace and no trace, or has one that was no word.

    Raises
    ------
    ValueError
    """
    if "trace" not in config:
        return
    if config.record is not None and OmegaConf.select(config, "workload.path") != config.record:
        raise ValueError(f"record={config.record} is a word of the command line and does nothing in a YAML")
    if config.trace in (None, EVENTS):
        beside = {"columns": None, "rate_scale": 1, "trace_block": None}
        for key in (key for key, without in beside.items() if config[key] != without):
            raise ValueError(f"{key} is for a recorded trace, and there is none: give one with trace=FILE")
    elif OmegaConf.select(config, "arrivals.path") != config.trace:
        raise ValueError(f"trace={config.trace} is a word of the command line and does nothing in a YAML")
