"""ParetoBandit (arXiv 2604.00136): the authors' own decisions on their own table, and their claims of drift."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import count

import numpy as np
import pytest

from policies.bandits.contexts import AsItIs
from policies.bandits.pareto import ParetoBandit
from policies.bandits.priors import FromHistory, Prior
from policies.bandits.ridge import RidgeArms
from sim.interface import BoolArray, Decision, FloatArray, History, IntArray, Setting
from tests.systems.driving import REFERENCE, drive, needs, setting_of
from tests.worlds import idle, tiny_query, tiny_setting

needs_reference = needs("paretobandit.npz")
PRICES = np.array([[1e-4, 1e-3, 5.625e-3]])  # USD per 1000 tokens, the mean of input and output
N_VAL, N_TEST = 1785, 1824


@cache
def table() -> Mapping[str, FloatArray]:
    with np.load(REFERENCE / "paretobandit.npz") as arrays:
        return {name: arrays[name] for name in arrays.files}


@dataclass(frozen=True)
class Given:
    """The authors' arms before the first query, fitted on their training rows, which are not in the table."""

    def arms(self, contexts: FloatArray, history: History) -> RidgeArms:
        return RidgeArms(table()["A0"], table()["b0"])


def targets() -> FloatArray:
    """The paper's seven ceilings, from the cheapest to the dearest model's mean cost on the validation rows."""
    mean = table()["C_val"].mean(axis=0)
    return np.geomspace(mean.min(), mean.max(), 7)


def made(ceiling: float, prior: Prior, setting: Setting, most: float = 5.0) -> ParetoBandit:
    policy = ParetoBandit(AsItIs(), prior, ceiling, lowest_price=1e-4, highest_price=0.1, most=most)
    policy.reset(setting, np.random.default_rng(0))
    return policy


def stream(seed: int) -> tuple[IntArray, FloatArray, FloatArray, FloatArray]:
    """Rows, contexts, rewards and costs of the paper's first experiment: validation, then test, each shuffled."""
    rng = np.random.default_rng(seed)
    val, test = rng.permutation(N_VAL), rng.permutation(N_TEST)
    both = [np.vstack([table()[f"{name}_val"][val], table()[f"{name}_test"][test]]) for name in ("X", "R", "C")]
    return np.concatenate([val, test]), both[0], both[1], both[2]


def experiment(ceiling: float, seed: int) -> tuple[IntArray, FloatArray, float, float]:
    """Arms and prices of all decisions; mean reward and cost on the test rows."""
    _, contexts, reward, cost = stream(seed)
    policy = made(ceiling, Given(), setting_of(np.zeros((1, 26)), np.zeros((1, 3)), PRICES, len(reward)))
    arms, prices = drive(policy, contexts, reward, cost, watch=lambda: policy.price)
    got = np.arange(len(arms)), arms
    return arms, np.array(prices), float(reward[got][N_VAL:].mean()), float(cost[got][N_VAL:].mean())


@needs_reference
def test_every_decision_is_that_of_the_authors_code() -> None:
    ceiling = float(targets()[3])
    assert ceiling == pytest.approx(6.636599e-4, rel=1e-7)
    assert (stream(3000)[0] == table()["trace_row"]).all()
    arms, prices, *_ = experiment(ceiling, 3000)
    assert len(arms) == 3609
    assert (arms == table()["trace_arm"]).all()
    assert np.abs(prices - table()["trace_lambda"]).max() < 1e-9


@needs_reference
@pytest.mark.parametrize(
    ("target", "reward", "cost"),
    [
        (0, 0.793100, 2.858e-5),
        (1, 0.812196, 8.246e-5),
        (3, 0.908374, 6.4454e-4),
        (4, 0.918605, 1.72041e-3),
        (6, 0.931116, 1.021453e-2),
    ],
)
def test_a_run_earns_and_costs_what_the_authors_did(target: int, reward: float, cost: float) -> None:
    *_, ours, ours_cost = experiment(float(targets()[target]), 3000)
    assert ours == pytest.approx(reward, abs=1e-6)
    assert ours_cost == pytest.approx(cost, abs=6e-9)  # as they are printed


@needs_reference
@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "reward", "cost"),
    [
        (0, 0.793187, 2.875e-5),
        (1, 0.812769, 8.320e-5),
        (3, 0.897802, 6.5005e-4),
        (4, 0.917160, 1.70913e-3),
        (6, 0.928994, 1.109096e-2),
    ],
)
def test_the_mean_of_twenty_runs_is_the_authors(target: int, reward: float, cost: float) -> None:
    runs = [experiment(float(targets()[target]), seed)[2:] for seed in range(3000, 3020)]
    ours, ours_cost = np.mean(runs, axis=0)
    assert ours == pytest.approx(reward, abs=1e-6)
    assert ours_cost == pytest.approx(cost, abs=6e-9)


def drift(
    ceiling: float,
    change: Callable[[FloatArray, FloatArray, slice], None],
    most: float = 5.0,
    seeds: range = range(3000, 3005),
    announced: float | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Mean reward, and cost over the ceiling, of each sixth of the test rows; something changes in the middle third.

    The policy may be told then that the price of the dear model is so many times what it was.
    """
    rewards, spending = [], []
    for seed in seeds:
        rows = np.random.default_rng(seed).permutation(N_TEST)
        reward, cost = table()["R_test"][rows], table()["C_test"][rows]
        change(reward, cost, slice(N_TEST // 3, 2 * N_TEST // 3))
        setting = setting_of(np.zeros((1, 26)), np.zeros((1, 3)), PRICES, N_TEST)
        policy, place = made(ceiling, Given(), setting, most), count()

        def price_list(policy: ParetoBandit = policy, place: Iterator[int] = place) -> None:
            number = next(place)
            if announced is not None and number in (N_TEST // 3, 2 * N_TEST // 3):
                policy.learn_price(2, announced if number == N_TEST // 3 else 1.0)

        arms, _ = drive(policy, table()["X_test"][rows], reward, cost, watch=price_list)
        got = np.arange(N_TEST), arms
        rewards.append([part.mean() for part in np.split(reward[got], 6)])
        spending.append([part.mean() / ceiling for part in np.split(cost[got], 6)])
    return np.mean(rewards, axis=0), np.mean(spending, axis=0)


def thirds(sixths: FloatArray) -> FloatArray:
    result: FloatArray = sixths.reshape(3, 2).mean(axis=1)
    return result


def dear_model_becomes_cheap(reward: FloatArray, cost: FloatArray, when: slice) -> None:
    cost[when, 2] *= 0.02


def middle_model_gets_worse(reward: FloatArray, cost: FloatArray, when: slice) -> None:
    reward[when, 1] *= 0.75 / reward[:, 1].mean()


@needs_reference
@pytest.mark.parametrize(("target", "lift"), [(2, 0.0), (3, 0.03), (4, 0.005)])  # the paper's 0.071, 0.044 and 0.018
def test_the_ceiling_holds_while_a_price_falls_and_after_it_has_risen_again(target: int, lift: float) -> None:
    reward, spending = drift(float(targets()[target]), dear_model_becomes_cheap)
    assert (thirds(spending) < 1.03).all()
    assert thirds(reward)[1] > thirds(reward)[0] + lift


def all_tokens_for_a_tenth_of_a_dollar(reward: FloatArray, cost: FloatArray, when: slice) -> None:
    """At 0.1 USD per million tokens, read or written, instead of 1.25 and 10; nearly all of the cost was of output."""
    cost[when, 2] *= 0.011


@needs_reference
@pytest.mark.parametrize(("target", "lift"), [(2, 0.07), (3, 0.035), (4, 0.005)])  # the paper's 0.071, 0.044 and 0.018
def test_a_price_list_that_says_so_lets_the_tightest_ceiling_use_a_model_that_has_become_cheap(
    target: int, lift: float
) -> None:
    told = (PRICES[0, 0] / PRICES[0, 2]).item()  # the mean price of the cheap model
    reward, spending = drift(float(targets()[target]), all_tokens_for_a_tenth_of_a_dollar, announced=told)
    assert (thirds(spending) < 1.05).all()
    assert thirds(reward)[1] > thirds(reward)[0] + lift


@needs_reference
def test_without_the_pacer_a_risen_price_goes_far_over_the_ceiling() -> None:
    _, spending = drift(float(targets()[3]), dear_model_becomes_cheap, most=0.0)
    assert thirds(spending)[2] > 4


@needs_reference
def test_the_ceiling_holds_and_rewards_recover_when_a_model_is_worse_for_a_while() -> None:
    reward, spending = drift(float(targets()[3]), middle_model_gets_worse)
    assert (thirds(spending) < 1.05).all()
    assert thirds(reward)[1] < 0.92 * thirds(reward)[0]
    assert reward[-1] > 0.965 * thirds(reward)[0]  # the paper says 0.975, from 0.967 to 0.982


@needs_reference
@pytest.mark.parametrize("target", [2, 3, 4])
def test_a_model_that_arrives_is_adopted_within_the_ceiling(target: int) -> None:
    spent = []
    for seed in range(3000, 3005):
        rows = np.random.default_rng(seed).permutation(N_TEST)
        arms, spending = arriving(float(targets()[target]), rows)
        assert (arms[: N_TEST // 3] != 1).all()
        assert (arms[2 * N_TEST // 3 :] == 1).mean() > 0.04
        spent.append(spending.mean())
    assert np.mean(spent) < 1.05


def arriving(ceiling: float, rows: IntArray) -> tuple[IntArray, FloatArray]:
    """The middle model is unknown, and arrives after a third of the queries."""
    known = table()["R_val"].copy()
    known[:, 1] = np.nan
    cost = table()["C_val"].copy()
    cost[:, 1] = np.nan
    setting = setting_of(table()["X_val"], known, cost, N_TEST)
    policy = ParetoBandit(AsItIs(), FromHistory(), ceiling)
    policy.reset(setting, np.random.default_rng(0))
    available: BoolArray = np.ones((N_TEST, 3), dtype=np.bool_)
    available[: N_TEST // 3, 1] = False
    reward, cost = table()["R_test"][rows], table()["C_test"][rows]
    arms, _ = drive(policy, table()["X_test"][rows], reward, cost, available=available)
    return arms, cost[np.arange(N_TEST), arms] / ceiling


def test_history_makes_arms_that_predict_what_it_saw_and_count_for_as_many_queries_as_wanted() -> None:
    # Contexts are the constant 1: A' = 1 + 3, b' = 2, theta' = 1/2; s = 8 / 4, so A = 2 x 4 + 1 and b = 2 x 2 + 1/2.
    setting = setting_of(np.ones((3, 1)), np.array([[1.0], [1.0], [0.0]]), np.ones((3, 1)), 1)
    arms = FromHistory(weight=8).arms(np.ones((3, 1)), setting.history)
    assert arms.theta[0, 0] == pytest.approx(0.5)
    assert arms.variances(np.ones(1))[0] == pytest.approx(1 / 9)


def test_an_arm_that_nobody_has_seen_is_an_average_one_and_is_tried_first() -> None:
    quality = np.array([[0.2, np.nan], [0.4, np.nan]])
    setting = setting_of(np.ones((2, 1)), quality, quality, 10)
    policy = ParetoBandit(AsItIs(), FromHistory(weight=8), forced=3)
    policy.reset(setting, np.random.default_rng(0))
    query = tiny_query(0, [0.0, 0.0], [1.0, 1.0])._replace(embedding=np.ones(1, dtype=np.float32))
    assert policy.believes(query).quality[1] == pytest.approx(0.3)
    assert [policy.decide(query, idle(2)) for _ in range(3)] == [Decision(1, [0], True)] * 3


def test_half_a_market_and_a_ceiling_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match=r"lowest_price is 0\.1 and highest_price None; give both, or null for both"):
        ParetoBandit(AsItIs(), FromHistory(), lowest_price=0.1)
    with pytest.raises(ValueError, match="ceiling is 0; it must be positive, or null for the budgets over the horizon"):
        ParetoBandit(AsItIs(), FromHistory(), ceiling=0)


def test_where_one_deployment_has_no_budget_there_is_no_ceiling() -> None:
    policy = ParetoBandit(AsItIs(), FromHistory())
    policy.reset(tiny_setting([1.0, np.inf], 10), np.random.default_rng(0))
    assert policy.price == 0
