"""The certified hindsight optimum over scipy's HiGHS on the whole program, and alone with ample budgets or a million.

python -m benchmarks.optimum
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import numpy as np

from scenarios.workloads.synthetic import synthetic
from sim.assignment.certified import certified
from sim.assignment.program import linear_program
from sim.interface import FloatArray

Solved = TypeVar("Solved")


def program(n_queries: int, n_models: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return qualities, costs and the published weighted budgets."""
    rows = synthetic(n_queries, n_history=1, n_models=n_models, dim=2).test
    weights = np.sqrt(rows.quality.mean(axis=0) / rows.cost_usd.mean(axis=0))
    return rows.quality, rows.cost_usd, rows.cost_usd.sum(axis=0).min() * weights / weights.sum()


def least_s(solve: Callable[[], Solved], repeats: int) -> tuple[Solved, float, float]:
    """Return the result and the least wall-clock and processor times of some calls; others may use the machine too."""
    walls, processors = [], []
    for _ in range(repeats):
        wall, processor = time.perf_counter(), time.process_time()
        solved = solve()
        walls.append(time.perf_counter() - wall)
        processors.append(time.process_time() - processor)
    return solved, min(walls), min(processors)


def main() -> None:
    """Print one line per size and budgets, in multiples of the weighted ones: at 4, most of them do not bind."""
    whole = [(10_000, 11, 1.0, 5)]
    ample = [(50_000, 16, times, 1) for times in (0.25, 1.0, 2.0, 4.0, 8.0)]
    for n_queries, n_models, times, repeats in (*whole, *ample, (1_000_000, 16, 1.0, 1)):
        quality, cost, budgets = program(n_queries, n_models)
        arguments = quality, cost, times * budgets
        found, wall_s, processor_s = least_s(partial(certified, *arguments), repeats)
        gap = (found.upper - found.lower) / found.upper
        peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        line = f"{n_queries:9,} x {n_models}, budgets x {times:<4g}: {wall_s:6.2f} s, {processor_s:6.2f} s of processor"
        line += f", gap {gap:.1e}, peak {peak_gb:.1f} GB"
        if n_queries <= 10_000:
            exact, whole_wall_s, whole_processor_s = least_s(partial(linear_program, *arguments), 3)
            line += f"   {whole_wall_s / wall_s:.0f} times as fast as HiGHS on the whole program"
            line += f" ({whole_processor_s / processor_s:.0f} by processor), whose value is {exact.value:.4f}"
            line += f" (between {found.lower:.4f} and {found.upper:.4f})"
        print(line, flush=True)


if __name__ == "__main__":
    main()
