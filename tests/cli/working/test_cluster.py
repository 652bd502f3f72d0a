"""A sweep on a Ray cluster of two nodes, one of which is killed midway: nothing is lost."""

import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from sim.cli.main import main

pytestmark = [
    pytest.mark.slow,
    # Ray leaves files and sockets to be closed by the interpreter, and warns of what later versions will do.
    pytest.mark.filterwarnings("ignore"),
]
AXES = ["budget.total=0.25,0.5,1,2", "workload.n_queries=100,150,200", "workload.n_history=40,80"]
WORDS = [*AXES, "workload.n_models=3", "policy=[random,port_fallback]", "replications=2", "store=null", "--no-report"]


def test_a_node_that_is_killed_midway_loses_no_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray", reason="needs ray: pip install 'llm-switchyard[ray]'")
    from ray.cluster_utils import Cluster

    monkeypatch.chdir(tmp_path)
    assert main(["sweep", *WORDS, "out=here"]) == 0
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 100_000_000})
    try:
        other = cluster.add_node(num_cpus=1, object_store_memory=100_000_000)
        words = [*WORDS, "launcher=ray", f"launcher.address={cluster.address}", "out=cluster"]
        sweep = subprocess.Popen([sys.executable, "-m", "sim", "sweep", *words])
        while sweep.poll() is None and len(list(Path("cluster/points").glob("*.parquet"))) < 6:
            time.sleep(0.05)
        cluster.remove_node(other, allow_graceful=False)
        assert sweep.wait(timeout=300) == 0
    finally:
        cluster.shutdown()
    tables = [pd.read_parquet(f"{out}/sweep.parquet").drop(columns="wall_s") for out in ("here", "cluster")]
    assert len(tables[0]) == 4 * 3 * 2 * 2 * 2
    assert tables[0].equals(tables[1])
