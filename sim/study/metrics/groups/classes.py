"""Measures the queries of one class, or of each, by any figure of the queries alone. It knows no policy.

The figure of a class stands in a column such as ``p95_first_token_s[interactive]``.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sim.errors import unknown
from sim.interface import FloatArray
from sim.study.metrics.counting import Metric, ended_at_s, is_cached, is_served, numbers, ratio

CLASS, SUFFIX = "class", "_by_class"
"""What ``by`` says in the YAML of a metric of each class, and how its name ends."""


@dataclass(frozen=True)
class OfClass:
    """A metric of the queries of one class.

    Parameters
    ----------
    metric : callable
        Of a request table, and of whatever else but the fleet.
    name : str
        Of the class.
    """

    metric: Metric
    name: str

    @property
    def __signature__(self) -> inspect.Signature:
        """That of the metric, by which it is handed its tables."""
        return inspect.signature(self.metric)

    def __call__(self, requests: pd.DataFrame, **tables: Any) -> float:
        """Return the figure."""
        return self.metric(requests[(requests["class"] == self.name).to_numpy(dtype=np.bool_)], **tables)


@dataclass(frozen=True)
class OfEachClass:
    """A metric of each class, which ``by_column`` puts into a column a class."""

    metric: Metric

    def __call__(self, requests: pd.DataFrame) -> float:
        """Return the figure of all queries together."""
        return self.metric(requests)


def of_each_class(metric: Metric) -> OfEachClass:
    """Return a metric of each class."""
    return OfEachClass(metric)


def by_column(metrics: Mapping[str, Metric], names: Sequence[str]) -> Iterator[tuple[str, Metric]]:
    """Yield the metrics by their columns: one of each class has a column for each of the classes of these names."""
    for column, metric in metrics.items():
        if isinstance(metric, OfEachClass):
            for name in names:
                yield f"{column.removesuffix(SUFFIX)}[{name}]", OfClass(metric.metric, name)
        else:
            yield column, metric


def split(column: str) -> tuple[str, str | None]:
    """Return the figure that a column has, and of which class it is; None for all queries.

    >>> split("p95_latency_s[batch]"), split("p95_latency_s")
    (('p95_latency_s', 'batch'), ('p95_latency_s', None))
    """
    figure, bracket, name = column.partition("[")
    return (figure, name.removesuffix("]")) if bracket else (column, None)


def check_figure(figure: str, metric: Metric) -> None:
    """Raise ValueError for a figure that no class has, as it is of the fleet."""
    if "fleet" in inspect.signature(metric).parameters:
        raise ValueError(f"{figure} is of the whole fleet, so no class has one; leave the class in brackets out")


def check_class(name: str, names: Sequence[str]) -> None:
    """Raise ValueError for a class that the queries do not have."""
    if not names:
        raise ValueError(f"class {name!r} is asked for, and the queries have no classes: give classes={{NAME: ...}}")
    if name not in names:
        raise ValueError(unknown("class", name, names))


def deadline_met_share(requests: pd.DataFrame) -> float:
    """Return the share of the arrivals with a deadline that were answered by then; NaN if none has one.

    The deadline is the query's own (``due_s`` after its arrival); an answer is there with its last token.
    """
    due_s: FloatArray = numbers(requests, "due_s")
    has_one = np.isfinite(due_s)
    answered = is_served(requests) | is_cached(requests)
    taken_s = ended_at_s(requests) - numbers(requests, "arrived_at_s")
    return ratio(float((answered & has_one & (taken_s <= due_s)).sum()), float(has_one.sum()))
