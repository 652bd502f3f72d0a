"""``switchyard import``: what it says of a file, and that what it writes is used as it says."""

import json
import shlex
from pathlib import Path

import pandas as pd
import pytest

from sim.cli.main import main
from tests.readers.made import INPUTS, MEASURED, TABLES, TRACES, WITHOUT_COSTS, azure


def used(said: str) -> list[list[str]]:
    """The commands that the verb recommends."""
    return [shlex.split(line.removeprefix("use it: switchyard ")) for line in said.splitlines() if "use it: " in line]


def test_it_says_what_it_saw(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = TRACES["burstgpt"](tmp_path)
    assert main(["import", str(path), f"out={tmp_path / 'x.parquet'}"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "format   burstgpt: BurstGPT trace",
        "rows     4 read, 3 kept",
        "dropped  1 failed, with a response of 0 tokens",
        "span     4 s; times begin at 0 with the first, which came at 5 s",
        # Gaps of 1.5 and 2.5 s: a mean of 2 and a standard deviation of 0.5.
        "rate     0.5 a second; gaps have a coefficient of variation of 0.25",
        "tokens   20 of input and 2 of output, on average",
        f"written to {tmp_path / 'x.parquet'}: arrival_s, input_tokens, output_tokens",
        f"use it: switchyard run trace={tmp_path / 'x.parquet'}",
    ]


def test_without_out_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = azure(tmp_path)
    assert main(["import", str(path)]) == 0
    assert "nothing is written; out=FILE.parquet or out=FILE.csv says where" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == [path]


def test_what_it_was_made_of_stands_beside_it(tmp_path: Path) -> None:
    path = azure(tmp_path)
    assert main(["import", str(path), f"out={tmp_path / 'new' / 'x.csv'}"]) == 0
    story = json.loads((tmp_path / "new" / "x.csv.json").read_text())
    assert (story["format"], story["rows_read"], story["rows"], story["dropped"]) == ("azure", 3, 3, {})
    assert len(story["sha256"]) == 64
    assert story["begins"] == "2023-11-16 18:15:46.5000000"


def test_what_is_read_is_never_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = TRACES["vllm"](tmp_path)  # vllm.json
    content = path.read_bytes()
    assert main(["import", str(path), f"out={tmp_path / 'vllm.parquet'}"]) == 0
    assert path.read_bytes() == content
    table = azure(tmp_path)
    assert main(["import", str(table), f"out={table}", "--overwrite"]) == 2
    assert f"{table} is the file that is read; let out be another one" in capsys.readouterr().err


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_prefix_blocks_survive_either_ending(ending: str, tmp_path: Path) -> None:
    out = tmp_path / f"x.{ending}"
    assert main(["import", str(TRACES["mooncake"](tmp_path)), f"out={out}"]) == 0
    assert main(["import", str(out), f"out={tmp_path / 'again.parquet'}"]) == 0
    again = pd.read_parquet(tmp_path / "again.parquet")
    assert [list(blocks) for blocks in again["prefix_blocks"]] == [[0], [1], [2]]


@pytest.mark.parametrize("name", TRACES)
def test_a_trace_is_used_as_it_says(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", str(TRACES[name](tmp_path)), f"out={tmp_path / 'x.parquet'}"]) == 0
    commands = used(capsys.readouterr().out)
    small = ["policy=random", "budget=unlimited", "workload.n_history=5", "workload.dim=4", f"out={tmp_path / 'o'}"]
    assert main([*commands[0], *small, "--no-report"]) == 0
    requests = pd.read_parquet(tmp_path / "o" / "requests.parquet")
    assert sorted(requests["input_tokens"]) == list(INPUTS)
    assert ["fit" in command for command in commands[1:]] == [True] * (name in (*MEASURED, "llmperf"))


def test_measured_requests_can_be_fitted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = TRACES["vllm"](tmp_path)
    content = json.loads(path.read_text())
    wider = {key: value * 20 if isinstance(value, list) else value for key, value in content.items()}
    wider["start_times"] = [float(k) for k in range(80)]
    path.write_text(json.dumps(wider))
    assert main(["import", str(path), f"out={tmp_path / 'x.parquet'}"]) == 0
    fit = next(command for command in used(capsys.readouterr().out) if command[0] == "fit")
    assert main([*fit, "evaluations=5", "in_step=false", f"out={tmp_path / 'fitted'}", "--no-report"]) == 0
    assert (tmp_path / "fitted" / "fleet.yaml").is_file()


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_used_as_it_says(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["prices=none"] if name in WITHOUT_COSTS else []
    assert main(["import", str(TABLES[name](tmp_path)), *words, f"out={tmp_path / 'x.parquet'}"]) == 0
    said = capsys.readouterr().out
    assert "a                        mean score 0.5, " in said or "a        mean score 0.5, " in said
    (command,) = used(said)
    assert (
        main(
            [*command, "policy=[random]", "budget=unlimited", "oracle.names=[]", f"out={tmp_path / 'o'}", "--no-report"]
        )
        == 0
    )


def test_prices_are_not_for_a_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", str(azure(tmp_path)), "prices=none"]) == 2
    assert "prices are for routing tables" in capsys.readouterr().err


def test_duplicates_may_be_dropped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = azure(tmp_path)
    rows = path.read_text().splitlines()
    path.write_text("\n".join([*rows, rows[-1]]) + "\n")
    assert main(["import", str(path)]) == 0
    assert "kept     1 that equal an earlier one" in capsys.readouterr().out
    assert main(["import", str(path), "duplicates=drop"]) == 0
    assert "dropped  1 equal to an earlier one in every column" in capsys.readouterr().out
