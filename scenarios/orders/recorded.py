"""Keeps an order that is on record: the data set's own, or one from a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from scenarios.readers.cells import whole_numbers
from scenarios.readers.files import read
from sim.errors import unknown
from sim.interface import IntArray
from sim.workload import Rows


def given(rows: Rows, rng: np.random.Generator) -> IntArray:
    """Keep the order of the data set."""
    return np.arange(len(rows))


@dataclass(frozen=True)
class Saved:
    """The order in a CSV or Parquet file, such as the ``worst_order.csv`` of an earlier output.

    The file has a line per place in order of arrival, with ``row``, the number of a test row from 0. With a column
    ``replication`` each replication has its own lines; without, all have the same order. Rows that the file leaves out
    do not arrive.

    Parameters
    ----------
    file : str

    Raises
    ------
    ValueError
        If the file cannot be read, has no such column or no line, a number cannot be, or a row comes twice. From
        ``arriving``, if the file has no such replication.
    OSError
        If there is no such file.
    """

    file: str
    rows_by_replication: dict[int, IntArray] = field(init=False, repr=False, compare=False)
    is_per_replication: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Read the file and check the numbers, once."""
        frame = read(Path(self.file))
        if "row" not in frame.columns:
            raise ValueError(f"{self.file}: " + unknown("column", "row", [str(column) for column in frame.columns]))
        if len(frame) == 0:
            raise ValueError(f"{self.file} has no lines; an order needs at least one")
        is_per_replication = "replication" in frame.columns
        rows = whole_numbers(frame, "row")
        replication = whole_numbers(frame, "replication") if is_per_replication else np.zeros(len(rows), np.int64)
        known = {int(number): rows[replication == number] for number in np.unique(replication)}
        for number, order in known.items():
            distinct, times = np.unique(order, return_counts=True)
            if (times > 1).any():
                raise ValueError(
                    f"row {distinct[times > 1][0]} comes {times.max()} times in replication {number} of {self.file}; "
                    "a saved order has each row at most once"
                )
        object.__setattr__(self, "rows_by_replication", known)
        object.__setattr__(self, "is_per_replication", is_per_replication)

    @property
    def files(self) -> tuple[Path, ...]:
        """What the order was read from, for the manifest."""
        return (Path(self.file),)

    def arriving(self, replication: int) -> IntArray:
        """Return the test rows (n_queries,) that arrive in a replication, in order of arrival."""
        number = replication if self.is_per_replication else 0
        if number not in self.rows_by_replication:
            raise ValueError(
                f"{self.file} has no replication {number}; "
                f"it has the orders of {len(self.rows_by_replication)} replications"
            )
        return self.rows_by_replication[number]

    def __call__(self, rows: Rows, rng: np.random.Generator) -> IntArray:
        """Return the places (n_queries,): ``arriving`` has put the rows in order."""
        return np.arange(len(rows))
