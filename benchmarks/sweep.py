"""A sweep of 4 volumes x 4 fleet sizes x 6 policies x 5 replications, by one worker and by two, nothing cached before.

python -m benchmarks.sweep [out: keep the sweep of two workers there]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WORDS = (
    "sweep",
    "n_queries=4000,6000,8000,10000",
    "fleet.size=2,4,8,11",
    "policy=[random,greedy_cost,knn_threshold,port,port_exact,port_fallback]",
    "replications=5",
    "workload.n_queries=10000",
)


def took_s(out: Path, cache: Path, *launcher: str) -> float:
    """Return how long the whole command takes, from an empty cache to figures."""
    began = time.perf_counter()
    words = [*WORDS, *launcher, f"out={out}", f"cache={cache}"]
    subprocess.run([sys.executable, "-m", "sim", *words], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main(out: Path | None) -> None:
    """Print both times, and how busy the machine was before each."""
    times = []
    with tempfile.TemporaryDirectory() as folder:
        for n_jobs, launcher in ((1, ["launcher=basic"]), (2, ["launcher=joblib", "launcher.n_jobs=2"])):
            load = os.getloadavg()[0]
            kept = Path(folder) / f"out{n_jobs}" if out is None or n_jobs == 1 else out
            times.append(took_s(kept, Path(folder) / f"cache{n_jobs}", *launcher))
            print(
                f"480 points, {n_jobs} worker{'s' * (n_jobs > 1)}: {times[-1]:.1f} s (load before: {load:.1f})",
                flush=True,
            )
    print(f"two workers are {times[0] / times[1]:.2f} times as fast, on {os.cpu_count()} cores")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
