"""Wall time and peak memory of a million synthetic queries x 11 models through ``run policy=greedy_perf``.

python -m benchmarks.million [n_queries]
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time


def main(n_queries: int) -> None:
    """Print the figures of one run."""
    with tempfile.TemporaryDirectory() as out:
        words = ["run", "policy=greedy_perf", f"workload.n_queries={n_queries}", "workload.n_history=10000"]
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "sim", *words, "workload.dim=64", f"out={out}/o"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        took_s = time.perf_counter() - began
    peak_gb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    print(f"{n_queries:,} queries: {took_s:.1f} s, {n_queries / took_s:,.0f} queries/s in all, peak {peak_gb:.2f} GB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
