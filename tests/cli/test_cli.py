"""The command line, as a user meets it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from sim.cli.main import main

SMALL = ["workload.n_queries=120", "workload.n_history=80", "workload.n_models=3", "workload.dim=8"]


def test_compare_writes_summary_requests_manifest_and_figures(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "results"
    assert main(["compare", *SMALL, "policy=[random,port_fallback]", "replications=2", f"out={out}"]) == 0
    printed, errors = capfd.readouterr()
    assert "port_fallback" in printed
    assert f"written to {out}" in printed
    assert errors == ""

    summary = pd.read_csv(out / "summary.csv")
    asked = (
        "policy replication seed arrived served declined exhausted quality cost_usd quality_per_usd relative_quality"
    )
    assert {*asked.split(), "optimum_ratio", "wall_s"} <= set(summary)
    assert summary["policy"].tolist() == ["approximate_optimum", "optimum", "random", "port_fallback"] * 2
    assert (summary["optimum_ratio"] <= 1).all()
    assert (summary["relative_quality"] == 1).sum() >= 2  # the approximate optimum, once per replication

    requests = pd.read_parquet(out / "requests.parquet")
    columns = (
        "policy replication id arrived_at_s deployment fate started_at_s first_token_at_s finished_at_s "
        "quality cost_usd input_tokens output_tokens"
    )
    assert set(columns.split()) <= set(requests)
    assert len(requests) == 120 * 4 * 2
    assert requests.groupby("policy", observed=True)["quality"].sum()["random"] == pytest.approx(
        summary.loc[summary["policy"] == "random", "quality"].sum()
    )

    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["config"]["seed"] == 0
    assert manifest["versions"]["simpy"]
    figures = {path.name for path in (out / "figures").iterdir()}
    assert figures == {"quality.png", "cost_quality.png", "served.png", "spend.png"}


def test_policies_meet_the_same_queries_at_the_same_times(tmp_path: Path) -> None:
    main(["compare", *SMALL, "policy=[random,greedy_perf]", "replications=1", f"out={tmp_path / 'o'}", "--no-report"])
    requests = pd.read_parquet(tmp_path / "o" / "requests.parquet")
    columns = ["id", "arrived_at_s", "input_tokens"]
    by_policy = [rows[columns].reset_index(drop=True) for _, rows in requests.groupby("policy", observed=True)]
    assert len(by_policy) == 4
    for other in by_policy[1:]:
        pd.testing.assert_frame_equal(by_policy[0], other)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(tmp_path: Path) -> None:
    for name, seed in (("first", 1), ("second", 1), ("third", 2)):
        main(["run", *SMALL, "policy=port", "fleet=slots", f"seed={seed}", f"out={tmp_path / name}"])
    requests = [(tmp_path / name / "requests.parquet").read_bytes() for name in ("first", "second", "third")]
    assert requests[0] == requests[1] != requests[2]
    summaries = [pd.read_csv(tmp_path / name / "summary.csv").drop(columns="wall_s") for name in ("first", "second")]
    pd.testing.assert_frame_equal(summaries[0], summaries[1])


def test_a_policy_does_not_depend_on_its_company(tmp_path: Path) -> None:
    main(["run", *SMALL, "policy=port", f"out={tmp_path / 'alone'}", "--no-report"])
    main(["compare", *SMALL, "policy=[random,port]", "replications=1", f"out={tmp_path / 'among'}", "--no-report"])
    alone = pd.read_parquet(tmp_path / "alone" / "requests.parquet")
    among = pd.read_parquet(tmp_path / "among" / "requests.parquet", filters=[("policy", "=", "port")])
    pd.testing.assert_frame_equal(alone.drop(columns="policy"), among.drop(columns="policy"))


def test_an_estimator_can_be_put_in_the_place_of_a_policys_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "policy=port", "estimator=ridge", "--cfg"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"port:\s+estimator:\s+_target_: policies.estimators.learned.Learned", shown)


def test_without_an_out_the_directory_is_named_after_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for seed in (0, 0, 1):
        assert main(["run", *SMALL, "policy=random", f"seed={seed}"]) == 0
    assert len(list((tmp_path / "outputs").iterdir())) == 2


WRONG = {
    "a policy's name": (["run", "policy=pord"], "unknown policy 'pord'; did you mean port?"),
    "a group's option": (["run", "workload=tabel"], "unknown workload 'tabel'; did you mean table or trace?"),
    "a group": (["run", "polcy=port"], "unknown key 'polcy'; did you mean policy"),
    "a key": (["run", "policy.port.alfa=2"], "unknown key 'policy.port.alfa'; did you mean policy.port.alpha"),
    "a key of estimators that nobody has": (
        ["run", "policy=random", "estimator.k=2"],
        "unknown key 'estimator.k'; no chosen policy has an estimator",
    ),
    "a key of an estimator": (["run", "policy=steward", "estimator.k=2"], "did you mean estimator.first"),
    "a verb": (["rn"], "unknown verb 'rn'; did you mean run?"),
    "an option": (["run", "--hepl"], "unknown option '--hepl'; did you mean --help?"),
    "no override": (["run", "port"], "cannot read the override 'port': give KEY=VALUE"),
    "a word for a number": (["run", "seed=one"], "seed is 'one'; it must be a whole number, such as 0"),
    "a fraction for a count": (["run", "replications=1.5"], "replications is 1.5; it must be a whole number"),
    "a missing path": (["run", "order=saved"], "order.saved.file has no value; give order.saved.file=VALUE"),
    "a missing extra": (
        ["run", "workload=table", "workload.path=TABLE", "workload.embedder=a-model"],
        "embedding text needs sentence-transformers: pip install 'llm-switchyard[embed]'",
    ),
    "a negative seed": (["run", "seed=-1"], "seed is -1; it must be at least 0"),
    "no replication": (["run", "replications=0"], "replications is 0; it must be at least 1"),
    "a negative rate": (["run", "arrivals.rate_per_s=-1"], "rate_per_s is -1; it must be from 1e-12 to 1e+12"),
    "no slot": (["run", "fleet=slots", "fleet.service.slots=0"], "slots is 0; it must be at least 1"),
    "too few budgets": (
        ["run", "budget=amounts", "budget.amounts_by_deployment=[1,2]"],
        "the budget has 2 amounts for 11 deployments; it must have one each",
    ),
    "a setting": (["run", "exhausted=gone"], "exhausted is 'gone'; it must be one of lost, fallback"),
    "a history smaller than k": (
        ["run", "workload.n_history=4", "policy=port"],
        "k is 5 for a history of 4 rows; it must be from 1 to 4",
    ),
    "an empty history": (["run", "workload.n_history=0"], "workload.n_history is 0; it must be from 1 to 100000000"),
    "no policy": (["compare", "policy=[]"], "no policy is chosen; choose one or more of "),
    "an oracle": (
        ["run", "oracle.names=[optimun]"],
        "unknown oracle 'optimun'; did you mean 'optimum' or 'binary_optimum' or 'published_optimum'?",
    ),
    "something that is no policy": (
        ["run", "policy.port._target_=scenarios.budgets.Weighted", "~policy.port.estimator", "~policy.port.alpha",
         "~policy.port.eps"],
        "policy.port makes a Weighted, which is not a Policy",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_a_mistake_gets_one_clear_line_and_leaves_nothing(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words, message = WRONG[what]
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    table = tmp_path / "table.csv"
    table.write_text("prompt,split,m,m|total_cost\nwhat?,history,1,0.1\nwhy?,test,0,0.1\n")
    code = main([*(word.replace("TABLE", str(table)) for word in words), f"out={tmp_path / 'o'}"])
    printed, errors = capsys.readouterr()
    assert code != 0
    assert printed == ""
    assert message in errors
    assert len(errors.splitlines()) == 1
    assert list(tmp_path.iterdir()) == [table]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no verb is given; give one of run, compare, "),
        (["--cfg"], "no verb is given; give one of run, compare, "),
        (["run", "--project"], "--project needs a folder, as in --project DIR\n"),
        (["compare", "--suggest"], "--suggest needs a goal, as in --suggest cost\n"),
    ],
)
def test_words_that_are_no_command_get_one_line(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert capsys.readouterr().err.startswith(f"switchyard: {message}")


def test_a_foreign_directory_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    assert main(["run", *SMALL, "policy=random", f"out={tmp_path}", "--no-report"]) == 1
    assert "is not an output of switchyard" in capsys.readouterr().err
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_an_earlier_output_is_replaced_as_a_whole(tmp_path: Path) -> None:
    for policy in ("random", "greedy_perf"):
        assert main(["run", *SMALL, f"policy={policy}", f"out={tmp_path / 'o'}", "--overwrite"]) == 0
    assert pd.read_csv(tmp_path / "o" / "summary.csv")["policy"].tolist() == ["greedy_perf"]
    assert [path.name for path in tmp_path.iterdir()] == ["o"]


@pytest.mark.parametrize(("blow", "leaves"), [(signal.SIGTERM, 0), (signal.SIGKILL, 1)])
def test_a_killed_run_leaves_nothing_under_the_final_name(tmp_path: Path, blow: int, leaves: int) -> None:
    command = [sys.executable, "-m", "sim", "compare", "replications=500", "policy=[random]", "out=o"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".o.*.partial")):  # the runs have begun
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(process.pid, blow)
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert not (tmp_path / "o").exists()
    assert len(list(tmp_path.iterdir())) == leaves  # at most a hidden directory that says it is partial
    assert ("stopped; nothing was written" in errors) == (blow == signal.SIGTERM)


def test_help_lists_verbs_groups_and_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    assert "port_fallback" in printed
    assert "compare" in printed
