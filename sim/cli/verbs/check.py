"""Carries out the verb check: it holds policies to their contract in several worlds. It writes no directory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from rich.table import Table

from sim.cli.building import build_policy, build_scenario
from sim.cli.configuration import configure
from sim.cli.output import say
from sim.cli.progress import progress, stdout_to_stderr
from sim.interface import Gate, Policy
from sim.study.contract import (
    NothingHiddenError,
    asking_changes_nothing,
    causal_fence,
    check_world,
    counterfactual_fence,
    history_fence,
    purity_of_estimator,
    reset_forgets,
    score_fence,
)

SMALL = (
    *("workload.n_queries=127", "workload.n_history=100", "workload.n_models=4", "workload.dim=8"),
    "workload.cap_curve=3",  # so that policies may cap answers
)
BUSY = ("arrivals.rate_per_s=20", "fleet.queue_capacity=4")
SLOTS = ("fleet=slots", "fleet.service.slots=2", "fleet.queue_capacity=4")
BATCHES = ("fleet=batching", "fleet.service.kv_tokens=1500", "fleet.service.reserved_output_tokens=200")
TASKS = (
    *("workload=agent_tasks", "workload.n_queries=25", "workload.n_history=20", "workload.dim=8"),
    *("workload.mean_steps=5", "workload.cap_curve=3", "task.budget_usd=0.05", "task.deadline_s=60"),
)
WORLDS = {
    "slots and a budget": (*SLOTS, *BUSY),
    "batches, token budgets in windows, a state that is stale": (
        *(*BATCHES, *BUSY, "budget.unit=tokens", "budget.total=0.5", "window=minute", "window.length_s=1"),
        *("exhausted=wait", "reserve=estimate", "state_refresh_s=0.3"),
    ),
    "a closed loop of users, no budgets": (*SLOTS, "arrivals=closed_loop", "arrivals.users=12", "budget=unlimited"),
    "batches and token buckets": (*BATCHES, *BUSY, "window=bucket", "window.burst_s=2"),
    "slots and a budget, models that nobody has seen": (*SLOTS, *BUSY, "new_model_share=0.4"),
    "batches and a budget, models known on few rows": (*BATCHES, *BUSY, "new_model_share=0.4", "new_model_rows=7"),
    "slots and a budget, a cache before the policy": (*SLOTS, *BUSY, "cache=lru", "order=zipf"),
    "slots and a budget, tasks of several steps": (*TASKS, *SLOTS, "arrivals.rate_per_s=2", "budget.total=2.0"),
}
CHECKS: dict[str, Callable[..., None]] = {
    "sees no outcome of a call that was not made": counterfactual_fence,
    "sees no score of an answer that it did not keep": score_fence,
    "sees nothing of the future": causal_fence,
    "sees nothing of the history that is hidden": history_fence,
    "begins anew at reset": reset_forgets,
    "decides the same when asked what it believes": asking_changes_nothing,
    "estimates each query by itself": purity_of_estimator,
}
MOST_GATHERED = 12  # queries in a batch, so that there are several in a small world


@dataclass(frozen=True)
class Verdict:
    """Of one check in one world: what is broken, or why the check cannot tell, each a line; None for neither."""

    policy: str
    check: str
    world: str
    broken: str | None = None
    untold: str | None = None

    def answer(self) -> str:
        """Return it as a cell of a table."""
        return "NO" if self.broken is not None else "yes" if self.untold is None else "-"


def check(words: Sequence[str]) -> int:
    """Hold the policies that the words choose to their contract; print what each breaks; return 1 if any does."""
    found = list(verdicts(words))
    broken = [verdict for verdict in found if verdict.broken is not None]
    policies = list(dict.fromkeys(verdict.policy for verdict in found))
    table = Table("policy", "it", *(f"in world {number}" for number in range(1, len(WORLDS) + 1)))
    for policy in policies:
        for what in CHECKS:
            cells = [one for one in found if (one.policy, one.check) == (policy, what)]
            table.add_row(policy, what, *(one.answer() for one in cells))
    worlds = [f"world {number}: {world}" for number, world in enumerate(WORLDS, start=1)]
    lines = [f"{one.policy}, {one.world}: {one.broken}" for one in broken]
    breaking = [name for name in policies if any(verdict.policy == name for verdict in broken)]
    answers = [
        f"{name} {'breaks' if name in breaking else 'keeps'} the contract of a policy"
        + ("." if name in breaking else " in every world.")
        for name in policies
    ]
    say(*answers, table, *worlds, *not_run(found), *lines)
    return 1 if broken else 0


def not_run(found: Sequence[Verdict]) -> Iterator[str]:
    """Yield a line for each check and each reason why it did not run somewhere."""
    for check, why in dict.fromkeys((one.check, one.untold) for one in found if one.untold is not None):
        yield f"-: '{check}' did not run where {why}"


def verdicts(words: Sequence[str]) -> Iterator[Verdict]:
    """Yield every check of every policy in every world.

    Parameters
    ----------
    words : sequence of str
        ``KEY=VALUE``; they hold for all worlds, and come after those that make the worlds.

    Raises
    ------
    ValueError
        As ``configure`` and the parts of the scenario do.
    """
    configs = {
        world: configure(
            "check", [*unless_chosen(settings if TASKS[0] in settings else (*SMALL, *settings), words), *words]
        )
        for world, settings in WORLDS.items()
    }
    policies = next(iter(configs.values())).policy
    with stdout_to_stderr(), progress(len(policies) * len(WORLDS) * len(CHECKS)) as advance:
        for world, config in configs.items():
            scenario = build_scenario(config)
            check_world(scenario, config.seed)
            for name, spec in config.policy.items():
                for what, holds in CHECKS.items():
                    verdict = Verdict(str(name), what, world)
                    try:
                        holds(partial(fresh, spec, f"policy.{name}"), scenario, config.seed)
                    except NothingHiddenError as error:
                        verdict = replace(verdict, untold=str(error))
                    except (AssertionError, RuntimeError) as error:  # the world blames a policy with the latter
                        verdict = replace(verdict, broken=str(error).strip().splitlines()[0])
                    advance(f"{name}: {what}")
                    yield verdict


def unless_chosen(settings: Sequence[str], words: Sequence[str]) -> list[str]:
    """Return the settings of a world without those of groups of which the words choose an option themselves."""
    chosen = {word.partition("=")[0] for word in words}
    return [setting for setting in settings if setting.partition("=")[0].partition(".")[0] not in chosen]


def fresh(spec: Any, key: str) -> Policy:
    """Make a policy; a large gate is made small."""
    policy = build_policy(spec, key)
    if policy.gate.size > MOST_GATHERED:
        policy.gate = Gate(MOST_GATHERED, min(policy.gate.window_s, 0.5))
    return policy
