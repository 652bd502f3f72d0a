"""A sweep of 4 volumes x 4 fleet sizes x 6 policies x 5 replications, by one worker and by two, nothing cached before.

python -m benchmarks.sweep [out: keep the sweep of two workers there]
"""

from __future__ import annotations

import os
import resource
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


def took_s(out: Path, cache: Path, *launcher: str) -> tuple[float, float]:
    """Return the seconds, by the clock and of processors, of the whole command, from an empty cache to figures."""
    began, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    words = [*WORDS, *launcher, f"out={out}", f"store={cache}"]
    subprocess.run([sys.executable, "-m", "sim", *words], check=True, stdout=subprocess.DEVNULL)
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter() - began, now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime


def main(out: Path | None) -> None:
    """Print what each takes, and how busy the machine was before: others' load falls mostly on the second worker."""
    times = []
    with tempfile.TemporaryDirectory() as folder:
        for n_jobs, launcher in ((1, ["launcher=basic"]), (2, ["launcher=joblib", "launcher.n_jobs=2"])):
            load = os.getloadavg()[0]
            kept = Path(folder) / f"out{n_jobs}" if out is None or n_jobs == 1 else out
            wall_s, cpu_s = took_s(kept, Path(folder) / f"cache{n_jobs}", *launcher)
            times.append(wall_s)
            print(
                f"480 points, {n_jobs} worker(s): {wall_s:.1f} s, {cpu_s:.1f} of processors (load before: {load:.1f})"
            )
    print(f"two workers are {times[0] / times[1]:.2f} times as fast, on {os.cpu_count()} cores")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
