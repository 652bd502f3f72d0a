"""Caching and multiplexing (arXiv 2306.02003): the authors' totals, and what it costs where no cost is free to hear."""

import numpy as np
import pandas as pd
import pytest

from policies.answering.multiplexed import Multiplexed
from scenarios.caches.least_expected_cost import LeastExpectedCost
from scenarios.caches.lfu import LeastFrequentlyUsed
from sim.caching import CacheRule, Eviction
from sim.interface import Feedback, FloatArray, IntArray, Policy, Query, State
from sim.world.caching.contents import Contents, Stored
from sim.world.services.slots import Instant
from tests.caching.repeated import Notes, run, world
from tests.systems.driving import REFERENCE, needs, setting_of

SEED_1 = "cache_requests_a0.8_r100.csv"
N_PROMPTS, HELD, N_REQUESTS = 20, 8, 10_000
PROMPTS = np.eye(N_PROMPTS, dtype=np.float32)  # their embeddings
SMALL, LARGE = 0, 1

needs_requests = needs(SEED_1)


def requests_of(name: str) -> tuple[IntArray, FloatArray]:
    """The prompts (n,) of a reference file, and their costs (n, 2) at the small and the large model."""
    table = pd.read_csv(REFERENCE / name)
    return table["qid"].to_numpy(np.int64), table[["cost_1", "cost_2"]].to_numpy(np.float64)


def drawn(alpha: float, ratio: float, seed: int) -> tuple[IntArray, FloatArray]:
    """Requests as in the paper's synthetic set-up, in the order of draws of its authors' code."""
    rng = np.random.RandomState(seed)
    usual = 1 + ratio * rng.binomial(1, 0.5, (2, N_PROMPTS))
    prompts = np.floor(N_PROMPTS * rng.power(alpha, N_REQUESTS)).astype(np.int64)
    return prompts, np.maximum(usual[:, prompts].T + rng.normal(size=(N_REQUESTS, 2)), 0.1)


class Opened:
    """A cache rule whose state is told what the authors' code tells theirs."""

    def __init__(self, rule: LeastExpectedCost | LeastFrequentlyUsed) -> None:
        self.capacity, self.capacity_tokens, self.similarity = rule.capacity, rule.capacity_tokens, rule.similarity
        self.lookup_s, self.expires_s, self.state = rule.lookup_s, rule.expires_s, rule.open()

    def open(self) -> Eviction:
        return self.state


def told(
    policy: Policy, rule: LeastExpectedCost | LeastFrequentlyUsed, prompts: IntArray, cost: FloatArray, free: bool
) -> tuple[float, list[int]]:
    """What misses cost, and what the cache holds in the end.

    With ``free`` every miss also reveals the large model's cost for nothing, as to the selector in the authors' code. A
    cost of the large model that was paid counts twice there.
    """
    policy.reset(setting_of(PROMPTS[:2], np.array([[0.0, 1.0]] * 2), np.array([[1.0, 2.0]] * 2), len(prompts)), RNG)
    opened = Opened(rule)
    contents, spent = Contents(opened, None), 0.0
    none, rest = np.zeros(2, dtype=np.int64), np.full(2, np.inf)
    state = State(0.0, none, none, rest, np.ones(2, dtype=np.bool_))
    for number, (prompt, pair) in enumerate(zip(prompts.tolist(), cost.tolist(), strict=True)):
        if contents.find(prompt, number, float(number)) is not None:
            continue
        query = Query(number, float(number), PROMPTS[prompt], 1, rest, rest)
        chosen = policy.decide(query, state).deployment
        assert chosen is not None
        spent += pair[chosen]
        for deployment in (chosen, LARGE) if free else (chosen,):
            policy.learn(Feedback(query, deployment, 1.0, pair[deployment], 0.0))
        if free:
            opened.state.answered(prompt, LARGE, pair[LARGE], 1.0)
        contents.store(Stored(prompt, number, number, (chosen,), 1.0, float(number), 1, pair[chosen]))
    return spent, [prompt for prompt in range(N_PROMPTS) if contents.find(prompt, 0, 0.0) is not None]


def in_hindsight(prompts: IntArray, cost: FloatArray, by_cost: bool) -> float:
    """What misses cost before a cache that holds the prompts asked for most often, or whose answers cost most."""
    count, total = np.bincount(prompts, minlength=N_PROMPTS), np.bincount(prompts, cost, minlength=N_PROMPTS)
    held = np.argsort(-(total if by_cost else count), kind="stable")[:HELD]
    return float(total.sum() - total[held].sum())


RNG = np.random.default_rng(0)  # which neither policy draws from
RULES = (LeastFrequentlyUsed, LeastExpectedCost)


@needs_requests
def test_least_expected_cost_with_the_selector_costs_what_the_authors_code_says() -> None:
    spent, held = told(Multiplexed(), LeastExpectedCost(HELD), *requests_of(SEED_1), free=True)
    assert spent == pytest.approx(6802.3837, abs=1e-4)
    assert held == [0, 1, 2, 9, 10, 11, 13, 17]


@needs_requests
def test_least_frequently_used_with_the_large_model_costs_what_the_authors_code_says() -> None:
    spent, _ = told(Notes(LARGE), LeastFrequentlyUsed(HELD), *requests_of(SEED_1), free=False)
    assert spent == pytest.approx(307303.8932, abs=1e-4)


@needs_requests
def test_a_cache_and_a_selector_in_hindsight_cost_what_the_authors_code_says() -> None:
    prompts, cost = requests_of(SEED_1)
    assert in_hindsight(prompts, cost.min(axis=1), by_cost=True) == pytest.approx(4592.739, abs=1e-3)


@needs_requests
@pytest.mark.parametrize(("alpha", "ratio", "name"), [(0.8, 100, SEED_1), (0.5, 1.5, "cache_requests_a0.5_r1.5.csv")])
def test_requests_are_drawn_as_the_authors_draw_them(alpha: float, ratio: float, name: str) -> None:
    prompts, cost = drawn(alpha, ratio, seed=1)
    theirs, costs = requests_of(name)
    assert (prompts == theirs).all()
    assert cost == pytest.approx(costs, abs=1e-12)


ONLINE = {
    (0.5, 1.5): (6.843, 6.625, 5.468, 6.098, 5.921, 4.830),
    (0.8, 1.5): (9.601, 9.330, 7.643, 7.925, 7.789, 6.329),
    (0.5, 100): (200.72, 185.53, 97.06, 73.55, 64.11, 5.768),
    (0.8, 100): (277.12, 258.19, 130.30, 106.52, 94.38, 7.119),
}
OFFLINE = {
    (0.5, 1.5): (6.733, 6.466, 4.147, 5.920, 5.714, 3.609),
    (0.8, 1.5): (9.606, 9.129, 5.914, 7.680, 7.434, 4.671),
    (0.5, 100): (196.67, 178.06, 88.82, 70.49, 61.90, 4.012),
    (0.8, 100): (284.23, 250.65, 131.62, 102.90, 90.58, 5.006),
}
PRINTED = 6e-4  # of a figure: half of its last digit, or a little more


def online(alpha: float, ratio: float, free: bool) -> tuple[FloatArray, FloatArray]:
    """Mean and standard error (6,) of the totals of 20 seeds, in thousands; whether the selector's costs are free."""
    totals = []
    for seed in range(1, 21):
        requests = drawn(alpha, ratio, seed)
        policies = ((Notes(LARGE), False), (Notes(SMALL), False), (Multiplexed(), free))
        totals.append([told(policy, rule(HELD), *requests, known)[0] for rule in RULES for policy, known in policies])
    of = np.array(totals) / 1000
    return of.mean(axis=0), of.std(axis=0, ddof=1) / np.sqrt(len(of))


@pytest.mark.slow
@pytest.mark.parametrize(("alpha", "ratio"), ONLINE)
def test_twenty_seeds_online_cost_what_the_authors_code_says(alpha: float, ratio: float) -> None:
    mean, _ = online(alpha, ratio, free=True)
    assert mean == pytest.approx(ONLINE[alpha, ratio], rel=PRINTED)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("alpha", "ratio", "theirs", "ours"),
    [
        *((0.5, 1.5, 4.830, 5.043), (0.8, 1.5, 6.329, 6.708)),
        *((0.5, 100, 5.768, 20.341), (0.8, 100, 7.119, 17.550)),
    ],
)
def test_where_no_cost_is_free_the_selector_pays_for_what_it_learns(
    alpha: float, ratio: float, theirs: float, ours: float
) -> None:
    """Theirs with free costs, ours without.

    A prompt whose small model is dear and whose large one is not yet known seems worth its place in the cache, and
    what is stored is not asked for again.
    """
    mean, _ = online(alpha, ratio, free=False)
    lfu_large, *_, lec_large, lec_small, lec_selector = mean
    assert lec_selector == pytest.approx(ours, abs=5e-4)
    assert theirs < lec_selector < min(lec_large, lec_small) < lfu_large


@pytest.mark.parametrize(("alpha", "ratio"), OFFLINE)
def test_twenty_seeds_in_hindsight_cost_what_the_authors_code_says(alpha: float, ratio: float) -> None:
    totals = np.zeros(6)
    for seed in range(1, 21):
        prompts, cost = drawn(alpha, ratio, seed)
        paid = (cost[:, LARGE], cost[:, SMALL], cost.min(axis=1))
        totals += [in_hindsight(prompts, of, by_cost) for by_cost in (False, True) for of in paid]
    assert totals / 20 / 1000 == pytest.approx(OFFLINE[alpha, ratio], rel=PRINTED)


# --- where a cost is known only to who pays it


def honest(policy: Policy, rule: CacheRule, prompts: IntArray, cost: FloatArray) -> pd.DataFrame:
    """The request table of a run in the world."""
    times = np.arange(len(prompts), dtype=np.float64).tolist()
    instance = world(prompts.tolist(), times, cost_usd=cost, embeddings=PROMPTS[prompts], service=Instant(), cache=rule)
    return run(policy, instance)


@needs_requests
def test_in_the_world_the_selector_hears_of_no_cost_that_was_not_paid() -> None:
    prompts, cost = requests_of(SEED_1)
    paid = honest(Multiplexed(["a", "b"]), LeastExpectedCost(HELD), prompts, cost)["cost_usd"].sum()
    alone, _ = told(Multiplexed(), LeastExpectedCost(HELD), prompts, cost, free=False)
    assert paid == pytest.approx(alone)
    assert paid == pytest.approx(7715.0438, abs=1e-3)  # and 6,802.3837 where the large model's costs are free


def test_by_hand_a_prompt_meets_the_small_model_then_the_large_one_then_the_cheaper() -> None:
    # Prompt 0 costs 1 and 3 USD, prompt 1 costs 3 and 1; the cache is too small to matter: it holds prompt 2.
    prompts = np.array([2, 0, 1, 0, 1, 0, 1, 0, 1])
    cost = np.array([[9.0, 9.0], *[[1.0, 3.0], [3.0, 1.0]] * 4])
    requests = honest(Multiplexed(["a", "b"]), LeastExpectedCost(1), prompts, cost)
    assert requests["deployment"].tolist() == ["a", "a", "a", "b", "b", "a", "b", "a", "b"]
    literal = honest(Multiplexed(["a", "b"], tries=0), LeastExpectedCost(1), prompts, cost)
    assert literal["deployment"].tolist() == ["a"] * 9  # who never asks the large model never hears what it costs


@pytest.mark.parametrize("deployments", [["a"], ["a", "a"], ["a", "b", "c"]])
def test_other_than_two_deployments_are_refused(deployments: list[str]) -> None:
    with pytest.raises(ValueError, match="it must name a small and a large one, or be null"):
        Multiplexed(deployments)


def test_an_unknown_deployment_is_refused_by_name() -> None:
    with pytest.raises(RuntimeError, match="unknown deployment 'smal'"):
        honest(Multiplexed(["smal", "b"]), LeastExpectedCost(1), np.array([0]), np.array([[1.0, 2.0]]))
