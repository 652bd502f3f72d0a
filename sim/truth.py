"""Looks up what each query costs, takes and is worth at each deployment of a fleet: the truth, which no policy sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from sim.deployment import Deployment
from sim.interface import BoolArray, Estimates, FloatArray, IntArray
from sim.tasks import Tasks, cached_share
from sim.workload import Rows

Number = TypeVar("Number", bound=np.generic)


def frozen(array: npt.NDArray[Number]) -> npt.NDArray[Number]:
    """Return the array, read-only."""
    array.setflags(write=False)
    return array


def take(truth: npt.NDArray[Number], columns: Sequence[int]) -> npt.NDArray[Number]:
    """Return the columns of a truth array, read-only, without a copy when they are all of them in order."""
    if list(columns) == list(range(truth.shape[1])):
        return truth
    return frozen(truth[:, columns])


def cost_in_usd(rows: Rows, columns: Sequence[int], fleet: Sequence[Deployment]) -> FloatArray:
    """Return what each query costs at each deployment (n, n_deployments): at its prices, or as the workload says.

    At prices: (input tokens x input price + output tokens x output price) / 1e6.
    """
    cost_usd = take(rows.cost_usd, columns)
    for k, deployment in enumerate(fleet):
        price_in, price_out = deployment.price_input_usd_per_million, deployment.price_output_usd_per_million
        if price_in is not None and price_out is not None:
            assert rows.output_tokens is not None  # check_fleet has seen to it
            cost_usd = cost_usd if cost_usd.flags.writeable else cost_usd.copy()
            cost_usd[:, k] = (rows.input_tokens * price_in + rows.output_tokens[:, columns[k]] * price_out) / 1e6
    return frozen(cost_usd)


def cached_cost_in_usd(
    rows: Rows, columns: Sequence[int], fleet: Sequence[Deployment], cost_usd: FloatArray
) -> FloatArray:
    """Return what each step of a task costs where the step before was answered (n, n_deployments).

    By the workload, or by the price of cached input tokens of a deployment that has prices; else ``cost_usd``.
    """
    cached_usd, steps = cost_usd.copy(), rows.steps
    assert steps is not None  # or nothing is asked of them
    for k, deployment in enumerate(fleet):
        price_in, price_cached = deployment.price_input_usd_per_million, deployment.price_cached_input_usd_per_million
        if price_in is not None:
            if price_cached is not None:
                cached_usd[:, k] -= steps.cached_tokens * (price_in - price_cached) / 1e6
        elif steps.cached_cost_usd is not None:
            cached_usd[:, k] = steps.cached_cost_usd[:, columns[k]]
    return frozen(cached_usd)


def tasks_of(
    test: Rows,
    history: Rows,
    known: BoolArray,
    heads: IntArray,
    begins: IntArray,
    columns: Sequence[int],
    fleet: Sequence[Deployment],
) -> Tasks:
    """Return the tasks of a replication that begin with these test rows (n_tasks,); see ``Tasks`` for ``begins``.

    ``known`` (n_history, n_deployments) says which outcomes of the history are.
    """
    assert test.steps is not None  # the workload has seen to both
    assert history.steps is not None
    known_usd = cost_in_usd(history, columns, fleet)
    share = cached_share(history.steps, known, known_usd, cached_cost_in_usd(history, columns, fleet, known_usd))
    cached_usd = cached_cost_in_usd(test, columns, fleet, cost_in_usd(test, columns, fleet))
    return Tasks(begins, test.steps.task[heads], test.steps, cached_usd, share)


def cost_in_units(rows: Rows, cost_usd: FloatArray, columns: Sequence[int], units: Sequence[str]) -> FloatArray:
    """Return what each query would take from each budget (n, n_deployments): USD, or input plus output tokens."""
    if set(units) == {"usd"}:
        return cost_usd
    assert rows.output_tokens is not None  # check_units has seen to it
    tokens = (rows.input_tokens[:, None] + rows.output_tokens[:, columns]).astype(np.float64)
    return frozen(np.where(np.array(units) == "tokens", tokens, cost_usd))


def energy_in_j(rows: Rows, columns: Sequence[int], fleet: Sequence[Deployment]) -> FloatArray | None:
    """Return the energy of each answer (n, n_deployments): measured, else output tokens x J per token.

    NaN where a deployment has neither; None where no deployment has one.
    """
    energy_j = np.full((len(rows), len(fleet)), np.nan)
    if rows.energy_j is not None:
        energy_j[:] = rows.energy_j[:, columns]
    for k, deployment in enumerate(fleet):
        if deployment.energy_j_per_token is not None and rows.output_tokens is not None and np.isnan(energy_j[0, k]):
            energy_j[:, k] = rows.output_tokens[:, columns[k]] * deployment.energy_j_per_token
    return None if np.isnan(energy_j).all() else frozen(energy_j)


def expected_outcomes(
    rows: Rows, columns: Sequence[int], fleet: Sequence[Deployment], units: Sequence[str]
) -> Estimates | None:
    """Return expected quality and cost of each query and deployment; None where the workload does not know them."""
    expected = rows.as_expected()
    if expected is None:
        return None
    cost_usd = cost_in_usd(expected, columns, fleet)
    return Estimates(take(expected.quality, columns), cost_in_units(expected, cost_usd, columns, units))
