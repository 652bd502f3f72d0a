"""Random illegal values for every key there is: one line that names the key, or a run; never anything else."""

import copy
import functools
import math
from typing import Any

import pytest
from hydra import initialize_config_module
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf

from sim.cli.building import build_policies, build_scenario, configured_runs
from sim.cli.configuration import check_values, configure, leaves
from sim.cli.main import USER_ERRORS, main

SMALL = ["workload.n_queries=30", "workload.n_history=30", "workload.dim=4", "workload.n_models=3"]
BASES: dict[str, list[str]] = {
    "slots": [*SMALL, "fleet=slots", "window=minute", "metric=[latency,slo]", "events=outage", "policy=port_fallback"],
    "timed": [*SMALL, "fleet=timed", "arrivals=mmpp", "order=drift", "events=random_outages", "policy=steward"],
    "users": [*SMALL, "fleet=batching", "arrivals=closed_loop", "budget=uniform", "policy=batch_split"],
    "bucket": [*SMALL, "window=bucket", "arrivals=piecewise", "events=[budget_cut,price_change]", "policy=awy_dynamic"],
    "token prices": [*SMALL, "fleet=autoscaled", "arrivals=batches", "budget=extreme", "policy=latency_priced"],
    "cache": [*SMALL, "cache=gdsf", "order=[zipf]", "metric=cache", "policy=least_loaded"],
    "cache by tokens": [*SMALL, "cache=lru", "cache.capacity=null", "cache.capacity_tokens=900", "order=[power]"],
    "classes": [
        *(*SMALL, "classes={chat: {share: 0.5, priority: 0, due_s: 2, price: 1}, batch: {share: 0.5, priority: 1}}"),
        *("tenants={acme: 0.5, zenith: 0.5}", "fleet=slots", "fleet.preemptive=true", "policy=least_loaded"),
        "fleet.discipline={_target_: sim.world.stations.queue.highest_priority, _partial_: true}",
        "metric=[classes,fairness]",
    ],
    "tasks": [
        *("workload=agent_tasks", "workload.n_queries=6", "workload.n_history=6", "workload.mean_steps=2"),
        *("workload.dim=4", "task.budget_usd=0.05", "task.deadline_s=60", "metric=tasks", "policy=port_fallback"),
    ],
    "hard": [
        "workload=long_then_short",
        "workload.n_long=20",
        "workload.budget=10",
        "budget.amount=10",
        "policy=greedy_perf",
    ],
}
NOT_HERE = ("out", "oracle.names", "replications")  # what no run below reads, or reads for hours
VALUES = st.one_of(
    st.sampled_from(
        [
            True,
            False,
            None,
            "no",
            "off",
            "false",
            "none",
            "abc",
            "",
            "1e2",
            "10%",
            "-5%",
            "nan%",
            [],
            [[]],
            {},
            {"a": 1},
        ]
    ),
    st.sampled_from([math.nan, math.inf, -math.inf, -1, 0, -0.5, 7.5, 1e2, 1e308, 5e-324, 10**12, -(10**12), 10**400]),
    st.sampled_from(
        [[None], [math.nan], [1, "a"], {"_target_": "no.such"}, {"_target_": "builtins.dict"}, {"_target_": 3}]
    ),
    st.integers(-3, 3),
    st.text("ab0%.-", max_size=4),
)


@functools.cache
def composed(base: str) -> tuple[DictConfig, list[str]]:
    """Return a configuration and its keys, groups among them."""
    with initialize_config_module("conf", version_base="1.3"):
        config = configure("run", BASES[base])
    return config, [key for key in leaves(config) if not key.startswith(NOT_HERE)]


@st.composite
def illegal(draw: st.DrawFn) -> tuple[str, str, Any]:
    """Draw a configuration, one of its keys, and a value that is mostly wrong there."""
    base = draw(st.sampled_from(sorted(BASES)))
    return base, draw(st.sampled_from(composed(base)[1])), draw(VALUES)


def answer(base: str, key: str, value: Any) -> str | None:
    """Return what a run with this value says is wrong; None if nothing is."""
    config = copy.deepcopy(composed(base)[0])
    try:
        OmegaConf.update(config, key, value, merge=False, force_add=True)
        check_values(config, dict)
        for _ in configured_runs(config, build_scenario(config), build_policies(config)):
            pass
    except USER_ERRORS as error:
        return str(error).strip().splitlines()[0]  # as the command does
    return None


def held(base: str, key: str, value: Any) -> None:
    """Fail unless what is wrong is said in one line that names the key."""
    said = answer(base, key, value)
    if said is not None:
        names = [name.split("[")[0] for name in key.split(".") if not name.startswith("_")]
        assert any(name in said or name.removesuffix("_s").removeprefix("n_") in said for name in names[-2:]), (
            f"{key}: {said}"
        )


@settings(max_examples=100, derandomize=True, suppress_health_check=list(HealthCheck))
@given(illegal())
def test_a_value_of_any_kind_gives_one_line_that_names_its_key_or_a_run(line: tuple[str, str, Any]) -> None:
    held(*line)


@pytest.mark.slow
@settings(max_examples=20_000, suppress_health_check=list(HealthCheck))
@given(illegal())
def test_many_values_of_any_kind_give_one_line_that_names_their_key_or_a_run(line: tuple[str, str, Any]) -> None:
    held(*line)


LINES = {
    "n_queries=1e2": "n_queries is 100.0; it must be a whole number or null; write 100",
    "n_queries=true": "n_queries is true; it must be a whole number or null",
    "fleet=slots fleet.patience=5": "fleet.patience is 5; it must be a distribution",
    "fleet=timed fleet.service.duration=abc": "fleet.service.duration is 'abc'; it must be a distribution",
    "fleet=slots fleet.queue_capacity=nan": "fleet.queue_capacity is nan; it must be a whole number or null",
    "fleet=slots fleet.timeout_s=[[]]": "fleet.timeout_s is [[]]; it must be a number or null",
    "order=drift order.drift.late=3": "order.drift.late is 3; it must be a list, such as [3] or null",
    "window=hour window.rollover=off": "window.rollover is 'off'; it must be true or false",
    "events=[nan]": "events is [nan]; choose from budget_cut",
    "task.deadline_s=0": "task.deadline_s is 0; it must be positive, or null for none",
    "task=3": "task is 3; it must be task limits, as {_target_: CLASS, ...}",
    "workload=agent_tasks cache=lru": "those here are steps of tasks: cache=none",
    "fleet=null": "fleet is null; choose from autoscaled",
    "fleet=hosted_api fleet.models={x:null}": "unknown fleet entry 'x'",
    "+n_querys=3": "unknown key 'n_querys'; did you mean n_queries?",
    "+fleet.sze=3": "unknown key 'fleet.sze'; did you mean 'fleet.size'",
    "seed=-1": "seed is -1; it must be at least 0",
    "arrivals=closed_loop state_refresh_s=5e-324": "state_refresh_s is 4.94066e-324 and queries arrive for ",
    "arrivals=closed_loop arrivals.mean_think_s=0 state_refresh_s=1e-9": "state_refresh_s is 1e-09 and queries arrive",
    "order=drift n_queries=1": "order=drift needs two or more, so draw more queries (n_queries)",
    "workload.n_queries=1000000000000": "workload.n_queries is 1000000000000; it must be from 1 to 100000000",
    "fleet=slots fleet.replicas=1000000000": "is 1000000000; it must be at least 1 and at most 100000",
    "launcher=joblib": "run has no launcher; leave launcher out",
    "experiment=volume_fixed_budget": "axes, with n_queries, is for sweep and not for run",
}


@pytest.mark.parametrize("line", LINES)
def test_an_illegal_line_is_answered_in_one_line(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "workload.n_history=50", "out=never", *line.split(), "--no-report"]) == 1
    printed, said = capsys.readouterr()
    assert printed == ""
    assert said.startswith("switchyard: ")
    assert LINES[line] in said
    assert said.count("\n") == 1
