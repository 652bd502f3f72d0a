"""Draws and checks one replication of a scenario: all that a run needs besides the policy. It knows no clock."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from sim.deployment import Deployment, Service
from sim.fitting import (
    account_names,
    check_accounts,
    check_budgets,
    check_events,
    check_fleet,
    check_periods,
    check_units,
    limit_scopes,
)
from sim.history import history_means, known_rows, sums, told
from sim.interface import DeploymentInfo, Estimates, Features, FloatArray, History, IntArray, Setting, Signals
from sim.renewing import TokenBucket
from sim.scenario import BudgetBasis, Scenario
from sim.scores import Opinions, Scores
from sim.selection import arriving_rows, in_time, mean_steps, n_within, seen, to_sort, unseen_topics, with_steps
from sim.spending.scope import TAGS, Scope
from sim.traits import ArrivalsTraits, OrderTraits, ServiceTraits
from sim.truth import (
    brought,
    capped,
    cost_in_units,
    cost_in_usd,
    energy_in_j,
    expected_outcomes,
    frozen,
    take,
    tasks_of,
    token_usd,
)
from sim.workload.prefixes import Prefixes
from sim.workload.tasks import Tasks

LEAST_LOOP_S = 1.0  # a closed loop is taken to last so long, as its services are not known beforehand


def stream(seed: int, replication: int, purpose: str) -> np.random.Generator:
    """Return the random stream of one purpose in one replication, whatever else is drawn."""
    return np.random.default_rng(np.random.SeedSequence([seed, replication, zlib.crc32(purpose.encode())]))


def of_length(scenario: Scenario, seed: int, replication: int) -> Scenario:
    """Return the scenario with as many queries as come in its duration."""
    n = n_within(scenario, lambda n: scenario.arrivals.times_s(n, stream(seed, replication, "arrivals")))
    return replace(scenario, n_queries=n, duration=None)


@dataclass(frozen=True)
class Instance:
    """One replication, drawn: all that a run needs besides the policy.

    Parameters
    ----------
    seeds : tuple of int
        (seed, replication), for the streams of balancers and events.
    scenario : Scenario
    fleet : tuple of Deployment
    setting : Setting
        What policies know of it.
    rows : array (n_queries,)
        The test row of each arrival; of tasks, those of each in turn, whether or not it gets so far.
    gaps_s : array (n_queries,), or (n_tasks,)
        Time from the arrival before, of a query or of a task; 0 for the first, with which the clock begins. Gaps rather
        than times, because a clock that adds gaps shows exactly their cumulative sum, and not to the last bit the times
        that they were the differences of.
    features : Features
        Of all test rows.
    quality, cost_usd, cost : arrays (n_test, n_deployments)
        Truth by test row; ``cost`` in the unit of each deployment's budget.
    output_tokens : array (n_test, n_deployments) or None
    priority, due_s : arrays (n_test,) or None
        Class and time to the deadline of each test row.
    class_name, tenant : arrays (n_test,) of str, or None
        Class and tenant of each test row, for the record alone.
    price : array (n_test,) or None
        What each test row costs in USD, as a multiple of the usual; the costs above have it.
    confidence, latency_s, energy_j : arrays (n_test, n_deployments) or None
        How sure each deployment's model is of each answer, its measured latency, and the energy of the answer: measured
        where the workload has it, else output tokens x J per token of the deployment. NaN where unknown, None where all
        are.
    preference : array (n_test,) or None
        Weight of quality against cost of each test row.
    prompt : array (n_test,)
        Number of each test row's prompt: its own place, unless the workload says which prompts are the same.
    prefix : Prefixes or None
        The blocks that the prompt of each test row begins with.
    session : array (n_test,) or None
        The conversation that each test row is a turn of.
    capped_quality : array (n_test, n_deployments, n_caps) or None
        Score of each answer if it is cut at each of the workload's caps, where it is longer than that.
    token_usd : array (n_test, n_deployments, 2) or None
        What an input and an output token of a cut answer cost; None without caps.
    table_row, source : arrays (n_test,), the latter or None
        Row of the workload's file (without one, of its test arrays) and topic of each test row, for the record alone.
    draws : tuple of array (n_queries, n_numbers) or None
        For each deployment, the random numbers of its service, by arrival; where it replays measured latencies, those.
    patience_s : tuple of array (n_queries,) or None
        For each deployment, how long each arrival would wait there.
    think_s : array (n_queries,) or None
        With a closed loop of users: how long each thinks before its next query; the quickest user asks at 0. Arrival
        times then come of themselves.
    opinions : Opinions or None
        Of those who score answers; None where every score is exact and comes at completion.
    expected : Estimates or None
        E[quality | query] and E[cost | query] of each test row (n_test, n_deployments), where the workload knows them;
        truth, like the outcomes.
    scored_after_s, fails_after_s : arrays (n_test, n_deployments) or None
        How long after each answer it is scored, and after its offer each call breaks off; NaN for never.
    scopes : mapping of str to Scope
        Which queries each limit is for, by its name.
    brought : Estimates or None
        Quality and cost of each test row (n_test, n_deployments) as the workload itself predicts them.
    tasks : Tasks or None
        Which rows are the steps of which task; None where each stands for itself.
    """

    seeds: tuple[int, int]
    scenario: Scenario
    fleet: tuple[Deployment, ...]
    setting: Setting
    rows: IntArray
    gaps_s: FloatArray
    features: Features
    quality: FloatArray
    cost_usd: FloatArray
    cost: FloatArray
    output_tokens: IntArray | None
    priority: IntArray | None
    due_s: FloatArray | None
    prompt: IntArray
    table_row: IntArray
    source: np.ndarray[Any, np.dtype[Any]] | None
    draws: tuple[FloatArray | None, ...]
    patience_s: tuple[FloatArray | None, ...]
    think_s: FloatArray | None
    opinions: Opinions | None = None
    confidence: FloatArray | None = None
    expected: Estimates | None = None
    latency_s: FloatArray | None = None
    energy_j: FloatArray | None = None
    preference: FloatArray | None = None
    tasks: Tasks | None = None
    capped_quality: FloatArray | None = None
    token_usd: FloatArray | None = None
    prefix: Prefixes | None = None
    session: IntArray | None = None
    class_name: np.ndarray[Any, np.dtype[Any]] | None = None
    tenant: np.ndarray[Any, np.dtype[Any]] | None = None
    price: FloatArray | None = None
    scored_after_s: FloatArray | None = None
    fails_after_s: FloatArray | None = None
    scopes: Mapping[str, Scope] = field(default_factory=dict)
    brought: Estimates | None = None

    @property
    def tags(self) -> list[np.ndarray[Any, np.dtype[Any]]]:
        """What tells whose the test rows are, (n_test,) each."""
        return [labels for labels in (getattr(self, name) for name in TAGS) if labels is not None]


def realise(scenario: Scenario, seed: int, replication: int) -> Instance:
    """Draw one replication; the same (seed, replication) gives the same instance to every policy.

    Raises
    ------
    ValueError
        If the parts do not fit each other: an unknown model, an event of a deployment that is not there, budgets of the
        wrong length, a unit or a service that
        needs output tokens where the workload has none.
    """
    workload, test = scenario.workload, scenario.workload.test
    if scenario.duration is not None:
        scenario = of_length(scenario, seed, replication)
    history = seen(workload.history, unseen_topics(scenario))
    fleet = scenario.fleet.deployments(workload.models, stream(seed, replication, "fleet"))
    columns = check_fleet(fleet, workload)
    check_events(scenario.events, fleet)
    units = (
        (scenario.budget.unit,) * len(fleet) if isinstance(scenario.budget.unit, str) else tuple(scenario.budget.unit)
    )
    check_units(units, fleet, workload)

    history_usd, cost_usd = cost_in_usd(history, columns, fleet), cost_in_usd(test, columns, fleet)
    history_cost = cost_in_units(history, history_usd, columns, units)
    whole = History(
        Features(history.embeddings, history.input_tokens),
        take(history.quality, columns),
        history_cost,
        units,
        capped(history, workload, fleet, columns, units, history_cost, history_usd),
    )
    models = [deployment.model for deployment in fleet]
    public = told(whole, known_rows(scenario, models, len(history), partial(stream, seed, replication)))
    quality_mean, cost_mean = history_means(public)
    cost = cost_in_units(test, cost_usd, columns, units)
    arriving = arriving_rows(scenario, replication, stream(seed, replication, "volume"))
    has_one_unit, all_rows = len(set(units)) == 1, with_steps(test, arriving)[0]
    basis = BudgetBasis(
        names=tuple(deployment.name for deployment in fleet),
        quality_mean=quality_mean,
        cost_mean=cost_mean,
        # Sorted, so that the sum is the same to the last bit when a saved order names the rows in its own order.
        cheapest_total=float(sums(cost[np.sort(all_rows)]).min()) if has_one_unit else float("nan"),
        cheapest_total_of_all=float(sums(cost).min()) if has_one_unit else float("nan"),
    )
    budgets = scenario.budget.amounts(basis, stream(seed, replication, "budget"))
    check_budgets(budgets, fleet)
    accounts = account_names(scenario.budget, basis.names)
    check_accounts(accounts, budgets, units)

    order = scenario.order(to_sort(test, arriving, workload.reward), stream(seed, replication, "order"))
    rows, begins = with_steps(test, arriving[order])

    def drawn(deployment: Deployment, purpose: str) -> np.random.Generator:
        return stream(seed, replication, f"{purpose} {deployment.name}")

    rows, times_s = in_time(scenario, rows, len(order), stream(seed, replication, "arrivals"))
    loop = ArrivalsTraits.of(scenario.arrivals)
    span_s = float(times_s[-1] - times_s[0])
    think_s = None
    if loop.users is not None and loop.think_s is not None:
        if isinstance(scenario.window, TokenBucket) or (scenario.window is not None and scenario.window.spread):
            raise ValueError(
                "a closed loop has no arrival times to spread a budget over: use a window with window.spread=false"
            )
        think_s = loop.think_s(len(order), stream(seed, replication, "think"))
        first = slice(loop.users)  # how long each user thinks at first
        think_s[first] -= think_s[first].min()
        span_s = max(float(think_s.sum()) / loop.users, LEAST_LOOP_S)  # services take time besides
    check_periods(scenario, fleet, span_s)
    is_exact = scenario.feedback == Scores()
    opinions = None if is_exact else scenario.feedback.draw(len(rows), stream(seed, replication, "feedback"))
    setting = Setting(
        fleet=tuple(
            DeploymentInfo(
                name=deployment.name,
                model=deployment.model,
                unit=unit,
                slots=deployment.total_slots,
                account=account,
                context_tokens=deployment.service.context_tokens or math.inf,
            )
            for deployment, unit, account in zip(fleet, units, accounts or ("",) * len(fleet), strict=True)
        ),
        budgets=frozen(budgets),
        horizon=expected_queries(scenario, len(rows)) if begins is None else round(len(order) * mean_steps(history)),
        history=public,
        accounts=None if accounts is None else frozen(np.unique(accounts, return_inverse=True)[1].astype(np.int64)),
        refused=scenario.exhausted,
        max_calls=scenario.max_calls,
        combines=scenario.workload.combined is not None,
        signals=Signals(
            tasks=begins is not None,
            confidences=test.confidence is not None,
            prefixes=test.prefix is not None,
            sessions=test.session is not None,
            repeats=OrderTraits.of(scenario.order).with_replacement or scenario.workload.repeats_prompts,
        ),
    )
    latency_s, places = None if test.latency_s is None else take(test.latency_s, columns), frozen(np.arange(len(test)))

    def numbers_of(k: int, service: Service) -> FloatArray | None:
        """Return what a service needs of each arrival: its random numbers, or the latencies that were measured."""
        traits, rng = ServiceTraits.of(service), drawn(fleet[k], "service")
        if traits.replays_latency:
            assert latency_s is not None  # check_fleet has seen to it
            return frozen(latency_s[rows, k][:, None])
        if traits.draw_by_length is not None:
            assert test.output_tokens is not None  # likewise
            return frozen(traits.draw_by_length(test.output_tokens[rows, columns[k]], rng))
        return service.draw(len(rows), rng)

    return Instance(
        seeds=(seed, replication),
        scenario=scenario,
        fleet=fleet,
        setting=setting,
        rows=frozen(rows),
        gaps_s=frozen(np.diff(times_s, prepend=times_s[:1])),
        features=Features(test.embeddings, test.input_tokens),
        quality=take(test.quality, columns),
        cost_usd=cost_usd,
        cost=cost,
        output_tokens=None if test.output_tokens is None else take(test.output_tokens, columns),
        priority=test.priority,
        due_s=test.due_s,
        prompt=places if test.prompt is None else test.prompt,
        table_row=places if test.row is None else test.row,
        source=test.source,
        draws=tuple(numbers_of(k, deployment.service) for k, deployment in enumerate(fleet)),
        patience_s=tuple(patience_s(d, len(rows), drawn(d, "patience")) for d in fleet),
        think_s=think_s,
        opinions=opinions,
        confidence=None if test.confidence is None else take(test.confidence, columns),
        expected=expected_outcomes(test, columns, fleet, units),
        latency_s=latency_s,
        energy_j=energy_in_j(test, columns, fleet),
        preference=test.preference,
        tasks=None
        if begins is None
        else tasks_of(test, history, public.known, rows[begins[:-1]], begins, columns, fleet),
        capped_quality=None if test.capped_quality is None else take(test.capped_quality, columns),
        token_usd=token_usd(test, workload, fleet, columns, cost_usd),
        class_name=test.class_name,
        tenant=test.tenant,
        price=test.price,
        scopes=limit_scopes(scenario, fleet, accounts),
        prefix=test.prefix,
        session=test.session,
        scored_after_s=None if test.scored_after_s is None else take(test.scored_after_s, columns),
        fails_after_s=None if test.fails_after_s is None else take(test.fails_after_s, columns),
        brought=brought(test, columns, units),
    )


def expected_queries(scenario: Scenario, n_arriving: int) -> int:
    """Return how many queries policies are told to expect: as many as come, unless all rows of a workload that says."""
    told, is_whole = scenario.workload.horizon, n_arriving == len(scenario.workload.test)
    return told if told is not None and is_whole else n_arriving


def patience_s(deployment: Deployment, n_queries: int, rng: np.random.Generator) -> FloatArray | None:
    """Return how long each arrival would wait at a deployment; None for ever."""
    return None if deployment.patience is None else deployment.patience.draw(n_queries, rng)
