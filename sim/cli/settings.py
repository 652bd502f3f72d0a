"""Lists the top-level keys of every verb with the kinds of their values, as whatever reads them has them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict, get_type_hints

from sim.cli.sweeping.launchers import Launcher
from sim.interface import Estimator, Policy
from sim.scenario import Event, Scenario
from sim.study.fit.limits import Limits
from sim.study.ratio.worst_order import WorstOrder
from sim.study.theory.conditions import System


class OracleSettings(TypedDict):
    """Which bounds a study computes, and what the published one predicts with."""

    names: Sequence[str]
    estimator: Estimator


class Settings:
    """What no class of the toolkit has as a field."""

    trace: str | None
    rate_scale: float
    columns: Mapping[str, str] | None
    seed: int
    replications: int | None
    roundings: int
    unfit: str
    out: str | None
    warm_up: float | str | None
    policy: Mapping[str, Policy]
    estimator: Estimator | None
    metric: Mapping[str, Callable[..., Any]] | None
    order: Mapping[str, Callable[..., Any] | WorstOrder] | None
    overwrite: bool
    reports: bool
    events: Mapping[str, Event] | None
    search: Any
    launcher: Launcher
    oracle: OracleSettings
    sizes: Sequence[int | None]
    half_width: float
    min_replications: int
    max_replications: int
    reference: str | None
    targets: Sequence[str] | str
    confidence: float
    beyond: bool
    trace_block: int | None
    record: str | None
    suggest: str | None
    needs: Sequence[str] | str
    duration: float | str | None
    moments: int
    classes: Mapping[str, Mapping[str, Any]] | None
    tenants: Mapping[str, float] | None
    axes: Mapping[str, Any]
    knobs: Mapping[str, Mapping[str, Sequence[float]]]
    store: str | None
    service: str
    requests: Sequence[str] | str
    name: str
    model: str | None
    price_per_hour_usd: float | None
    price_input_usd_per_million: float | None
    price_output_usd_per_million: float | None
    evaluations: int
    as_of: str | int | float
    systems: Sequence[str]
    system: System | None
    customers: int
    quick: bool
    quick_customers: int
    batches: int
    directories: Sequence[str]
    policies: Sequence[str] | None
    replication: int
    queries: int
    reasons: bool
    metrics: Sequence[str] | None
    margin: float
    command: Sequence[str]
    tables: Sequence[str]
    orders: Sequence[str]
    seeds: Sequence[int]
    words_of_table: Mapping[str, Sequence[str]]
    frozen: str | None
    story: Mapping[str, Any]
    folder: str | None
    source: str | None
    embedder: str | None
    tokenizer: str
    known: Mapping[str, Any]
    default_folder: Any
    files: Sequence[str]
    format: str | None
    duplicates: str
    prices: str | None
    price_as: Mapping[str, str] | None
    read: Any


@functools.cache
def hints() -> dict[str, Any]:
    """Return the annotation of every top-level key, of whatever verb."""
    return {**get_type_hints(Scenario), **get_type_hints(Limits), **get_type_hints(Settings)}
