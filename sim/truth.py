"""Looks up what each query costs, takes and is worth at each deployment of a fleet: the truth, which no policy sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from sim.deployment import Deployment
from sim.interface import BoolArray, Capped, Estimates, FloatArray, IntArray
from sim.workload import Rows, Workload
from sim.workload.tasks import Tasks, cached_share

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

    At prices: (input tokens x input price + output tokens x output price) / 1e6. What queries cost as a multiple of
    that (``Rows.price``) comes on top.
    """
    cost_usd = take(rows.cost_usd, columns)
    for k, deployment in enumerate(fleet):
        price_in, price_out = deployment.price_input_usd_per_million, deployment.price_output_usd_per_million
        if price_in is not None and price_out is not None:
            assert rows.output_tokens is not None  # check_fleet has seen to it
            cost_usd = cost_usd if cost_usd.flags.writeable else cost_usd.copy()
            cost_usd[:, k] = (rows.input_tokens * price_in + rows.output_tokens[:, columns[k]] * price_out) / 1e6
    return frozen(at_own_price(rows, cost_usd))


def at_own_price(rows: Rows, usd: npt.NDArray[np.floating[Any]]) -> FloatArray:
    """Return amounts (n, ...) at the price of each query, a multiple of the usual one."""
    if rows.price is None:
        return np.asarray(usd, dtype=np.float64)
    return np.asarray(usd * rows.price.reshape(-1, *[1] * (usd.ndim - 1)))


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
                cached_usd[:, k] -= at_own_price(rows, steps.cached_tokens * (price_in - price_cached) / 1e6)
        elif steps.cached_cost_usd is not None:
            cached_usd[:, k] = at_own_price(rows, steps.cached_cost_usd[:, columns[k]])
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


def brought(rows: Rows, columns: Sequence[int], units: Sequence[str]) -> Estimates | None:
    """Return the estimates (n, n_deployments) that rows bring of their own; None if they bring none.

    Raises
    ------
    ValueError
        If a budget is in tokens, as the costs that they bring are in USD.
    """
    if rows.quality_hat is None or rows.cost_hat_usd is None:
        return None
    if set(units) != {"usd"}:
        raise ValueError("the workload's estimates of cost are in USD and a budget in tokens; use budget.unit=usd")
    return Estimates(take(rows.quality_hat, columns), take(rows.cost_hat_usd, columns))


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


def token_usd(
    rows: Rows, workload: Workload, fleet: Sequence[Deployment], columns: Sequence[int], cost_usd: FloatArray
) -> FloatArray | None:
    """Return what an input and an output token of each answer cost in USD (n, n_deployments, 2); None without caps.

    By the prices of the deployment, else of the workload's model; where neither has prices all tokens of an answer cost
    the same, so that the cost of a cut answer falls with its tokens, input and output together.
    """
    if not workload.caps:
        return None
    assert rows.output_tokens is not None  # a workload with caps and without them has been refused
    each = np.empty((len(rows), len(fleet), 2))
    for k, (deployment, column) in enumerate(zip(fleet, columns, strict=True)):
        price_in, price_out = deployment.price_input_usd_per_million, deployment.price_output_usd_per_million
        if price_in is None and workload.token_prices is not None:
            price_in, price_out = workload.token_prices[column]
        if price_in is not None and price_out is not None:
            each[:, k] = at_own_price(rows, np.broadcast_to([price_in / 1e6, price_out / 1e6], (len(rows), 2)))
        else:
            tokens = np.maximum(rows.input_tokens + rows.output_tokens[:, column], 1)  # of an empty one nothing is cut
            each[:, k] = (cost_usd[:, k] / tokens)[:, None]
    return frozen(each)


def capped(
    rows: Rows,
    workload: Workload,
    fleet: Sequence[Deployment],
    columns: Sequence[int],
    units: Sequence[str],
    cost: FloatArray,
    cost_usd: FloatArray,
) -> Capped | None:
    """Return what these answers are worth and cost when they are cut at each of the workload's caps.

    Parameters
    ----------
    rows, workload, fleet, columns, units
        As above.
    cost, cost_usd : arrays (n, n_deployments)
        Of whole answers, in the unit of each deployment's budget and in USD.

    Returns
    -------
    Capped or None
        None without caps.
    """
    each_usd = token_usd(rows, workload, fleet, columns, cost_usd)
    if each_usd is None:
        return None
    assert rows.output_tokens is not None  # as above
    assert rows.capped_quality is not None
    return cut(
        workload.caps,
        units,
        rows.input_tokens,
        take(rows.output_tokens, columns),
        take(rows.quality, columns),
        take(rows.capped_quality, columns),
        cost,
        each_usd,
    )


def cut(
    caps: Sequence[int],
    units: Sequence[str],
    input_tokens: IntArray,
    output_tokens: IntArray,
    quality: FloatArray,
    capped_quality: FloatArray,
    cost: FloatArray,
    each_usd: FloatArray,
) -> Capped:
    """Return what answers are worth and cost when they are cut, from what whole ones are and ``token_usd``."""
    at = np.array(caps, dtype=np.int64)
    is_cut, whole = output_tokens[..., None] > at, cost[..., None]
    in_usd = input_tokens[:, None, None] * each_usd[..., :1] + at * each_usd[..., 1:]
    in_tokens = (input_tokens[:, None] + at)[:, None].astype(np.float64)
    of_cut = np.where((np.array(units) == "tokens")[:, None], in_tokens, in_usd)
    worth = np.where(is_cut, capped_quality, quality[..., None])
    return Capped(frozen(at), frozen(worth), frozen(np.where(is_cut, np.minimum(of_cut, whole), whole)))
