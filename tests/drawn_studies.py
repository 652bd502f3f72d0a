"""Studies of drawn command lines: put together without Hydra's third of a second, and run.

A node of each group is read once, and the nodes are put together as Hydra would; ``test_command_lines`` holds that the
same words give the same configuration through the command.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
from hydra import compose, initialize_config_module
from omegaconf import DictConfig, OmegaConf

from sim.cli.building import build_metrics, build_policies, build_scenario, settle_order
from sim.cli.configuration import build, put_estimator
from sim.instance import Instance, realise, stream
from sim.interface import Estimates, FloatArray, IntArray, Policy
from sim.scenario import Scenario
from sim.study.experiment import Run, replicate
from sim.study.metrics import Metric
from sim.study.oracles import BoundCache, EstimateCache, Oracle
from sim.traits import ArrivalsTraits
from sim.workload import Workload
from sim.world.record import frame
from sim.world.world import simulate

if TYPE_CHECKING:
    from tests.command_lines import Line

CONF = Path(__file__).resolve().parents[1] / "conf"
BASES = ("workload", "experiment")  # whose options may bring those of other groups
SEVERAL = ("policy", "order", "events", "metric")  # several of their options may be chosen at once
TICK_S = 1 / 64  # arrivals are whole multiples of it, so that no digit is lost when they move
Plain = dict[str, Any]


@functools.cache
def composed(*words: str) -> Plain:
    """What Hydra composes of some options, as plain values."""
    with initialize_config_module("conf", version_base="1.3"):
        config = compose("run", list(words))
    plain: Plain = OmegaConf.to_container(config, resolve=False)  # type: ignore[assignment]
    return plain


@functools.cache
def node(group: str, option: str) -> Plain:
    """What an option's file says, with the estimator that it asks for."""
    plain: Plain = OmegaConf.to_container(OmegaConf.load(CONF / group / f"{option}.yaml"), resolve=False)  # type: ignore[assignment]
    for default in plain.pop("defaults", []):
        for key, value in default.items() if isinstance(default, dict) else ():
            theirs, _, place = key.removeprefix("/").partition("@")
            name, _, last = place.partition(".")
            plain[name] = {**plain[name], last: node(theirs, value)}
    return plain


def assembled(groups: Mapping[str, str | tuple[str, ...]], keys: Plain) -> Plain:
    """The configuration of a line, as plain values."""
    config = copy.deepcopy(composed(*(f"{group}={groups[group]}" for group in BASES if group in groups)))
    for group, chosen in groups.items():
        if group in SEVERAL:
            parts = [node(group, option) for option in ([chosen] if isinstance(chosen, str) else chosen)]
            config[group] = {name: copy.deepcopy(value) for part in parts for name, value in part.items()}
        elif group not in BASES and not (group == "cache" and chosen == "none"):  # which leaves nothing
            config[group] = copy.deepcopy(node(group, str(chosen)))
    for key, value in keys.items():
        *path, last = key.lstrip("~+").split(".")
        place = config
        for name in path:
            place = place[name]
        if key.startswith("~"):
            del place[last]
        else:
            place[last] = list(value) if isinstance(value, tuple) else value
    return config


@functools.lru_cache(maxsize=64)
def workload_of(spec: str) -> Workload:
    """The workload of a node in YAML, made once."""
    made: Workload = build(cast(DictConfig, OmegaConf.create(spec)), "workload")
    return made


def made_of(keys: Plain) -> Workload:
    """The workload with these keys: of a table if they have a path, of tasks by steps, of sessions by turns."""
    of_workload = {key: value for key, value in keys.items() if key.startswith("workload.")}
    marks = {"workload.path": "table", "workload.mean_steps": "agent_tasks", "workload.mean_turns": "sessions"}
    option = next((name for key, name in marks.items() if key in of_workload), "synthetic")
    spec = assembled({"workload": option}, of_workload)["workload"]
    return workload_of(OmegaConf.to_yaml(OmegaConf.create(spec)))


def costs_of(keys: Plain) -> FloatArray:
    """What queries cost at each model in USD, in the order of the data set."""
    return made_of(keys).test.cost_usd


def topics_of(keys: Plain) -> tuple[str, ...]:
    """The topics that are in the history of a workload and among its queries."""
    rows = made_of(keys)
    assert rows.history.source is not None
    assert rows.test.source is not None
    return tuple(sorted(set(map(str, rows.history.source)) & set(map(str, rows.test.source))))


@functools.cache
def names_of(fleet: str, n_models: int) -> tuple[str, ...]:
    """The names of the deployments of a fleet on the synthetic workload."""
    sizes = {"n_queries": 50, "n_history": 30, "dim": 8, "n_models": n_models}
    models = made_of({f"workload.{key}": value for key, value in sizes.items()}).models
    made = build(OmegaConf.create(node("fleet", fleet)), "fleet").deployments(models, np.random.default_rng(0))
    return tuple(deployment.name for deployment in made)


@dataclass(frozen=True)
class Ticking:
    """Arrivals of another process, each at a whole tick, all moved by so many seconds."""

    inner: Any
    shift_s: float

    def times_s(self, n_queries: int, rng: np.random.Generator) -> FloatArray:
        return self.ticking(self.inner.times_s(n_queries, rng))

    @property
    def turn_times_s(self) -> Callable[[IntArray, np.random.Generator], FloatArray] | None:
        turn_times_s = ArrivalsTraits.of(self.inner).turn_times_s
        return None if turn_times_s is None else lambda session, rng: self.ticking(turn_times_s(session, rng))

    def ticking(self, times_s: FloatArray) -> FloatArray:
        return np.asarray(np.rint(times_s / TICK_S) * TICK_S + self.shift_s, dtype=np.float64)


@dataclass(frozen=True)
class Study:
    """A line's configuration, its scenario, and its one policy, by name and before any run."""

    config: Any
    scenario: Scenario
    name: str
    untouched: Policy
    metrics: Mapping[str, Metric]

    @property
    def seed(self) -> int:
        return int(self.config.seed)

    @property
    def is_closed(self) -> bool:
        """Whether users decide when queries arrive."""
        return ArrivalsTraits.of(self.scenario.arrivals).think_s is not None

    def policy(self) -> Policy:
        """A new policy."""
        return copy.deepcopy(self.untouched)

    def moved(self, shift_s: float) -> Scenario:
        """The scenario with all arrivals moved."""
        if self.is_closed:
            return self.scenario
        return replace(self.scenario, arrivals=Ticking(self.scenario.arrivals, shift_s))


def configuration(line: Line) -> Any:
    """The configuration that a line describes."""
    config = OmegaConf.create(assembled(line.groups, line.keys))
    put_estimator(config)
    return config


def study(line: Line) -> Study:
    """Build what a line describes."""
    config = configuration(line)
    workload = workload_of(OmegaConf.to_yaml(config.workload, resolve=True))
    name = str(line.groups["policy"])
    policy = build_policies(config)[name]
    scenario, _ = settle_order(build_scenario(config, workload), {name: copy.deepcopy(policy)}, config.seed)
    metrics = line.groups.get("metric", ("latency",))
    return Study(config, scenario, name, policy, metrics_of(tuple(metrics)))


@functools.cache
def metrics_of(options: tuple[str, ...]) -> dict[str, Metric]:
    """The metrics of some options."""
    nodes = {name: spec for option in options for name, spec in node("metric", option).items()}
    return build_metrics(OmegaConf.create({"metric": nodes}))


def measured(one: Study, scenario: Scenario, estimates: EstimateCache) -> Run:
    """Run as the command does, with every self-check."""
    config = one.config
    names = tuple(config.oracle.names)
    oracle = Oracle(names, build(config.oracle.estimator, "oracle.estimator") if names else None)
    *_, run = replicate(
        scenario,
        {one.name: one.policy()},
        one.seed,
        0,
        oracle,
        one.metrics,
        config.warm_up,
        estimates=estimates,
        bounds=BoundCache(),
    )
    return run


def record(policy: Policy, scenario: Scenario, seed: int, estimates: Estimates) -> tuple[pd.DataFrame, Instance]:
    """Run and return the table of requests alone."""
    instance = realise(scenario, seed, 0)
    return frame(simulate("drawn", policy, instance, estimates, stream(seed, 0, "policy")), instance), instance
