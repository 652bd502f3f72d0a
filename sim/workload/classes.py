"""Gives the queries of a workload their class and their tenant, by shares. It knows no fleet and no clock.

A class is traffic of one kind, such as interactive or batch. A tenant is whoever sends a query.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from sim.errors import UnreadableError, check_name, check_number, unknown
from sim.interface import FloatArray, IntArray
from sim.workload.rows import Rows
from sim.workload.workload import Workload

OFF_BY = 1e-9  # by how much shares may miss 1
MOST_PRICE = 1e6


@dataclass(frozen=True)
class TrafficClass:
    """What the queries of one class have in common.

    Parameters
    ----------
    share : float or None
        Of all queries, above 0; the shares of all classes sum to 1. None where the workload says itself which class
        each query has.
    priority : int or None
        0 is the most urgent; None for what the workload says, or 0.
    due_s : float or None
        Time from arrival to the deadline; None for what the workload says, or no deadline.
    price : float
        What its queries cost in USD, as a multiple of what they cost otherwise: 0.5 is half the price.

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    share: float | None = None
    priority: int | None = None
    due_s: float | None = None
    price: float = 1.0


def read_classes(given: Mapping[str, Mapping[str, Any]] | None) -> dict[str, TrafficClass]:
    """Return classes from plain values, by name; raise ValueError for a key or a number that cannot be."""
    classes, known = {}, [field.name for field in fields(TrafficClass)]
    for name, values in (given or {}).items():
        key = f"classes.{name}"
        check_name("class", name)
        for word in values or {}:
            if word not in known:
                raise ValueError(unknown("key", f"{key}.{word}", [f"{key}.{one}" for one in known]))
        for word, value in (values or {}).items():
            is_whole = isinstance(value, int) or (word != "priority" and isinstance(value, float))
            if value is not None and (isinstance(value, bool) or not is_whole):
                kind = "a whole number" if word == "priority" else "a number"
                raise ValueError(f"{key}.{word} is {value!r}; it must be {kind}")
        one = TrafficClass(
            **{word: value for word, value in (values or {}).items() if (word, value) != ("price", None)}
        )
        check_number(f"{key}.priority", one.priority, least=0, null="for what the workload says")
        check_number(f"{key}.due_s", one.due_s, least=0, null="for no deadline")
        check_number(f"{key}.price", one.price, least=0, most=MOST_PRICE)
        classes[str(name)] = one
    return classes


def classified(
    workload: Workload,
    classes: Mapping[str, TrafficClass],
    tenants: Mapping[str, float],
    rng: np.random.Generator,
) -> Workload:
    """Return the workload with a class and a tenant for every test query, which it keeps in every replication.

    Parameters
    ----------
    workload : Workload
    classes : mapping of str to TrafficClass
        With shares, each query (of tasks, each task) is of one of them at random, independently; without, they say
        what the classes that the workload has are like. Empty for none.
    tenants : mapping of str to float
        The share of each. Empty for none, or those that the workload has.
    rng : Generator

    Raises
    ------
    ValueError
        If shares are missing, do not sum to 1, or the workload has classes or tenants already, or not those named.
    """
    test, units = workload.test, np.arange(len(workload.test))
    if test.steps is not None:
        units = np.unique(test.steps.task.astype(str), return_inverse=True)[1]
    drawn = rng.random((2, int(units.max()) + 1))
    if tenants:
        shares = checked_shares("tenants", dict(tenants), ".NAME")
        refuse_column(test.tenant, "tenant", "tenants")
        test = replace(test, tenant=np.array(list(tenants), dtype=object)[places(shares, drawn[1])[units]])
    if classes:
        names = list(classes)
        if test.class_name is None:
            shares = checked_shares("classes", {name: one.share for name, one in classes.items()}, ".NAME.share")
            place = places(shares, drawn[0])[units]
        else:
            if any(one.share is not None for one in classes.values()):
                refuse_column(test.class_name, "class", "the shares of classes")
            place = named_places(test, names)
        test = described(test, list(classes.values()), np.array(names, dtype=object), place)
    return replace(workload, test=test)


def described(test: Rows, classes: list[TrafficClass], names: np.ndarray[Any, np.dtype[Any]], place: IntArray) -> Rows:
    """Return the rows with what their classes say: the class of row i is number ``place[i]``, -1 for none."""
    of_row = np.arange(len(test)), place
    priority, due_s = test.priority, test.due_s
    known = [one.priority for one in classes]
    if any(one is not None for one in known):
        theirs = np.zeros(len(test), dtype=np.int64) if priority is None else priority
        priority = np.column_stack([theirs if one is None else np.full(len(test), one) for one in (*known, None)])[
            of_row
        ]
    limits_s = [one.due_s for one in classes]
    if any(one is not None for one in limits_s):
        theirs_s = np.full(len(test), math.inf) if due_s is None else due_s
        due_s = np.column_stack([theirs_s if one is None else np.full(len(test), one) for one in (*limits_s, None)])[
            of_row
        ]
    price: FloatArray = np.array([*(one.price for one in classes), 1.0])[place]
    return replace(
        test,
        class_name=names[place] if test.class_name is None else test.class_name,
        priority=priority,
        due_s=due_s,
        price=test.price if (price == 1).all() else price,
    )


def checked_shares(key: str, shares: Mapping[str, float | None], where: str) -> FloatArray:
    """Return shares in their order; raise ValueError unless all are there, above 0, and sum to 1."""
    for name, share in shares.items():
        place = key + where.replace("NAME", str(name))
        check_name(key.removesuffix("es").removesuffix("s"), name)
        if share is None:
            raise UnreadableError(f"{place} has no value; every class has a share, and together they are 1")
        check_number(place, share, above=0, most=1)
    total = math.fsum(share for share in shares.values() if share is not None)
    if abs(total - 1) > OFF_BY:
        each = " + ".join(f"{share:g}" for share in shares.values())
        raise UnreadableError(f"the shares of {key} sum to {total:g} ({each}); they must sum to 1")
    return np.array(list(shares.values()), dtype=np.float64)


def places(shares: FloatArray, uniform: FloatArray) -> IntArray:
    """Return which share each number in [0, 1) falls to (n,)."""
    return np.minimum(np.searchsorted(shares.cumsum(), uniform, side="right"), len(shares) - 1)


def named_places(test: Rows, names: list[str]) -> IntArray:
    """Return the place of each row's class among the names, -1 for one that is not; raise ValueError for one unused."""
    theirs = class_names(test)
    for name in names:
        if name not in theirs:
            raise ValueError(unknown("class of the workload", name, theirs))
    place = {name: k for k, name in enumerate(names)}
    assert test.class_name is not None  # the caller has looked
    return np.array([place.get(str(name), -1) for name in test.class_name], dtype=np.int64)


def refuse_column(column: object, name: str, what: str) -> None:
    """Raise ValueError if the workload has a column already."""
    if column is not None:
        raise ValueError(f"the workload has a column {name!r}, which says what {what} would draw; leave {what} out")


def class_names(test: Rows) -> list[str]:
    """Return the names of the classes that queries have, in order; none where they have no classes."""
    return [] if test.class_name is None else sorted({str(name) for name in test.class_name})
