"""What passes between the world and a policy while queries arrive: queries, states, decisions, answers and feedback.

Nothing here holds an outcome that has not been revealed. On arrival a query shows its features, its preference and the
estimates. What an answer cost, how long it took and how much energy it took come with the feedback, and so does its
quality, if somebody scores it. Nothing is ever told of a deployment that was not asked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from sim.interface.arrays import BoolArray, EmbeddingArray, FloatArray, IntArray


class Task(NamedTuple):
    """What a router knows of the task of which a query is a step. How many steps will come is not among it.

    Parameters
    ----------
    id : int
        In order of the tasks' arrival, from 0.
    step : int
        From 1.
    spent_usd : float
        What the steps before have cost, with all their calls.
    budget_usd : float
        What all calls of the task may cost; ``inf`` without a limit.
    deadline_s : float
        When its last step must have ended; ``inf`` without a deadline.
    last_deployment : int or None
        The deployment that answered the step before, and still holds what has been said: it prefills the rest alone,
        and may charge less. None for a first step.
    """

    id: int
    step: int
    spent_usd: float
    budget_usd: float = math.inf
    deadline_s: float = math.inf
    last_deployment: int | None = None


class Query(NamedTuple):
    """One arrival, as the router sees it; a named tuple, because a run makes one per arrival.

    Parameters
    ----------
    id : int
        Arrival order, from 0; never a row of a data set.
    arrived_at_s : float
        Simulated time of arrival.
    embedding : array (dim,)
    input_tokens : int
    quality_hat, cost_hat : arrays (n_deployments,)
        The policy's estimator's predictions; the means of the history if the policy has no estimator. In a task, the
        cost at ``Task.last_deployment`` is multiplied by the share of their full cost that such steps paid there in
        the history.
    priority : int
        Class of the query, 0 the most urgent; 0 for all where the workload has none.
    deadline_s : float
        When the answer is due; ``inf`` where the workload has no deadlines.
    preference : float
        Weight of quality against cost for whoever asks, in [0, 1]; 1, quality alone, where the workload has none. What
        a policy makes of it is its own affair: the world keeps budgets all the same.
    task : Task or None
        What it is a step of; None for a query of its own.
    prefix_blocks : tuple of int
        The blocks of tokens that its prompt begins with; two prompts with the same first blocks share a prefix. Empty
        where the workload has none.
    session : int or None
        The conversation that it is a turn of; None where the workload has none.
    """

    id: int
    arrived_at_s: float
    embedding: EmbeddingArray
    input_tokens: int
    quality_hat: FloatArray
    cost_hat: FloatArray
    priority: int = 0
    deadline_s: float = math.inf
    preference: float = 1.0
    task: Task | None = None
    prefix_blocks: tuple[int, ...] = ()
    session: int | None = None


class State(NamedTuple):
    """What a router can observe of the fleet at one moment; every array has shape (n_deployments,).

    The arrays are live views: read them while deciding, copy what must outlast the decision.

    Parameters
    ----------
    now_s : float
    queued : int array
        Queries waiting at each deployment.
    in_flight : int array
        Queries being served at each deployment.
    remaining : float array
        Budget less *settled* cost: the cost of a query shows only once it has finished. ``inf`` without a budget. Where
        deployments share an account, what is left of it stands at each of them.
    available : bool array
        Whether the deployment accepts queries.
    """

    now_s: float
    queued: IntArray
    in_flight: IntArray
    remaining: FloatArray
    available: BoolArray


class Decision(NamedTuple):
    """Where a query goes.

    Parameters
    ----------
    deployment : int or None
        Index of the chosen deployment; None declines the query.
    fallbacks : sequence of int
        Next choices, best first, tried in turn when the first cannot take the query (budget exhausted or queue full),
        unless the scenario loses such queries (``Setting.refused``).
    explores : bool
        Whether the query goes there to learn or to sample rather than because it is best; recorded, and nothing else.
    alongside : sequence of int
        Further deployments that are asked at the same time. They and the first are one round of calls, which ends when
        all of its calls have ended; then ``Policy.review`` says what becomes of the query. The fallbacks are those of
        the first call alone.
    max_output_tokens : int or None
        The answer is cut at so many output tokens, at least 1; None for the whole answer. It holds for every call of
        the decision, its fallbacks and retries. Only where the workload has quality by cap (``History.capped``).
    """

    deployment: int | None
    fallbacks: Sequence[int] = ()
    explores: bool = False
    alongside: Sequence[int] = ()
    max_output_tokens: int | None = None


class Answer(NamedTuple):
    """What a router sees of one call when its round has ended: never the quality of the answer.

    A call that was refused or lost is here too, as an answer that never came: it cost nothing, and its ``fate`` says
    what became of it.

    Parameters
    ----------
    deployment : int
        The one that answered; of a call that none took, the first choice.
    cost : float
        In the unit of the deployment's budget.
    latency_s : float
        From the moment at which the call was made to its last token, or to its loss.
    output_tokens : int
        Of the answer as it came, so at most the decision's cap; 0 where the workload has no lengths.
    confidence : float
        What the workload says of the answer besides, see ``sim.workload.Rows.confidence``; NaN where it has none.
    fate : str
        ``served``, or how the call ended: ``exhausted``, ``rejected``, ``too_long``, ``abandoned``, ``timed_out`` or
        ``failed``.
    """

    deployment: int
    cost: float
    latency_s: float
    output_tokens: int
    confidence: float
    fate: str = "served"

    @property
    def came(self) -> bool:
        """Whether there is an answer to keep."""
        return self.fate == "served"


class Keep(NamedTuple):
    """Hand one answer to the user: its place among the answers, from 0."""

    index: int  # type: ignore[assignment]  # it hides the method of tuples, which nobody needs here


class Combine(NamedTuple):
    """Hand the user what several answers make together: their places among the answers, from 0.

    Only where the workload says what a combination is worth, see ``sim.workload.Workload.combined``.
    """

    indices: Sequence[int]


class Feedback(NamedTuple):
    """The outcome of one served query, at its completion and for the deployment that served it only.

    Of a step of a task the score is NaN; when the task has ended, ``Policy.learn_score`` hears the same feedback with
    what the whole task has earned. Of a query that took several calls there is one for each answer that came, all once
    the query has ended: the score is of the answer that was kept, and NaN for every other and for those that were
    combined.

    Parameters
    ----------
    query : Query
    deployment : int
    quality : float
        Score in [0, 1] of the answer as it came, cut or whole, with the errors of those who score; NaN if there is
        none, or none yet.
    cost : float
        In the unit of the deployment's budget.
    latency_s : float
        From arrival to the last token; of an answer that was kept after a review, to the end of that review.
    energy_j : float
        Energy of the answer in joules, measured or by the token; NaN where neither is known. Like the latency, a policy
        hears it now and not before.
    """

    query: Query
    deployment: int
    quality: float
    cost: float
    latency_s: float
    energy_j: float = math.nan


class Hit(NamedTuple):
    """A query that a cache has answered, so that the policy was not asked; what the answer is worth is not told.

    Parameters
    ----------
    query : Query
    deployment : int
        Whose answer it is; of a combination, the one that was named first.
    similarity : float
        Cosine between the embeddings of this prompt and of the one that was answered; 1 where they are the same.
    answer_of : int
        Id of the query whose answer it is.
    age_s : float
        Time since the answer was stored.
    latency_s : float
        From arrival to the answer: the look-up.
    """

    query: Query
    deployment: int
    similarity: float
    answer_of: int
    age_s: float
    latency_s: float


class Gate(NamedTuple):
    """How many queries a policy wants to see at once.

    The world hands over a batch when it holds ``size`` queries, when its first query has waited ``window_s`` seconds,
    or when the last query of the run has arrived, whichever comes first. Where users wait for answers before they ask
    again (a closed loop), a batch is also whole when every user waits in it.
    """

    size: int = 1
    window_s: float = math.inf
