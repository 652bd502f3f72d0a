"""Says what a task is: queries that follow each other, what their answers earn together, and what limits a task.

Rows of one task have its name and are numbered by step, from 1. It knows no fleet, no clock and no policy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sim.errors import check_number
from sim.interface import BoolArray, FloatArray, IntArray

Names = np.ndarray[Any, np.dtype[Any]]
Reward = Callable[[FloatArray], float]
"""What a task earns, in [0, 1], from the scores (n_steps,) of the answers to its steps."""


def every_step(scores: FloatArray) -> float:
    """Return the product: where scores are 0 or 1, a task succeeds if every answer was right."""
    return float(np.prod(scores))


def last_step(scores: FloatArray) -> float:
    """Return the score of the last answer, whatever came before."""
    return float(scores[-1])


def mean_step(scores: FloatArray) -> float:
    """Return the mean."""
    return float(scores.mean())


def earned(reward: Reward, scores: FloatArray) -> float:
    """Return what a task earns by a reward; raise ValueError if that is no number from 0 to 1."""
    worth = float(reward(scores))
    if not 0 <= worth <= 1:
        name = getattr(reward, "__name__", None) or getattr(getattr(reward, "func", reward), "__name__", reward)
        raise ValueError(f"workload.reward is {name}, which gives {worth:g}; what a task earns must be from 0 to 1")
    return worth


@dataclass(frozen=True)
class TaskLimits:
    """What a task may take.

    Parameters
    ----------
    budget_usd : float or None
        What the calls of one task may cost together, beside the budgets of deployments; None for no limit. A call that
        would exceed it is refused (``exhausted``).
    deadline_s : float or None
        From a task's arrival to the end of its last step; None for none. A task that cannot meet it any more ends
        there, and earns nothing.
    """

    budget_usd: float | None = None
    deadline_s: float | None = None

    def __post_init__(self) -> None:
        """Check the limits."""
        check_number("task.budget_usd", self.budget_usd, least=0, null="for no limit")
        check_number("task.deadline_s", self.deadline_s, above=0, null="for none")


@dataclass(frozen=True)
class Steps:
    """Which step of which task each row is: arrays by row, which may be taken like an array.

    Parameters
    ----------
    task : array (n,) of str
        Name of the task.
    step : array (n,) of int
        1, 2, 3 and so on within each task.
    tool_s : array (n,)
        Time from the answer to the step before to the arrival of each row, at least 0; of no meaning in a first step.
    cached_tokens : array (n,) of int
        Of the input of each row, what a deployment that answered the step before still holds, so that it neither
        prefills nor charges it in full; 0 in a first step.
    cached_cost_usd : array (n, n_models) or None
        What each row costs at a model that answered the step before: at most its cost elsewhere. None where only
        deployments with prices of their own know.
    """

    task: Names
    step: IntArray
    tool_s: FloatArray
    cached_tokens: IntArray
    cached_cost_usd: FloatArray | None = None

    def __post_init__(self) -> None:
        """Make every array read-only."""
        for array in vars(self).values():
            if array is not None:
                array.setflags(write=False)

    def __getitem__(self, numbers: IntArray) -> Steps:
        return replace(self, **{name: array[numbers] for name, array in vars(self).items() if array is not None})

    def with_costs(self, cost_usd: FloatArray, others_usd: FloatArray) -> Steps:
        """Return the same steps where costs (n, n_models) are others: what is cached keeps its share of them."""
        if self.cached_cost_usd is None:
            return self
        return replace(self, cached_cost_usd=in_proportion(self.cached_cost_usd, cost_usd, others_usd))


def check_steps(
    steps: Steps, input_tokens: IntArray, cost_usd: FloatArray, models: Sequence[str], where: Callable[[int], str]
) -> None:
    """Raise ValueError for a task whose steps are not 1, 2, 3 and so on, or for the first number that cannot be.

    ``where`` says in words which row has a number.
    """
    fault = step_fault(steps.task, steps.step)
    if fault is not None:
        raise ValueError(fault)
    is_time = np.isfinite(steps.tool_s) & (steps.tool_s >= 0)
    most = np.where(steps.step == 1, 0, input_tokens)
    is_part = (steps.cached_tokens >= 0) & (steps.cached_tokens <= most)
    for values, good, what, right in (
        (steps.tool_s, is_time, "tool_s", "finite and at least 0"),
        (steps.cached_tokens, is_part, "cached_tokens", "from 0 to the input tokens, and 0 in a first step"),
    ):
        if not good.all():
            row = int(np.argmin(good))
            raise ValueError(f"{what} is {values[row]} in {where(row)}; it must be {right}")
    cached = steps.cached_cost_usd
    if cached is not None and not ((cached >= 0) & (cached <= cost_usd)).all():
        row, k = np.argwhere(~((cached >= 0) & (cached <= cost_usd)))[0]
        raise ValueError(
            f"the cached cost of model {models[k]!r} is {cached[row, k]} in {where(row)}; "
            f"it must be from 0 to the cost, {cost_usd[row, k]}"
        )


@dataclass(frozen=True)
class Tasks:
    """The tasks of one replication, in order of arrival.

    Parameters
    ----------
    begins : array (n_tasks + 1,)
        Which of the instance's ``rows`` begin each task; the last is their number. The steps of a task are next to
        each other.
    names : array (n_tasks,) of str
        As the workload calls them.
    steps : Steps
        By test row.
    cached_cost_usd : array (n_test, n_deployments)
        What each test row costs at such a deployment.
    cached_share : array (n_deployments,)
        What steps cost at the deployment that answered the step before, over what they would cost elsewhere, in the
        history; 1 where it does not say.
    """

    begins: IntArray
    names: Names
    steps: Steps
    cached_cost_usd: FloatArray
    cached_share: FloatArray

    def __len__(self) -> int:
        return len(self.names)

    def taken(self, rows: IntArray) -> Tasks:
        """Return the same tasks where row i is what ``rows[i]`` (n_rows,) was."""
        return replace(self, steps=self.steps[rows], cached_cost_usd=self.cached_cost_usd[rows])

    def with_costs(self, cost_usd: FloatArray, others: FloatArray, is_usd: BoolArray) -> Tasks:
        """Return the same where costs (n_test, n_deployments) are others at the deployments that charge USD."""
        cached = in_proportion(self.cached_cost_usd, cost_usd, others)
        return replace(self, cached_cost_usd=np.where(is_usd, cached, self.cached_cost_usd))


def shares(part: FloatArray, whole: FloatArray) -> FloatArray:
    """Return parts over wholes, 1 where a whole is 0."""
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), 1.0)


def in_proportion(cached_usd: FloatArray, cost_usd: FloatArray, others_usd: FloatArray) -> FloatArray:
    """Return cached costs that are to other costs as they were to those before; where these stay, to the last bit."""
    return np.where(others_usd == cost_usd, cached_usd, others_usd * shares(cached_usd, cost_usd))


def cached_share(steps: Steps, known: BoolArray, cost_usd: FloatArray, cached_usd: FloatArray) -> FloatArray:
    """Return the share of their full cost that later steps pay where the step before was answered (n_deployments,).

    Parameters
    ----------
    steps : Steps
        Of the history.
    known : bool array (n, n_deployments)
        Which deployments are known on which rows; the others do not count.
    cost_usd, cached_usd : arrays (n, n_deployments)
    """
    counts = known & (steps.step > 1)[:, None]
    return shares(np.where(counts, cached_usd, 0.0).sum(axis=0), np.where(counts, cost_usd, 0.0).sum(axis=0))


def numbered(task: Names) -> IntArray:
    """Return for each row (n,) the number of its task, from 0 in the order in which they appear."""
    _, first, inverse = np.unique(task.astype(str), return_index=True, return_inverse=True)
    place = np.empty(len(first), dtype=np.int64)
    place[np.argsort(first)] = np.arange(len(first))
    return place[inverse]


def in_order(task: Names, step: IntArray) -> tuple[IntArray, IntArray]:
    """Return the rows (n,) task by task and step by step, and where in them each task begins (n_tasks + 1,)."""
    number = numbered(task)
    rows = np.lexsort((step, number))
    begins = np.searchsorted(number[rows], np.arange(number.max() + 2))
    return rows, begins


def step_fault(task: Names, step: IntArray) -> str | None:
    """Return what is wrong with the steps of the first task that is not numbered 1, 2, 3 and so on; None if all are."""
    rows, begins = in_order(task, step)
    expected = np.arange(len(rows)) - np.repeat(begins[:-1], np.diff(begins)) + 1
    wrong = np.flatnonzero(step[rows] != expected)
    if not len(wrong):
        return None
    row, right = rows[wrong[0]], int(expected[wrong[0]])
    name, found = str(task[row]), int(step[row])
    if 0 < found == right - 1:
        return f"task {name!r} has step {found} twice; each step is one row"
    return f"task {name!r} has step {found} and no step {right}; steps are numbered from 1 without a gap"


def taken_in_order(steps: Steps, heads: IntArray) -> tuple[IntArray, IntArray]:
    """Return all rows of tasks that are named by the rows of their first steps, and where each begins.

    Parameters
    ----------
    steps : Steps
    heads : array (n_tasks,)
        Rows of first steps, in the order of their tasks; a task may come more than once.

    Returns
    -------
    array (n_rows,), array (n_tasks + 1,)
    """
    rows, begins = in_order(steps.task, steps.step)
    number = numbered(steps.task)[heads]
    sizes = np.diff(begins)[number]
    ends = np.cumsum(sizes)
    within = np.arange(ends[-1]) - np.repeat(ends - sizes, sizes)
    return rows[np.repeat(begins[number], sizes) + within], np.concatenate([[0], ends])
