"""``switchyard data``: public tables from small made-up files in their sources' layout, and how files are fetched."""

import functools
import hashlib
import http.server
import json
import pickle
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from scenarios.public import mmlu_pro, zeroeval
from scenarios.public.fetching import Files, Source
from scenarios.public.judging import answer_in, same_literal, same_number
from sim.cli.main import main

PLAIN = ["embedder=hashing", "tokenizer=characters"]


def item(task: str, number: int, truth: str, reply: str) -> dict[str, Any]:
    """One answer as ZeroEval releases it; 40 characters are sent, which are ten tokens."""
    question = f"question {number} of {task}"
    return {
        "id": f"{task}#{number}",
        "question": question,
        "chat_history": [question.ljust(40, ".")],
        "output": [reply],
        "answer": truth,
    }


def zeroeval_files(folder: Path) -> None:
    """Two questions of each task; every model is right on the first and wrong on the second, but gemma-2-2b-it."""
    for task, truth in (("crux", "'ab'"), ("gsm", "# 18"), ("math-l5", "1/2")):
        (folder / "result_dirs" / task).mkdir(parents=True)
        for model in zeroeval.PRICES:
            right = json.dumps({"reasoning": "so", "answer": {"crux": "ab", "gsm": "$18", "math-l5": "0.5"}[task]})
            replies = ["I pass"] * 2 if model == "gemma-2-2b-it" else [right, '{"answer": "7"}']
            items = [item(task, number, truth, reply) for number, reply in enumerate(replies)]
            (folder / "result_dirs" / task / f"{model}.json").write_text(json.dumps(items))


def mmlu_pro_files(folder: Path) -> None:
    """Three questions; Yi-6b-Chat has no answer to the last, and newer files call the text otherwise."""
    (folder / "eval_results").mkdir(parents=True)
    for model in mmlu_pro.PRICES:
        items = [
            {
                "question_id": number,
                "question": f"Which is {number}?",
                "options": ["one", "two"],
                "category": "math",
                "answer": "B",
                "pred": "B" if number == 1 else None,
                "generated_text" if model == "mathstral-7B" else "model_outputs": "The answer is B.",
            }
            for number in (1, 2, 3)
        ]
        if model == "Yi-6b-Chat":
            items[2]["model_outputs"] = None
        stem = f"model_outputs_{model.replace('Llama-3.1', 'Llama-3_1')}_5shots"
        with zipfile.ZipFile(folder / "eval_results" / f"{stem}.zip", "w") as archive:
            archive.writestr(f"{stem}.json", json.dumps(items))


def built(name: str, tmp_path: Path, *words: str) -> Path:
    """Build a table of the files in ``source``, and return the folder it is in."""
    folder = tmp_path / "data"
    assert main(["data", name, f"source={tmp_path / 'source'}", f"folder={folder}", *PLAIN, *words]) == 0
    return folder


# --- what is built


def test_zeroeval_becomes_a_table_of_scores_tokens_and_list_prices(tmp_path: Path) -> None:
    zeroeval_files(tmp_path / "source")
    frame = pd.read_parquet(built("zeroeval", tmp_path, "known.zeroeval.n_test=2") / "zeroeval.parquet")
    assert list(frame.columns[:5]) == ["index", "split", "prompt", "source", "input_tokens"]
    assert frame["split"].tolist() == ["history"] * 4 + ["test"] * 2
    # The first two of six that numpy.random.default_rng(0) draws are test, as drawn; the others keep their order.
    sent = [("crux", 0), ("crux", 1), ("gsm", 0), ("gsm", 1), ("math-l5", 0), ("math-l5", 1)]
    test = np.random.default_rng(0).permutation(6)[:2].tolist()
    order = [sent[row] for row in [*(row for row in range(6) if row not in test), *test]]
    assert frame["prompt"].tolist() == [f"question {number} of {task}" for task, number in order]
    assert frame["gpt-4o-2024-08-06"].tolist() == [1.0 - number for _, number in order]
    assert not frame["gemma-2-2b-it"].any()
    assert (frame["input_tokens"] == 10).all()
    # "I pass" is one token at 0.1 USD per million, beside ten of input at the same price.
    assert frame["gemma-2-2b-it|output_tokens"].tolist() == [1.0] * 6
    assert frame["gemma-2-2b-it|total_cost"].to_numpy() == pytest.approx(11 * 0.1e-6)
    assert frame["gpt-4o-2024-08-06|total_cost"].to_numpy() == pytest.approx(
        (10 * 2.5 + frame["gpt-4o-2024-08-06|output_tokens"] * 10) / 1e6
    )


def test_a_table_tells_its_source_its_licence_its_embedder_and_its_checksums(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    zeroeval_files(tmp_path / "source")
    folder = built("zeroeval", tmp_path, "known.zeroeval.n_test=2")
    story = json.loads((folder / "zeroeval.json").read_text())
    assert (story["source"], story["version"], story["rows"]) == ("WildEval/ZeroEval", "8c1485ed", 6)
    assert (story["embedder"], story["tokenizer"], story["left_out"]) == ("hashing", "characters", 0)
    lock = json.loads((folder / "zeroeval.lock.json").read_text())
    file = tmp_path / "source" / "result_dirs" / "gsm" / "gemma-2-2b-it.json"
    assert lock["result_dirs/gsm/gemma-2-2b-it.json"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert "Licence: Apache-2.0" in (folder / "zeroeval.licence.txt").read_text()
    said = capsys.readouterr().out
    assert "licence: Apache-2.0; cite Lin" in said
    assert f"let SWITCHYARD_DATA={folder} stand in the environment" in said


def test_the_experiment_runs_on_what_was_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zeroeval_files(tmp_path / "source")
    monkeypatch.setenv("SWITCHYARD_DATA", str(built("zeroeval", tmp_path, "known.zeroeval.n_test=2")))
    words = ["experiment=zeroeval", "policy=random", f"out={tmp_path / 'out'}"]
    assert main(["run", *words]) == 0
    assert pd.read_csv(tmp_path / "out" / "summary.csv")["arrived"].tolist() == [2]


def test_mmlu_pro_leaves_out_what_a_model_did_not_answer(tmp_path: Path) -> None:
    mmlu_pro_files(tmp_path / "source")
    folder = built("mmlu_pro", tmp_path, "known.mmlu_pro.n_test=1")
    frame = pd.read_parquet(folder / "mmlu_pro.parquet").set_index("prompt")
    assert sorted(frame.index) == ["Which is 1?\nA. one\nB. two", "Which is 2?\nA. one\nB. two"]
    for model in mmlu_pro.PRICES:
        assert frame[model].sort_index().tolist() == [1.0, 0.0]  # no prediction is a wrong one
    assert json.loads((folder / "mmlu_pro.json").read_text())["left_out"] == 1
    assert np.load(folder / "mmlu_pro_embeddings.npy").shape == (2, 512)


def test_an_azure_trace_begins_at_its_first_request(tmp_path: Path) -> None:
    (tmp_path / "source" / "data").mkdir(parents=True)
    (tmp_path / "source" / "data" / "AzureLLMInferenceTrace_code.csv").write_text(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n"
        "2023-11-16 18:17:03.9799600,4808,10\n2023-11-16 18:17:04.0000000,3180,8\n2023-11-16 18:18:03.9799600,110,27\n"
    )
    frame = pd.read_parquet(built("azure_llm_2023_code", tmp_path) / "traces" / "azure_llm_2023_code.parquet")
    assert frame.to_dict("list") == {
        "arrival_s": [0.0, 0.02004, 60.0],
        "input_tokens": [4808, 3180, 110],
        "output_tokens": [10, 8, 27],
    }


def test_the_routerbench_pickle_is_kept_only_if_it_holds_a_frame(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "source").mkdir()
    frame = pd.DataFrame({"prompt": ["a", "b"], "m": [0.0, 1.0], "m|total_cost": [0.1, 0.1]})
    frame.to_pickle(tmp_path / "source" / "routerbench_0shot.pkl")
    assert (built("routerbench_0shot", tmp_path) / "routerbench_0shot.pkl").is_file()
    (tmp_path / "source" / "routerbench_0shot.pkl").write_bytes(pickle.dumps({"no": "frame"}))
    words = [f"source={tmp_path / 'source'}", f"folder={tmp_path / 'other'}"]
    assert main(["data", "routerbench_0shot", *words]) == 1
    assert "holds a dict, not a data frame" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


# --- what is refused


def test_a_file_that_has_changed_since_the_first_time_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    zeroeval_files(tmp_path / "source")
    folder = built("zeroeval", tmp_path, "known.zeroeval.n_test=2")
    before = (folder / "zeroeval.parquet").read_bytes()
    (tmp_path / "source" / "result_dirs" / "gsm" / "Athene-70B.json").write_text("[]")
    assert main(["data", "zeroeval", f"source={tmp_path / 'source'}", f"folder={folder}", *PLAIN]) == 1
    said = capsys.readouterr().err
    assert "Athene-70B.json has the sha256" in said
    assert "zeroeval.lock.json says" in said
    assert (folder / "zeroeval.parquet").read_bytes() == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "it has no answers"),
        ("{", "is not as it was published: JSONDecodeError"),
        ('[{"id": 1}]', "is not as it was published: KeyError 'chat_history'"),
    ],
)
def test_another_file_than_the_published_one_is_refused_and_nothing_is_written(
    tmp_path: Path, content: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    zeroeval_files(tmp_path / "source")
    (tmp_path / "source" / "result_dirs" / "crux" / "Athene-70B.json").write_text(content)
    words = [f"source={tmp_path / 'source'}", f"folder={tmp_path / 'data'}", *PLAIN]
    assert main(["data", "zeroeval", *words]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


REFUSED = {
    "an unknown table": (["zeroevl"], "unknown public table 'zeroevl'; did you mean 'zeroeval'?"),
    "no folder": (["zeroeval", "source=nowhere"], "source is nowhere, which is no folder"),
    "another tokenizer": (
        ["zeroeval", "tokenizer=words"],
        "tokenizer is 'words'; it must be one of cl100k, characters",
    ),
    "too many test rows": (
        ["zeroeval", "source=source", *PLAIN],
        "the source has 6 questions that every model answered",
    ),
    "a file that is not there": (["mmlu_pro", "source=source", *PLAIN], "there is no file source/eval_results/model_"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_built_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words, message = REFUSED[case]
    monkeypatch.chdir(tmp_path)
    zeroeval_files(tmp_path / "source")
    assert main(["data", *words, "folder=data"]) == 1
    said = capsys.readouterr().err
    assert message in said
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "data").exists()


def test_without_a_name_all_tables_are_listed_with_their_licences(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data"]) == 0
    said = capsys.readouterr().out
    for name in ("zeroeval", "mmlu_pro", "azure_llm_2023_conv", "azure_llm_2023_code", "routerbench_0shot"):
        assert f"\n{name} " in f"\n{said}"
    assert said.count("licence: ") == 5


# --- how files are fetched


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A server of the files in ``published``, which says nothing."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    (tmp_path / "published").mkdir()
    handler = functools.partial(Quiet, directory=str(tmp_path / "published"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def files_of(address: str, tmp_path: Path, told: list[str]) -> Files:
    source = Source("somebody/data", "v1", address, "MIT")
    return Files(source, tmp_path / "kept", tmp_path / "lock.json", None, told.append)


def test_a_file_is_fetched_once_and_held_to_its_first_checksum(tmp_path: Path, address: str) -> None:
    (tmp_path / "published" / "a b.json").write_text("first")
    told: list[str] = []
    files = files_of(address, tmp_path, told)
    assert files.path("a b.json").read_text() == "first"
    files.remember()
    assert files_of(address, tmp_path, told).path("a b.json").read_text() == "first"
    assert told == [f"fetching {address}a%20b.json"]
    (tmp_path / "kept" / "a b.json").unlink()
    (tmp_path / "published" / "a b.json").write_text("second")
    with pytest.raises(ValueError, match=r"a b\.json has the sha256 .*lock\.json says .*or another version"):
        files_of(address, tmp_path, told).path("a b.json")


def test_of_several_names_the_first_that_the_source_has_counts(tmp_path: Path, address: str) -> None:
    (tmp_path / "published" / "old.json").write_text("old")
    assert files_of(address, tmp_path, []).path("new.json", "old.json").name == "old.json"
    with pytest.raises(OSError, match=r"somebody/data has no file new\.json at v1"):
        files_of(address, tmp_path, []).path("new.json")


def test_without_a_server_one_line_says_how_to_do_without(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"cannot fetch http://127\.0\.0\.1:9/a: .*give the files .*with source=DIR"):
        files_of("http://127.0.0.1:9/", tmp_path, []).path("a")
    assert list((tmp_path / "kept").glob("*")) == []


# --- how answers are judged


@pytest.mark.parametrize(
    ("reply", "model", "answer"),
    [
        ('```json\n{"reasoning": "a {b} c",\n "answer": "18"}\n```', "m", "18"),
        ('{"answer": [1, 2]} and {"answer": 3}', "m", [1, 2]),
        ('{"reasoning": "he said "no"", "answer": "7"}', "m", "7"),  # no JSON
        ('"answer": 7, as I said', "m", "7"),
        ("the answer: 7, I think", "m", "7"),
        (r"so \boxed{36}", "Meta-Llama-3.1-8B-Instruct", "36"),
        (r"so \boxed{36}", "Meta-Llama-3-8B-Instruct", None),
        ("I pass", "m", None),
        ("", "m", None),
    ],
)
def test_an_answer_is_found_in_a_reply(reply: str, model: str, answer: Any) -> None:
    assert answer_in(reply, model) == answer


@pytest.mark.parametrize(
    ("answer", "truth", "right"),
    [
        ("$1,024", "# 1024", True),
        ("18 miles", "18", True),
        ("18.0", "18", True),
        ("3/4", "0.75", True),
        ("-10000", "70000", False),
        ("__import__('os')/1", "1", True),  # nothing is run; the first number is 1
        ("many", "2", False),
        ({"miles": 5}, "5", True),
    ],
)
def test_numbers_are_compared_without_their_dress(answer: Any, truth: str, right: bool) -> None:
    assert same_number(answer, truth) is right


@pytest.mark.parametrize(
    ("answer", "truth", "right"),
    [
        ("ab", "'ab'", True),
        ("'ab'", "'ab'", False),  # it gets quotes around its quotes, as published
        ([1, 2], "[1, 2]", True),
        ("[1, 2]", "[1, 2]", True),
        (True, "True", True),
        ("true", "True", False),
        ("1.5", "1.5", True),
    ],
)
def test_literals_are_compared_as_python_writes_them(answer: Any, truth: str, right: bool) -> None:
    assert same_literal(answer, truth) is right
