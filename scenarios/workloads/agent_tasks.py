"""Makes up tasks of agents: steps whose context grows, a prefix that is mostly cached, and success at the end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scenarios.workloads.capping import with_curve
from scenarios.workloads.margins import SEPARATION, with_margins
from scenarios.workloads.synthetic import N_TOPICS, Questions, Shared, draw_shared, embed
from sim.errors import check_number
from sim.interface import FloatArray, IntArray
from sim.workload import Rows, Workload
from sim.workload.tasks import Reward, Steps, every_step


@dataclass(frozen=True)
class Agent:
    """A model that may take steps: the share of tasks that it does alone, and its prices in USD per million tokens."""

    name: str
    success: float
    input: float
    cached_input: float
    output: float


# The last one: success and prices of the model whose runs the lengths are calibrated on. The others are made up.
AGENTS = (
    Agent("agent-small", 0.35, 0.10, 0.01, 0.60),
    Agent("agent-medium", 0.60, 0.50, 0.05, 3.00),
    Agent("agent-large", 0.742, 2.00, 0.20, 12.00),
)

MEAN_STEPS = 40.3
STEPS_LOG_SD = 0.467
LENGTH_BY_DIFFICULTY = 0.25  # correlation of a task's log number of steps with its difficulty
FIRST_TOKENS, FIRST_LOG_SD = 1840, 0.25  # mean of the first input
TOOL_TOKENS, TOOL_LOG_SD = 303, 1.55  # mean of what tools add to the context in each step
OUTPUT_TOKENS, OUTPUT_LOG_SD = 276, 1.50  # mean of an answer
MODEL_LOG_SD = 0.25  # of an answer's length between models; made up
LOST_TOKENS, LOST_LOG_SD = 1518, 0.64  # mean of the prefix that is not cached all the same
MISS_TOKENS, MISS_POWER = 1000, 1.3  # chance that nothing of a prefix of n tokens is: (1000 / n)^1.3
TOOL_S, TOOL_S_LOG_SD = 3.1, 1.2  # mean time that tools take; made up
HARD_SHARE = 0.15  # of steps, and at least one of each task; made up, like all that follows
EASE = 4.0  # by so much an ordinary step is easier
STEP_SD, LUCK_SD, AFFINITY = 0.5, 0.3, 0.5
MOST = 10**6


def agent_tasks(
    n_queries: int = 200,
    n_history: int = 200,
    dim: int = 64,
    seed: int = 0,
    mean_steps: float = MEAN_STEPS,
    separation: float = SEPARATION,
    reward: Reward = every_step,
    cap_curve: float | None = None,
) -> Workload:
    """Make a workload of agents' tasks on three models.

    *Calibrated* on 500 runs of one model on SWE-bench, 20,163 steps (mini-swe-agent's published trajectories): number
    of steps, first input, growth of the context by answers and tools, share of the prefix that the provider had cached,
    success and cost of the last model, ``agent-large``. docs/abilities.md has each figure beside the data's.

    *Made up*: everything else. A difficulty per task, standard normal, which also lengthens it a little. About a
    seventh of the steps are as hard as the task, the others far easier. A model's answer is right (score 1) if its
    ability for the topic exceeds the difficulty of the step, with some luck; abilities are set so that each model alone
    gets every step right in its share of tasks, in history and test alike. How many steps a task has does not depend
    on the models that take them, and the context is as long whichever model spoke.

    Parameters
    ----------
    n_queries : int
        How many tasks may arrive; at least 1.
    n_history : int
        How many tasks the history has; at least 1.
    dim : int
        Dimensions of the embeddings; at least 2.
    seed : int
        Of the whole workload.
    mean_steps : float
        Mean number of steps of a task; at least 1.
    separation : float
        Chance that a right answer has a larger confidence than a wrong one, as in ``synthetic``.
    reward : callable
        What a task earns from the scores (n_steps,) of its steps.
    cap_curve : float or None
        Makes scores of cut answers up, as in ``synthetic``; None for none.

    Raises
    ------
    ValueError
        If a size is too small or too large, or the separation out of its range.
    """
    for name, value, least, most in (
        ("n_queries", n_queries, 1, MOST),
        ("n_history", n_history, 1, MOST),
        ("dim", dim, 2, 100_000),
        ("mean_steps", mean_steps, 1, 10_000),
    ):
        check_number(f"workload.{name}", value, least=least, most=most)
    rng = np.random.default_rng(seed)
    shared = draw_shared(len(AGENTS), dim, rng)
    history, test = (
        draw(shared, n, mean_steps, split, rng) for n, split in ((n_history, "known"), (n_queries, "task"))
    )
    names, prices = zip(*((agent.name, (agent.input, agent.output)) for agent in AGENTS), strict=True)
    drawn = Workload(names, history, test, reward=reward, token_prices=prices)
    return with_curve(with_margins(drawn, separation, seed), cap_curve)


def draw(shared: Shared, n_tasks: int, mean_steps: float, prefix: str, rng: np.random.Generator) -> Rows:
    """Draw tasks with the outcomes of every model at every step."""
    topic = rng.choice(N_TOPICS, n_tasks, p=shared.topic_share)
    difficulty = rng.normal(size=n_tasks)
    mixed = LENGTH_BY_DIFFICULTY * difficulty + np.sqrt(1 - LENGTH_BY_DIFFICULTY**2) * rng.normal(size=n_tasks)
    n_steps = np.maximum(np.rint(mean_steps * np.exp(STEPS_LOG_SD * mixed - STEPS_LOG_SD**2 / 2)), 1).astype(np.int64)
    task = np.repeat(np.arange(n_tasks), n_steps)
    begins = np.concatenate([[0], np.cumsum(n_steps)[:-1]])
    step = np.arange(len(task)) - begins[task] + 1

    said = log_normal(OUTPUT_TOKENS, OUTPUT_LOG_SD, len(task), rng)
    heard = log_normal(TOOL_TOKENS, TOOL_LOG_SD, len(task), rng)
    first = log_normal(FIRST_TOKENS, FIRST_LOG_SD, n_tasks, rng)
    added = np.where(step == 1, first[task], np.roll(said + heard, 1))
    total = np.cumsum(added)
    context = np.rint(total - (total - added)[begins][task]).astype(np.int64)
    before = np.where(step == 1, 0, np.roll(context, 1))
    is_missed = rng.random(len(task)) < (MISS_TOKENS / np.maximum(before, MISS_TOKENS)) ** MISS_POWER
    lost = log_normal(LOST_TOKENS, LOST_LOG_SD, len(task), rng)
    held = np.where(is_missed, 0, np.floor(np.maximum(before - lost, 0))).astype(np.int64)

    is_hard = rng.random(len(task)) < HARD_SHARE
    is_hard[begins + (rng.random(n_tasks) * n_steps).astype(np.int64)] = True
    hardness = difficulty[task] + STEP_SD * rng.normal(size=len(task)) - np.where(is_hard, 0.0, EASE)
    shape = (len(task), len(AGENTS))
    quality, cost_usd, cached_usd = np.empty(shape), np.empty(shape), np.empty(shape)
    output_tokens = np.empty(shape, dtype=np.int64)
    for k, agent in enumerate(AGENTS):
        luck = LUCK_SD * rng.normal(size=len(task))
        needed = hardness + luck - AFFINITY * shared.affinity[topic[task], k]
        quality[:, k] = needed <= ability(needed, begins, agent.success)
        answer = said * np.exp(rng.normal(-(MODEL_LOG_SD**2) / 2, MODEL_LOG_SD, len(task)))
        output_tokens[:, k] = np.maximum(np.rint(answer), 1)
        cost_usd[:, k] = (context * agent.input + output_tokens[:, k] * agent.output) / 1e6
        cached_usd[:, k] = cost_usd[:, k] - held * (agent.input - agent.cached_input) / 1e6
    asked = Questions(topic[task], hardness, embed(shared, topic[task], hardness, rng))
    names = np.array([f"{prefix}-{number + 1:05d}" for number in range(n_tasks)], dtype=object)
    return Rows(
        embeddings=asked.embeddings,
        input_tokens=context,
        quality=quality,
        cost_usd=cost_usd,
        output_tokens=output_tokens,
        source=asked.names(),
        steps=Steps(names[task], step, log_normal(TOOL_S, TOOL_S_LOG_SD, len(task), rng), held, cached_usd),
    )


def log_normal(mean: float, log_sd: float, n: int, rng: np.random.Generator) -> FloatArray:
    """Draw n numbers of a log-normal law with this mean."""
    return rng.lognormal(np.log(mean) - log_sd**2 / 2, log_sd, n)


def ability(needed: FloatArray, begins: IntArray, success: float) -> float:
    """Return the ability at which this share of tasks, to within one, has no step that needs more.

    Parameters
    ----------
    needed : array (n_rows,)
        What each step needs, task by task.
    begins : array (n_tasks,)
        Where each task begins.
    success : float
    """
    most = np.sort(np.maximum.reduceat(needed, begins))
    count = round(success * len(most))
    if count == 0:
        return float(most[0]) - 1.0
    return float(most[count - 1])
