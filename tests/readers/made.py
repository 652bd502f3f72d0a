"""Tiny files in every foreign format, whose figures can be checked by hand.

Every trace has three requests, at 0, 1.5 and 4 s, with 10, 20 and 30 input tokens and 1, 2 and 3 output tokens. Where
the format can say so, there is a fourth that has failed. Measured ones have their first token after 0.5 s and their
last one after 1 s. Every table has two models, a and b, and two questions, of which a answers the first rightly and b
both.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

TIMES_S, INPUTS, OUTPUTS = (0.0, 1.5, 4.0), (10, 20, 30), (1, 2, 3)
FIRST_S, LAST_S = 0.5, 1.0
EPOCH_S = 1_700_000_000.0  # 2023-11-14 22:13:20
ROWS = list(zip(TIMES_S, INPUTS, OUTPUTS, strict=True))


def text(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def lines(folder: Path, name: str, records: list[dict[str, Any]]) -> Path:
    return text(folder, name, "".join(f"{json.dumps(record)}\n" for record in records))


def azure(folder: Path) -> Path:
    rows = [f"2023-11-16 18:15:{46.5 + t:010.7f},{p},{c}" for t, p, c in ROWS]
    return text(folder, "azure.csv", "\n".join(["TIMESTAMP,ContextTokens,GeneratedTokens", *rows]) + "\n")


def azure_2024(folder: Path) -> Path:
    rows = [f"2024-05-10 00:00:{t:09.6f}+00:00,{p},{c}" for t, p, c in ROWS]
    return text(folder, "azure_2024.csv", "\n".join(["TIMESTAMP,ContextTokens,GeneratedTokens", *rows]) + "\n")


def burstgpt(folder: Path) -> Path:
    rows = [f"{5 + t},ChatGPT,{p},{c},{p + c},Conversation log" for t, p, c in ROWS]
    rows.insert(1, "5.5,GPT-4,7,0,7,API log")
    head = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type"
    return text(folder, "burstgpt.csv", "\n".join([head, *rows]) + "\n")


def mooncake(folder: Path) -> Path:
    records = [
        {"timestamp": int(1000 * t), "input_length": p, "output_length": c, "hash_ids": [k]}
        for k, (t, p, c) in enumerate(ROWS)
    ]
    return lines(folder, "mooncake.jsonl", records)


def vllm(folder: Path) -> Path:
    content = {
        "duration": 5.0,
        "completed": 3,
        "input_lens": [*INPUTS, 7],
        "output_lens": [*OUTPUTS, 0],
        "ttfts": [FIRST_S, FIRST_S, FIRST_S, 0.0],
        "itls": [[0.25, 0.25]] * 3 + [[]],
        "start_times": [100.0 + t for t in (*TIMES_S, 5.0)],
        "errors": ["", "", "", "Timeout"],
    }
    return text(folder, "vllm.json", json.dumps(content))


def guidellm(folder: Path) -> Path:
    def request(t: float, p: int | None, c: int | None) -> dict[str, Any]:
        return {
            "request_start_time": EPOCH_S + t,
            "prompt_tokens": p,
            "output_tokens": c,
            "time_to_first_token_ms": 1000 * FIRST_S,
            "request_latency": LAST_S,
        }

    done = [request(*row) for row in ROWS]
    requests = {"successful": done, "incomplete": [], "errored": [request(5.0, None, None)]}
    return text(folder, "guidellm.json", json.dumps({"metadata": {}, "benchmarks": [{"requests": requests}]}))


def aiperf(folder: Path) -> Path:
    def record(t: float, p: int, c: int, phase: str, error: object) -> dict[str, Any]:
        metrics = {
            "input_sequence_length": {"value": p, "unit": "tokens"},
            "output_sequence_length": {"value": c, "unit": "tokens"},
            "time_to_first_token": {"value": 1000 * FIRST_S, "unit": "ms"},
            "request_latency": {"value": 1000 * LAST_S, "unit": "ms"},
        }
        start = int((EPOCH_S + t) * 1e9)
        return {"metadata": {"request_start_ns": start, "benchmark_phase": phase}, "metrics": metrics, "error": error}

    records = [record(-9.0, 5, 5, "warmup", None), *(record(*row, "profiling", None) for row in ROWS)]
    return lines(folder, "profile_export.jsonl", [*records, record(5.0, 7, 1, "profiling", {"code": 500})])


def genai_perf(folder: Path) -> Path:
    def request(t: float, p: int, c: int) -> dict[str, Any]:
        start = int((EPOCH_S + t) * 1e9)
        usage = {"usage": {"prompt_tokens": p, "completion_tokens": c}}
        return {
            "timestamp": start,
            "request_inputs": {"payload": json.dumps({"prompt": "x" * 4 * p})},
            "response_timestamps": [start + int(1e9 * FIRST_S), start + int(1e9 * LAST_S)],
            "response_outputs": [{"response": "data: {}"}, {"response": f"data: {json.dumps(usage)}\n\ndata: [DONE]"}],
        }

    failed = {**request(5.0, 7, 1), "response_timestamps": [], "response_outputs": []}
    experiment = {"experiment": {"mode": "concurrency", "value": 1}, "requests": [*(request(*r) for r in ROWS), failed]}
    return text(folder, "profile_export.json", json.dumps({"service_kind": "openai", "experiments": [experiment]}))


def inference_perf(folder: Path) -> Path:
    def record(t: float, p: int, c: int, error: object) -> dict[str, Any]:
        info = {"input_tokens": p, "output_tokens": c, "output_token_times": [50.0 + t + FIRST_S, 50.0 + t + LAST_S]}
        return {
            "start_time": 50.0 + t,
            "end_time": 51.5 + t,
            "request": "",
            "response": "",
            "info": info,
            "error": error,
        }

    records = [*(record(*row, None) for row in ROWS), record(5.0, 7, 0, {"error_type": "timeout"})]
    return text(folder, "per_request_lifecycle_metrics.json", json.dumps(records))


def llmperf(folder: Path) -> Path:
    def record(p: int, c: int, code: int | None) -> dict[str, Any]:
        counts = {"number_input_tokens": p, "number_output_tokens": c}
        return {"error_code": code, "ttft_s": FIRST_S, "end_to_end_latency_s": LAST_S, **counts}

    records = [*(record(p, c, None) for _, p, c in ROWS), record(7, 1, 429)]
    return text(folder, "llmperf.json", json.dumps(records))


def servegen(folder: Path) -> Path:
    """One client, who asks in the second of three windows only: 0.01 times 600 s, six requests in the mean."""
    rows = ["0,0,0,,0,0", "600,0.01,2.0,Gamma,0.25,400", "1200,0,0,,0,0"]
    text(folder / "m", "chunk-0-trace.csv", "\n".join(rows) + "\n")
    laws = {"0": {"input_tokens": "{10: 0.5, 20: 0.5}", "output_tokens": "{3: 1.0}"}}
    text(folder / "m", "chunk-0-dataset.json", json.dumps(laws))
    return folder / "m"


TRACES: dict[str, Callable[[Path], Path]] = {
    "azure": azure,
    "burstgpt": burstgpt,
    "mooncake": mooncake,
    "vllm": vllm,
    "guidellm": guidellm,
    "aiperf": aiperf,
    "genai_perf": genai_perf,
    "inference_perf": inference_perf,
    "llmperf": llmperf,
}
"""All but ServeGen, whose requests are drawn."""

MEASURED = ("vllm", "guidellm", "aiperf", "genai_perf", "inference_perf")


def routerbench(folder: Path) -> Path:
    frame = pd.DataFrame(
        {
            "sample_id": ["x.1", "x.2"],
            "prompt": ["12345678", "1234"],
            "eval_name": ["x", "y"],
            "a": [1.0, 0.0],
            "b": [1.0, 1.0],
            "a|model_response": ["yes!yes!", "yes!"],
            "b|model_response": ["no!!", "no!!"],
            "a|total_cost": [0.01, 0.02],
            "b|total_cost": [0.1, 0.2],
            "oracle_model_to_route_to": ["a", "b"],
        }
    )
    frame.to_csv(folder / "routerbench.csv", index=False)
    return folder / "routerbench.csv"


def sprout(folder: Path) -> Path:
    def answer(score: float, asked: int, answered: int) -> dict[str, Any]:
        return {"response": "...", "score": score, "num_input_tokens": asked, "num_output_tokens": answered}

    frame = pd.DataFrame(
        {
            "key": [1, 2],
            "dataset": ["x", "y"],
            "prompt": ["one", "two"],
            "a": [answer(1.0, 10, 100), answer(0.0, 20, 200)],
            "b": [answer(1.0, 11, 300), answer(1.0, 21, 400)],
        }
    )
    frame.to_parquet(folder / "sprout.parquet")
    return folder / "sprout.parquet"


def routerarena(folder: Path) -> Path:
    def line(index: str, model: str, score: float) -> dict[str, Any]:
        return {
            "global_index": index,
            "question": "?",
            "llm_selected": model,
            "token_usage": {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15},
            "success": True,
            "error": None,
            "evaluation_result": {"score": score, "inference_cost": 0.5},
        }

    answers = [("x_1", "a", 1.0), ("x_2", "a", 0.0), ("x_1", "b", 1.0), ("x_2", "b", 1.0)]
    return lines(folder, "routerarena.jsonl", [line(*one) for one in answers])


def llmrouterbench(folder: Path) -> Path:
    for model, scores in (("a", (1.0, 0.0)), ("b", (1.0, 1.0))):
        records = [
            {"index": k, "origin_query": f"q{k}", "score": s, "prompt_tokens": 10, "completion_tokens": 5, "cost": 0.5}
            for k, s in enumerate(scores)
        ]
        content = {"performance": 0.5, "records": records}
        text(folder / "bench", f"x/test/{model}/20250101_000000.json", json.dumps({**content, "records": records[:1]}))
        text(folder / "bench", f"x/test/{model}/20250201_000000.json", json.dumps(content))
    return folder / "bench"


def embedllm(folder: Path) -> Path:
    rows = ["1,a,one,1", "2,a,two,0", "1,b,one,0", "1,b,one,1", "2,b,two,1"]  # b answered the first question twice
    return text(folder, "embedllm.csv", "\n".join(["prompt_id,model_id,prompt,label", *rows]) + "\n")


def mixinstruct(folder: Path) -> Path:
    def candidate(model: str, score: float) -> dict[str, Any]:
        return {"model": model, "text": "12345678", "scores": {"bertscore": score, "bleu": 5.6}}

    records = [
        {"id": "x/1", "instruction": "", "input": "1234", "candidates": [candidate("a", 1.0), candidate("b", 1.0)]},
        {"id": "x/2", "instruction": "1234", "input": "", "candidates": [candidate("a", 0.0), candidate("b", 1.0)]},
    ]
    return text(folder, "mixinstruct.json", json.dumps(records))


TABLES: dict[str, Callable[[Path], Path]] = {
    "routerbench": routerbench,
    "sprout": sprout,
    "routerarena": routerarena,
    "llmrouterbench": llmrouterbench,
    "embedllm": embedllm,
    "mixinstruct": mixinstruct,
}
WITHOUT_COSTS = ("sprout", "embedllm", "mixinstruct")


def prices(folder: Path) -> Path:
    """1 and 2 USD per million tokens of a, 10 and 20 of b."""
    rows = ["model,input_usd_per_million,output_usd_per_million", "a,1,2", "b,10,20"]
    return text(folder, "prices.csv", "\n".join(rows) + "\n")
