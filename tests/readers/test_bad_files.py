"""Files that are cut off, empty, of something else, or wrongly typed: one clear line, exit code 2, nothing written."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sim.cli.main import main
from tests.readers.made import TABLES, TRACES, servegen, text

FILES: dict[str, Callable[[Path], Path]] = {
    **TRACES,
    **{name: make for name, make in TABLES.items() if name != "llmrouterbench"},
}
LENGTHS = {  # in each format, a count that becomes a text
    "azure": (",10,", ",ten,"),
    "burstgpt": (",10,", ",ten,"),
    "mooncake": ('"input_length": 10', '"input_length": "ten"'),
    "vllm": ('"input_lens": [10', '"input_lens": ["ten"'),
    "guidellm": ('"prompt_tokens": 10', '"prompt_tokens": "ten"'),
    "aiperf": ('{"value": 10,', '{"value": [10],'),
    "genai_perf": ('\\"prompt_tokens\\": 10', '\\"prompt_tokens\\": \\"ten\\"'),
    "inference_perf": ('"input_tokens": 10', '"input_tokens": "ten"'),
    "llmperf": ('"number_input_tokens": 10', '"number_input_tokens": "ten"'),
    "routerbench": (",1.0,1.0,", ",right,1.0,"),
    "routerarena": ('"score": 1.0', '"score": "right"'),
    "embedllm": ("1,a,one,1", "1,a,one,right"),
    "mixinstruct": ('"bertscore": 1.0', '"bertscore": "right"'),
}


def refused(words: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Import; return the one line, once it is seen that nothing was written."""
    out = folder / "out"
    out.mkdir(exist_ok=True)
    assert main(["import", *words, f"out={out / 'x.parquet'}"]) == 2
    assert list(out.iterdir()) == []
    shown = capsys.readouterr()
    assert shown.out == ""
    (line,) = shown.err.splitlines()
    assert line.startswith("switchyard: ")
    return line.removeprefix("switchyard: ")


@pytest.mark.parametrize(
    "name", [name for name in FILES if name not in ("azure", "burstgpt", "routerbench", "embedllm")]
)
def test_a_file_that_is_cut_off(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = FILES[name](tmp_path)
    path.write_bytes(path.read_bytes()[:-40])
    assert f"cannot read {path} as " in refused([str(path)], tmp_path, capsys)


@pytest.mark.parametrize("name", ["azure", "burstgpt"])
def test_a_csv_that_is_cut_off_loses_its_last_row_which_is_counted(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = FILES[name](tmp_path)
    whole = path.read_text()
    path.write_text(whole[: whole.rindex(",30,") + 1])
    assert main(["import", str(path)]) == 0
    assert "dropped  1 without a time or a token count" in capsys.readouterr().out


@pytest.mark.parametrize("content", ["", " \n\n", "\ufeff"])
@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.json", "t.parquet"])
def test_an_empty_file(name: str, content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = text(tmp_path, name, content)
    line = refused([str(path)], tmp_path, capsys)
    assert line.startswith(f"cannot read {path} as ")
    assert line.endswith(": it is empty")


@pytest.mark.parametrize("name", LENGTHS)
def test_a_count_or_a_score_that_is_a_text(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = FILES[name](tmp_path)
    right, wrong = LENGTHS[name]
    assert right in path.read_text()
    path.write_text(path.read_text().replace(right, wrong))
    line = refused([str(path), "prices=none"] if name in TABLES else [str(path)], tmp_path, capsys)
    assert "must be a number" in line or "is not as it should be" in line


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a,b\n1,2\n", "is CSV with the columns a, b, which is no file of a known format (azure, burstgpt,"),
        ('{"a": 1}', "is JSON with the keys a, which is no file of a known format"),
        ("[1, 2]", "is JSON without keys, which is no file"),
        ("just a letter\n", "is CSV with the columns just a letter, which is no file"),
        ("[[[[[", "as JSON: Expecting value"),
    ],
)
def test_a_file_of_something_else(content: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said in refused([str(text(tmp_path, "t", content))], tmp_path, capsys)


def test_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.csv").write_bytes(b"\x89PNG\r\n\x1a\n\x00\xff\xfe" * 20)
    assert "cannot read" in refused([str(tmp_path / "t.csv")], tmp_path, capsys)


@pytest.mark.parametrize("name", [*TRACES, *(name for name in TABLES if name not in ("llmrouterbench", "sprout"))])
def test_a_format_that_the_file_is_not_of(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = (
        text(tmp_path, "t.json", '[{"a": 1}]') if name not in ("azure", "burstgpt") else text(tmp_path, "t", "a\n1\n")
    )
    line = refused([str(path), f"format={name}"], tmp_path, capsys)
    assert str(path) in line or "'a'" in line


@pytest.mark.parametrize(
    ("content", "needed"),
    [
        ({"load_summary": {}, "successes": {}}, "report.request_lifecycle.per_request: true"),
        ({"request_latency": {}, "request_throughput": {}}, "needed is profile_export.json"),
        ({"request_throughput": 1.0, "mean_ttft_ms": 2.0}, "--save-result --save-detailed"),
    ],
)
def test_a_summary_says_what_would_be_needed(
    content: dict[str, Any], needed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = text(tmp_path, "summary.json", json.dumps(content))
    line = refused([str(path)], tmp_path, capsys)
    assert needed in line
    assert "no single requests" in line


def test_batch_requests_without_times_are_no_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = text(
        tmp_path, "t.jsonl", '{"request_id": 0, "input_length": 61, "output_length": 2370, "duration": 14000}\n' * 2
    )
    assert "the requests have no 'timestamp', so they are no trace" in refused([str(path)], tmp_path, capsys)


def test_vllms_lists_must_be_of_one_length(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = TRACES["vllm"](tmp_path)
    path.write_text(path.read_text().replace('"ttfts": [0.5, ', '"ttfts": ['))
    assert "'ttfts' of" in (line := refused([str(path)], tmp_path, capsys))
    assert "is 3 entries; it must be a list of 4, one a request" in line


def test_one_benchmark_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = TRACES["vllm"](tmp_path).read_text()
    path = text(tmp_path, "sglang.jsonl", f"{content}\n{content}\n")
    assert "has 2 benchmarks, one a line; keep one of them in a file" in refused([str(path)], tmp_path, capsys)


def test_servegens_files_must_be_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = servegen(tmp_path)
    (path / "chunk-0-dataset.json").write_text('{"0": {"input_tokens": "{1: 1.0}"}}')
    assert "as lengths of ServeGen: 'output_tokens'" in refused([str(path)], tmp_path, capsys)
    (path / "chunk-0-dataset.json").unlink()
    assert "there is no file" in refused([str(path)], tmp_path, capsys)
    (path / "chunk-0-trace.csv").write_text("0,1,1,Pareto,0.5,1\n")
    assert "is no window of ServeGen: Gamma, Weibull" in refused([str(path)], tmp_path, capsys)
    (path / "chunk-0-trace.csv").write_text("0,often,1,Gamma,0.5,1\n")
    assert "as a client of ServeGen" in refused([str(path)], tmp_path, capsys)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "import reads one file, and 0 are given"),
        (["a.csv", "b.csv"], "import reads one file, and 2 are given"),
        (["nowhere.csv"], "there is no file nowhere.csv"),
        (["nowhere.csv", "format=azur"], "unknown format 'azur'; did you mean 'azure'"),
    ],
)
def test_words_that_name_no_one_file(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in refused(words, tmp_path, capsys)


def test_out_must_be_a_new_file_of_a_known_ending(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(TRACES["azure"](tmp_path))
    assert main(["import", path, f"out={tmp_path / 'x.xls'}"]) == 2
    assert "it must end in .parquet or .csv" in capsys.readouterr().err
    (tmp_path / "x.csv").write_text("mine")
    assert main(["import", path, f"out={tmp_path / 'x.csv'}"]) == 2
    assert "is there already; --overwrite replaces it" in capsys.readouterr().err
    assert (tmp_path / "x.csv").read_text() == "mine"
    assert main(["import", path, f"out={tmp_path / 'x.csv'}", "--overwrite"]) == 0
    assert (tmp_path / "x.csv").read_text().startswith("arrival_s,input_tokens,output_tokens")


def test_a_run_refuses_the_same_file_in_the_same_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = text(tmp_path, "summary.json", '{"load_summary": {}, "successes": {}}')
    assert main(["run", f"trace={path}", f"out={tmp_path / 'o'}", "--no-report"]) == 2
    assert "no single requests" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()
