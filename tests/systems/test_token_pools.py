"""Pools by token budget (arXiv 2604.09613): bytes per token, the rule by hand, and replicas that are saved."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from policies.balancing.token_pools import TokenPools
from policies.parts.token_counter import TokenCounter
from scenarios.arrivals import Deterministic
from scenarios.budgets import Unlimited
from scenarios.fleets import Listed
from scenarios.orders import given
from sim.cli.main import main
from sim.deployment import Deployment
from sim.instance import Instance, realise
from sim.interface import Decision, State
from sim.scenario import Scenario
from sim.study.oracles import EstimateCache
from sim.workload import Rows, Workload
from sim.world.record import frame
from sim.world.services.slots import Slots
from sim.world.world import simulate
from tests.worlds import tiny_query

TRACES = Path(__file__).resolve().parents[3] / "shared" / "data" / "traces"
needs_traces = pytest.mark.skipif(
    not (TRACES / "azure_llm_2023_conv.parquet").exists(), reason="the Azure traces are not at ../shared/data/traces"
)

# --- bytes and tokens

OBSERVED = [
    *((400, 90), (380, 100), (1200, 310), (90, 30), (4000, 900), (700, 160)),
    *((640, 150), (512, 128), (333, 90), (250, 70), (1000, 240), (100, 20)),
]


@pytest.mark.parametrize(
    ("careful", "ratios", "estimates"),
    [
        (False, [4.420087, 4.418820, 4.421726], [227, 227, 227]),
        (True, [3.514964, 3.580135, 3.722121], [285, 280, 269]),
    ],
)
def test_bytes_per_token_are_those_of_the_published_counter(
    careful: bool, ratios: list[float], estimates: list[int]
) -> None:
    counter, found = TokenCounter(careful), []
    for n, (size_bytes, tokens) in enumerate(OBSERVED, 1):
        counter.learn("prose", size_bytes, tokens)
        if n < 10:
            assert counter.estimate("prose", 1000, 0) == 250  # 4 bytes a token
        else:
            found.append((counter.bytes_per_token("prose"), counter.estimate("prose", 1000, 0)))
    assert [ratio for ratio, _ in found] == pytest.approx(ratios, abs=1e-6)
    assert [estimate for _, estimate in found] == estimates
    assert counter.estimate("prose", 1000, 512) == estimates[-1] + 512


def test_each_category_has_a_ratio_of_its_own_and_those_after_the_256th_share_one() -> None:
    counter = TokenCounter()
    for number in range(300):
        for _ in range(10):
            counter.learn(f"category {number}", 100 * (2 + number % 2), 100)
    assert counter.bytes_per_token("category 0") == pytest.approx(2.0)
    assert counter.bytes_per_token("category 255") == pytest.approx(3.0)
    assert 2.0 < counter.bytes_per_token("category 256") < 3.0
    assert counter.bytes_per_token("category 256") == counter.bytes_per_token("category 299")


def test_what_has_no_bytes_or_tokens_says_nothing() -> None:
    counter = TokenCounter()
    for _ in range(20):
        counter.learn("prose", 0, 10)
        counter.learn("prose", 10, 0)
    assert counter.bytes_per_token("prose") == 4.0
    with pytest.raises(ValueError, match=r"^size_bytes is -1; it must be at least 0$"):
        counter.estimate("prose", -1, 0)


# --- the rule


def pool(name: str, context_tokens: int | None, slots: int = 2) -> Deployment:
    return Deployment(name, "model", Slots(slots, 1.0, 0.0, context_tokens))


POOLS = (pool("short", 100), pool("long", 1000))


def drawn(input_tokens: list[int], fleet: tuple[Deployment, ...]) -> Instance:
    """Queries that come every tenth of a second, each taking one second, with answers of 10 tokens."""
    n = len(input_tokens)
    rows = Rows(
        embeddings=np.zeros((n, 1), dtype=np.float32),
        input_tokens=np.array(input_tokens),
        quality=np.ones((n, 1)),
        cost_usd=np.ones((n, 1)),
        output_tokens=np.full((n, 1), 10),
    )
    of = Workload(("model",), rows, rows)
    return realise(Scenario(of, Listed(fleet), Unlimited(), Deterministic(10.0), given), 0, 0)


def asked(policy: TokenPools, input_tokens: list[int], fleet: tuple[Deployment, ...] = POOLS) -> pd.DataFrame:
    """The request table of a run."""
    instance = drawn(input_tokens, fleet)
    estimates = EstimateCache().get(None, instance)
    return frame(simulate("p", policy, instance, estimates, np.random.default_rng(0)), instance)


def test_a_query_goes_to_the_shortest_context_into_which_it_fits_with_its_answer() -> None:
    requests = asked(TokenPools(output_tokens=50), [50, 51, 10, 950, 990])
    assert requests["deployment"].tolist() == ["short", "long", "short", "long", "long"]
    assert requests["fate"].tolist() == ["served"] * 5  # the last has an answer of 10 tokens and fits to the token


def test_a_pool_that_proves_too_short_passes_the_query_on_to_the_longer_one() -> None:
    requests = asked(TokenPools(output_tokens=0), [95, 90])
    assert requests["deployment"].tolist() == ["long", "short"]  # 95 + 10 do not fit into 100


def test_a_query_waits_for_its_pool_or_spills_into_the_longer_one() -> None:
    waits = asked(TokenPools(10), [10] * 4)
    assert waits["deployment"].tolist() == ["short"] * 4
    spills = asked(TokenPools(10, spill=1.0), [10] * 5)
    assert spills["deployment"].tolist() == ["short", "short", "long", "long", "short"]  # at last both are full


def test_of_equal_contexts_the_least_loaded_takes_the_query() -> None:
    fleet = (pool("long", 1000), pool("short a", 100), pool("short b", 100))
    requests = asked(TokenPools(10), [10, 10, 500], fleet)
    assert requests["deployment"].tolist() == ["short a", "short b", "long"]


def test_without_limits_all_are_one_pool() -> None:
    fleet = (pool("a", None), pool("b", None))
    assert asked(TokenPools(), [10, 5000, 10], fleet)["deployment"].tolist() == ["a", "b", "a"]


def test_a_pool_that_is_down_is_left_out() -> None:
    policy = TokenPools(10)
    policy.reset(drawn([10], POOLS).setting, np.random.default_rng(0))
    none, rest = np.zeros(2, dtype=np.int64), np.full(2, np.inf)
    state = State(0.0, none, none, rest, np.array([False, True]))
    assert policy.decide(tiny_query(0, [1.0, 1.0], [1.0, 1.0]), state) == Decision(1, [])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"output_tokens": -1}, "output_tokens is -1; it must be at least 0"),
        ({"spill": 0.0}, "spill is 0.0; it must be positive and finite, or null for never"),
    ],
)
def test_a_number_out_of_range_is_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        TokenPools(**settings)  # type: ignore[arg-type]


# --- replicas that are saved


def replicas(trace: str, policy: str, most: str, out: Path, *fleet: str, within_s: float = 0.5) -> str:
    """The cheapest fleet for a trace at four times its rate, with 99 of 100 first tokens within a limit."""
    path = TRACES / f"azure_llm_2023_{trace}.parquet"
    words = [
        *("fleet=token_pools", "search=fleet", f"policy={policy}", f"search.most_by_name={most}", f"out={out}"),
        *fleet,
        *("workload=trace", f"workload.path={path}", "workload.n_history=200", "workload.dim=8", "order=given"),
        *("arrivals=replay", f"arrivals.path={path}", "arrivals.rate_scale=4"),
        *(f"targets=[p99_ttft_s<={within_s},served_share>=1]", "min_replications=2", "max_replications=2"),
    ]
    assert main(["plan", *words]) == 0
    return str(json.loads((out / "plan.json").read_text())["answer"]["candidate"])


@needs_traces
@pytest.mark.slow
def test_on_the_azure_conversations_two_pools_save_a_quarter_of_the_replicas_of_one(tmp_path: Path) -> None:
    assert replicas("conv", "least_loaded", "{short:0,long:10}", tmp_path / "one") == "8 long"
    assert replicas("conv", "token_pools", "{short:8,long:2}", tmp_path / "two") == "5 short + 1 long"


@needs_traces
@pytest.mark.slow
def test_one_pool_that_keeps_room_for_true_lengths_only_needs_the_fewest(tmp_path: Path) -> None:
    """As many slots as the short pool, and the room of a replica shared by whatever is there: pages of the cache."""
    paged = ("fleet.members.1.service.slots=128", "+fleet.members.1.service.kv_tokens=1048576")
    assert replicas("conv", "least_loaded", "{short:0,long:8}", tmp_path / "one", *paged) == "5 long"


@needs_traces
@pytest.mark.slow
def test_on_the_azure_code_requests_two_pools_save_nothing(tmp_path: Path) -> None:
    """Their answers are short, so what counts is whose prompts wait for whose."""
    assert replicas("code", "least_loaded", "{short:0,long:10}", tmp_path / "one", within_s=2.0) == "8 long"
    assert replicas("code", "token_pools", "{short:12,long:2}", tmp_path / "two", within_s=2.0) == "8 short + 2 long"
