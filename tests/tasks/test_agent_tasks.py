"""The made-up tasks of agents beside the runs that they are calibrated on."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from scenarios.workloads.agent_tasks import AGENTS, agent_tasks
from sim.workload import Rows
from sim.workload.tasks import Steps, in_order

RUNS = Path(__file__).resolve().parents[3] / "shared" / "reference" / "agent_steps.csv"
needs_runs = pytest.mark.skipif(not RUNS.is_file(), reason="the published runs of agents are not here")


Numbers = np.ndarray[tuple[int, ...], np.dtype[Any]]


def figures(tokens: Numbers, held: Numbers, output: Numbers, cost: Numbers, sizes: Numbers) -> dict[str, float]:
    """What tasks look like."""
    return {
        "steps of a task": float(sizes.mean()),
        "their standard deviation": float(sizes.std()),
        "input tokens of a step": float(tokens.mean()),
        "output tokens of a step": float(output.mean()),
        "share of the input that is cached": float(held.sum() / tokens.sum()),
        "USD of a step": float(np.nanmean(cost)),
    }


def made(rows: Rows) -> dict[str, float]:
    """The figures of the last model, which answers every step and so keeps its prefix."""
    assert rows.steps is not None
    assert rows.steps.cached_cost_usd is not None
    assert rows.output_tokens is not None
    sizes = np.diff(in_order(rows.steps.task, rows.steps.step)[1])
    of_steps = rows.steps.cached_cost_usd[:, -1]
    return figures(rows.input_tokens, rows.steps.cached_tokens, rows.output_tokens[:, -1], of_steps, sizes)


@needs_runs
def test_lengths_growth_cached_share_and_cost_are_within_a_tenth_of_the_published_runs() -> None:
    runs = pd.read_csv(RUNS)
    sizes = runs.groupby("instance").size().to_numpy()
    columns = ("prompt_tokens", "cached_tokens", "completion_tokens", "cost_usd")
    tokens, held, output, cost = (runs[name].to_numpy() for name in columns)
    published = figures(tokens, held, output, cost, sizes)
    found = made(agent_tasks(n_queries=500, n_history=1).test)
    assert found == pytest.approx(published, rel=0.1)
    assert published["USD of a step"] == pytest.approx(0.01146, abs=1e-5)
    assert (runs.groupby("instance")["resolved"].first().mean(), AGENTS[-1].success) == (0.742, 0.742)


def test_each_model_alone_gets_every_step_right_in_its_share_of_tasks_in_history_and_test_alike() -> None:
    workload = agent_tasks(n_queries=100, n_history=50, mean_steps=8, dim=4)
    for rows, n in ((workload.history, 50), (workload.test, 100)):
        assert isinstance(rows.steps, Steps)
        order, begins = in_order(rows.steps.task, rows.steps.step)
        alone = np.multiply.reduceat(rows.quality[order], begins[:-1], axis=0).sum(axis=0)
        assert alone.tolist() == [round(agent.success * n) for agent in AGENTS]


def test_a_context_only_grows_and_what_is_held_is_of_the_step_before() -> None:
    rows = agent_tasks(n_queries=30, n_history=1, mean_steps=8, dim=4).test
    assert rows.steps is not None
    order, begins = in_order(rows.steps.task, rows.steps.step)
    tokens, held = rows.input_tokens[order], rows.steps.cached_tokens[order]
    later = np.setdiff1d(np.arange(len(tokens)), begins)
    assert (tokens[later] >= tokens[later - 1]).all()
    assert (held[later] <= tokens[later - 1]).all()
    assert (held[begins[:-1]] == 0).all()


def test_the_same_seed_gives_the_same_tasks_and_another_seed_others() -> None:
    first, again, other = (agent_tasks(5, 5, 4, seed, 4.0).test for seed in (0, 0, 1))
    assert np.array_equal(first.embeddings, again.embeddings)
    assert np.array_equal(first.cost_usd, again.cost_usd)
    assert first.cost_usd.shape != other.cost_usd.shape or not np.array_equal(first.cost_usd, other.cost_usd)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_queries": 0}, "workload.n_queries is 0; it must be from 1 to"),
        ({"mean_steps": 0.5}, "workload.mean_steps is 0.5; it must be from 1 to"),
        ({"separation": 0.4}, "workload.separation is 0.4"),
    ],
)
def test_sizes_that_cannot_be_are_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        agent_tasks(**settings)  # type: ignore[arg-type]
