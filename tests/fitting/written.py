"""Writes requests of a known server, or of a known API, as load generators write them."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from sim.study.fit.fit import simulate
from sim.study.fit.measured import Measured
from sim.world.services.paged import PagedBatching

SERVER = PagedBatching(8, 0.02, 0.001, 1e-6, 0.005, 4e-5, batched_tokens=512, overhead_s=0.01)
EPOCH_S = 1_700_000_000.0


def served(rate_per_s: float = 4.0, n_requests: int = 60, seed: int = 5, service: PagedBatching = SERVER) -> Measured:
    """Requests of a Poisson process as the server answers them."""
    rng = np.random.default_rng(seed)
    gaps_s = rng.exponential(1 / rate_per_s, n_requests)
    inputs, outputs = rng.integers(50, 900, n_requests), rng.integers(5, 60, n_requests)
    arrival_s = np.cumsum(gaps_s) - gaps_s[0]
    blank = Measured(arrival_s, arrival_s, arrival_s, inputs, outputs)
    return Measured(arrival_s, *simulate(service, 1, blank), inputs, outputs)


def rows(requests: Measured) -> list[tuple[float, float, float, int, int]]:
    """Arrival, time to the first and to the last token, input and output tokens of each request."""
    first_s, last_s = requests.first_token_s - requests.arrival_s, requests.last_token_s - requests.arrival_s
    columns = (requests.arrival_s, first_s, last_s, requests.input_tokens, requests.output_tokens)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def lists(requests: Measured) -> dict[str, object]:
    """The lists of vLLM's and SGLang's benchmarks."""
    all_rows = rows(requests)
    return {
        "input_lens": [p for *_, p, _ in all_rows],
        "output_lens": [c for *_, c in all_rows],
        "ttfts": [first for _, first, *_ in all_rows],
        "itls": [[(last - first) / (c - 1)] * (c - 1) for _, first, last, _, c in all_rows],
        "errors": [""] * len(all_rows),
    }


def vllm(folder: Path, requests: Measured, name: str = "run") -> Path:
    content = {"duration": 1.0, "request_rate": 4.0, **lists(requests)}
    content["start_times"] = [1000.0 + at for at, *_ in rows(requests)]
    return written(folder / f"{name}.json", json.dumps(content))


def sglang(folder: Path, requests: Measured, name: str = "run") -> Path:
    """All at once: the only arrivals that this format tells."""
    arguments = {"backend": "sglang", "request_rate": float("inf"), "max_concurrency": None}
    line = {**arguments, "total_output_tokens_retokenized": 1, **lists(requests)}
    return written(folder / f"{name}.jsonl", json.dumps(line) + "\n")


def guidellm(folder: Path, requests: Measured, name: str = "run") -> Path:
    done = [
        {
            "request_start_time": EPOCH_S + at,
            "prompt_tokens": p,
            "output_tokens": c,
            "time_to_first_token_ms": 1000 * first,
            "request_latency": last,
        }
        for at, first, last, p, c in rows(requests)
    ]
    requests_ = {"successful": done, "incomplete": [], "errored": []}
    return written(folder / f"{name}.json", json.dumps({"benchmarks": [{"requests": requests_}]}))


def llmperf(folder: Path, requests: Measured, name: str = "run") -> Path:
    records = [
        {
            "error_code": None,
            "ttft_s": first,
            "end_to_end_latency_s": last,
            "number_input_tokens": p,
            "number_output_tokens": c,
        }
        for _, first, last, p, c in rows(requests)
    ]
    return written(folder / f"{name}.json", json.dumps(records))


def table(folder: Path, requests: Measured, name: str = "run") -> Path:
    frame = pd.DataFrame({one: getattr(requests, one) for one in Measured.__dataclass_fields__})
    frame.to_csv(folder / f"{name}.csv", index=False)
    return folder / f"{name}.csv"


WITH_TIMES: dict[str, Callable[..., Path]] = {"vllm": vllm, "guidellm": guidellm, "table": table}


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path
