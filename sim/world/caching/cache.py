"""Stands before the policy: looks for a stored answer to each query, and lets pass only those without one.

To the world it is a source of queries. It knows the truth of answers, and no policy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import simpy

from sim.instance import Instance
from sim.interface import Hit, Query
from sim.world.arriving import Source
from sim.world.caching.contents import Contents, Stored
from sim.world.gate import after
from sim.world.moment import ARRIVALS
from sim.world.record.requests import CACHED, RequestTable
from sim.world.services.job import Finish, Job


class Cache:
    """A source of the queries that a cache does not answer; see ``sim.world.arriving.Source``.

    Parameters
    ----------
    instance : Instance
        Of a scenario with a cache.
    env : simpy.Environment
    source : Source
        Where all queries come from.
    table : RequestTable
        Gets the fate of those that are answered.
    tell : callable or None
        Called with each hit; None if the policy learns of none.
    end : callable or None
        Called with its number and the time whenever a query has been answered.
    quality : callable
        Returns the score of the answer to a query, by its number, of a deployment, of which so many tokens came.

    Attributes
    ----------
    at_hit : callable or None
        Called when a query has been answered here, so that it does not come.
    """

    def __init__(
        self,
        instance: Instance,
        env: simpy.Environment,
        source: Source,
        table: RequestTable,
        tell: Callable[[Hit], None] | None,
        end: Callable[[int, float], None] | None,
        quality: Callable[[int, int, int], float],
    ) -> None:
        rule = instance.scenario.cache
        assert rule is not None  # or nobody would make this
        self._instance = instance
        self._env = env
        self._source = source
        self._table = table
        self._tell = tell
        self._end = end
        self._quality = quality
        self._rows = table.row
        self._prompt = instance.prompt.tolist()
        self._lookup_s = rule.lookup_s
        self._looking = 0  # how many look-ups are under way
        self.at_hit: Callable[[], None] | None = None
        similar = None
        if rule.similarity is not None:
            from sim.world.caching.similar import Similar  # and FAISS, which only this needs

            known, n_queries = instance.setting.history.features.embeddings, len(instance.rows)
            n_most = n_queries if rule.capacity is None else min(rule.capacity, n_queries)
            similar = Similar(instance.features.embeddings, known, rule.similarity, n_most)
        self._contents = Contents(rule, similar)

    # --- queries that come --------------------------------------------------------------------------------------------

    def waits_for_more(self, n_waiting: int) -> bool:
        """Return whether another query may come: one that is looked up, or one that has not arrived."""
        return self._looking > 0 or self._source.waits_for_more(n_waiting)

    def begin(self, take: Callable[[Query], None]) -> None:
        """Call ``take`` with each query that finds no answer, when its look-up ends."""
        self._take = take
        self._source.begin(self._look_up)

    def _look_up(self, query: Query) -> None:
        self._looking += 1
        after(self._env, self._lookup_s, partial(self._looked_up, query), ARRIVALS)

    def _looked_up(self, query: Query) -> None:
        self._looking -= 1
        now_s, number = self._env.now, query.id
        row = self._rows[number]
        found = self._contents.find(self._prompt[row], row, now_s)
        if found is None:
            self._table.decided_at_s[number] = now_s
            self._take(query)
            return
        answer, similarity = found
        table = self._table
        table.fate[number] = CACHED
        table.decided_at_s[number] = table.ended_at_s[number] = now_s
        table.answer_of[number] = answer.query
        table.quality[number] = self._worth(answer, row)
        if self._tell is not None:
            age_s = now_s - answer.at_s
            self._tell(Hit(query, answer.deployments[0], similarity, answer.query, age_s, now_s - query.arrived_at_s))
        if self._end is not None:
            self._end(number, now_s)
        if self.at_hit is not None:
            self.at_hit()

    def _worth(self, answer: Stored, row: int) -> float:
        """Return what an answer is worth to the query of a row: no more than its deployments' own answer to it."""
        if answer.prompt == self._prompt[row]:
            return answer.score
        scores = self._instance.quality[row, list(answer.deployments)]
        combined = self._instance.scenario.workload.combined
        own = float(scores[0]) if len(scores) == 1 or combined is None else float(combined(scores))
        return min(answer.score, own)

    # --- answers that are kept ----------------------------------------------------------------------------------------

    def storing(self, finish: Finish | None) -> Finish:
        """Return what stores the answer of a job that has ended, and goes on with ``finish``."""

        def store(job: Job, now_s: float) -> None:
            number, deployment = job.query.id, job.deployment
            charged_usd = self._table.cost_usd[number]
            if math.isnan(charged_usd):
                charged_usd = float(self._instance.cost_usd[self._rows[number], deployment])
            self.store(number, (deployment,), charged_usd, job.output_tokens, now_s)
            if finish is not None:
                finish(job, now_s)

        return store

    def store(self, number: int, deployments: Sequence[int], cost_usd: float, output_tokens: int, now_s: float) -> None:
        """Store what the user of a query got.

        Parameters
        ----------
        number : int
            Of the query.
        deployments : sequence of int
            Whose answer it is; several if it is a combination.
        cost_usd : float
            Of all its calls.
        output_tokens : int
            Of the answer, or of all that are combined.
        now_s : float
        """
        row = self._rows[number]
        score = self._table.quality.get(number)
        if score is None:
            score = self._quality(number, deployments[0], output_tokens)
        tokens = int(self._instance.features.input_tokens[row]) + output_tokens
        prompt = self._prompt[row]
        self._contents.store(Stored(prompt, row, number, tuple(deployments), score, now_s, tokens, cost_usd))
