"""Spells words of the command line so that Hydra can read them, and hints at those that were meant.

It knows no configuration.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path

OPTIONAL = ("window", "cache", "events", "estimator", "metric", "experiment")  # groups of which nothing need be chosen
COMPARISON = re.compile("[<>]")


def quoted(word: str) -> str:
    """Return an override as Hydra can read it: comparisons in quotes, and a group that is null left out.

    >>> quoted("targets=[p95_latency_s<=2,served_share>=1]")
    "targets=['p95_latency_s<=2','served_share>=1']"
    >>> quoted("window=null")
    '~window'
    """
    key, _, value = word.partition("=")
    if key in OPTIONAL and value in ("null", "[]"):
        return f"~{key}"
    if not COMPARISON.search(value) or "'" in value or '"' in value:
        return word
    return f"{key}=[{','.join(repr(item.strip()) for item in value.strip().strip('[]').split(','))}]"


def with_plain_words(words: Sequence[str], key: str) -> list[str]:
    """Return overrides in which the words without a key, or that are directories, have become the list of that key.

    >>> with_plain_words(["results", "older results", "out=difference"], "directories")
    ['out=difference', "directories=['results','older results']"]
    """
    plain = [word for word in words if "=" not in word or Path(word).is_dir()]
    overrides = [word for word in words if word not in plain]
    quoted = ["'" + word.replace("'", "\\'") + "'" for word in plain]
    return [*overrides, f"{key}=[{','.join(quoted)}]"] if plain else overrides


def of_own_estimators(overrides: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the words, and apart from them those that set keys of estimators that policies bring themselves.

    Without ``estimator=NAME``, ``estimator.k=2`` is for the estimator of every chosen policy that has a ``k``.
    """
    if any(word.partition("=")[0] == "estimator" for word in overrides):
        return list(overrides), []
    own = [word for word in overrides if word.startswith("estimator.")]
    return [word for word in overrides if word not in own], own


def nearest(word: str, known: Sequence[str]) -> str:
    """Return a hint at the nearest known words, or at all of them if they are few."""
    near = difflib.get_close_matches(word, sorted(set(known)), n=3, cutoff=0.6)
    if near:
        return f"; did you mean {' or '.join(near)}?"
    return f"; known: {', '.join(known)}" if known and len(known) <= 20 else ""
