"""Puts numbers and scenarios in words, for sentences. It knows configurations as plain values."""

from __future__ import annotations

import json
import math
import re
import textwrap
from collections.abc import Container, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any


def plus_minus(mean: float, half_width: float) -> str:
    """Return a mean with its half-width, two digits of it; four digits of the mean where there is no interval.

    >>> plus_minus(1246.3, 47.2), plus_minus(-0.51234, 0.0123), plus_minus(17.25, math.nan)
    ('1,246 +- 47', '-0.512 +- 0.012', '17.25')
    """
    if not (half_width > 0 and math.isfinite(half_width)):
        return number(mean)
    decimals = max(0, 1 - math.floor(math.log10(half_width)))
    return f"{mean:,.{decimals}f} +- {half_width:,.{decimals}f}"


def number(value: float) -> str:
    """Return a number to four digits, or to whole numbers.

    >>> number(1246.3), number(0.0123456), number(0.0)
    ('1,246', '0.01235', '0')
    """
    return f"{value:,.0f}" if 1000 <= abs(value) < math.inf else f"{value:.4g}"


def listed(words: Sequence[str]) -> str:
    """Return words as a list in a sentence.

    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else ""


def left_out(skipped: Mapping[str, str]) -> list[str]:
    """Return a sentence for each reason for which policies do not run.

    >>> left_out({"steer": "the workload has no tasks", "bopo": "the workload has no tasks", "cascade": "it is Monday"})
    ['steer and bopo do not run, as the workload has no tasks.', 'cascade does not run, as it is Monday.']
    """
    sentences = []
    for why in dict.fromkeys(skipped.values()):
        names = [name for name, reason in skipped.items() if reason == why]
        sentences.append(f"{listed(names)} {'does' if len(names) == 1 else 'do'} not run, as {why}.")
    return sentences


LONGEST_NAME, OF_A_PANEL = 40, 24  # letters, in a drawing and in a line above a panel
SHOWN = "; the published one loses it, and oracle.names=[published_optimum] shows that"
REFUSED = {
    "lost": "a query that a deployment refuses is lost, as published and as for every policy here",
    "fallback": f"a query that a deployment refuses goes to its next choice, as for policies that name one{SHOWN}",
    "wait": f"a query that a deployment refuses goes to its next choice or waits, as for policies{SHOWN}",
}


def reference(column: str, exhausted: str) -> str:
    """Return a sentence on what a ratio to the approximate optimum divides by.

    >>> reference("relative_quality", "lost").partition(":")[0]
    'relative_quality divides by the replayed approximate optimum'
    """
    return f"{column} divides by the replayed approximate optimum: {REFUSED[exhausted]}."


def several(n: int, one: str, more: str | None = None) -> str:
    """Return a number of things; ``more`` is their plural, by default with an s.

    >>> several(1, "policy", "policies"), several(2000, "replication")
    ('1 policy', '2,000 replications')
    """
    return f"{n:,} {one if n == 1 else more or f'{one}s'}"


def part(node: Mapping[str, Any] | None) -> str:
    """Return what a node of the configuration makes, with its plain settings.

    >>> part({"_target_": "scenarios.budgets.Weighted", "total": 1.0, "unit": "usd", "of": {"a": 1}, "no": None})
    'Weighted (total 1.0, unit usd)'
    """
    if not node:
        return "none"
    kind = str(node.get("_target_", "unknown")).rpartition(".")[2]
    plain = [
        f"{key} {value}"
        for key, value in node.items()
        if not key.startswith("_") and isinstance(value, bool | int | float | str)
    ]
    return f"{kind} ({', '.join(plain)})" if plain else kind


def in_currency(text: str, config: Mapping[str, Any]) -> str:
    """Return a text with the name of the money that a configuration has, in the place of USD.

    >>> in_currency("5 USD an hour", {"spending": {"currency": "EUR"}})
    '5 EUR an hour'
    """
    return re.sub(r"\bUSD\b", str((config.get("spending") or {}).get("currency", "USD")), text)


def scenario(config: Mapping[str, Any], fleet: str | None = None) -> str:
    """Return what was simulated, as a line below a question; the fleet comes first where it says what it is."""
    workload = str((config.get("workload") or {}).get("_target_", "unknown")).rpartition(".")[2]
    orders = listed([name.replace("_", " ") for name in config.get("order") or {}])
    words = [
        f"workload {workload}",
        f"order {orders}",
        f"budget {part(config.get('budget'))}",
        f"arrivals {part(config.get('arrivals'))}",
    ]
    if config.get("classes"):
        words.append(f"classes {listed([*map(str, config['classes'])])}")
    if config.get("cache"):
        words.append(f"cache {part(config['cache'])}")
    if config.get("window"):
        words.append(f"window {part(config['window'])}")
    limits = (config.get("spending") or {}).get("limits")
    if limits:
        words.append(f"limits {listed([f'{name} {limit_of(limit)}' for name, limit in limits.items()])}")
    if config.get("events"):
        words.append(f"events {listed([part(event) for event in config['events'].values()])}")
    sentences = [*([fleet] if fleet else []), "; ".join(words)]
    return " ".join(f"{line[0].upper()}{line[1:]}." for line in sentences)


def limit_of(given: object) -> str:
    """Return a limit of spending as it was given, a mapping by its values.

    >>> limit_of("100 USD a day"), limit_of({"amount": 5, "every": "day", "soft": True})
    ('100 USD a day', '(amount 5, every day, soft True)')
    """
    if isinstance(given, Mapping):
        return f"({', '.join(f'{key} {value}' for key, value in given.items())})"
    return str(given)


def searched(folder: Path) -> str:
    """Return what a search for the worst order found, to follow a sentence; nothing where there was none."""
    path = folder / "worst_order.json"
    if not path.is_file():
        return ""
    worst = json.loads(path.read_text())
    return (
        f" The order is the worst of {worst['evaluations']:,} tried for {worst['policy']}: a ratio of "
        f"{worst['ratio']:.3f}, where random order gives {worst['random_ratio']:.3f}."
    )


def heading(order: str) -> str:
    """Return an order's name with blanks, where a narrow column can break it."""
    return order.replace("_", " ")


def shortened(name: str) -> str:
    """Return a name for a drawing, without the middle of one that is very long.

    >>> shortened("port"), shortened("a" * 30 + "b" * 30)
    ('port', 'aaaaaaaaaaaaaaaaaaa...bbbbbbbbbbbbbbbbbb')
    """
    kept = LONGEST_NAME - len("...")
    return name if len(name) <= LONGEST_NAME else f"{name[: kept - kept // 2]}...{name[-(kept // 2) :]}"


def above_a_panel(name: str) -> str:
    r"""Return a name for the title of a panel, in two lines where it is long.

    >>> above_a_panel("port_exact"), above_a_panel("the_policy_of_somebody_else")
    ('port_exact', 'the_policy_of_somebody_e\nlse')
    """
    return textwrap.fill(shortened(name), OF_A_PANEL)


def value(of_an_axis: object) -> str:
    """Return the value of an axis as text."""
    return f"{of_an_axis:g}" if isinstance(of_an_axis, float) else str(of_an_axis)


def pair(row: Mapping[Hashable, Any]) -> str:
    """Return the name of the two policies that a row compares."""
    return str(row["policy_a"]) if row["policy_a"] == row["policy_b"] else f"{row['policy_a']} - {row['policy_b']}"


def total_cost(columns: Container[str]) -> str:
    """Return the column with what all of it cost; outputs of earlier versions have no rent in it."""
    return "total_cost_usd" if "total_cost_usd" in columns else "cost_usd"
