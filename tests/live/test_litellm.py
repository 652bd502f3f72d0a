"""A policy behind litellm's Router: what it does there is what it does in a simulation of the recorded day.

It needs the extra litellm, which `make live` installs into an environment of its own; without it these tests skip.
"""

import asyncio
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scenarios.recorded.day import read_day
from sim.cli import api

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # so that its import asks no network
litellm = pytest.importorskip("litellm", reason="litellm is not installed; `make live` runs these tests")

from switchyard.live import attach, open_yaml  # noqa: E402 - it needs litellm

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # litellm's own
]
IDS = ("small", "middle", "large")
MODELS = ("openai/gpt-4o-mini", "openai/gpt-4o", "anthropic/claude-3-5-sonnet")
PRICES = ((1.5e-7, 6e-7), (2.5e-6, 1e-5), (3e-6, 1.5e-5))
WORDS = "sum of two primes river capital poem translate bug python history moon".split()


def model_list() -> list[dict[str, object]]:
    return [
        {
            "model_name": "chat",
            "litellm_params": {
                "model": model,
                "api_key": "none",
                "mock_response": f"an answer of {name} " * (k + 1),
                "input_cost_per_token": prices[0],
                "output_cost_per_token": prices[1],
            },
            "model_info": {"id": name},
        }
        for k, (name, model, prices) in enumerate(zip(IDS, MODELS, PRICES, strict=True))
    ]


def questions(n: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, size=rng.integers(3, 9))) for _ in range(n)]


@pytest.fixture
def history(tmp_path: Path) -> Path:
    rng, prompts = np.random.default_rng(5), questions(60, 1)
    table: dict[str, object] = {"prompt": prompts, "input_tokens": [len(text.split()) + 7 for text in prompts]}
    for k, name in enumerate(IDS):
        table[name] = (rng.random(60) < 0.4 + 0.2 * k).astype(float)
        table[f"{name}|output_tokens"] = rng.integers(5, 30, 60)
        table[f"{name}|total_cost"] = 0.001
    path = tmp_path / "history.csv"
    pd.DataFrame(table).to_csv(path, index=False)
    return path


async def ask(router: "litellm.Router", text: str, wait_s: float, fails: bool) -> str | None:
    await asyncio.sleep(wait_s)
    more = {"mock_response": "litellm.RateLimitError"} if fails else {"mock_delay": 0.02}
    try:
        answer = await router.acompletion(
            "chat", messages=[{"role": "user", "content": text}], num_retries=0, **more
        )
    except Exception:
        return None
    return str(answer.id)


async def traffic(router: "litellm.Router", behind: object, n: int) -> list[str | None]:
    """Ask n questions, some at the same time and some that fail; then score some of the answers."""
    rng = np.random.default_rng(7)
    waits = np.cumsum(rng.exponential(0.008, n)).tolist()
    fails = (rng.random(n) < 0.08).tolist()
    asked = [ask(router, *one) for one in zip(questions(n, 2), waits, fails, strict=True)]
    ids = []
    for done in asyncio.as_completed(asked):
        response_id = await done
        ids.append(response_id)
        if response_id is not None and rng.random() < 0.3:
            await asyncio.sleep(0.01)
            try:
                behind.scored(response_id, float(rng.random()))  # type: ignore[attr-defined]
            except KeyError:  # it has been scored, or its log has not come
                pass
    await asyncio.sleep(0.3)
    return ids


def score(kwargs: object, response: object) -> float | None:
    """Some answers are scored at once."""
    text = str(response.choices[0].message.content)  # type: ignore[attr-defined]
    return 0.8 if "large" in text else 0.3 if "small" in text else None


@pytest.mark.parametrize("shadow", [False, True])
@pytest.mark.parametrize("policy", ["port", "greenserv"])
def test_a_day_behind_litellm_is_simulated_decision_by_decision(
    policy: str, shadow: bool, history: Path, tmp_path: Path
) -> None:
    router = litellm.Router(model_list=model_list(), cooldown_time=0.05, allowed_fails=1)
    behind = attach(
        router,
        "chat",
        policy,
        str(history),
        expected_queries=70,
        budgets_usd={"small": 0.0002, "middle": 0.002, "large": 0.006},
        record=str(tmp_path / "day.jsonl"),
        shadow=shadow,
        score=score,
    )
    asyncio.run(traffic(router, behind, 60))
    behind.close()
    day = read_day(str(tmp_path / "day.jsonl"))
    assert len(day.frame) == 60
    assert day.frame["error"].isna().all()
    assert (day.frame["fate"] == "answered").sum() > 20
    requests = api.run(f"record={tmp_path / 'day.jsonl'}", f"policy={policy}", "metric=[]")
    print(day.frame[["chosen","taken","served","fate","cost_usd","score","latency_s","ended_at_s"]].to_string())
    assert [None if pd.isna(name) else str(name) for name in requests["deployment"]] == [
        None if max(taken, chosen) < 0 else IDS[chosen if taken < 0 else taken]
        for taken, chosen in zip(day.place("taken").tolist(), day.place("chosen").tolist(), strict=True)
    ]
