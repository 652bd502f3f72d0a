"""The Azure conversation trace looped to a day at twice its rate, about 955,000 requests, on 8 batching deployments.

python -m benchmarks.azure_day [trace, ../shared/data/traces/azure_llm_2023_conv.parquet by default]
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

N_QUERIES = 955_000


def main(trace: Path) -> None:
    """Print the figures of one run, output directory included."""
    if not trace.exists():
        print(f"not measured: there is no {trace}")
        return
    with tempfile.TemporaryDirectory() as out:
        words = [
            "run",
            "policy=least_loaded",
            "workload=trace",
            f"workload.path={trace}",
            f"workload.n_queries={N_QUERIES}",
            "workload.loop=true",
            "arrivals=replay",
            f"arrivals.path={trace}",
            "arrivals.loop=true",
            "arrivals.rate_scale=2",
            "order=given",
            "fleet=batching",
            "fleet.size=8",
            "budget=unlimited",
            f"out={out}/o",
        ]
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "sim", *words], check=True, stdout=subprocess.DEVNULL)
        took_s = time.perf_counter() - began
    peak_gb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    print(f"{N_QUERIES:,} requests: {took_s:.1f} s, {N_QUERIES / took_s:,.0f} requests/s in all, peak {peak_gb:.2f} GB")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("../shared/data/traces/azure_llm_2023_conv.parquet"))
