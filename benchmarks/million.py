"""Wall time and peak memory of about a million queries through ``switchyard run``, output directory included.

    python -m benchmarks.million [ten] [n_queries] [trace, ../shared/data/traces/azure_llm_2023_conv.parquet by default]

First synthetic queries x 11 models with policy=greedy_perf, then with policy=port_fallback on 8 deployments with a
clock, and with the word ``ten`` ten million of these; then the Azure conversation trace looped to a day at twice its
rate, on 8 batching deployments.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

N_OF_A_DAY = 955_000
TEN = "ten"
CLOCK = [
    *("policy=port_fallback", "workload.n_models=8", "workload.n_history=10000", "workload.dim=64"),
    *("fleet=slots", "fleet.service.slots=64"),
]


def run(what: str, n_queries: int, words: list[str]) -> None:
    """Print the figures of one run."""
    with tempfile.TemporaryDirectory() as out:
        began = time.perf_counter()
        command = [sys.executable, "-m", "sim", "run", *words, f"workload.n_queries={n_queries}", f"out={out}/o"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)  # the most memory of this child alone
        process.returncode = os.waitstatus_to_exitcode(status)
        took_s = time.perf_counter() - began
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    busy_s, peak_gb, rate = used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e9, n_queries / took_s
    print(
        f"{what}, {n_queries:,} queries: {took_s:.1f} s ({busy_s:.1f} s of processors), {rate:,.0f} queries/s in all, "
        f"peak {peak_gb:.2f} GB"
    )


def main(n_queries: int, trace: Path, is_long: bool) -> None:
    """Print a line for each."""
    run("synthetic", n_queries, ["policy=greedy_perf", "workload.n_history=10000", "workload.dim=64"])
    for n in (n_queries, 10_000_000) if is_long else (n_queries,):
        run("8 deployments with a clock", n, CLOCK)
    if not trace.exists():
        print(f"Azure's day: not measured, as there is no {trace}")
        return
    of_trace = [f"workload.path={trace}", "workload.loop=true", "order=given"]
    replayed = ["arrivals=replay", f"arrivals.path={trace}", "arrivals.loop=true", "arrivals.rate_scale=2"]
    fleet = ["fleet=batching", "fleet.size=8", "budget=unlimited"]
    run("Azure's day", N_OF_A_DAY, ["policy=least_loaded", "workload=trace", *of_trace, *replayed, *fleet])


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != TEN]
    main(
        int(words[0]) if words else 1_000_000,
        Path(words[1] if len(words) > 1 else "../shared/data/traces/azure_llm_2023_conv.parquet"),
        TEN in sys.argv[1:],
    )
