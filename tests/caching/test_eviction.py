"""Which answer goes first: each rule against an independent reference, by hand and on random requests."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scenarios.caches.gdsf import GreedyDualSizeFrequency
from scenarios.caches.least_expected_cost import LeastExpectedCost
from scenarios.caches.lfu import LeastFrequentlyUsed
from scenarios.caches.lru import LeastRecentlyUsed
from sim.caching import CacheRule, Eviction
from sim.interface import FloatArray, IntArray
from sim.world.caching.contents import Contents, Stored
from sim.world.services.slots import Instant
from tests.caching.repeated import Notes, run, world

REFERENCE = Path(__file__).parents[3] / "shared" / "reference"


def served_at_once(rule: CacheRule, prompts: Sequence[int], cost_usd: Sequence[float], tokens: Sequence[int]) -> str:
    """Ask for prompts one after the other; return a letter for each, h for a hit and m for a miss."""
    contents, letters = Contents(rule, None), ""
    for number, (prompt, cost, size) in enumerate(zip(prompts, cost_usd, tokens, strict=True)):
        found = contents.find(prompt, number, float(number))
        letters += "m" if found is None else "h"
        if found is None:
            contents.store(Stored(prompt, number, number, (0,), 1.0, float(number), size, cost))
    return letters


def drawn(n: int, n_prompts: int, seed: int) -> tuple[list[int], list[float], list[int]]:
    """Requests by a power law; costs are multiples of 1/8, so that products and sums of them are exact."""
    rng = np.random.default_rng(seed)
    prompts = (n_prompts * rng.random(n) ** 2).astype(np.int64)
    cost, tokens = rng.integers(1, 80, n_prompts) / 8, 2 ** rng.integers(0, 5, n_prompts)
    return prompts.tolist(), cost[prompts].tolist(), tokens[prompts].tolist()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("capacity", [1, 7, 40])
def test_lru_hits_when_the_standard_library_does(capacity: int, seed: int) -> None:
    prompts, cost, tokens = drawn(3000, 60, seed)
    answer = lru_cache(maxsize=capacity)(lambda prompt: prompt)
    expected = ""
    for prompt in prompts:
        hits = answer.cache_info().hits
        answer(prompt)
        expected += "h" if answer.cache_info().hits > hits else "m"
    found = served_at_once(LeastRecentlyUsed(capacity), prompts, cost, tokens)
    assert found == expected
    assert "h" in found


def by_scanning(
    worth: Callable[[int], float],
    note: Callable[[int, bool], None],
    prompts: Sequence[int],
    capacity: int,
    evicted: Callable[[int], None] = lambda prompt: None,
) -> str:
    """A cache in a plain list of slots: the least worth goes, if the newcomer is worth more."""
    slots: list[int] = []
    letters = ""
    for prompt in prompts:
        hit = prompt in slots
        note(prompt, hit)
        letters += "h" if hit else "m"
        if hit:
            continue
        if len(slots) < capacity:
            slots.append(prompt)
            continue
        least = min(range(capacity), key=lambda slot: worth(slots[slot]))
        if worth(prompt) > worth(slots[least]):
            evicted(slots[least])
            slots[least] = prompt
    return letters


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("capacity", [1, 7, 40])
def test_lfu_and_least_expected_cost_hit_when_a_scan_of_all_slots_does(capacity: int, seed: int) -> None:
    prompts, cost, tokens = drawn(3000, 60, seed)
    count: dict[int, int] = {}
    price = dict(zip(prompts, cost, strict=True))

    def note(prompt: int, hit: bool) -> None:
        count[prompt] = count.get(prompt, 0) + 1

    lfu = by_scanning(lambda prompt: count[prompt], note, prompts, capacity)
    assert served_at_once(LeastFrequentlyUsed(capacity), prompts, cost, tokens) == lfu
    count.clear()
    lec = by_scanning(lambda prompt: count[prompt] * price[prompt], note, prompts, capacity)
    assert served_at_once(LeastExpectedCost(capacity), prompts, cost, tokens) == lec
    assert lfu != lec or capacity in (1, 40)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("capacity", [1, 7, 40])
def test_gdsf_hits_when_its_formula_does(capacity: int, seed: int) -> None:
    """priority = clock + frequency x cost / size; of equal size, in entries, the size is 1."""
    prompts, cost, tokens = drawn(3000, 60, seed)
    price = dict(zip(prompts, cost, strict=True))
    clock, frequency, priority = [0.0], dict.fromkeys(prompts, 0), dict.fromkeys(prompts, 0.0)

    def note(prompt: int, hit: bool) -> None:
        frequency[prompt] = frequency[prompt] + 1 if hit else 1
        priority[prompt] = clock[0] + frequency[prompt] * price[prompt]

    def evicted(prompt: int) -> None:
        clock[0] = max(clock[0], priority[prompt])

    expected = by_scanning(priority.__getitem__, note, prompts, capacity, evicted)
    assert served_at_once(GreedyDualSizeFrequency(capacity), prompts, cost, tokens) == expected


def test_gdsf_by_hand() -> None:
    """Prompt 1 is worth 2 USD / 1; 2 is worth 3; 1 is given again: 4. 3 costs 1, less than either, and stays outside.

    4 costs 5: it takes the place of 2, and the clock is 3. 5 costs 2: 3 + 2 = 5 beats the 4 of prompt 1.
    """
    prompts, cost = [1, 2, 1, 3, 4, 5, 1, 4], [2.0, 3.0, 2.0, 1.0, 5.0, 2.0, 2.0, 5.0]
    assert served_at_once(GreedyDualSizeFrequency(2), prompts, cost, [1] * 8) == "mmhmmmmh"


def test_a_capacity_in_tokens_holds_prompts_and_answers() -> None:
    """Answers of 10 + 90 tokens: two fit into 250. One of 10 + 200 takes the room of both, one of 10 + 300 has none."""
    cache = LeastRecentlyUsed(capacity=None, capacity_tokens=250)
    prompts, tokens = [1, 2, 1, 2, 3, 1, 2], [90, 90, 90, 90, 200, 300, 90]
    times = [10.0 * place for place in range(7)]
    requests = run(Notes(), world(prompts, times, tokens=tokens, cache=cache))
    assert requests["fate"].tolist() == ["served", "served", "cached", "cached", "served", "served", "served"]
    one_more = run(Notes(), world([*prompts[:6], 3], times, tokens=[*tokens[:6], 90], cache=cache))
    assert one_more["fate"].tolist()[-2:] == ["served", "cached"]  # what had no room has pushed nothing out


def test_by_tokens_gdsf_and_least_expected_cost_divide_by_the_size() -> None:
    """Of 100 tokens: two answers for 1 USD, of 25 and 75. A third of 75 for 2 USD is worth more than the larger one."""
    for rule in (GreedyDualSizeFrequency, LeastExpectedCost):
        prompts, cost, size = [1, 2, 3, 1], [1.0, 1.0, 2.0, 1.0], [25, 75, 75, 25]
        assert served_at_once(rule(None, 100), prompts, cost, size) == "mmmh"


def test_of_equally_worthy_answers_the_one_in_the_first_slot_goes_and_the_newcomer_takes_it() -> None:
    """With LFU, prompts 1 and 2 were asked for once. 3 comes twice and takes the place of 1; 4 likewise that of 2."""
    prompts = [1, 2, 3, 3, 4, 4, 2, 3]
    assert served_at_once(LeastFrequentlyUsed(2), prompts, [1.0] * 8, [1] * 8) == "mmmmmmmh"


def test_a_newer_answer_to_the_same_prompt_takes_the_place_of_the_older() -> None:
    contents = Contents(LeastFrequentlyUsed(2), None)
    for number, prompt in enumerate([1, 2, 1]):
        contents.find(9, 0, 0.0)
        contents.store(Stored(prompt, number, number, (0,), 1.0, float(number), 1, 1.0))
    found = contents.find(1, 0, 3.0)
    assert found is not None
    assert (found[0].query, found[0].slot, len(contents)) == (2, 0, 2)


# --- the requests of arXiv 2306.02003 ---------------------------------------------------------------------------------


class OpenedOnce:
    """A cache rule whose state a test can reach."""

    def __init__(self, rule: LeastExpectedCost) -> None:
        self.capacity, self.capacity_tokens, self.similarity = rule.capacity, rule.capacity_tokens, rule.similarity
        self.lookup_s, self.expires_s, self.state = rule.lookup_s, rule.expires_s, rule.open()

    def open(self) -> Eviction:
        return self.state


def requests_of(name: str) -> tuple[IntArray, FloatArray]:
    """Return prompts (n,) and the costs (n, 2) of the small and the large model."""
    table = pd.read_csv(REFERENCE / name)
    return table["qid"].to_numpy(), table[["cost_1", "cost_2"]].to_numpy()


needs_reference = pytest.mark.skipif(
    not (REFERENCE / "cache_requests_a0.8_r100.csv").exists(), reason="the requests are not at ../shared/reference"
)


@needs_reference
def test_lfu_before_the_large_model_costs_what_the_authors_code_says() -> None:
    prompts, cost = requests_of("cache_requests_a0.8_r100.csv")
    instance = world(
        prompts.tolist(),
        np.arange(len(prompts), dtype=np.float64).tolist(),
        cost_usd=cost,
        service=Instant(),
        cache=LeastFrequentlyUsed(8),
    )
    requests = run(Notes(1), instance)
    assert requests["cost_usd"].sum() == pytest.approx(307303.8932, abs=1e-3)
    assert (requests["fate"] == "cached").sum() == 4713


@needs_reference
def test_least_expected_cost_before_the_authors_selector_costs_what_their_code_says() -> None:
    """Their selector takes the model with the lower mean so far.

    Whenever it asks one, it is also told what the large model costs then, so that this counts twice if it is the one.
    """
    prompts, cost = requests_of("cache_requests_a0.8_r100.csv")
    rule = OpenedOnce(LeastExpectedCost(8))
    contents = Contents(rule, None)
    paid: dict[int, list[list[float]]] = {}
    spent = 0.0
    for number, prompt in enumerate(prompts.tolist()):
        if contents.find(prompt, number, float(number)) is not None:
            continue
        small, large = paid.setdefault(prompt, [[], []])
        chosen = int(bool(small) and bool(large) and np.mean(large) < np.mean(small))
        spent += cost[number, chosen]
        paid[prompt][chosen].append(cost[number, chosen])
        large.append(cost[number, 1])
        rule.state.answered(prompt, 1, cost[number, 1], 1)
        contents.store(Stored(prompt, number, number, (chosen,), 1.0, float(number), 1, cost[number, chosen]))
    assert spent == pytest.approx(6802.3837, abs=1e-3)
    held = [prompt for prompt in range(20) if contents.find(prompt, 0, 0.0) is not None]
    assert held == [0, 1, 2, 9, 10, 11, 13, 17]
