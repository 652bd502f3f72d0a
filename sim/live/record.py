"""Writes what happens at a gateway, a JSON object a line, as it happens. It knows no policy.

The first line (``kind: day``) says what was known beforehand; then come ``query``, ``answer``, ``failure`` and
``score``, in order of their times. docs/live.md has every key. ``scenarios.recorded.day`` reads it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sim.interface import Setting

VERSION = 1


@dataclass(frozen=True)
class Origin:
    """Where a day's history and estimates come from, so that the record can be simulated.

    Parameters
    ----------
    policy : str
        Its name, for people; a simulation runs whichever it is told to.
    history : str or None
        The table that the estimator learned from.
    embeddings : str or None
        Where the history's embeddings are from: a ``.npy`` file, ``hashing``, or None for what the table says.
    columns : sequence of str
        For each deployment, its model in that table.
    prices_usd : sequence of (float, float)
        What each deployment charges for an input and an output token; that stands in the place of the table's costs
        where the table has output tokens. Empty for the table's costs.
    """

    policy: str = ""
    history: str | None = None
    embeddings: str | None = None
    columns: Sequence[str] = ()
    prices_usd: Sequence[tuple[float, float]] = ()


class Record:
    """A file that grows by a line with each event; what was written is whole even if the process ends at once.

    Parameters
    ----------
    path : str or Path
    setting : Setting
    mode : str
        ``live`` or ``shadow``.
    seed : int
    origin : Origin

    Raises
    ------
    FileExistsError
        If there is such a file already: a record is never written over.
    """

    def __init__(self, path: str | Path, setting: Setting, mode: str, seed: int, origin: Origin) -> None:
        self.path = Path(path)
        if self.path.exists():
            raise FileExistsError(f"record is {self.path}, which is there already; give each day a file of its own")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("x", encoding="utf-8", buffering=1)  # a line at a time
        self.write(
            "day",
            {
                "version": VERSION,
                "mode": mode,
                "policy": origin.policy,
                "begun": datetime.now(UTC).isoformat(timespec="seconds"),
                "deployments": [info.name for info in setting.fleet],
                "budgets_usd": [None if math.isinf(amount) else amount for amount in setting.budgets.tolist()],
                "expected_queries": setting.horizon,
                "seed": seed,
                "history": origin.history,
                "history_embeddings": origin.embeddings,
                "history_models": list(origin.columns),
                "token_prices_usd": [list(prices) for prices in origin.prices_usd],
            },
        )

    def write(self, kind: str, values: Mapping[str, Any]) -> None:
        """Add a line; numbers keep every digit."""
        self._file.write(json.dumps({"kind": kind, **values}, allow_nan=False, separators=(",", ":")) + "\n")

    def close(self) -> None:
        """Write no more."""
        self._file.close()
