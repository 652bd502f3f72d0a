"""Makes up conversations: each turn's prompt is all that was said before and a new message, so prefixes come again.

``arrivals=sessions`` lets the turns of each follow each other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from scenarios.workloads.synthetic import ROUTERBENCH, check_sizes, draw_shared
from scenarios.workloads.trace import PricedModel, draw
from sim.errors import check_number
from sim.interface import IntArray
from sim.workload import Workload
from sim.workload.prefixes import Prefixes

MESSAGE_LOG_SD, ANSWER_LOG_SD = 1.0, 0.8
MOST_TOKENS = 10**6  # of a message, an answer or a system prompt, on average


@dataclass(frozen=True)
class Conversations:
    """Turns of conversations, session after session; arrays (n,).

    Parameters
    ----------
    session, system : array
        The number of each turn's session, and of the system prompt with which it begins.
    input_tokens, output_tokens : array
        The whole prompt, and the answer.
    """

    session: IntArray
    system: IntArray
    input_tokens: IntArray
    output_tokens: IntArray


def sessions(
    n_queries: int = 5000,
    n_history: int = 2000,
    n_models: int = 3,
    mean_turns: float = 5.0,
    n_systems: int = 4,
    system_tokens: int = 1024,
    message_tokens: float = 150.0,
    answer_tokens: float = 250.0,
    block_tokens: int = 64,
    dim: int = 64,
    seed: int = 0,
) -> Workload:
    """Make a workload of conversations of several turns.

    *Made up*: everything. A session has a geometric number of turns, and begins with one of ``n_systems`` system
    prompts, all as likely. A turn's prompt is the prompt and the answer of the turn before and a new message; messages
    and answers have log-normal lengths (standard deviations of the logarithm 1.0 and 0.8). Every model gives answers
    of the same length, so that the next prompt does not depend on who answered. A cost is tokens times list price;
    topics, difficulties, embeddings and scores are those of the synthetic workload, a new question each turn.

    Prompts begin with blocks of ``block_tokens``. Those of a system prompt are shared by its sessions, as far as they
    are whole; all others are the session's own, and come again in each of its later turns. What is left of a prompt
    beyond its last whole block is in no block.

    Parameters
    ----------
    n_queries : int
        Turns of all sessions together; the last session is cut there.
    n_history : int
        Turns in the history; at least 1.
    n_models : int
        RouterBench's first, see ``synthetic``; at most 11.
    mean_turns : float
        Of a session; at least 1.
    n_systems : int
        Different system prompts; at least 1.
    system_tokens : int
        Length of each; 0 for none.
    message_tokens, answer_tokens : float
        Mean lengths of a message and of an answer; at least 1.
    block_tokens : int
        Of a block.
    dim : int
        Dimensions of the embeddings; at least 2.
    seed : int
        Of the whole workload.

    Raises
    ------
    ValueError
        If a size or a length cannot be right.
    """
    check_sizes({"n_queries": n_queries, "n_history": n_history, "n_models": n_models, "dim": dim})
    check_number("workload.n_models", n_models, least=1, most=len(ROUTERBENCH))
    for name, value, least, most in (
        ("mean_turns", mean_turns, 1, 10_000),
        ("n_systems", n_systems, 1, MOST_TOKENS),
        ("system_tokens", system_tokens, 0, MOST_TOKENS),
        ("message_tokens", message_tokens, 1, MOST_TOKENS),
        ("answer_tokens", answer_tokens, 1, MOST_TOKENS),
        ("block_tokens", block_tokens, 1, MOST_TOKENS),
    ):
        check_number(f"workload.{name}", value, least=least, most=most)
    rng = np.random.default_rng(seed)
    models = [
        PricedModel(model.name, model.quality, model.input_usd_per_million, model.output_usd_per_million)
        for model in ROUTERBENCH[:n_models]
    ]
    shared = draw_shared(n_models, dim, rng)
    lengths = (mean_turns, n_systems, system_tokens, message_tokens, answer_tokens)
    known, asked = (conversations(n, *lengths, rng) for n in (n_history, n_queries))
    history, test = (
        replace(draw(shared, models, (part.input_tokens, part.output_tokens), np.arange(n), rng), row=None)
        for part, n in ((known, n_history), (asked, n_queries))
    )
    prefix = Prefixes.of(blocks(asked, system_tokens // block_tokens, n_systems, block_tokens), block_tokens)
    names = tuple(model.name for model in models)
    return Workload(names, history, replace(test, prefix=prefix, session=asked.session))


def conversations(
    n: int,
    mean_turns: float,
    n_systems: int,
    system_tokens: int,
    message_tokens: float,
    answer_tokens: float,
    rng: np.random.Generator,
) -> Conversations:
    """Draw n turns of conversations; the parameters are those of ``sessions``."""
    turns = np.minimum(rng.geometric(1 / mean_turns, n), n)
    session = np.repeat(np.arange(n), turns)[:n]
    message = counts(message_tokens, MESSAGE_LOG_SD, n, rng)
    answer = counts(answer_tokens, ANSWER_LOG_SD, n, rng)
    said = np.cumsum(message + answer)  # by the end of each turn, since the first session began
    before = np.concatenate([[0], said[:-1]])
    begins = np.flatnonzero(np.diff(session, prepend=-1))
    context = system_tokens + before - before[begins][session] + message
    return Conversations(session, rng.integers(n_systems, size=n)[session], context, answer)


def counts(mean: float, log_sd: float, n: int, rng: np.random.Generator) -> IntArray:
    """Draw n log-normal whole numbers of at least 1 with about this mean."""
    return np.maximum(np.rint(rng.lognormal(np.log(mean) - log_sd**2 / 2, log_sd, n)), 1).astype(np.int64)


def blocks(turns: Conversations, n_shared: int, n_systems: int, block_tokens: int) -> list[list[int]]:
    """Return the whole blocks of each prompt, of which the first ``n_shared`` are those of its system prompt."""
    n_blocks = turns.input_tokens // block_tokens
    last = np.append(np.diff(turns.session) > 0, True)
    own = np.maximum(n_blocks[last] - n_shared, 0)  # of each session, as its last prompt is the longest
    first = n_systems * n_shared + np.cumsum(own) - own
    return [
        [*range(system * n_shared, system * n_shared + n_shared), *range(begin, begin + max(size - n_shared, 0))]
        for system, begin, size in zip(
            turns.system.tolist(), first[turns.session].tolist(), n_blocks.tolist(), strict=True
        )
    ]
