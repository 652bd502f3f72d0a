"""Wall time and peak memory of about a million queries through ``switchyard run``, output directory included.

    python -m benchmarks.million [n_queries] [trace, ../shared/data/traces/azure_llm_2023_conv.parquet by default]

First synthetic queries x 11 models with policy=greedy_perf, then the Azure conversation trace looped to a day at twice
its rate, on 8 batching deployments.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

N_OF_A_DAY = 955_000


def run(what: str, n_queries: int, words: list[str]) -> None:
    """Print the figures of one run."""
    with tempfile.TemporaryDirectory() as out:
        began = time.perf_counter()
        command = [sys.executable, "-m", "sim", "run", *words, f"workload.n_queries={n_queries}", f"out={out}/o"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        took_s = time.perf_counter() - began
    peak_gb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6  # the largest child so far
    rate = n_queries / took_s
    print(f"{what}, {n_queries:,} queries: {took_s:.1f} s, {rate:,.0f} queries/s in all, peak {peak_gb:.2f} GB")


def main(n_queries: int, trace: Path) -> None:
    """Print a line for each."""
    run("synthetic", n_queries, ["policy=greedy_perf", "workload.n_history=10000", "workload.dim=64"])
    if not trace.exists():
        print(f"Azure's day: not measured, as there is no {trace}")
        return
    of_trace = [f"workload.path={trace}", "workload.loop=true", "order=given"]
    replayed = ["arrivals=replay", f"arrivals.path={trace}", "arrivals.loop=true", "arrivals.rate_scale=2"]
    fleet = ["fleet=batching", "fleet.size=8", "budget=unlimited"]
    run("Azure's day", N_OF_A_DAY, ["policy=least_loaded", "workload=trace", *of_trace, *replayed, *fleet])


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000,
        Path(sys.argv[2] if len(sys.argv) > 2 else "../shared/data/traces/azure_llm_2023_conv.parquet"),
    )
