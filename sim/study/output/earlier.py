"""Decides whether a command may write where earlier results lie. It knows manifests, not what they are about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sim.study.output.directory import earlier_manifest
from sim.study.output.finished import differing

ABOUT_NO_RESULT = ("out", "command", "store", "launcher")  # keys that results do not depend on
MOST_KEYS = 4


def check_replaceable(out: Path, verb: str, config: Mapping[str, Any]) -> None:
    """Raise FileExistsError if ``out`` holds anything but an earlier output of the same command, or nothing.

    The same command has the same configuration or the same words. So newer code may replace what older code made, even
    if a default is another now.

    Parameters
    ----------
    out : Path
    verb : str
    config : mapping
        As plain values; ``command``, if it is there, has the words.
    """
    earlier = earlier_manifest(out)
    if earlier is None:
        return
    if earlier["verb"] != verb:
        raise FileExistsError(refusal(out, f"an output of {earlier['verb']}"))
    theirs = earlier.get("config", {})
    found = list(differing(described(theirs), described(config)))
    if found and not is_same_command(theirs, config):
        changed = [f"{key} ({before} there, {now} here)" for key, before, now in found[:MOST_KEYS]]
        more = [f"{len(found) - MOST_KEYS} more keys"] if len(found) > MOST_KEYS else []
        raise FileExistsError(refusal(out, f"another output of {verb}, with other {', '.join([*changed, *more])}"))


def is_same_command(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> bool:
    """Return whether two configurations come from the same words, wherever their results go."""
    before, now = (list(config.get("command") or []) for config in (theirs, ours))
    return bool(now) and without_out(before) == without_out(now)


def without_out(words: Sequence[str]) -> list[str]:
    """Return the words of a command but for where its results go."""
    return [word for word in words if not word.startswith("out=")]


def described(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what results depend on."""
    return {key: value for key, value in config.items() if key not in ABOUT_NO_RESULT}


def refusal(out: Path, held: str) -> str:
    """Return the message that results cannot go to a directory."""
    return f"{out} holds {held}; choose another with out=DIR, or replace it with --overwrite"
