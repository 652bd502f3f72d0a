"""A policy behind litellm's Router: what it does there is what it does in a simulation of the recorded day.

It needs the extra litellm, which `make live` installs into an environment of its own; without it these tests skip.
"""

import asyncio
import contextlib
import os
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from scenarios.recorded.day import read_day
from sim.cli import api

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # so that its import asks no network
litellm = pytest.importorskip("litellm", reason="litellm is not installed; `make live` runs these tests")

from sim.live.of_litellm import text_of  # noqa: E402 - it needs litellm
from switchyard.live import Behind, attach, open_yaml  # noqa: E402 - it needs litellm

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # litellm's own
]
IDS = ("small", "middle", "large")
MODELS = ("openai/gpt-4o-mini", "openai/gpt-4o", "anthropic/claude-3-5-sonnet")
PRICES = ((1.5e-7, 6e-7), (2.5e-6, 1e-5), (3e-6, 1.5e-5))
WORDS = ("sum", "of", "two", "primes", "river", "capital", "poem", "translate", "bug", "python", "history", "moon")


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


async def ask(router: Any, text: str, wait_s: float, fails: bool) -> str | None:
    await asyncio.sleep(wait_s)
    more = {"mock_response": "litellm.RateLimitError"} if fails else {"mock_delay": 0.02}
    try:
        answer = await router.acompletion("chat", messages=[{"role": "user", "content": text}], num_retries=0, **more)
    except Exception:
        return None
    return str(answer.id)


async def traffic(router: Any, behind: Behind, n: int) -> list[str | None]:
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
            with contextlib.suppress(KeyError):  # it has been scored, or its log has not come
                behind.scored(response_id, float(rng.random()))
    await asyncio.sleep(0.3)
    return ids


def score(kwargs: object, response: Any) -> float | None:
    """Some answers are scored at once."""
    text = str(response.choices[0].message.content)
    return 0.8 if "large" in text else 0.3 if "small" in text else None


def opened(history: Path, tmp_path: Path, policy: str, **more: Any) -> tuple[Any, Behind]:
    router = litellm.Router(model_list=model_list(), cooldown_time=0.05, allowed_fails=1)
    budgets = {"small": 0.0002, "middle": 0.002, "large": 0.006}
    given = {"expected_queries": 70, "budgets_usd": budgets, "record": str(tmp_path / "day.jsonl"), **more}
    return router, attach(router, "chat", policy, str(history), **given)


@pytest.mark.parametrize("shadow", [False, True])
@pytest.mark.parametrize("policy", ["port", "greenserv"])
def test_a_day_behind_litellm_is_simulated_decision_by_decision(
    policy: str, shadow: bool, history: Path, tmp_path: Path
) -> None:
    router, behind = opened(history, tmp_path, policy, shadow=shadow, score=score)
    asyncio.run(traffic(router, behind, 60))
    behind.close()
    day = read_day(str(tmp_path / "day.jsonl"))
    assert len(day.frame) == 60
    assert day.frame["error"].isna().all()
    assert (day.frame["fate"] == "answered").sum() > 20
    requests = api.run(f"record={tmp_path / 'day.jsonl'}", f"policy={policy}", "metric=[]")
    assert [None if pd.isna(name) else str(name) for name in requests["deployment"]] == [
        None if max(taken, chosen) < 0 else IDS[chosen if taken < 0 else taken]
        for taken, chosen in zip(day.place("taken").tolist(), day.place("chosen").tolist(), strict=True)
    ]


def test_the_text_of_a_request_is_that_of_its_messages_or_its_input() -> None:
    parts = [{"type": "text", "text": "there"}, {"type": "image_url", "image_url": {}}]
    assert text_of([{"role": "user", "content": "hi"}, {"role": "user", "content": parts}]) == "hi\nthere"
    assert text_of(None, "hi") == "hi"
    assert text_of([], ["hi", "there"]) == "hi\nthere"


def test_what_litellm_charges_is_what_the_budgets_pay_and_the_record_says(history: Path, tmp_path: Path) -> None:
    router, behind = opened(history, tmp_path, "least_loaded", budgets_usd={"small": 1.0, "middle": 1.0, "large": 1.0})
    by_hand = dict.fromkeys(IDS, 0.0)
    for text in questions(6, 3):
        answer = router.completion("chat", messages=[{"role": "user", "content": text}])
        name, usage = answer._hidden_params["model_id"], answer.usage
        price_in, price_out = PRICES[IDS.index(name)]
        by_hand[name] += usage.prompt_tokens * price_in + usage.completion_tokens * price_out
    deadline = time.monotonic() + 5
    while behind.gateway.n_in_flight and time.monotonic() < deadline:
        time.sleep(0.01)  # litellm logs in a thread
    spent = behind.gateway.spent_usd
    behind.close()
    frame = read_day(str(tmp_path / "day.jsonl")).frame
    assert spent == pytest.approx(list(by_hand.values()))
    assert [frame.loc[frame["served"] == k, "cost_usd"].sum() for k in range(3)] == pytest.approx(spent)


def test_a_query_that_no_budget_pays_is_refused_or_goes_where_it_is_said(history: Path, tmp_path: Path) -> None:
    nothing = {"small": 0.0, "middle": 0.0, "large": 0.0}
    router, behind = opened(history, tmp_path, "greedy_perf", budgets_usd=nothing, record=None)
    with pytest.raises(Exception, match="no choice could take it"):
        router.completion("chat", messages=[{"role": "user", "content": "hi"}], num_retries=0)
    behind.close()
    router, behind = opened(history, tmp_path, "greedy_perf", budgets_usd=nothing, record=None, otherwise="middle")
    answer = router.completion("chat", messages=[{"role": "user", "content": "hi"}])
    assert "answer of middle" in answer.choices[0].message.content
    behind.close()


def test_the_quick_start_runs(history: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "live.md").read_text()
    [settings] = re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)
    monkeypatch.chdir(tmp_path)
    table = pd.read_csv(history)
    for old, new in (("small", "mini"), ("large", "gpt-4o")):
        table.columns = table.columns.str.replace(f"^{old}", new, regex=True)
    table.to_csv("history.csv", index=False)
    Path("live.yaml").write_text(settings)
    router, behind = open_yaml("live.yaml")
    router.completion("chat", messages=[{"role": "user", "content": "hi"}], mock_response="hello")
    behind.close()
    assert read_day("day.jsonl").names == ["mini", "gpt-4o"]


def test_what_cannot_be_is_refused_in_one_line(history: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown deployment in budgets_usd 'smal'; did you mean 'small'"):
        opened(history, tmp_path, "port", budgets_usd={"smal": 1.0})
    with pytest.raises(ValueError, match="has no model for deployment 'small', neither 'tiny'"):
        opened(history, tmp_path, "port", models={"small": "tiny"})
    with pytest.raises(ValueError, match=r"decides on .* queries at once; a gateway routes one by one"):
        opened(history, tmp_path, "paced_batch")
    with pytest.raises(ValueError, match="looks at answers"):
        opened(history, tmp_path, "cascade")
    with pytest.raises(ValueError, match="unknown deployment in otherwise 'none'"):
        opened(history, tmp_path, "port", otherwise="none", record=None)
    router = litellm.Router(model_list=model_list())
    with pytest.raises(ValueError, match="unknown model group of the router 'chatt'; did you mean 'chat'"):
        attach(router, "chatt", "port", str(history), expected_queries=5)
    assert not (tmp_path / "day.jsonl").exists()
