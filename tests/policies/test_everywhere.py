"""The same record on every processor: policies with prices under the inner loops of several, in processes."""

import hashlib
import json
import os
import subprocess
import sys

import pandas as pd
import pytest

from sim.cli.api import run
from tests.kernels import SETTINGS, Setting, runs_here
from tests.scenarios.test_real_tables import DATA, needs_data

SYNTHETIC = ("workload.n_queries=300", "workload.n_history=400")
ZEROEVAL = (
    "experiment=zeroeval",
    "roundings=0",
    f"workload.path={DATA / 'zeroeval.parquet'}",
    f"workload.embeddings={DATA / 'zeroeval_embeddings.npy'}",
)
KERNELS = [setting for setting in SETTINGS if setting.needs is not None and runs_here(setting)]


def record(*words: str) -> dict[str, list[object]]:
    """The total quality of each policy, and a digest of all that was decided."""
    requests = run(*words)
    return {
        str(policy): [float(rows["quality"].sum()), digest(rows)]
        for policy, rows in requests.groupby("policy", sort=False)
    }


def digest(rows: pd.DataFrame) -> str:
    """Where every query went and what became of it."""
    columns = (rows[name].astype(object).fillna("none").astype(str) for name in ("deployment", "fate", "answer_of"))
    decided = [" ".join(row) for row in zip(*columns, strict=True)]
    return hashlib.sha256("\n".join(decided).encode()).hexdigest()


def under(setting: Setting, *words: str) -> dict[str, list[object]]:
    """The same in a process with this setting."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.policies.test_everywhere", *words]
    done = subprocess.run(command, env={**os.environ, **setting.variables}, capture_output=True, text=True, check=True)
    found: dict[str, list[object]] = json.loads(done.stdout)
    return found


def assert_same_everywhere(*words: str) -> None:
    first, *others = [under(setting, *words) for setting in KERNELS]
    for setting, other in zip(KERNELS[1:], others, strict=True):
        assert other == first, setting.name


@pytest.mark.slow  # make kernels runs it
def test_prices_of_synthetic_queries_are_the_same_on_every_processor() -> None:
    assert_same_everywhere("policy=[port,port_exact,greedy_cost,batch_split,steward]", *SYNTHETIC)


@pytest.mark.slow
@pytest.mark.parametrize("dim", [32, 200])  # searched as they are, and by sums of them
def test_what_a_cache_finds_by_similarity_is_the_same_on_every_processor(dim: int) -> None:
    words = ("cache=gdsf", "cache.similarity=0.5", "cache.capacity=200", "order=zipf", f"workload.dim={dim}")
    assert_same_everywhere("policy=random", *words, "workload.n_queries=2000", "workload.n_history=400")


@pytest.mark.slow  # make kernels runs it
def test_bandits_learn_the_same_on_every_processor() -> None:
    assert_same_everywhere("policy=[pareto_bandit,greenserv,ti_ucb,pilot,stage_route]", "budget=global", *SYNTHETIC)


@pytest.mark.slow  # make kernels runs it
def test_trained_networks_decide_the_same_on_every_processor() -> None:
    assert_same_everywhere("policy=[barp,cost_spectrum,radial_balance,zero_router]", *SYNTHETIC, "budget=uniform")


@pytest.mark.slow  # make kernels runs it
def test_steps_of_tasks_go_the_same_way_on_every_processor() -> None:
    tasks = ("workload=agent_tasks", "workload.n_queries=20", "workload.n_history=40", "task.budget_usd=0.2")
    assert_same_everywhere("policy=[steer,evo_route,bopo,x_router]", *tasks, "budget=unlimited", "fleet=slots")


@needs_data
@pytest.mark.slow
def test_trained_networks_decide_the_same_on_zeroeval_on_every_processor() -> None:
    assert_same_everywhere("policy=[barp,cost_spectrum,radial_balance,zero_router]", *ZEROEVAL, "oracle.names=[]")


@needs_data
@pytest.mark.slow
def test_prices_of_zeroeval_are_the_same_on_every_processor() -> None:
    policies = "port,port_exact,greedy_cost,batch_split,steward,mirror_descent_entropic"
    assert_same_everywhere(f"policy=[{policies}]", *ZEROEVAL)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(record(*sys.argv[1:])))
