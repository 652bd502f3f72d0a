"""Lets a policy decide for a real gateway, by the rules of the simulated world. It knows no gateway's software.

It keeps what a policy may see: the ledger of budgets, how many queries are in flight, which deployments are available.
Whoever runs it says when a query has come, been answered, failed or been scored; each of these gets a time of its own,
so that a simulation of the record meets them in the same order, at the same times (``sim.live.clock``).
"""

from __future__ import annotations

import logging
import math
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sim.errors import check_number
from sim.history import history_means
from sim.instance import stream
from sim.interface import (
    EmbeddingArray,
    Estimates,
    Features,
    Feedback,
    FloatArray,
    Policy,
    Query,
    Setting,
    State,
)
from sim.live.clock import TickClock
from sim.live.decided import Routed, check_policy, check_score, checked
from sim.live.record import Origin, Record
from sim.truth import frozen
from sim.world.budgets.ledger import Ledger
from sim.world.live import Counts, Flags

LOG = logging.getLogger(__name__)
MOST_UNSCORED = 100_000


class _Open(NamedTuple):
    """A query in flight: where it is for the policy, where it really is, what is committed for it."""

    query: Query
    taken: int | None
    served: int | None
    committed: float


class Gateway:
    """A policy at work; every method may be called from any thread.

    Parameters
    ----------
    policy : Policy
        It decides query by query and keeps the first answer.
    setting : Setting
        With budgets in USD.
    record : str or None
        The file to write; None for none.
    shadow : bool
        Whether somebody else decides, and this policy's decisions are only recorded. It then goes on as if they were
        carried out: an answer that it did not choose takes, for it, as long as the one that was given, costs what was
        estimated, and has no score.
    refuses : bool
        Whether a query is refused that the policy declines, or that none of its choices can take; else it goes where it
        would go without the policy.
    seed : int
        Of the policy's random draws.
    origin : Origin
        For the record.
    clock : TickClock or None

    Raises
    ------
    ValueError
        If the policy decides in batches or looks at answers, which a gateway that serves one call a query cannot do.
    FileExistsError
        If the record is there already.
    """

    def __init__(
        self,
        policy: Policy,
        setting: Setting,
        *,
        record: str | None = None,
        shadow: bool = False,
        refuses: bool = True,
        seed: int = 0,
        origin: Origin | None = None,
        clock: TickClock | None = None,
    ) -> None:
        check_policy(policy)
        self.setting = setting
        self.shadow = shadow
        self._refuses = refuses
        self._policy = policy
        self._clock = clock or TickClock()
        self._lock = threading.RLock()
        n_deployments = len(setting.fleet)
        self._queued, self._in_flight = Counts(n_deployments), Counts(n_deployments)
        self._available = Flags(n_deployments)
        self._ledger = Ledger(setting.budgets)
        self._predictor = None if policy.estimator is None else policy.estimator.fit(setting.history)
        self._means = None if policy.estimator is not None else Estimates(*map(frozen, history_means(setting.history)))
        self._dim = setting.history.features.embeddings.shape[1]
        policy.reset(setting, stream(seed, 0, "policy"))
        self._n_queries = 0
        self._open: dict[int, _Open] = {}
        self._unscored: OrderedDict[int, Feedback | None] = OrderedDict()
        mode = "shadow" if shadow else "live"
        self._record = None if record is None else Record(record, setting, mode, seed, origin or Origin())

    @property
    def n_in_flight(self) -> int:
        """How many queries have neither been answered nor failed."""
        return len(self._open)

    @property
    def spent_usd(self) -> list[float]:
        """What each budget has paid so far for answers that have come; as if, in shadow mode. NaN without a budget."""
        left = self.setting.budgets - self._ledger.remaining
        return [float(one) for one in left]

    def route(
        self,
        embedding: EmbeddingArray | FloatArray | Sequence[float],
        input_tokens: int,
        available: Sequence[bool] | None = None,
        own: int | None = None,
    ) -> Routed:
        """Decide on a query that has come now.

        Parameters
        ----------
        embedding : array (dim,)
            By the function that embedded the history.
        input_tokens : int
        available : sequence of bool (n_deployments,) or None
            Which deployments accept queries; None for all.
        own : int or None
            Where the query would go without the policy, and goes in shadow mode, or if the policy fails.

        Raises
        ------
        ValueError
            If the embedding has another size than the history's, or is not finite.
        """
        vector = np.array(embedding, dtype=np.float32)
        if vector.shape != (self._dim,) or not np.isfinite(vector).all():
            raise ValueError(
                f"the embedding of a query has shape {vector.shape}; it must be {self._dim} finite numbers, as in the "
                "history"
            )
        check_number("input_tokens", input_tokens, least=0)
        quality_hat, cost_hat = self._estimates(frozen(vector), input_tokens)
        with self._lock:
            now_s, number = self._clock.now_s(), self._n_queries
            self._n_queries += 1
            query = Query(number, now_s, vector, int(input_tokens), quality_hat, cost_hat)
            for k in range(len(self.setting.fleet)):
                self._available.write[k] = True if available is None else available[k]
            routed = self._decided(query)
            is_without = self.shadow or (routed.taken is None and (routed.error is not None or not self._refuses))
            goes_to = own if is_without else routed.taken
            routed = routed._replace(served=goes_to)
            if goes_to is not None or routed.taken is not None:
                committed = 0.0 if routed.taken is None else self._committed(query, routed.taken)
                self._open[number] = _Open(query, routed.taken, goes_to, committed)
            self._write(
                "query",
                id=number,
                at_s=now_s,
                input_tokens=query.input_tokens,
                chosen=routed.chosen,
                taken=routed.taken,
                served=goes_to,
                available=[bool(one) for one in self._available.view],
                quality_hat=quality_hat.tolist(),
                cost_hat_usd=cost_hat.tolist(),
                embedding=vector.tolist(),
                **({} if routed.error is None else {"error": routed.error}),
            )
        return routed

    def answered(
        self,
        number: int,
        cost_usd: float,
        output_tokens: int | None = None,
        score: float | None = None,
        latency_s: float | None = None,
    ) -> None:
        """Take note that the answer to a query has come now.

        Parameters
        ----------
        number : int
            ``Routed.id``; one that is not in flight is ignored, such as one that was told twice.
        cost_usd : float
        output_tokens : int or None
        score : float or None
            In [0, 1]; None if nobody scores it, or not yet.
        latency_s : float or None
            As the gateway measured it, for the record; for the policy it is the time from ``route`` to this call.
        """
        check_number("cost_usd", cost_usd, least=0)
        check_score(score)
        with self._lock:
            opened = self._open.pop(number, None)
            if opened is None:
                return
            now_s = self._clock.now_s()
            self._write(
                "answer",
                id=number,
                at_s=now_s,
                cost_usd=float(cost_usd),
                output_tokens=output_tokens,
                score=score,
                latency_s=latency_s,
            )
            feedback = None
            if opened.taken is not None:
                is_real = opened.taken == opened.served
                cost = float(cost_usd) if is_real else opened.committed
                quality = score if score is not None and is_real else math.nan
                feedback = Feedback(opened.query, opened.taken, quality, cost, now_s - opened.query.arrived_at_s)
                self._in_flight.write[opened.taken] -= 1
                self._ledger.settle(opened.taken, opened.committed, cost, 0)
                self._learn(feedback)
                feedback = feedback if is_real else None
            if score is None:
                self._unscored[number] = feedback
                if len(self._unscored) > MOST_UNSCORED:
                    self._unscored.popitem(last=False)

    def failed(self, number: int) -> None:
        """Take note that a query's call has failed now: nothing is charged, and the policy hears nothing."""
        with self._lock:
            opened = self._open.pop(number, None)
            if opened is None:
                return
            self._write("failure", id=number, at_s=self._clock.now_s())
            if opened.taken is not None:
                self._in_flight.write[opened.taken] -= 1
                self._ledger.release(opened.taken, opened.committed, 0)

    def scored(self, number: int, score: float) -> None:
        """Take note that somebody has scored an answer now, in [0, 1].

        Raises
        ------
        KeyError
            If there is no such answer, it has a score, or more than ``MOST_UNSCORED`` answers came after it.
        """
        check_score(score)
        with self._lock:
            if number not in self._unscored:
                raise KeyError(f"query {number} has no answer that waits for a score")
            feedback = self._unscored.pop(number)
            self._write("score", id=number, at_s=self._clock.now_s(), score=float(score))
            if feedback is not None:
                self._learn(feedback._replace(quality=float(score)), later=True)

    def close(self) -> None:
        """End the day: write no more."""
        with self._lock:
            if self._record is not None:
                self._record.close()
                self._record = None

    def _estimates(self, vector: EmbeddingArray, input_tokens: int) -> Estimates:
        if self._predictor is None:
            assert self._means is not None
            return self._means
        features = Features(vector[None], np.array([input_tokens], dtype=np.int64))
        quality, cost = self._predictor.predict(features)
        return Estimates(frozen(np.array(quality[0])), frozen(np.array(cost[0])))

    def _decided(self, query: Query) -> Routed:
        """Ask the policy, and commit the estimated cost at what takes the query, as ``reserve=estimate`` does."""
        state = State(
            query.arrived_at_s,
            self._queued.view,
            self._in_flight.view,
            self._ledger.remaining,
            self._available.view,
        )
        try:
            decision = self._policy.decide(query, state)
            choices = checked(decision, len(self.setting.fleet))
        except Exception as error:
            LOG.exception("the policy failed on query %d, which goes where it would go without it", query.id)
            return Routed(query.id, None, None, error=f"{type(error).__name__}: {error}")
        for k in choices:
            committed = self._committed(query, k)
            if not self._ledger.commit(k, committed):
                continue
            if self._available.write[k]:
                self._in_flight.write[k] += 1
                return Routed(query.id, choices[0], k)
            self._ledger.release(k, committed, 0)
        return Routed(query.id, choices[0] if choices else None, None)

    @staticmethod
    def _committed(query: Query, deployment: int) -> float:
        return max(float(query.cost_hat[deployment]), 0.0)

    def _learn(self, feedback: Feedback, later: bool = False) -> None:
        try:
            if later:
                self._policy.learn_score(feedback)
            else:
                self._policy.learn(feedback)
        except Exception:
            LOG.exception("the policy failed to learn from query %d", feedback.query.id)

    def _write(self, kind: str, **values: object) -> None:
        if self._record is not None:
            self._record.write(kind, values)
