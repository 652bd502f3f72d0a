"""Steward where it was not tuned: tables that differ in what estimates know, models, history and scarcity.

    python -m benchmarks.robustness [seeds, 2 by default] [queries, 600] [page to write the table into, docs/steward.md]

Every table is made up here, one or two things away from a middle one; ``Made`` says how. Each is met in random order
and in five sorted ones: as it is, and with half of what is left of every budget taken away midway; and in random order
and by topics with a topic missing from the history. Figures are expected quality (the chances of right answers, which
are known of tables that are made up) over that of the approximate optimum, replayed in the same order in the same
world; means over seeds. A lead is steward's figure less that of the better (in the mean) of ``mirror_descent_entropic``
and ``port_fallback`` with steward's estimator; a table's line has the mean of its cells' leads and the least, with its
standard error over seeds. Steward solves its prices ``SOLVES`` times in a run here. Tables are measured side by side.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from benchmarks.robustness.made import TABLES, Made
from benchmarks.steward import HNSW
from policies.budgeted.mirror_descent import Entropic
from policies.budgeted.sampled_dual import SampledDual
from policies.budgeted.steward import Steward
from policies.estimators.blend import Blend
from policies.estimators.kernel_ridge import KernelRidge
from policies.estimators.neighbours import ExactNeighbours
from scenarios.arrivals import Deterministic
from scenarios.budgets import Weighted
from scenarios.events import BudgetCut
from scenarios.fleets import OnePerModel
from scenarios.orders import shuffled
from scenarios.orders.ranked import cheap_first, costly_first, easy_first, hard_first
from scenarios.orders.topics import topic_blocks
from sim.instance import Instance, realise, stream
from sim.interface import Estimates, Policy
from sim.scenario import Scenario
from sim.study.oracles import APPROXIMATE, BoundCache, EstimateCache
from sim.study.replay import Replay, planned
from sim.world.record.requests import SERVED
from sim.world.services.slots import Instant
from sim.world.world import simulate

ORDERS = {
    "random": shuffled,
    "cheap first": cheap_first,
    "costly first": costly_first,
    "easy first": easy_first,
    "hard first": hard_first,
    "topic blocks": topic_blocks,
}
CASES = ("plain", "cut", "topic missing")
SOLVES = 25  # a quarter of steward's default, for time
START, END = "<!-- robustness begins -->", "<!-- robustness ends -->"


def main(seeds: int, queries: int, page: Path) -> None:
    """Measure every table, print a line for each, and write them into a page."""
    lines = [
        "| table | R^2 | random | worst order | cut, random | worst | topic missing | mean lead | least | +- | where |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    print("\n".join(lines), flush=True)
    worst: list[tuple[float, str]] = []
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for line, lead, where in pool.map(measured, TABLES, [seeds] * len(TABLES), [queries] * len(TABLES)):
            print(line, flush=True)
            lines.append(line)
            worst.append((lead, where))
    lead, where = min(worst)
    behind = sum(lead < -0.01 for lead, _ in worst)
    lines += ["", f"The worst cell: {where}, {lead:+.3f}. {behind} of {len(worst)} tables have a cell below -0.01."]
    lines += [f"{seeds} seed{'s' * (seeds > 1)} of {queries} queries; three rules; {14 * len(worst)} cells."]
    print("\n".join(lines[-2:]))
    if page.exists() and START in page.read_text():
        before, rest = page.read_text().split(START)
        page.write_text(before + START + "\n" + "\n".join(lines) + "\n" + END + rest.split(END)[1])


def measured(made: Made, seeds: int, queries: int) -> tuple[str, float, str]:
    """Return a table's line, its least lead and the cell where that is."""
    estimator = Blend(KernelRidge(), ExactNeighbours(k=50, weights="distance", at_most=True))
    rules = (Steward(estimator, solves=SOLVES), Entropic(estimator), SampledDual(estimator, fallback=True))
    got = np.full((seeds, len(rules), len(CASES), len(ORDERS)), np.nan)
    known = 0.0
    for seed in range(seeds):
        workload = made.workload(queries, seed)
        estimates, bounds = EstimateCache(), BoundCache()
        for j, order in enumerate(ORDERS.values()):
            plain = Scenario(workload, OnePerModel(Instant()), Weighted(total=made.total), Deterministic(1.0), order)
            cases = [plain, replace(plain, events=[BudgetCut(0.5, "50%")])]
            if order in (shuffled, topic_blocks):
                cases.append(replace(plain, unseen=["topic-1"]))
            for i, scenario in enumerate(cases):
                instance = realise(scenario, 0, seed)
                plain_estimates = estimates.get(HNSW, instance)
                plan = bounds.get(APPROXIMATE, instance, plain_estimates).plan
                reached = gained(Replay(planned(plan)), instance, plain_estimates, seed)
                for r, rule in enumerate(rules):
                    got[seed, r, i, j] = gained(rule, instance, estimates.get(estimator, instance), seed) / reached
        instance = realise(plain, 0, seed)
        missed = (instance.quality - estimates.get(estimator, instance).quality) ** 2
        known += (1 - missed.sum() / ((instance.quality - workload.history.quality.mean(axis=0)) ** 2).sum()) / seeds
    means = got.mean(axis=0)
    own, lead = means[0], means[0] - means[1:].max(axis=0)
    least = float(np.nanmin(lead))
    case, order_number = np.argwhere(lead == least)[0]
    leads = got[:, 0, case, order_number] - got[:, 1 + means[1:, case, order_number].argmax(), case, order_number]
    error = f"{leads.std(ddof=1) / np.sqrt(seeds):.2f}" if seeds > 1 else ""
    where = f"{CASES[case]}, {list(ORDERS)[order_number]}"
    figures = [own[0, 0], own[0, 1:].min(), own[1, 0], own[1, 1:].min(), np.nanmin(own[2])]
    line = f"| {made} | {known:.2f} | " + " | ".join(f"{each:.2f}" for each in figures)
    return f"{line} | {np.nanmean(lead):+.2f} | {least:+.2f} | {error} | {where} |", least, f"{made}: {where}"


def gained(policy: Policy, instance: Instance, estimates: Estimates, seed: int) -> float:
    """Return the expected quality of what one run served: the chances of its answers, without their luck."""
    assert instance.expected is not None
    table = simulate("policy", policy, instance, estimates, stream(0, seed, "policy"))
    served = np.array(table.fate) == SERVED
    return float(instance.expected.quality[instance.rows[served], np.array(table.deployment)[served]].sum())
