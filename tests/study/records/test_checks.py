"""A request table that cannot be true is refused, with the query or the deployment that shows it."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import simpy

from scenarios.arrivals import Deterministic
from scenarios.budgets import Unlimited, Weighted
from scenarios.fleets import OnePerModel
from scenarios.orders import given
from scenarios.workloads.synthetic import synthetic
from sim.deployment import Service
from sim.scenario import BudgetRule, Scenario
from sim.study.experiment import compare
from sim.study.record.checks import check, littles_law, utilisation_law
from sim.world.services.job import Finish, Job, Server
from sim.world.services.slots import Instant, InstantServer, Slots
from tests.configured import configured_policy
from tests.records import Row, fleet, record, refused, served

ROWS = [
    served(0, 0, 0, 1, 4),
    served(1, 1, 1, 2, 3),
    served(2, 1, 3, 4, 6),
    refused(3, 2, "rejected"),
    refused(4, 2, "abandoned", ended=5),
    refused(5, 3, "declined", deployment=None),
    served(6, 3, 3, 3, 3, deployment="b"),
    served(7, 4, 5, math.nan, math.nan) | {"fate": "timed_out", "ended_at_s": 7.0},
]


def changed(number: int, **values: Any) -> pd.DataFrame:
    """The record, one query changed."""
    rows: list[Row] = [row | values if row["id"] == number else row for row in ROWS]
    return record(*rows)


def test_a_true_record_passes() -> None:
    check(record(*ROWS), fleet())


def test_a_record_without_times_of_ends_and_attempts_passes() -> None:
    check(record(*ROWS[:4]).drop(columns=["ended_at_s", "attempts"]), fleet())


WRONG: dict[str, tuple[pd.DataFrame, str]] = {
    "a query twice": (changed(1, id=0), "query 0 is in the request table twice"),
    "a query missing": (
        record(*ROWS[:2], *ROWS[3:]),
        "query 3 is in the request table twice, or one before it is missing",
    ),
    "no fate": (changed(3, fate=None), "query 3 has no fate"),
    "pending": (changed(5, fate="pending"), "query 5 is still pending"),
    "no decision": (changed(5, decided_at_s=math.nan), "query 5 has no decided_at_s"),
    "no end": (changed(4, ended_at_s=math.nan), "query 4 has no ended_at_s"),
    "served without a start": (changed(1, started_at_s=math.nan), "query 1 was served and has no started_at_s"),
    "served without a last token": (changed(1, finished_at_s=math.nan), "query 1 was served and has no finished_at_s"),
    "finished without service": (changed(7, finished_at_s=7.0), "query 7 was not served and has a finished_at_s"),
    "a token before any start": (changed(4, first_token_at_s=3.0), "query 4 has a first token and no start"),
    "rejected in service": (changed(3, started_at_s=2.0), "query 3 can never have started"),
    "decided before arrival": (changed(2, decided_at_s=0.5), "query 2 has decided_at_s before arrived_at_s"),
    "started before decision": (changed(2, started_at_s=0.5), "query 2 has started_at_s before decided_at_s"),
    "a token before the start": (changed(2, first_token_at_s=2.5), "query 2 has first_token_at_s before started_at_s"),
    "the last before the first": (changed(2, finished_at_s=3.5), "query 2 has finished_at_s before first_token_at_s"),
    "ended before it began": (changed(7, ended_at_s=4.5), "query 7 has ended_at_s before started_at_s"),
    "ended after its last token": (changed(2, ended_at_s=6.5), "query 2 was served and ended at another time"),
    "served nowhere": (changed(6, deployment=None), "query 6 was served by no deployment"),
    "a third in two slots": (
        changed(2, started_at_s=2.0),
        "query 2 started at 2.0 s on deployment 'a', whose 2 slots",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_record_that_cannot_be_true_names_the_query(what: str) -> None:
    requests, message = WRONG[what]
    with pytest.raises(RuntimeError, match=message) as error:
        check(requests, fleet())
    assert len(str(error.value).splitlines()) == 1


def test_a_query_that_was_rejected_on_its_second_attempt_shows_no_start_of_its_first() -> None:
    with pytest.raises(RuntimeError, match="query 3 can never have started and has a started_at_s"):
        check(changed(3, started_at_s=2.0, attempts=2), fleet(slots=[3.0, math.inf]))


def test_what_the_last_try_did_comes_after_its_offer() -> None:
    offered = record(*ROWS)["decided_at_s"]
    check(record(*ROWS).assign(offered_at_s=offered), fleet())
    with pytest.raises(RuntimeError, match="query 0 has started_at_s before offered_at_s"):
        check(record(*ROWS).assign(offered_at_s=offered.where(offered > 0, 0.5)), fleet())


def test_a_budget_for_each_window_is_kept_in_each_or_up_to_each_where_it_rolls_over() -> None:
    # Deployment a takes on queries of 0.001 USD at 0, 1 and 1 s: one in the first window of 1 s, two in the second.
    requests = record(*ROWS)
    each: dict[str, list[Any]] = {"window_s": [1.0, 1.0], "rolls_over": [False, False]}
    check(requests, fleet(budget=[0.002, math.inf], **each))
    with pytest.raises(RuntimeError, match=r"'a' spent 0\.002 of a budget of 0\.0015 usd by the end of window 1"):
        check(requests, fleet(budget=[0.0015, math.inf], **each))
    rolls = each | {"rolls_over": [True, True]}
    check(requests, fleet(budget=[0.0015, math.inf], **rolls))
    with pytest.raises(RuntimeError, match=r"'a' spent 0\.003 of a budget of 0\.0028 usd by the end of window 1"):
        check(requests, fleet(budget=[0.0014, math.inf], **rolls))


def test_a_budget_that_was_exceeded_names_the_deployment() -> None:
    requests = record(*ROWS)  # a has served three queries of 0.001 USD and 21 tokens each
    check(requests, fleet(budget=[0.003, math.inf]))
    with pytest.raises(RuntimeError, match=r"deployment 'a' spent 0\.003 of a budget of 0\.0029 usd"):
        check(requests, fleet(budget=[0.0029, math.inf]))
    check(requests, fleet(budget=[63.0, math.inf], unit=["tokens", "usd"]))
    with pytest.raises(RuntimeError, match=r"deployment 'a' spent 63\.0 of a budget of 62\.0 tokens"):
        check(requests, fleet(budget=[62.0, math.inf], unit=["tokens", "usd"]))


def test_a_budget_that_may_be_exceeded_is_not_checked() -> None:
    check(record(*ROWS), fleet(budget=[0.0029, math.inf], may_exceed=[True, False]))


def test_littles_law_and_the_utilisation_law_by_hand() -> None:
    requests = record(*ROWS)
    area, total = littles_law(requests)
    assert area == pytest.approx(4 + 2 + 5 + 0 + 3 + 0 + 0 + 3, rel=1e-12)  # each query from arrival to end
    assert total == 17.0
    busy, in_service = utilisation_law(requests, fleet(), np.array([0, 0, 0, 0, 0, -1, 1, 0]))
    assert busy.tolist() == pytest.approx([4 + 2 + 3 + 2, 0])
    assert in_service.tolist() == [11.0, 0.0]


def test_littles_law_shows_an_end_that_is_not_where_the_stages_end() -> None:
    area, total = littles_law(changed(2, ended_at_s=6.5))
    assert area - total == pytest.approx(0.5)


def test_an_empty_record_passes() -> None:
    check(record(*ROWS).iloc[:0], fleet())


WORKLOAD = synthetic(n_queries=120, n_history=60, n_models=3, dim=4)


def scenario(service: Service, budget: BudgetRule = Unlimited()) -> Scenario:  # noqa: B008 - a frozen dataclass
    return Scenario(WORKLOAD, OnePerModel(service, queue_capacity=4), budget, Deterministic(20.0), given)


@pytest.mark.parametrize("service", [Instant(), Slots(2, 0.0, 0.0), Slots(2, 0.1, 0.01)], ids=repr)
@pytest.mark.parametrize("budget", [Unlimited(), Weighted(0.2), Weighted(0.2, unit="tokens")], ids=repr)
def test_what_the_world_records_passes(service: Service, budget: BudgetRule) -> None:
    policies = {name: configured_policy(name) for name in ("random", "batch_split")}
    assert len(compare(scenario(service, budget), policies)) == 2


class Backdated(Instant):
    """A service with a mistake: it says that every query started a second before it did."""

    def open(self, env: simpy.Environment, finish: Finish) -> Server:
        return BackdatedServer(finish)


class BackdatedServer(InstantServer):
    def __init__(self, finish: Finish) -> None:
        super().__init__(finish)
        self.end = finish

    def begin(self, job: Job, now_s: float) -> None:
        job.started_at_s = job.first_token_at_s = now_s - 1
        self.end(job, now_s)


def test_a_service_with_a_mistake_stops_the_experiment_with_policy_and_query() -> None:
    with pytest.raises(
        RuntimeError, match=r"policy 'random', replication 0: .* query 0 has started_at_s before decided"
    ):
        compare(scenario(Backdated()), {"random": configured_policy("random")})
