"""What export writes, read by a program that knows nothing of Switchyard: it finds the same optimum and choices."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog
from scipy.sparse import coo_matrix, vstack

from scenarios.workloads.table import table
from sim.cli.main import main

SMALL = ["workload.n_queries=60", "workload.n_history=40", "workload.n_models=3", "workload.dim=4", "seed=3"]
POLICIES = "policy=[greedy_perf,random]"


def optimum_of(folder: Path, replication: int) -> float:
    """The value of the program that instance.json states, solved by HiGHS as it stands."""
    truth = pd.read_parquet(folder / "truth.parquet").query("replication == @replication")
    fleet = pd.read_csv(folder / "fleet.csv").query("replication == @replication")
    deployment = pd.Index(fleet["deployment"]).get_indexer(truth["deployment"].astype(str))
    pair = np.arange(len(truth))
    spent = coo_matrix((truth["cost"], (deployment, pair)))
    given = coo_matrix((np.ones(len(truth)), (truth["id"], pair)))
    limits = np.concatenate([fleet["budget"], np.ones(truth["id"].nunique())])
    solved = linprog(-truth["quality"], A_ub=vstack([spent, given]), b_ub=limits, bounds=(0, None))
    return float(-solved.fun)


def greedy_of(folder: Path, replication: int) -> list[str | None]:
    """Where a rule sends queries that takes the best predicted deployment, as long as its budget pays."""
    chosen = f"replication == {replication}"
    fleet = pd.read_csv(folder / "fleet.csv").query(chosen)
    left = dict(zip(fleet["deployment"], fleet["budget"], strict=True))
    estimates = pd.read_parquet(folder / "estimates.parquet").query(f"{chosen} and policy == 'greedy_perf'")
    cost = pd.read_parquet(folder / "truth.parquet").query(chosen).set_index(["id", "deployment"])["cost"]
    served: list[str | None] = []
    for number, predicted in estimates.groupby("id"):
        best = predicted["deployment"].iloc[int(predicted["quality"].to_numpy().argmax())]
        pays = cost[number, best] <= left[best] * (1 + 1e-9)
        left[best] -= cost[number, best] if pays else 0.0
        served.append(best if pays else None)
    return served


@pytest.mark.parametrize("unit", ["usd", "tokens"])
def test_another_program_finds_the_same_optimum_and_greedys_choices(unit: str, tmp_path: Path) -> None:
    words = [*SMALL, POLICIES, "replications=2", f"budget.unit={unit}", "n_queries=50"]
    assert main(["export", *words, f"out={tmp_path / 'x'}", "--no-report"]) == 0
    assert main(["compare", *words, "oracle.names=[optimum]", f"out={tmp_path / 'c'}", "--no-report"]) == 0
    summary = pd.read_csv(tmp_path / "c" / "summary.csv").query("policy == 'random'")
    requests = pd.read_parquet(tmp_path / "c" / "requests.parquet").query("policy == 'greedy_perf'")
    for replication, row in enumerate(summary.to_dict("records")):
        said = row["quality"] / row["optimum_ratio"]
        assert optimum_of(tmp_path / "x", replication) == pytest.approx(said, rel=1e-4)  # to which it is certified
        run = requests[requests["replication"] == replication]
        went = run["deployment"].astype(object).where(run["fate"] == "served", None).tolist()
        assert greedy_of(tmp_path / "x", replication) == went
        assert {"served", "exhausted"} == set(run["fate"])  # or the budgets would say nothing


def test_queries_are_those_of_a_run_and_the_file_of_words_names_every_column(tmp_path: Path) -> None:
    assert main(["export", *SMALL, POLICIES, f"out={tmp_path / 'x'}", "--no-report"]) == 0
    assert main(["run", *SMALL, POLICIES, f"out={tmp_path / 'r'}", "--no-report"]) == 0
    queries = pd.read_parquet(tmp_path / "x" / "queries.parquet")
    requests = pd.read_parquet(tmp_path / "r" / "requests.parquet").query("policy == 'random'").reset_index(drop=True)
    same = ["id", "row", "arrived_at_s", "input_tokens"]
    pd.testing.assert_frame_equal(queries[same], requests[same])
    assert queries["source"].tolist() == requests["source"].tolist()
    assert np.stack(queries["embedding"].tolist()).shape == (60, 4)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "x" / "fleet.csv"), pd.read_csv(tmp_path / "r" / "fleet.csv"))
    words = json.loads((tmp_path / "x" / "instance.json").read_text())
    assert words["program_bounds_every_policy"]
    for name, said in words["files"].items():
        if name.endswith(".parquet"):
            table = pd.read_parquet(tmp_path / "x" / name)
            assert table.columns.tolist() == list(said["columns"])
            assert len(table) == said["n_rows"]
    assert words["files"]["history_truth.parquet"]["n_rows"] == 40 * 3


def test_history_is_that_of_the_scenario_without_topics_that_are_unseen(tmp_path: Path) -> None:
    assert main(["export", *SMALL, "policy=random", "unseen=[topic-04]", f"out={tmp_path / 'x'}", "--no-report"]) == 0
    history = pd.read_parquet(tmp_path / "x" / "history.parquet")
    assert "topic-04" not in set(history["source"])
    assert len(history) < 40


def test_what_the_history_hides_is_empty_and_the_fleet_says_how_much_is_known(tmp_path: Path) -> None:
    assert (
        main(["export", *SMALL, "policy=random", "profiled={claude-v1: 4}", f"out={tmp_path / 'x'}", "--no-report"])
        == 0
    )
    known = (
        pd.read_parquet(tmp_path / "x" / "history_truth.parquet").set_index("deployment")[["quality", "cost"]].notna()
    )
    assert known.groupby(level=0, observed=True).sum().loc["claude-v1"].to_dict() == {"quality": 4, "cost": 4}
    assert known.drop("claude-v1").all(axis=None)
    fleet = pd.read_csv(tmp_path / "x" / "fleet.csv").set_index("deployment")
    assert fleet["history_share"]["claude-v1"] == 0.1


def test_where_the_program_bounds_nothing_the_file_of_words_says_why(tmp_path: Path) -> None:
    assert main(["export", *SMALL, "policy=random", "window=minute", f"out={tmp_path / 'x'}", "--no-report"]) == 0
    words = json.loads((tmp_path / "x" / "instance.json").read_text())
    assert words["program_bounds_nothing_as"] == "budgets renew themselves: use window=null"


def table_of(folder: Path) -> pd.DataFrame:
    """The table that a workload was read from, made of its export: a row per query, columns per model."""
    parts = []
    for split, queries, truth, key in (
        ("history", "history.parquet", "history_truth.parquet", "history"),
        ("test", "queries.parquet", "truth.parquet", "id"),
    ):
        wide = pd.read_parquet(folder / truth).astype({"deployment": str}).pivot(index=key, columns="deployment")
        wide = wide.drop(columns=["replication", "cost"]).rename(columns={"cost_usd": "total_cost"}, level=0)
        names, models = (wide.columns.get_level_values(level) for level in (0, 1))
        named = [model if name == "quality" else f"{model}|{name}" for name, model in zip(names, models, strict=True)]
        wide = wide.set_axis(named, axis=1)
        parts.append(pd.read_parquet(folder / queries).set_index(key).assign(split=split).join(wide))
    whole = pd.concat(parts).sort_values("row").reset_index(drop=True)
    assert whole["row"].tolist() == list(range(len(whole)))
    return whole.drop(columns=["replication", "row", "arrived_at_s", "think_s", "test_row"]).dropna(axis=1, how="all")


OF_EACH = ["total_cost", "output_tokens", "confidence", "latency_s", "energy_j"]
COSTS, TOKENS = OF_EACH[:1], OF_EACH[:2]
OF_QUERIES = ["source", "priority", "due_s", "preference"]


@pytest.mark.parametrize("order", ["given", "random"])
@pytest.mark.parametrize(
    ("of_a", "of_b", "of_queries"),
    [
        (OF_EACH, OF_EACH, OF_QUERIES),
        (OF_EACH, TOKENS, OF_QUERIES),
        (TOKENS, OF_EACH[:3], []),
        (COSTS, COSTS, []),
    ],
    ids=["all columns", "signals of one model", "some", "none that is optional"],
)
def test_a_table_is_the_same_workload_when_it_is_exported_and_read_back(
    of_a: list[str], of_b: list[str], of_queries: list[str], order: str, tmp_path: Path
) -> None:
    rng, n = np.random.default_rng(0), 12
    columns = {"source": rng.choice(["law", "art"], n), "priority": rng.integers(3, size=n),
               "due_s": rng.exponential(size=n), "preference": rng.random(n)}  # fmt: skip
    frame = pd.DataFrame({name: columns[name] for name in of_queries}, index=range(n))
    frame["input_tokens"], frame["split"] = rng.integers(1, 99, n), rng.permutation(["history"] * 5 + ["test"] * 7)
    for model, names in (("a", of_a), ("b", of_b)):
        frame[model] = rng.random(n)
        for name in names:
            whole = name == "output_tokens"
            frame[f"{model}|{name}"] = rng.integers(1, 99, n) if whole else rng.exponential(size=n)
    frame.to_parquet(tmp_path / "t.parquet")
    np.save(tmp_path / "t.npy", rng.random((n, 3), dtype=np.float32))
    words = ["workload=table", f"workload.path={tmp_path / 't.parquet'}", f"workload.embeddings={tmp_path / 't.npy'}"]
    assert main(["export", *words, "policy=random", f"order={order}", f"out={tmp_path / 'x'}", "--no-report"]) == 0
    again = table_of(tmp_path / "x")
    np.save(tmp_path / "u.npy", np.stack(again.pop("embedding").tolist()))
    again.to_parquet(tmp_path / "u.parquet")
    before, after = (table(str(tmp_path / f"{name}.parquet"), str(tmp_path / f"{name}.npy")) for name in ("t", "u"))
    assert before.models == after.models
    for split in ("history", "test"):
        for name, array in vars(getattr(before, split)).items():
            np.testing.assert_array_equal(array, getattr(getattr(after, split), name), err_msg=f"{split} {name}")


def test_outcomes_that_the_history_hides_are_empty_in_every_column(tmp_path: Path) -> None:
    assert main(["export", *SMALL, "policy=random", "profiled={claude-v1: 0}", f"out={tmp_path / 'x'}"]) == 0
    truth = pd.read_parquet(tmp_path / "x" / "history_truth.parquet").drop(columns=["replication", "history"])
    hidden = truth["deployment"] == "claude-v1"
    assert truth[hidden].drop(columns="deployment").isna().all(axis=None)
    assert truth.loc[~hidden, ["cost_usd", "output_tokens", "confidence"]].notna().all(axis=None)


WRONG = {
    "warm_up=10%": "warm_up is about what metrics leave out; export runs nothing, so leave it out",
    "metric=latency": "metric is about what runs measure; export runs nothing, so leave it out",
    "oracle.names=[optimum]": "oracle.names is for run, compare and sweep and not for export; leave it out",
    "replications=0": "replications is 0; it must be at least 1",
}


@pytest.mark.parametrize("word", WRONG)
def test_a_key_that_export_has_no_use_for_is_refused(
    word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", *SMALL, word, f"out={tmp_path / 'x'}"]) == 1
    assert capsys.readouterr().err == f"switchyard: {WRONG[word]}\n"
    assert list(tmp_path.iterdir()) == []
