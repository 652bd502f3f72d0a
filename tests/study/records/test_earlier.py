"""What lies in an output directory is replaced by the same command, or by a word; else it stays."""

import json
from pathlib import Path

import pandas as pd
import pytest

from sim.cli.main import main
from sim.study.output.directory import Directory

SMALL = ["workload.n_queries=30", "workload.n_history=20", "workload.n_models=2", "workload.dim=4", "metric=[]"]
RUN = ["run", *SMALL, "policy=random"]


def policies(out: Path) -> list[str]:
    return [str(policy) for policy in pd.read_csv(out / "summary.csv")["policy"]]


def test_another_run_in_the_same_directory_is_refused_with_what_differs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "o"
    assert main([*RUN, "seed=1", f"out={out}"]) == 0
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    capsys.readouterr()
    assert main([*RUN, "seed=2", f"out={out}"]) == 1
    errors = capsys.readouterr().err
    assert errors == (
        f"switchyard: {out} holds another output of run, with other seed (1 there, 2 here); "
        "choose another with out=DIR, or replace it with --overwrite\n"
    )
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    assert main(["compare", *SMALL, "policy=[random]", "replications=1", f"out={out}"]) == 1
    assert f"{out} holds an output of run; choose another" in capsys.readouterr().err


@pytest.mark.lengthy
def test_overwrite_replaces_another_output_as_a_whole(tmp_path: Path) -> None:
    out = tmp_path / "o"
    assert main([*RUN, f"out={out}"]) == 0
    words = ["explain", *SMALL, "policy=greedy_perf", "replications=1", "moments=2", f"out={out}"]
    assert main(words) == 1
    assert main([*words, "--overwrite"]) == 0
    assert not (out / "summary.csv").exists()
    assert json.loads((out / "manifest.json").read_text())["verb"] == "explain"
    assert [path.name for path in tmp_path.iterdir()] == ["o"]


def test_the_same_command_replaces_what_it_wrote_even_where_newer_code_has_another_default(tmp_path: Path) -> None:
    out = tmp_path / "o"
    for _ in range(2):
        assert main([*RUN, f"out={out}", "--no-report"]) == 0
    manifest = json.loads((out / "manifest.json").read_text())
    manifest["source"] = "code of last year"
    manifest["config"]["decision_s"] = 7.0  # as its default was
    (out / "manifest.json").write_text(json.dumps(manifest))
    assert main([*RUN, f"out={out}", "--no-report"]) == 0
    assert json.loads((out / "manifest.json").read_text())["source"] != "code of last year"


@pytest.mark.parametrize("text", ['{"name": "a web page", "icons": []}', "not JSON", "[]"])
def test_a_directory_whose_manifest_is_not_ours_is_never_replaced(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "manifest.json").write_text(text)
    assert main([*RUN, f"out={tmp_path}", "--overwrite", "--no-report"]) == 1
    assert "is not an output of switchyard" in capsys.readouterr().err
    assert (tmp_path / "manifest.json").read_text() == text


def test_an_output_that_cannot_take_its_place_leaves_the_old_one_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "o"
    with Directory(out) as directory:
        directory.write_manifest({"verb": "run", "config": {}})
    rename = Path.rename

    def full(path: Path, target: Path) -> Path:
        if path.suffix == ".partial":
            raise OSError("no space left on device")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(OSError, match="no space left"), Directory(out) as directory:
        directory.write_manifest({"verb": "compare", "config": {}})
    assert json.loads((out / "manifest.json").read_text())["verb"] == "run"
    assert [path.name for path in tmp_path.iterdir()] == ["o"]


def test_a_difference_never_replaces_what_it_compares(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in "ab":
        assert main([*RUN, "seed=1", f"out={tmp_path / name}", "--no-report"]) == 0
    capsys.readouterr()
    assert (
        main(["diff", str(tmp_path / "a"), str(tmp_path / "b"), f"out={tmp_path / 'a'}", "--overwrite", "--no-report"])
        == 1
    )
    printed, errors = capsys.readouterr()
    assert printed == ""
    assert errors == f"switchyard: out is {tmp_path / 'a'}, which is to be compared; choose another directory\n"
    assert policies(tmp_path / "a") == ["random"]


def test_a_report_that_cannot_be_written_leaves_the_old_one_and_nothing_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "o"
    assert main([*RUN, f"out={out}"]) == 0
    files = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    (out / "summary.csv").write_text("policy")
    capsys.readouterr()
    assert main(["report", str(out)]) == 1
    errors = capsys.readouterr().err
    assert errors == f"switchyard: {out} has a file that lacks 'replication'; it must be as its verb wrote it\n"
    (out / "summary.csv").write_bytes(files[out / "summary.csv"])
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == files


@pytest.mark.lengthy
def test_what_a_user_put_beside_the_files_of_a_verb_stays_there(tmp_path: Path) -> None:
    out = tmp_path / "o"
    assert main([*RUN, f"out={out}"]) == 0
    written = json.loads((out / "manifest.json").read_text())["outputs"]
    assert {"summary.csv", "requests.parquet", "manifest.json", "report.html"} <= set(written)
    (out / "notes.txt").write_text("what I saw")
    (out / "figures" / "mine.svg").write_text("<svg/>")
    assert main([*RUN, f"out={out}"]) == 0
    assert main([*RUN, "seed=1", f"out={out}", "--overwrite"]) == 0
    swept = ["sweep", *SMALL, "policy=random", "replications=1", "seed=1,2", "store=null", f"out={out}"]
    assert main([*swept, "--overwrite"]) == 0
    assert (out / "notes.txt").read_text() == "what I saw"
    assert (out / "figures" / "mine.svg").read_text() == "<svg/>"
    assert not (out / "summary.csv").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["o"]


@pytest.mark.slow
def test_another_sweep_replaces_points_and_tables_when_it_is_told_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "o"
    words = ["sweep", *SMALL, "policy=random", "replications=1", "store=null", f"out={out}"]
    assert main([*words, "seed=1,2"]) == 0
    assert main([*words, "n_queries=5,6"]) == 1
    capsys.readouterr()
    assert main([*words, "n_queries=5,6", "--overwrite"]) == 0
    assert f"{out} holds 2 points of other code or settings, not used here" in capsys.readouterr().err
    assert pd.read_parquet(out / "sweep.parquet")["arrived"].tolist() == [5, 6]
    assert len(list((out / "points").iterdir())) == 2
    assert [path.name for path in (out / "figures").iterdir()] == ["by_n_queries.png"]
    assert main([*words, "n_queries=5,6"]) == 0
    assert "2 of 2 points, 2 of them kept" in capsys.readouterr().out


def test_a_report_takes_no_overwrite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path), "--overwrite"]) == 1
    assert "leave --overwrite out" in capsys.readouterr().err
