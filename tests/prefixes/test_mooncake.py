"""Hit rates of a replica are those that plain code counts from the block numbers of Mooncake's published trace.

Requests come one at a time. The plain code knows no tree: in this trace the number of a block says the whole prefix.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scenarios.budgets import Unlimited
from scenarios.fleets import OnePerModel
from scenarios.orders import given
from scenarios.workloads.trace import PricedModel, trace
from sim.scenario import Scenario
from sim.study.metrics.caching import prefix_hit_rate, prefix_token_hit_rate, saved_prefill_tokens
from sim.world.services.batching import Batching
from tests.conftest import Beside
from tests.prefixes.alike import run
from tests.scripted import At

TRACE = Path(__file__).resolve().parents[3] / "shared" / "samples" / "mooncake_trace.jsonl"
BLOCK_TOKENS = 512
INF = float("inf")
HIT_RATE, WITH_ROOM = 0.3664, {1000: 0.0445, 3000: 0.0653, 10_000: 0.2116}  # of blocks
pytestmark = pytest.mark.skipif(not TRACE.is_file(), reason="there is no Mooncake trace")


@pytest.fixture(scope="module")
def requests_of_mooncake() -> pd.DataFrame:
    return pd.DataFrame(map(json.loads, TRACE.read_text().splitlines()))


@pytest.fixture(scope="module")
def path(requests_of_mooncake: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trace with the names of our columns."""
    names = {"input_length": "input_tokens", "output_length": "output_tokens", "hash_ids": "prefix_blocks"}
    file = tmp_path_factory.mktemp("mooncake") / "trace.parquet"
    requests_of_mooncake.rename(columns=names).to_parquet(file)
    return file


def served(path: Path, room: float) -> pd.DataFrame:
    """All requests, each long after the one before, at one replica with so much room."""
    workload = trace(str(path), [PricedModel("m", 0.5, 1.0, 1.0)], n_history=10, dim=2)
    fleet = OnePerModel(Batching(1, 0.01, 0.0, prefill_per_token_s=1e-5), prefix_cache_tokens=room)
    times_s = tuple(1000.0 * np.arange(len(workload.test)))
    return run(Scenario(workload, fleet, Unlimited(), At(times_s), given))


def hits_without_limit(rows: list[list[int]]) -> Iterator[int]:
    seen: set[int] = set()
    for blocks in rows:
        new = [place for place, block in enumerate(blocks) if block not in seen]
        yield min(new, default=len(blocks))
        seen.update(blocks)


def hits_with_room(rows: list[list[int]], most: int) -> Iterator[int]:
    """Every block has the number of its last request and its depth; the oldest, and of these the deepest, goes."""
    last: dict[int, tuple[int, int]] = {}
    for number, blocks in enumerate(rows):
        new = [place for place, block in enumerate(blocks) if block not in last]
        yield min(new, default=len(blocks))
        for depth, block in enumerate(blocks):
            last[block] = (number, -depth)
        if len(last) > most:
            for block in sorted(last, key=last.__getitem__)[: len(last) - most]:
                del last[block]


def note_hits(beside: Beside, room: str, requests: pd.DataFrame, rows: list[list[int]], hits: list[int]) -> None:
    counted = sum(hits) / sum(map(len, rows))
    figure = f"share of blocks that were held, room for {room} blocks"
    beside("Prefix caching", figure, prefix_hit_rate(requests), counted, "a plain count", "each request exactly")


def test_the_number_of_a_block_says_the_whole_prefix(requests_of_mooncake: pd.DataFrame) -> None:
    before: dict[int, int | None] = {}
    for blocks in requests_of_mooncake["hash_ids"]:
        for parent, block in zip([None, *blocks], blocks, strict=False):
            assert before.setdefault(block, parent) == parent


def test_without_a_limit_the_hit_rate_is_what_the_block_numbers_say(
    requests_of_mooncake: pd.DataFrame, path: Path, beside: Beside
) -> None:
    rows = requests_of_mooncake["hash_ids"].tolist()
    requests, hits = served(path, INF), list(hits_without_limit(rows))
    assert requests["hit_blocks"].tolist() == hits
    assert prefix_hit_rate(requests) == sum(hits) / sum(map(len, rows)) == pytest.approx(HIT_RATE, abs=5e-5)
    tokens = np.minimum(np.array(hits) * BLOCK_TOKENS, requests_of_mooncake["input_length"])
    assert saved_prefill_tokens(requests) == tokens.sum()
    note_hits(beside, "any number of", requests, rows, hits)
    whose = "512 x blocks held, at most the prompt"
    beside("Prefix caching", "tokens of prefill saved", saved_prefill_tokens(requests), tokens.sum(), whose, "exactly")
    assert prefix_token_hit_rate(requests) == tokens.sum() / requests_of_mooncake["input_length"].sum()
    first_token_s = requests["first_token_at_s"] - requests["arrived_at_s"]
    expected_s = 1e-5 * (requests_of_mooncake["input_length"] - tokens) + 0.01
    assert first_token_s.to_numpy() == pytest.approx(expected_s.to_numpy(), abs=1e-6)


@pytest.mark.parametrize("most", [1000, *(pytest.param(most, marks=pytest.mark.slow) for most in (3000, 10_000))])
def test_with_room_for_some_blocks_the_hit_rate_is_that_of_the_least_recently_used(
    requests_of_mooncake: pd.DataFrame, path: Path, most: int, beside: Beside
) -> None:
    rows = requests_of_mooncake["hash_ids"].tolist()
    requests, hits = served(path, BLOCK_TOKENS * most), list(hits_with_room(rows, most))
    assert requests["hit_blocks"].tolist() == hits
    note_hits(beside, f"{most:,}", requests, rows, hits)
    assert prefix_hit_rate(requests) == sum(hits) / sum(map(len, rows)) == pytest.approx(WITH_ROOM[most], abs=5e-5)
