"""Random legal command lines of ``switchyard run``: drawn, put together without Hydra's third of a second, and run.

A line is words, options of groups and values of keys. Each option is composed once, and the parts are put together as
Hydra would; ``test_command_lines`` holds that the words give the same through the command.
"""

from __future__ import annotations

import copy
import functools
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hydra import compose, initialize_config_module
from hypothesis import strategies as st
from omegaconf import OmegaConf

from sim.cli.study import build_policies, build_scenario
from sim.deployment import Deployment
from sim.instance import Instance, realise, stream
from sim.interface import (
    Decision,
    Estimates,
    Estimator,
    Features,
    Feedback,
    FloatArray,
    History,
    Policy,
    Predictor,
    Query,
    Setting,
    State,
)
from sim.scenario import BudgetBasis, Scenario
from sim.study.experiment import BoundCache, EstimateCache, Oracle, Run, replicate
from sim.workload import Workload
from sim.world.trace import frame
from sim.world.world import simulate

CONF = Path(__file__).resolve().parents[1] / "conf"
NEEDS_A_FILE = {"workload": {"routerbench", "table", "trace"}, "order": {"saved"}}
SLOW = {"order": {"worst_of"}}  # it runs the world a hundred times
GLOBAL = ("workload",)  # whose options may bring others
SEVERAL = ("policy", "order", "events", "metric")  # several of their options may be chosen at once
TICK_S = 1 / 64  # arrivals are whole multiples of it, so that no digit is lost when they move


def options(group: str) -> list[str]:
    """The options of a group that need no file and run once."""
    left_out = NEEDS_A_FILE.get(group, set()) | SLOW.get(group, set())
    return sorted(path.stem for path in (CONF / group).glob("*.yaml") if path.stem not in left_out)


@dataclass(frozen=True)
class Line:
    """A command line: an option, or several, of each group, and values of keys in the order of writing."""

    groups: dict[str, str | tuple[str, ...]]
    keys: dict[str, Any] = field(default_factory=dict)

    @property
    def words(self) -> list[str]:
        """As they are typed."""
        chosen = [f"{group}={text(option)}" for group, option in self.groups.items()]
        return [*chosen, *(f"{key}={text(value)}" for key, value in self.keys.items())]

    def __str__(self) -> str:
        """Return it as it is pasted into a shell."""
        return "switchyard run " + " ".join(f"'{word}'" if set(word) & set("[]{}$*? ") else word for word in self.words)


def text(value: Any) -> str:
    """A value in Hydra's grammar."""
    if isinstance(value, tuple | list):
        return f"[{','.join(map(text, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{key}: {text(item)}' for key, item in value.items())}}}"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


# --- drawing ----------------------------------------

HARD = ("adwords_triangular", "greedy_half", "long_then_short", "rising_density")
PLAIN_FLEETS = ("instant", "slots", "slots", "timed", "timed", "batching", "autoscaled")
SLOW_POLICIES = ("steward", "batch_split", "paced_batch", "model_cost", "model_perf", "primal_resolve", "awy_dynamic")
TIMES_S = (0.0, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 7.5, 12.0)  # round numbers, so that things happen at one time
POSITIVE_S = TIMES_S[1:]
MODELS = ("WizardLM-13B-V1.2", "claude-instant-v1", "claude-v1", "claude-v2")
HARD_MODELS = {"greedy_half": ("a", "b"), "long_then_short": ("a",), "rising_density": ("a",)}


@st.composite
def lines(draw: st.DrawFn, slow: bool = False) -> Line:
    """Legal command lines; ``slow`` ones draw every policy and fleet alike."""

    def pick(*values: Any) -> Any:
        return draw(st.sampled_from(values))

    groups: dict[str, str | tuple[str, ...]] = {}
    keys: dict[str, Any] = {"seed": draw(st.integers(0, 99))}
    workload = pick("synthetic", "synthetic", "synthetic", "synthetic", pick(*HARD))
    groups["workload"] = workload
    n_models = 11
    if workload == "synthetic":
        keys["workload.n_queries"] = pick(50, 50, 50, 80, 120, 300)
        keys["workload.n_history"] = pick(30, 60, 60, 200)
        keys["workload.dim"] = 8
    fleet = pick(*options("fleet")) if pick(*[False] * (3 if slow else 9), True) else pick(*PLAIN_FLEETS)
    groups["fleet"] = fleet
    is_plain = fleet in PLAIN_FLEETS
    if workload == "synthetic" and is_plain:
        keys["workload.n_models"] = n_models = pick(2, 3, 4)
    if workload != "synthetic":
        groups["fleet"] = fleet = pick("instant", "timed")  # a hard instance has no output tokens
        is_plain = True
        if workload == "adwords_triangular":
            keys["workload.n_deployments"] = 6
        keys["workload.budget"] = pick(10, 20)
        if workload == "long_then_short":
            keys["workload.n_long"] = 40
    policies = options("policy")
    often = [name for name in policies if slow or name not in SLOW_POLICIES]
    groups["policy"] = policy = pick(*often) if pick(*[True] * 19, False) else pick(*policies)
    if policy == "steward":
        keys["policy.steward.solves"] = 5

    draw_fleet(pick, fleet, keys)
    names = MODELS[:n_models] if workload == "synthetic" and is_plain else ()
    draw_time(pick, draw, groups, keys)
    draw_money(pick, workload, names, groups, keys)
    order = pick(*options("order"))
    if workload == "synthetic" or order not in ("drift", "late_topic", "topic_blocks"):
        groups["order"] = order
    if groups.get("order") == "late_topic":
        keys["order.late_topic.topic"] = "topic-0"
    if pick(False, False, True) and workload == "synthetic" and groups.get("order") != "late_topic":
        keys["n_queries"] = pick(50, 30, keys["workload.n_queries"])
    draw_events(pick, draw, names, groups, keys)
    groups["metric"] = tuple(sorted({pick(*options("metric")) for _ in range(2)}))
    return Line(groups, keys)


def draw_fleet(pick: Callable[..., Any], fleet: str, keys: dict[str, Any]) -> None:
    """Limits, times and replicas of a plain fleet."""
    if fleet in ("slots", "autoscaled"):
        keys["fleet.service.slots"] = pick(1, 1, 2, 4)
        keys["fleet.service.time_to_first_token_s"] = pick(0.0, 0.25, 0.5)
        keys["fleet.service.time_per_output_token_s"] = pick(0.0, 0.001, 0.02)
    if fleet == "timed":
        keys["fleet.service.slots"] = pick(1, 2, 4)
        constant = {"_target_": "sim.world.distributions.Constant", "value_s": pick(0.0, 0.25, 1.0, 5.0)}
        keys["fleet.service.duration"] = pick(
            constant, {"_target_": "sim.world.distributions.Exponential", "mean_s": 1.0}
        )
    if fleet == "batching":
        keys["fleet.service.slots"] = pick(None, 1, 4)
        keys["fleet.service.kv_tokens"] = pick(None, None, 300)
    if fleet in ("instant", *PLAIN_FLEETS):
        keys["fleet.queue_capacity"] = pick(None, 0, 1, 4)
    if fleet in PLAIN_FLEETS and fleet != "instant":
        keys["fleet.timeout_s"] = pick(None, None, *POSITIVE_S)
        if pick(False, True):
            keys["fleet.patience"] = {"_target_": "sim.world.distributions.Constant", "value_s": pick(*TIMES_S)}
        keys["fleet.price_per_hour_usd"] = pick(0.0, 4.0)
        if fleet != "autoscaled":
            keys["fleet.replicas"] = pick(1, 1, 2, 3)
        keys["fleet.discipline"] = pick(None, {"_target_": "sim.world.queue.shortest_predicted", "_partial_": True})
        keys["fleet.balancer"] = pick(
            None, *({"_target_": f"sim.world.balancer.{name}"} for name in ("RoundRobin", "PowerOfTwo"))
        )
    if fleet == "autoscaled":
        keys["fleet.autoscaler.interval_s"] = pick(*POSITIVE_S)
        keys["fleet.autoscaler.cold_start_s"] = pick(*TIMES_S)


def draw_time(pick: Callable[..., Any], draw: st.DrawFn, groups: dict[str, Any], keys: dict[str, Any]) -> None:
    """Arrivals, retries, a stale state and time to decide."""
    groups["arrivals"] = arrivals = pick(*options("arrivals"))
    if arrivals == "replay":
        gaps = draw(st.lists(st.integers(0, 128), min_size=1, max_size=20))
        keys["arrivals.path"] = trace(tuple(gaps))
        keys["arrivals.loop"] = True
    elif arrivals == "closed_loop":
        keys["arrivals.users"] = pick(1, 3, 20)
        keys["arrivals.mean_think_s"] = pick(0.0, 1.0)
    elif f"{arrivals}" in ("poisson", "deterministic", "gamma", "weibull", "batches", "sessions"):
        keys["arrivals.rate_per_s"] = pick(0.5, 1.0, 4.0, 40.0)
    keys["retry.attempts"] = pick(1, 1, 2, 4)
    keys["retry.backoff_s"] = pick(0.25, 1.0)
    keys["retry.multiplier"] = pick(1.0, 2.0)
    keys["state_refresh_s"] = pick(None, None, 0.5, 5.0)
    keys["decision_s"] = pick(0.0, 0.0, 0.25)
    keys["warm_up"] = pick(None, None, 2.0, "29%", "mser5")


def draw_money(
    pick: Callable[..., Any], workload: str, names: Sequence[str], groups: dict[str, Any], keys: dict[str, Any]
) -> None:
    """Budgets, how they are given out, and what happens when there is none left."""
    if workload == "synthetic":
        groups["budget"] = budget = pick(*options("budget"))
        if budget == "each":
            keys["budget.amount"] = pick(0.0, 0.001, 0.01)
        elif budget == "amounts":
            if names:
                keys["budget.amounts_by_deployment"] = tuple(pick(0.0, 0.001, 0.01, float("inf")) for _ in names)
            else:
                groups["budget"] = budget = "uniform"
        if budget not in ("each", "amounts", "unlimited"):
            keys["budget.total"] = pick(0.1, 0.5, 1.0, 4.0)
            keys["budget.unit"] = pick("usd", "usd", "tokens")
    if pick(False, True):
        groups["window"] = window = pick(*options("window"))
        length = "window.burst_s" if window == "bucket" else "window.length_s"
        keys[length] = pick(0.5, 1.0, 3.0, 10.0, 60.0)
        if window != "bucket":
            keys["window.rollover"], keys["window.spread"] = pick(False, True), pick(False, True, True)
        if groups["arrivals"] == "closed_loop":
            groups["window"] = window = pick("minute")
            keys.pop("window.burst_s", None)
            keys |= {"window.length_s": 3.0, "window.rollover": pick(False, True), "window.spread": False}
        keys["exhausted"] = pick("fallback", "lost", "wait")
    else:
        keys["exhausted"] = pick("fallback", "lost")
    keys["reserve"] = pick("true_cost", "true_cost", "estimate")


def draw_events(
    pick: Callable[..., Any], draw: st.DrawFn, names: Sequence[str], groups: dict[str, Any], keys: dict[str, Any]
) -> None:
    """None to three events, which may overlap."""
    needs_a_name = {"joins", "leaves", "top_up"}
    able = [name for name in options("events") if names or name not in needs_a_name]
    chosen = draw(st.lists(st.sampled_from(able), max_size=3, unique=True))
    if not chosen:
        return
    groups["events"] = tuple(chosen)
    for name in chosen:
        prefix = f"events.{name}"
        deployment = pick(*names) if name in needs_a_name else pick(None, *names)
        keys[f"{prefix}.deployment"] = deployment
        if name == "random_outages":
            keys[f"{prefix}.mean_up_s"], keys[f"{prefix}.mean_down_s"] = pick(1.0, 5.0), pick(0.5, 3.0)
        elif name == "budget_cut":
            keys[f"{prefix}.at"] = pick(*TIMES_S, *(() if groups["arrivals"] == "closed_loop" else ("29%", "50%")))
        else:
            keys[f"{prefix}.at_s"] = pick(*TIMES_S)
        if name in ("outage", "degradation"):
            keys[f"{prefix}.for_s"] = pick(*TIMES_S)
        if name in ("price_change", "leaves"):
            keys[f"{prefix}.for_s"] = pick(None, *TIMES_S)


@functools.cache
def trace(gaps: tuple[int, ...]) -> str:
    """A file of arrivals with these gaps in ticks, the first after an hour."""
    path = Path(folder()) / f"{'-'.join(map(str, gaps))[:40]}-{abs(hash(gaps))}.csv"
    times_s = 3600 + TICK_S * np.cumsum([0, *gaps, 1])
    pd.DataFrame({"arrival_s": times_s}).to_csv(path, index=False)
    return str(path)


@functools.cache
def folder() -> str:
    """Where files of this process are."""
    return tempfile.mkdtemp(prefix="switchyard-lines-")


# --- putting together ----------------------------------------


@functools.cache
def composed(*words: str) -> dict[str, Any]:
    """What Hydra composes of some options, as plain values."""
    with initialize_config_module("conf", version_base="1.3"):
        config = compose("run", list(words))
    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=False)  # type: ignore[assignment]
    return plain


def assembled(line: Line) -> dict[str, Any]:
    """The configuration of a line, as plain values."""
    config = copy.deepcopy(composed(f"workload={line.groups['workload']}"))
    for group, chosen in line.groups.items():
        if group in SEVERAL:
            parts = [
                composed(f"{group}={option}")[group] for option in ([chosen] if isinstance(chosen, str) else chosen)
            ]
            config[group] = {name: copy.deepcopy(node) for part in parts for name, node in part.items()}
        elif group not in GLOBAL:
            config[group] = copy.deepcopy(composed(f"{group}={chosen}")[group])
    for key, value in line.keys.items():
        *path, last = key.split(".")
        node = config
        for name in path:
            node = node[name]
        node[last] = list(value) if isinstance(value, tuple) else value
    return config


@functools.lru_cache(maxsize=64)
def workload_of(spec: str) -> Workload:
    """The workload of a line, made once."""
    from sim.cli.configuration import build

    made: Workload = build(OmegaConf.create(spec), "workload")
    return made


@dataclass(frozen=True)
class Ticking:
    """Arrivals of another process, each at a whole tick, all moved by so many seconds."""

    inner: Any
    shift_s: float

    def times_s(self, n_queries: int, rng: np.random.Generator) -> FloatArray:
        times_s = np.rint(self.inner.times_s(n_queries, rng) / TICK_S) * TICK_S + self.shift_s
        return np.asarray(times_s, dtype=np.float64)


@dataclass
class Study:
    """A line's scenario, its one policy, and what it measures."""

    line: Line
    config: Any
    scenario: Scenario
    name: str

    def policy(self) -> Policy:
        """A new policy."""
        return build_policies(self.config)[self.name]

    @property
    def is_closed(self) -> bool:
        """Whether users decide when queries arrive."""
        return hasattr(self.scenario.arrivals, "think_s")

    def moved(self, shift_s: float) -> Scenario:
        """The scenario with all arrivals moved."""
        if self.is_closed:
            return self.scenario
        return replace(self.scenario, arrivals=Ticking(self.scenario.arrivals, shift_s))


def study(line: Line) -> Study:
    """Build what a line describes; raise ValueError if its parts do not go together."""
    config = OmegaConf.create(assembled(line))
    workload = workload_of(OmegaConf.to_yaml(config.workload, resolve=True))
    return Study(line, config, build_scenario(config, workload), str(line.groups["policy"]))


def measured(one: Study, scenario: Scenario) -> Run:
    """Run as the command does, with every self-check."""
    from sim.cli.configuration import build

    metrics = {str(name): build(spec, f"metric.{name}") for name, spec in one.config.metric.items()}
    seed, warm_up = one.config.seed, one.config.warm_up
    policies = {one.name: one.policy()}
    caches = EstimateCache(), BoundCache()
    [run] = replicate(scenario, policies, seed, 0, Oracle(()), metrics, warm_up, estimates=caches[0], bounds=caches[1])
    return run


def record(policy: Policy, scenario: Scenario, seed: int) -> tuple[pd.DataFrame, Instance]:
    """Run and return the table of requests alone."""
    instance = realise(scenario, seed, 0)
    estimates = EstimateCache().get(policy.estimator, instance)
    return frame(simulate("drawn", policy, instance, estimates, stream(seed, 0, "policy")), instance), instance


# --- one more deployment ----------------------------------------


@dataclass(frozen=True)
class OneMore:
    """A fleet with a copy of its first deployment at the end, that nobody has asked for."""

    inner: Any

    def deployments(self, models: Sequence[str], rng: np.random.Generator) -> tuple[Deployment, ...]:
        fleet: tuple[Deployment, ...] = self.inner.deployments(models, rng)
        return (*fleet, replace(fleet[0], name="unrelated"))


@dataclass(frozen=True)
class BudgetOfTheOthers:
    """Budgets as if the last deployment were not there; that has none."""

    inner: Any
    n_deployments: int

    @property
    def unit(self) -> Sequence[str]:
        unit = self.inner.unit
        units = [unit] * self.n_deployments if isinstance(unit, str) else list(unit)
        return (*units, units[0])

    def amounts(self, basis: BudgetBasis, rng: np.random.Generator) -> FloatArray:
        n = self.n_deployments
        others = replace(
            basis, names=basis.names[:n], quality_mean=basis.quality_mean[:n], cost_mean=basis.cost_mean[:n]
        )
        return np.append(self.inner.amounts(others, rng), np.inf)


@dataclass(frozen=True)
class EstimatorOfTheOthers:
    """An estimator that does not see the last deployment, of which it predicts nothing."""

    inner: Estimator
    n_deployments: int

    def fit(self, history: History) -> Predictor:
        return PredictorOfTheOthers(self.inner.fit(without_last(history)))


@dataclass(frozen=True)
class PredictorOfTheOthers:
    inner: Predictor

    def predict(self, features: Features) -> Estimates:
        return Estimates(*(np.pad(part, ((0, 0), (0, 1))) for part in self.inner.predict(features)))


def without_last(history: History) -> History:
    return replace(
        history,
        quality=np.ascontiguousarray(history.quality[:, :-1]),
        cost=np.ascontiguousarray(history.cost[:, :-1]),
    )


class PolicyOfTheOthers(Policy):
    """A policy that does not see the last deployment."""

    def __init__(self, inner: Policy, n_deployments: int) -> None:
        self._inner = inner
        self._n = n_deployments
        self.estimator = None if inner.estimator is None else EstimatorOfTheOthers(inner.estimator, n_deployments)

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        n = self._n
        history = without_last(setting.history)
        self._inner.reset(replace(setting, fleet=setting.fleet[:n], budgets=setting.budgets[:n], history=history), rng)
        self.gate = self._inner.gate

    def _query(self, query: Query) -> Query:
        return query._replace(quality_hat=query.quality_hat[: self._n], cost_hat=query.cost_hat[: self._n])

    def _state(self, state: State) -> State:
        return State(state.now_s, *(part[: self._n] for part in state[1:]))

    def decide(self, query: Query, state: State) -> Decision:
        return self._inner.decide(self._query(query), self._state(state))

    def decide_batch(self, queries: Sequence[Query], state: State) -> list[Decision]:
        return self._inner.decide_batch([self._query(query) for query in queries], self._state(state))

    def learn(self, feedback: Feedback) -> None:
        self._inner.learn(feedback._replace(query=self._query(feedback.query)))


def with_one_more(one: Study, scenario: Scenario, n_deployments: int) -> pd.DataFrame:
    """Run with one more deployment, which the policy does not see."""
    more = replace(scenario, fleet=OneMore(scenario.fleet), budget=BudgetOfTheOthers(scenario.budget, n_deployments))
    requests, _ = record(PolicyOfTheOthers(one.policy(), n_deployments), more, one.config.seed)
    return requests
