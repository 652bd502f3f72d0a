"""Tasks in the world: when steps come, what they cost, what they earn and what ends them."""

import math
from dataclasses import replace

import numpy as np
import pytest

from scenarios.arrivals.closed import ClosedLoop
from scenarios.budgets import Amounts
from scenarios.events import Outage
from sim.deployment import Service
from sim.interface import Decision, Gate, Keep, Policy, Query, State
from sim.scenario import Retry
from sim.scores import Scores
from sim.workload.tasks import Reward, TaskLimits, last_step, mean_step
from sim.world.services.batching import Batching
from sim.world.services.paged import PagedBatching
from tests.tasks.tiny import ByStep, run, scenario

A, B = 0, 1


def test_a_step_arrives_when_the_one_before_has_been_answered_and_the_tools_are_done() -> None:
    requests, tasks = run(ByStep([A, A, A]))
    assert requests["task"].tolist() == [0, 1, 0, 0]
    assert requests["step"].tolist() == [1, 1, 2, 3]
    assert requests["arrived_at_s"].tolist() == [0.0, 2.0, 6.0, 12.0]
    assert requests["row"].tolist() == [0, 1, 2, 3]
    assert tasks["ended_at_s"].tolist() == [13.0, 3.0]


def test_queries_are_numbered_as_they_arrive_so_that_no_number_tells_how_long_a_task_is() -> None:
    policy = ByStep([A, A, A])
    run(policy, scenario(times=(0.0, 7.0)))
    assert [(query.id, query.task.id, query.task.step) for query in policy.seen if query.task] == [
        (0, 0, 1),
        (1, 0, 2),
        (2, 1, 1),
        (3, 0, 3),
    ]


def test_a_task_earns_at_its_end_and_only_if_every_step_was_right() -> None:
    requests, tasks = run(ByStep([A, B, A]))
    assert requests["quality"].tolist() == [0.0, 1.0, 0.0, 1.0]  # y at its only step, x at its third
    assert tasks["quality"].tolist() == [1.0, 1.0]
    assert run(ByStep([A, A, A]))[1]["quality"].tolist() == [0.0, 1.0]  # a is wrong at the second step


@pytest.mark.parametrize(("reward", "earned"), [(last_step, 1.0), (mean_step, 2 / 3)])
def test_a_workload_may_say_otherwise_what_steps_earn_together(reward: Reward, earned: float) -> None:
    described = scenario()
    other = replace(described, workload=replace(described.workload, reward=reward))
    assert run(ByStep([A, A, A]), other)[1]["quality"].tolist() == [pytest.approx(earned), 1.0]


def test_who_stays_at_a_deployment_pays_for_what_is_new_and_who_switches_for_all() -> None:
    requests, tasks = run(ByStep([A, A, B]))
    of_x = requests[requests["task"] == 0]
    assert of_x["cost_usd"].tolist() == [1.0, 0.5, 2.0]
    assert of_x["cached_tokens"].tolist() == [0, 10, 0]
    assert tasks["cost_usd"].tolist() == [3.5, 1.0]
    assert tasks["switches"].tolist() == [1, 0]
    assert tasks["cached_tokens"].tolist() == [10, 0]


SERVERS: list[Service] = [
    Batching(4, 0.001, 0.001, prefill_per_token_s=0.1),
    PagedBatching(4, 0.001, 0.001, prefill_per_token_s=0.1),
]


@pytest.mark.parametrize("service", SERVERS)
def test_a_deployment_that_holds_the_prefix_prefills_the_rest_alone(service: Service) -> None:
    stays, _ = run(ByStep([A, A, A]), scenario(service))
    switches, _ = run(ByStep([A, B, A]), scenario(service))

    def prefill_s(requests: object, step: int) -> float:
        row = requests[(requests["task"] == 0) & (requests["step"] == step)].iloc[0]  # type: ignore[index]
        return float(row["first_token_at_s"] - row["started_at_s"])

    saved_s = prefill_s(switches, 3) - prefill_s(stays, 3)
    assert saved_s == pytest.approx(30 * 0.1)  # of 50 tokens 30 are held


def test_the_router_knows_what_was_spent_and_who_answered_but_not_how_many_steps_will_come() -> None:
    policy = ByStep([A, B, B])
    run(policy, scenario(task=TaskLimits(budget_usd=10, deadline_s=60)))
    known = [query.task for query in policy.seen if query.task is not None and query.task.id == 0]
    facts = [(task.step, task.spent_usd, task.last_deployment) for task in known]
    assert facts == [(1, 0.0, None), (2, 1.0, A), (3, 3.0, B)]
    assert {task.budget_usd for task in known} == {10}
    assert {task.deadline_s for task in known} == {60.0}


def test_the_estimate_at_the_deployment_of_the_step_before_is_lower_by_what_such_steps_save_in_the_history() -> None:
    policy = ByStep([A, A, A])
    run(policy)
    of_x = [query.cost_hat.tolist() for query in policy.seen if query.task is not None and query.task.id == 0]
    assert of_x == [[1.0, 2.0], [0.5, 2.0], [0.5, 2.0]]  # later steps paid half in the history


def test_feedback_of_a_step_has_no_score_until_the_task_has_ended() -> None:
    policy = ByStep([A, B, A])
    run(policy)
    assert all(math.isnan(feedback.quality) for feedback in policy.learned)
    assert [feedback.cost for feedback in policy.learned] == [1.0, 1.0, 2.0, 1.0]
    heard = [(feedback.query.id, feedback.quality) for feedback in policy.scored]
    assert heard == [(1, 1.0), (0, 1.0), (2, 1.0), (3, 1.0)]


def test_somebody_scores_a_task_as_a_whole_or_not_at_all() -> None:
    policy = ByStep([A, B, A])
    run(policy, scenario(feedback=Scores(share=0.0)))
    assert len(policy.learned) == 4
    assert policy.scored == []
    wrong = ByStep([A, B, A])
    run(wrong, scenario(feedback=Scores(flipped=1.0)))
    assert {feedback.quality for feedback in wrong.scored} == {0.0}


def test_a_task_whose_step_is_lost_has_failed_and_its_other_steps_earn_nothing() -> None:
    policy = ByStep([A, None, A])
    requests, tasks = run(policy)
    assert tasks["fate"].tolist() == ["failed", "done"]
    assert tasks["steps"].tolist() == [2, 1]
    assert tasks["quality"].tolist() == [0.0, 1.0]
    assert requests["fate"].tolist() == ["served", "served", "declined"]
    assert [(feedback.query.id, feedback.quality) for feedback in policy.scored] == [(1, 1.0), (0, 0.0)]


def test_a_call_that_a_tasks_own_budget_does_not_pay_is_refused_and_falls_back_to_one_that_it_pays() -> None:
    limits = TaskLimits(budget_usd=3.5)
    _, tasks = run(ByStep([B, B, Decision(B, (A,))]), scenario(task=limits))  # 2 + 1, and 0.5 is left
    assert tasks["fate"].tolist() == ["failed", "done"]
    _, tasks = run(ByStep([B, B, B]), scenario(task=TaskLimits(budget_usd=4.0)))
    assert tasks["cost_usd"].tolist() == [4.0, 2.0]
    _, tasks = run(ByStep([A, B, Decision(B, (A,))]), scenario(task=TaskLimits(budget_usd=4.0)))  # 1 + 2 + 1
    assert tasks["cost_usd"].tolist() == [4.0, 1.0]
    _, tasks = run(ByStep([B, B, Decision(A, (B,))]), scenario(task=TaskLimits(budget_usd=3.0)))
    assert tasks["fate"].tolist() == ["failed", "done"]


def test_a_task_that_cannot_meet_its_deadline_ends_there_and_earns_nothing() -> None:
    requests, tasks = run(ByStep([A, B, A]), scenario(task=TaskLimits(deadline_s=11.0)))
    assert tasks["fate"].tolist() == ["late", "done"]  # x: the third step would come at 12 s
    assert tasks["ended_at_s"].tolist() == [7.0, 3.0]
    assert len(requests) == 3
    _, tasks = run(ByStep([A, B, A]), scenario(task=TaskLimits(deadline_s=12.5)))
    assert tasks["fate"].tolist() == ["late", "done"]  # it comes, and is answered at 13 s
    assert tasks["quality"].tolist() == [0.0, 1.0]
    _, tasks = run(ByStep([A, B, A]), scenario(task=TaskLimits(deadline_s=13.0)))
    assert tasks["fate"].tolist() == ["done", "done"]


def test_a_step_that_fails_is_tried_again_and_what_it_would_have_cost_is_given_back_to_the_task() -> None:
    described = scenario(events=[Outage(6.5, 1.0, "a")], retry=Retry(3, 1.0), task=TaskLimits(budget_usd=2.0))
    requests, tasks = run(ByStep([A, A, A]), described)  # 1 + 0.5 + 0.5: a second charge would be too much
    assert requests["attempts"].tolist() == [1, 1, 2, 1]
    assert tasks["fate"].tolist() == ["done", "done"]
    assert tasks["cost_usd"].tolist() == [2.0, 1.0]


def test_budgets_of_deployments_hold_for_steps_too() -> None:
    _, tasks = run(ByStep([A, A, A]), scenario(budget=Amounts([2.5, 0.0])))  # x1, y1, x2
    assert tasks["fate"].tolist() == ["failed", "done"]


def test_users_of_a_closed_loop_begin_their_next_task_when_the_last_has_ended() -> None:
    requests, _ = run(ByStep([A, A, A]), scenario(arrivals=ClosedLoop(users=1, mean_think_s=4.0)))
    assert requests["task"].tolist() == [0, 0, 0, 1]
    gap_s = requests["arrived_at_s"].iloc[3] - requests["finished_at_s"].iloc[2]
    assert gap_s > 0
    assert requests["arrived_at_s"].iloc[1] == pytest.approx(6.0)


class Together(ByStep):
    """Wants all queries at once."""

    gate = Gate(size=10)


def test_a_batch_is_whole_when_every_task_that_is_under_way_waits_in_it() -> None:
    requests, tasks = run(Together([A, A, A]))
    assert requests["decided_at_s"].tolist() == [2.0, 2.0, 8.0, 14.0]
    assert tasks["fate"].tolist() == ["done", "done"]


def test_a_batch_goes_on_when_the_task_that_it_waited_for_has_failed() -> None:
    class Fails(Together):
        def decide(self, query: Query, state: State) -> Decision:
            assert query.task is not None
            return Decision(None if query.task.id == 1 else A)

    described = scenario(times=(0.0, 0.0))
    requests, tasks = run(Fails([]), described)
    assert tasks["fate"].tolist() == ["done", "failed"]
    assert len(requests) == 4


class Checks(ByStep):
    """Asks a, then b, and keeps what b says."""

    def decide(self, query: Query, state: State) -> Decision:
        self.seen.append(query)
        return Decision(A)

    def review(self, query: Query, answers: object, state: State) -> Decision | Keep:
        return Keep(1) if len(answers) == 2 else Decision(B)  # type: ignore[arg-type]


def test_a_step_may_take_several_calls_which_all_cost_its_task() -> None:
    policy = Checks([])
    requests, tasks = run(policy)
    assert requests["deployment"].tolist() == ["b"] * 4
    assert requests["cost_usd"].tolist() == [3.0, 3.0, 2.0, 2.0]  # b holds what it has answered, a has not been kept
    assert tasks["cost_usd"].tolist() == [7.0, 3.0]
    assert tasks["calls"].tolist() == [6, 2]
    assert tasks["quality"].tolist() == [1.0, 1.0]
    assert policy.seen[-1].task is not None
    assert policy.seen[-1].task.spent_usd == 5.0


def test_tasks_arrive_whole_in_any_order_and_may_come_twice() -> None:
    def backwards(rows: object, rng: np.random.Generator) -> np.ndarray:
        assert len(rows) == 2  # type: ignore[arg-type]  # an order sorts tasks, not steps
        return np.array([1, 0])

    requests, _ = run(ByStep([A, A, A]), scenario(order=backwards))
    assert requests["row"].tolist() == [1, 0, 2, 3]


def test_how_many_queries_to_expect_is_known_from_the_tasks_of_the_history() -> None:
    class Counts(ByStep):
        def reset(self, setting: object, rng: np.random.Generator) -> None:
            self.horizon = setting.horizon  # type: ignore[attr-defined]

    policy = Counts([A, A, A])
    run(policy)
    assert policy.horizon == 4  # two tasks, of two steps on average


def test_policies_that_know_nothing_of_tasks_work_all_the_same() -> None:
    class First(Policy):
        def decide(self, query: Query, state: State) -> Decision:
            return Decision(A)

    _, tasks = run(First())
    assert tasks["fate"].tolist() == ["done", "done"]
