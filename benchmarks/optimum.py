"""The certified hindsight optimum over scipy's HiGHS on the whole program, and alone at a million queries.

python -m benchmarks.optimum
"""

from __future__ import annotations

import resource
import time

import numpy as np

from scenarios.workloads.synthetic import synthetic
from sim.interface import FloatArray
from sim.study.bounds import linear_program
from sim.study.dual import certified


def program(n_queries: int, n_models: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return qualities, costs and the published weighted budgets."""
    rows = synthetic(n_queries, n_history=1, n_models=n_models, dim=2).test
    weights = np.sqrt(rows.quality.mean(axis=0) / rows.cost_usd.mean(axis=0))
    return rows.quality, rows.cost_usd, rows.cost_usd.sum(axis=0).min() * weights / weights.sum()


def main() -> None:
    """Print one line per size."""
    for n_queries, n_models in ((10_000, 11), (1_000_000, 16)):
        arguments = program(n_queries, n_models)
        began = time.perf_counter()
        found = certified(*arguments)
        took_s = time.perf_counter() - began
        gap = (found.upper - found.lower) / found.upper
        peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        line = f"{n_queries:9,} x {n_models}: {took_s:6.2f} s, gap {gap:.1e}, peak {peak_gb:.1f} GB"
        if n_queries <= 10_000:
            began = time.perf_counter()
            exact = linear_program(*arguments)
            ratio = (time.perf_counter() - began) / took_s
            line += f"   {ratio:.0f} times as fast as HiGHS on the whole program, whose value is {exact.value:.4f}"
            line += f" (between {found.lower:.4f} and {found.upper:.4f})"
        print(line)


if __name__ == "__main__":
    main()
