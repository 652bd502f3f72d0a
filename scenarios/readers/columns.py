"""Says which column of a table is what: of a model, of the queries, or not read. It reads no cell.

A model m has its score in the column ``m``, its cost in ``m|total_cost`` and, optionally, ``m|output_tokens`` and the
signals ``m|confidence``, ``m|latency_s``, ``m|energy_j``; what is predicted of it in ``m|quality_hat`` and
``m|cost_hat``; of a step of a task, ``m|cached_cost``; and in ``m@CAP`` its
score where its answer is cut at CAP output tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from sim.errors import near, note, unknown
from sim.workload.rows import SIGNALS

COST, TOKENS = "total_cost", "output_tokens"
HATS = ("quality_hat", "cost_hat")
OF_NO_USE = ("model_response", "input_tokens")
SUFFIXES = (COST, TOKENS, *SIGNALS, *HATS, "cached_cost", *OF_NO_USE)
STEP_COLUMNS = ("task", "step", "tool_s", "cached_tokens")
PREFIX_COLUMNS = ("prefix_blocks", "session")
QUERY_COLUMNS = (
    *("prompt", "source", "split", "input_tokens", "priority", "due_s", "preference", "class", "tenant"),
    *STEP_COLUMNS,
    *PREFIX_COLUMNS,
)
LABELS = ("index", "sample_id", "eval_name", "arrival_s")  # known and of no use here; arrivals=replay reads the last
MEANT = {COST: COST, "cost": COST, TOKENS: TOKENS, "tokens": TOKENS, "score": ""}
"""Words that people write after the bar, and the suffix they mean; a score has none."""
ALIKE = 0.75  # how near a suffix must be to one of those words to be taken for a misspelling
HYDRA_WORDS = ("null", "true", "false", "nan", "inf")  # which mean something else than a text
MOST_NAMED = 20  # columns in one line


def find_models(
    columns: Sequence[str], models: Sequence[str] | None, exclude: Sequence[str], where: str = ""
) -> list[str]:
    """Return the names of the models to read, and note the columns that are not read.

    Parameters
    ----------
    columns : sequence of str
        Of the table.
    models : sequence of str or None
        The models to keep, in this order; None for all, in the order of their columns.
    exclude : sequence of str
        Models to leave out, of those that ``models`` names if it names any.
    where : str
        The table's name, for the end of a message.

    Raises
    ------
    ValueError
        If a name is unknown, a suffix is misspelt, a model lacks its score or its cost, or no model is left.
    """
    whole = [column for column in columns if f"{column}|{COST}" in columns]
    suffixes = suffixes_by_model(columns, whole)
    if not suffixes:
        raise ValueError(
            f"the table has no model: a model m needs the columns 'm' and 'm|{COST}'; "
            f"the columns are {listed([*map(repr, columns)])}{where}"
        )
    if models is not None and not models:
        raise ValueError(f"workload.models is empty; name at least one of {', '.join(suffixes)}, or null for all")
    for name in (*(models or ()), *exclude):
        if name not in suffixes:
            if name in columns and name not in exclude:
                check_model(name, (), columns, where)
            raise ValueError(unknown("model", name, list(suffixes)) + where)
    kept = [name for name in (suffixes if models is None else models) if name not in exclude]
    if not kept:
        raise ValueError(f"workload.exclude leaves none of {', '.join(models or suffixes)}; leave out fewer{where}")
    for name in sorted(kept, key=lambda name: name in columns):  # a misspelt score is the cause of a missing cost
        check_model(name, suffixes[name], columns, where)
    tell_ignored(columns, suffixes, kept, where)
    return kept if models is not None else [name for name in whole if name in kept]


def suffixes_by_model(columns: Sequence[str], whole: Sequence[str]) -> dict[str, list[str]]:
    """Return what stands after the bar in the columns of every model, also of one without its score or its cost."""
    suffixes: dict[str, list[str]] = {}
    for column in columns:
        name, bar, suffix = column.rpartition("|")
        has_score = name in columns and name not in (*QUERY_COLUMNS, *LABELS)
        if bar and column not in whole and (has_score or suffix in (COST, TOKENS)):
            suffixes.setdefault(name, []).append(suffix)
    return suffixes


def caps_of(columns: Sequence[str], models: Sequence[str]) -> dict[str, dict[int, str]]:
    """Return the columns with scores of cut answers, ``m@CAP``, of each model that has any, by their caps.

    >>> caps_of(["yi", "yi@50", "yi@120", "yi@all"], ["yi"])
    {'yi': {50: 'yi@50', 120: 'yi@120'}}
    """
    found: dict[str, dict[int, str]] = {}
    for column in columns:
        model, at, cap = column.rpartition("@")
        if at and model in models and column not in models and re.fullmatch(r"[1-9]\d{0,8}", cap):
            found.setdefault(model, {})[int(cap)] = column
    return found


def check_model(name: str, suffixes: Sequence[str], columns: Sequence[str], where: str) -> None:
    """Raise ValueError if a column of a model seems misspelt, or its score or cost is missing."""
    for suffix in suffixes:
        alike = [] if suffix in SUFFIXES else near(suffix, list(MEANT), cutoff=ALIKE)
        if alike:
            meant = MEANT[alike[0]]
            right = f"{name}|{meant}" if meant else name
            raise ValueError(
                f"unknown column suffix {suffix!r} in column {f'{name}|{suffix}'!r}; did you mean {right!r}?{where}"
            )
    out = f"{where}; {exclusion([name])} leaves the model out"
    if name not in columns:
        column = f"{name}|{COST if COST in suffixes else TOKENS}"
        raise ValueError(f"column {column!r} has no score column: " + unknown("column", name, columns) + out)
    if COST not in suffixes:
        raise ValueError(f"model {name!r} has no cost: a column {f'{name}|{COST}'!r} is needed{out}")


def tell_ignored(columns: Sequence[str], suffixes: dict[str, list[str]], kept: Iterable[str], where: str) -> None:
    """Note the columns that are not read, but for those of models that are left out."""
    read = {*QUERY_COLUMNS, *LABELS, *suffixes}
    read |= {f"{name}|{suffix}" for name in kept for suffix in SUFFIXES}
    read |= {f"{name}|{suffix}" for name in suffixes if name not in kept for suffix in suffixes[name]}
    read |= {column for of_model in caps_of(columns, list(suffixes)).values() for column in of_model.values()}
    ignored = [column for column in columns if column not in read]
    if ignored:
        are = "column is" if len(ignored) == 1 else "columns are"
        note(f"{len(ignored)} {are} not read: {listed([described(column, columns) for column in ignored])}{where}")


def listed(words: Sequence[str]) -> str:
    """Return words as a list in a sentence, of which only the first are shown if there are many."""
    more = f" and {len(words) - MOST_NAMED} more" if len(words) > MOST_NAMED else ""
    return ", ".join(words[:MOST_NAMED]) + more


def described(column: str, columns: Sequence[str]) -> str:
    """Return the name of a column, with the column that it may be meant for, if the table lacks that one."""
    name, bar, suffix = column.rpartition("|")
    lacking = [name for name in QUERY_COLUMNS if name not in columns]
    signals = {signal: f"{name}|{signal}" for signal in (*SIGNALS, *HATS) if f"{name}|{signal}" not in columns}
    meant = [signals[alike] for alike in near(suffix, list(signals), cutoff=ALIKE)] if bar else []
    meant = meant or near(column, lacking, cutoff=ALIKE)
    return f"{column!r}" + (f" (did you mean {meant[0]!r}?)" if meant else "")


def exclusion(names: Sequence[str]) -> str:
    """Return the words of the command line that leave models out, in quotes for the shell if a name needs them.

    >>> exclusion(["gpt-4", "yi"])
    'workload.exclude=[gpt-4,yi]'
    """
    plain = [re.fullmatch(r"[A-Za-z_][\w./@-]*", name) and name.lower() not in HYDRA_WORDS for name in names]
    words = [name if is_plain else quoted(name) for name, is_plain in zip(names, plain, strict=True)]
    line = f"workload.exclude=[{','.join(words)}]"
    return line if all(plain) else f'"{line}"'


def quoted(name: str) -> str:
    """Return a name as a text in Hydra's grammar of overrides."""
    escaped = name.replace("'", "\\'")
    return f"'{escaped}'"
