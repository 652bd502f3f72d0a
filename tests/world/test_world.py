"""One run in tiny worlds: every number here can be checked by hand."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from scenarios.budgets import Amounts
from sim.instance import realise
from sim.interface import Decision, Estimates, Feedback, Gate, Policy, Query, Setting, State
from sim.world.arriving import made
from sim.world.record import COLUMNS
from sim.world.services.slots import Slots
from tests.scripted import Scripted, run
from tests.worlds import tiny_rows, tiny_scenario, tiny_workload


def test_without_an_estimator_every_query_has_the_same_row_of_means() -> None:
    workload = tiny_workload(tiny_rows([[1, 0]] * 3, [[1, 1]] * 3))
    instance = realise(tiny_scenario(workload), seed=0, replication=0)
    means = np.broadcast_to([0.5, 0.25], (3, 2))
    first, *others = made(instance, Estimates(means, means), np.arange(3.0))
    assert first.quality_hat.tolist() == [0.5, 0.25]
    assert all(query.quality_hat is first.quality_hat for query in others)
    assert not first.quality_hat.flags.writeable


def test_an_instant_deployment_serves_at_the_moment_of_arrival() -> None:
    requests = run(Scripted([0, 1]), [0.0, 1.5])
    assert requests["finished_at_s"].tolist() == [0.0, 1.5]
    assert requests["quality"].tolist() == [0.5, 1.0]
    assert requests["cost_usd"].tolist() == [1.0, 2.0]


def test_slots_serve_first_come_first_served() -> None:
    # One slot, 0.5 s to the first token and 100 x 0.01 s for the others: 1.5 s each.
    requests = run(Scripted([0, 0, 0]), [0.0, 1.0, 1.1], service=Slots(1, 0.5, 0.01))
    assert requests["started_at_s"].tolist() == pytest.approx([0.0, 1.5, 3.0])
    assert requests["first_token_at_s"].tolist() == pytest.approx([0.5, 2.0, 3.5])
    assert requests["finished_at_s"].tolist() == pytest.approx([1.5, 3.0, 4.5])


def test_two_slots_serve_two_at_once() -> None:
    requests = run(Scripted([0, 0, 0]), [0.0, 0.0, 0.0], service=Slots(2, 0.5, 0.01))
    assert requests["finished_at_s"].tolist() == pytest.approx([1.5, 1.5, 3.0])


def test_waits_follow_the_lindley_recursion() -> None:
    # Lindley (1952): wait of customer n+1 = max(0, wait of n + service of n - gap between them).
    rng = np.random.default_rng(5)
    times, tokens = np.cumsum(rng.exponential(1.0, 300)), rng.integers(1, 160, 300)
    requests = run(Scripted([0] * 300), times.tolist(), service=Slots(1, 0.0, 0.01), tokens=tokens.tolist())
    wait = [0.0]
    for n in range(299):
        wait.append(max(0.0, wait[n] + 0.01 * tokens[n] - (times[n + 1] - times[n])))
    assert (requests["started_at_s"] - requests["arrived_at_s"]).tolist() == pytest.approx(wait, abs=1e-9)


def test_a_full_queue_rejects() -> None:
    requests = run(Scripted([0, 0, 0]), [0.0, 0.1, 0.2], service=Slots(1, 0.5, 0.01), queue_capacity=1)
    assert requests["fate"].tolist() == ["served", "served", "rejected"]


def test_a_query_that_the_budget_cannot_pay_is_lost_and_costs_nothing() -> None:
    budget = Amounts([2.5, 0.0])  # two queries at 1 USD on a, none on b
    requests = run(Scripted([0, 0, 0, 1]), [0.0, 1.0, 2.0, 3.0], budget=budget)
    assert requests["fate"].tolist() == ["served", "served", "exhausted", "exhausted"]
    assert requests["deployment"].tolist() == ["a", "a", "a", "b"]
    assert requests["cost_usd"].sum() == 2.0


def test_a_budget_may_be_spent_to_the_last_cent() -> None:
    assert run(Scripted([0, 0]), [0.0, 1.0], budget=Amounts([2.0, 0.0]))["fate"].tolist() == ["served", "served"]


def test_budgets_can_count_tokens() -> None:
    # 10 input and 100 output tokens a query: 250 tokens pay for two.
    requests = run(Scripted([0, 0, 0]), [0.0, 1.0, 2.0], budget=Amounts([250, 0], unit="tokens"))
    assert requests["fate"].tolist() == ["served", "served", "exhausted"]


def test_budgets_of_different_units_live_side_by_side() -> None:
    budget = Amounts([110, 2.0], unit=["tokens", "usd"])  # one query each
    requests = run(Scripted([0, 0, 1, 1]), [0.0, 1.0, 2.0, 3.0], budget=budget)
    assert requests["fate"].tolist() == ["served", "exhausted", "served", "exhausted"]


def test_a_fallback_takes_what_the_first_choice_cannot_pay() -> None:
    both = Decision(0, fallbacks=(1,))
    requests = run(Scripted([both, both, both]), [0.0, 1.0, 2.0], budget=Amounts([1.0, 2.0]))
    assert requests["deployment"].tolist() == ["a", "b", "a"]
    assert requests["fate"].tolist() == ["served", "served", "exhausted"]


def test_a_fallback_takes_what_a_full_queue_refuses() -> None:
    both = Decision(0, fallbacks=(1,))
    requests = run(Scripted([both, both]), [0.0, 0.1], service=Slots(1, 0.5, 0.01), queue_capacity=0)
    assert requests["deployment"].tolist() == ["a", "b"]


def test_the_setting_lost_ignores_fallbacks() -> None:
    both = Decision(0, fallbacks=(1,))
    requests = run(Scripted([both, both]), [0.0, 1.0], budget=Amounts([1.0, 2.0]), exhausted="lost")
    assert requests["fate"].tolist() == ["served", "exhausted"]


def test_a_declined_query_goes_nowhere() -> None:
    requests = run(Scripted([None]), [0.0])
    assert requests["fate"].tolist() == ["declined"]
    assert requests["deployment"].isna().all()
    assert requests["output_tokens"].isna().all()


def test_a_policy_sees_queues_now_and_spending_only_when_it_has_settled() -> None:
    policy = Scripted([0, 0, 0, 0])
    run(policy, [0.0, 1.0, 1.2, 2.0], service=Slots(1, 0.5, 0.01), budget=Amounts([10, 10]))
    assert policy.states == [
        (0.0, [0, 0], [0, 0], [10, 10]),
        (1.0, [0, 0], [1, 0], [10, 10]),
        (pytest.approx(1.2), [1, 0], [1, 0], [10, 10]),
        (2.0, [1, 0], [1, 0], [9, 10]),  # the first query finished at 1.5 s and has been settled
    ]


def test_the_committed_view_enforces_what_the_settled_view_does_not_show() -> None:
    policy = Scripted([0, 0])
    requests = run(policy, [0.0, 0.1], service=Slots(1, 0.5, 0.01), budget=Amounts([1.0, 0.0]))
    assert policy.states[1][3] == [1.0, 0.0]  # the first query is in flight: nothing has settled
    assert requests["fate"].tolist() == ["served", "exhausted"]


def test_feedback_comes_at_completion_and_from_the_chosen_deployment() -> None:
    policy = Scripted([1, 0])
    run(policy, [0.0, 0.1], service=Slots(1, 0.5, 0.01))
    assert [(heard.query.id, heard.deployment, heard.quality, heard.cost) for heard in policy.learned] == [
        (0, 1, 1.0, 2.0),
        (1, 0, 0.5, 1.0),
    ]
    assert [heard.latency_s for heard in policy.learned] == pytest.approx([1.5, 1.5])


def test_what_a_policy_sees_cannot_be_written_to() -> None:
    class Scribbler(Scripted):
        def decide(self, query: Query, state: State) -> Decision:
            for array in (query.embedding, query.quality_hat, query.cost_hat, *state[1:]):
                assert not array.flags.writeable
            return super().decide(query, state)

        def reset(self, setting: Setting, rng: np.random.Generator) -> None:
            history = setting.history
            for array in (setting.budgets, history.quality, history.cost, history.features.embeddings):
                assert not array.flags.writeable

    assert run(Scribbler([0]), [0.0])["fate"].tolist() == ["served"]


# --- gates ------------------------------------------------------------------------------------------------------------


@dataclass
class Gathered(Scripted):
    """Note the size and time of each batch."""

    batches: list[tuple[float, int]] = field(default_factory=list)

    def decide_batch(self, queries: Sequence[Query], state: State) -> list[Decision]:
        self.batches.append((state.now_s, len(queries)))
        return super().decide_batch(queries, state)


def test_a_gate_hands_over_full_batches_and_what_is_left_at_the_end() -> None:
    policy = Gathered([0] * 5, gate=Gate(size=2))
    requests = run(policy, [0.0, 1.0, 2.0, 3.0, 4.0])
    assert policy.batches == [(1.0, 2), (3.0, 2), (4.0, 1)]
    assert requests["decided_at_s"].tolist() == [1.0, 1.0, 3.0, 3.0, 4.0]


def test_a_gate_with_a_window_does_not_wait_longer() -> None:
    policy = Gathered([0] * 4, gate=Gate(size=3, window_s=1.5))
    run(policy, [0.0, 1.0, 7.0, 8.0])
    # The first two wait until 1.5 s; the last arrival, at 8 s, ends the run before the second window does.
    assert policy.batches == [(1.5, 2), (8.0, 2)]


def test_a_full_batch_closes_its_window() -> None:
    policy = Gathered([0] * 4, gate=Gate(size=2, window_s=3.0))
    run(policy, [0.0, 1.0, 2.5, 19.0])
    # Full at 1 s. The next begins at 2.5 s and its own window ends at 5.5 s, not the first one's at 3 s.
    assert policy.batches == [(1.0, 2), (5.5, 1), (19.0, 1)]


# --- policies that misbehave ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("choice", [2, -1, math.nan, 1.0, "a"])
def test_an_index_that_is_none_is_an_error_that_names_policy_and_query(choice: object) -> None:
    with pytest.raises(RuntimeError, match=r"policy 'scripted' chose deployment .* for query 1; .* from 0 to 1"):
        run(Scripted([0, choice]), [0.0, 1.0])


def test_a_fallback_that_does_not_exist_is_an_error_too() -> None:
    with pytest.raises(RuntimeError, match="chose deployment 7 for query 0"):
        run(Scripted([Decision(0, fallbacks=(7,))]), [0.0], budget=Amounts([0, 0]))


def test_any_integer_type_is_an_index() -> None:
    assert run(Scripted([np.int64(1)]), [0.0])["deployment"].tolist() == ["b"]


def test_an_exception_in_a_policy_names_policy_and_query() -> None:
    class Broken(Scripted):
        def decide(self, query: Query, state: State) -> Decision:
            raise KeyError("lost")

    with pytest.raises(RuntimeError, match="policy 'scripted' raised KeyError on query 0: 'lost'"):
        run(Broken([0]), [0.0])


def test_an_exception_while_learning_or_resetting_is_named_too() -> None:
    class Unteachable(Scripted):
        def learn(self, feedback: Feedback) -> None:
            raise ValueError("no")

    class Restless(Scripted):
        def reset(self, setting: Setting, rng: np.random.Generator) -> None:
            raise ValueError("no")

    with pytest.raises(RuntimeError, match="raised ValueError learning from query 0: no"):
        run(Unteachable([0]), [0.0])
    with pytest.raises(RuntimeError, match="raised ValueError in reset: no"):
        run(Restless([0]), [0.0])


def test_something_that_is_no_decision_is_an_error() -> None:
    class Careless(Policy):
        def decide(self, query: Query, state: State) -> Decision:
            return 1  # type: ignore[return-value]

    with pytest.raises(RuntimeError, match="returned 1 for query 0; it must be a Decision"):
        run(Careless(), [0.0])


def test_a_batch_of_the_wrong_length_is_an_error() -> None:
    class Short(Scripted):
        def decide_batch(self, queries: Sequence[Query], state: State) -> list[Decision]:
            return [Decision(0)]

    with pytest.raises(RuntimeError, match=r"returned 1 decisions for 2 queries \(queries 0 to 1\)"):
        run(Short([0, 0], gate=Gate(size=2)), [0.0, 1.0])


def test_the_record_says_on_which_queries_the_policy_explored() -> None:
    requests = run(Scripted([Decision(0, explores=True), Decision(0), Decision(None, explores=True)]), [0.0, 1.0, 2.0])
    assert requests["explored"].tolist() == [True, False, True]


def test_the_request_table_has_the_columns_of_its_schema_and_no_other() -> None:
    requests = run(Scripted([0]), [0])
    assert {name: str(kind) for name, kind in requests.dtypes.items()} == COLUMNS
