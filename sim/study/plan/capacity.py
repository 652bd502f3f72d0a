"""Computes how much work a fleet can do, and whether queries would wait. It knows no runs and no policy."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sim.deployment import Deployment
from sim.instance import Instance, realise
from sim.interface import FloatArray
from sim.scenario import Scenario
from sim.study.plan.targets import Target
from sim.study.theory.markovian import erlang_c, mmc_mean_wait_s, mmc_wait_quantile_s
from sim.traits import ServiceTraits, moves_quality

LATENCY = re.compile(r"(?:mean|p(?P<percent>\d+))_(?P<of>wait|first_token|latency)(?:_of_arrivals)?_s")


@dataclass(frozen=True)
class Capacity:
    """What replicas of each deployment of a catalogue can do, and what they are asked to.

    Parameters
    ----------
    rate_per_s : float
        The slowest arrivals of the replications that were looked at.
    each_per_s : tuple of float or None
        Queries of mean work that a replica of each serves per second when it is full; None where no formula knows.
    slots : tuple of float
        Of a replica of each; ``inf`` without a limit.
    must_serve : bool
        Whether whatever is sent to a deployment stays until it is served: no limit, patience, budget or event ends it.
    quality : array (n_test, n_deployments)
        Truth, by test row; 1 where events change what answers are worth, so that it excludes nothing.
    mean_cost_usd : tuple of float
        What a query is charged at each deployment, in the mean over test rows.
    shortest_s_per_1000 : float
        The time in which 1,000 queries arrive, in the fastest of the replications.
    """

    rate_per_s: float
    each_per_s: tuple[float | None, ...]
    slots: tuple[float, ...]
    must_serve: bool
    quality: FloatArray
    mean_cost_usd: tuple[float, ...] = ()
    shortest_s_per_1000: float = 0.0

    def load(self, counts: Sequence[int]) -> float:
        """Return arrivals over what so many replicas of each can serve; 0 where no formula knows."""
        served_per_s = 0.0
        for count, each_per_s in zip(counts, self.each_per_s, strict=True):
            if count and each_per_s is None:
                return 0.0
            served_per_s += count * (each_per_s or 0.0)
        return self.rate_per_s / served_per_s

    def excludes(self, counts: Sequence[int], targets: Sequence[Target]) -> str | None:
        """Return why so many replicas of each cannot do, whatever the policy; None if they may.

        Load at least 1: queries of mean work come faster than they are served, so that queues grow without end. And no
        policy has a better quality per query than the best deployment there for each query.
        """
        if self.must_serve and self.load(counts) >= 1:
            return "load of 1 or more"
        present = [k for k, count in enumerate(counts) if count]
        attainable = float(self.quality[:, present].max(axis=1).mean())
        for target in targets:
            if (target.metric, target.sign) == ("quality_per_query", ">=") and target.excess(attainable) > 0:
                return "no model good enough"
        return None

    def promises(self, counts: Sequence[int], targets: Sequence[Target]) -> bool:
        """Return whether M/M/c with all slots in one pool meets the targets on waiting, as far as it speaks of them.

        An approximation, to begin a search with: slots differ, queues are apart and no time is exponential.
        """
        load = self.load(counts)
        slots = sum(count * each for count, each in zip(counts, self.slots, strict=True) if count)
        if load >= 1 or load == 0 or not math.isfinite(slots):
            return load < 1
        service_s = slots * load / self.rate_per_s
        for target in targets:
            predicted = self._predict(target.metric, service_s, int(slots))
            if predicted is not None and target.excess(predicted) > 0:
                return False
        return True

    def _predict(self, metric: str, service_s: float, slots: int) -> float | None:
        if metric == "waited_share":
            return erlang_c(self.rate_per_s * service_s, slots)
        latency = LATENCY.fullmatch(metric)
        if latency is None:
            return None
        share = int(latency["percent"]) / 100 if latency["percent"] else None
        if share is None:
            wait_s = mmc_mean_wait_s(self.rate_per_s, service_s, slots)
        else:
            wait_s = mmc_wait_quantile_s(self.rate_per_s, service_s, slots, min(share, 0.9999))
        return wait_s + (service_s if latency["of"] == "latency" else 0.0)


def capacity(scenario: Scenario, catalogue: Sequence[Deployment], seed: int, replications: int) -> Capacity:
    """Return what a catalogue can do in a scenario; ``scenario.fleet`` is the catalogue."""
    instances = [realise(scenario, seed, replication) for replication in range(replications)]
    spans_s = [float(instance.gaps_s.sum()) for instance in instances]
    return Capacity(
        rate_per_s=min(
            (len(i.rows) - 1) / span_s if span_s > 0 else 0.0 for i, span_s in zip(instances, spans_s, strict=True)
        ),
        each_per_s=tuple(served_per_s(instances[0], k) for k in range(len(catalogue))),
        slots=tuple(float(ServiceTraits.of(one.service).slots or math.inf) for one in catalogue),
        must_serve=not scenario.events
        and not scenario.spending.refuses
        and bool(np.isinf(instances[0].setting.budgets).all())
        and instances[0].think_s is None
        and all(
            one.queue_capacity is None and one.patience is None and one.timeout_s is None and one.has_fixed_replicas
            for one in catalogue
        ),
        quality=np.ones_like(instances[0].quality) if moves_quality(scenario.events) else instances[0].quality,
        mean_cost_usd=tuple(instances[0].cost_usd.mean(axis=0).tolist()),
        shortest_s_per_1000=min(1000 * span_s / len(i.rows) for i, span_s in zip(instances, spans_s, strict=True)),
    )


def served_per_s(instance: Instance, k: int) -> float | None:
    """Return how many queries of mean work a full replica of deployment k serves per second; None if unknown."""
    tokens = instance.output_tokens
    mean_output_tokens = math.nan if tokens is None else float(tokens[:, k].mean())
    served = ServiceTraits.of(instance.fleet[k].service).served_per_s
    return served(float(instance.features.input_tokens.mean()), mean_output_tokens)
