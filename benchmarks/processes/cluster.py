"""A sweep of 2,000 points on a Ray cluster of two nodes on this machine, one of which is killed midway.

python -m benchmarks.processes.cluster [points: 2000 by default]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

POINTS = 2_000
STORE_BYTES = 100_000_000
SMALL = ("workload.n_queries=50", "workload.n_history=20", "workload.n_models=2", "workload.dim=4")
WORDS = (*SMALL, "policy=random", "replications=2", "oracle.names=[]", "store=null", "--no-report")


def main(n_points: int) -> None:
    """Print what became of the points, and how long it took."""
    try:
        from ray.cluster_utils import Cluster
    except ImportError:
        print("not measured, as there is no ray: pip install 'llm-switchyard[ray]'")
        return
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": STORE_BYTES})
    try:
        other = cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "out"
            axis = f"budget.total={','.join(f'{1 + number / 1000:g}' for number in range(n_points))}"
            words = (axis, *WORDS, "launcher=ray", f"launcher.address={cluster.address}", f"out={out}")
            began = time.perf_counter()
            sweep = subprocess.Popen([sys.executable, "-m", "sim", "sweep", *words], stdout=subprocess.DEVNULL)
            while sweep.poll() is None and done(out) < n_points // 2:
                time.sleep(0.2)
            half_s, n_done = time.perf_counter() - began, done(out)
            cluster.remove_node(other, allow_graceful=False)
            code = sweep.wait()
            took_s = time.perf_counter() - began
            table = pd.read_parquet(out / "sweep.parquet")
            n_failed = len((out / "failures.csv").read_text().splitlines()) - 1
        print(f"one of two nodes was killed after {n_done:,} points and {half_s:.0f} s; {took_s:.0f} s in all")
        n_there = table["budget.total"].nunique()
        print(f"{n_there:,} of {n_points:,} points, {len(table):,} rows, {n_failed} failed; exit code {code}")
    finally:
        cluster.shutdown()


def done(out: Path) -> int:
    """Return how many points have their rows."""
    return len(list((out / "points").glob("*.parquet")))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else POINTS)
