"""Sweeps: subsets, budgets and grammar by hand, what is kept and what goes on, then from the command line."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hydra import initialize_config_module
from matplotlib import pyplot as plt

from policies.estimators.neighbours import ExactNeighbours
from scenarios.arrivals import Deterministic
from scenarios.budgets import Uniform, Weighted
from scenarios.fleets import Catalogue, Listed, OnePerModel
from scenarios.orders import given
from scenarios.workloads.synthetic import synthetic
from sim.cli.main import main
from sim.cli.sweeping.axes import Point, points
from sim.cli.sweeping.launchers import Job, Joblib, Outcome, Ray, Submitit
from sim.deployment import Deployment
from sim.instance import realise
from sim.interface import Estimates, Features, History, Predictor
from sim.scenario import FleetRule, Scenario
from sim.show.drawings.sweep import figures, lines
from sim.show.sweep import point_table
from sim.show.sweeps.measures import QUALITIES as DRAWN
from sim.study.oracles import BoundCache, EstimateCache
from sim.study.output.store import Store
from sim.study.sweep import best, cells, tidy
from sim.world.services.slots import Instant
from tests.worlds import tiny_rows, tiny_scenario, tiny_workload

SMALL = ["workload.n_queries=60", "workload.n_history=40", "workload.n_models=3", "workload.dim=4", "metric=[]"]
QUICK = [*SMALL, "policy=[random,port_fallback]", "replications=2", "store=null"]


def ten_queries() -> Scenario:
    """Ten queries for 1 USD at the small model and 2 USD at the medium one; equal shares of half the cheaper total."""
    workload = tiny_workload(tiny_rows(np.full((10, 2), 0.5), np.tile([1.0, 2.0], (10, 1))))
    return replace(tiny_scenario(workload), budget=Uniform(total=0.5))


# --- budgets and fleets


def test_a_growing_budget_gives_every_query_its_share() -> None:
    budgets = [realise(replace(ten_queries(), n_queries=n), 0, 0).setting.budgets.tolist() for n in (2, 4, 10)]
    assert budgets == [[0.5, 0.5], [1.0, 1.0], [2.5, 2.5]]  # half of n USD, in two parts


def test_a_fixed_budget_is_that_of_all_test_queries_whatever_arrives() -> None:
    fixed = replace(ten_queries(), budget=Uniform(total=0.5, of="all"))
    budgets = [realise(replace(fixed, n_queries=n), 0, 0).setting.budgets.tolist() for n in (2, 4, 10, None)]
    assert budgets == [[2.5, 2.5]] * 4


def test_what_a_budget_is_of_is_one_of_two() -> None:
    with pytest.raises(ValueError, match=r"unknown budget\.of 'al'; did you mean 'all'"):
        Uniform(of="al")


def members(n: int) -> list[Deployment]:
    return [Deployment(f"d{k}", "small", Instant()) for k in range(n)]


@pytest.mark.parametrize("kind", ["one per model", "listed", "catalogue"])
def test_a_smaller_fleet_is_part_of_every_larger_one_and_another_in_each_replication(kind: str) -> None:
    names = [f"m{k}" for k in range(8)]

    def fleet(size: int | None, replication: int) -> list[str]:
        rules: dict[str, FleetRule] = {
            "one per model": OnePerModel(Instant(), size=size),
            "listed": Listed(members(8), size),
            "catalogue": Catalogue(members(8), size=size),
        }
        models = names if kind == "one per model" else ["small"]
        return [one.name for one in rules[kind].deployments(models, stream(replication))]

    def stream(replication: int) -> np.random.Generator:
        return np.random.default_rng([5, replication])

    for replication in range(5):
        fleets = [fleet(size, replication) for size in range(1, 9)]
        assert [len(set(fleet)) for fleet in fleets] == list(range(1, 9))
        assert all(set(smaller) < set(larger) for smaller, larger in pairwise(fleets))
        assert all(fleet == sorted(fleet) for fleet in fleets)
        assert fleets[-1] == fleet(None, replication)
    assert len({tuple(fleet(3, replication)) for replication in range(20)}) > 10


def test_the_budgets_of_a_smaller_fleet_go_to_the_right_models() -> None:
    # Weights sqrt(quality / cost): 4, 2 and 1. Any two of the models share the cost of ten queries at the cheaper one.
    quality, cost = [0.16, 0.16, 0.16], [0.01, 0.04, 0.16]
    workload = tiny_workload(tiny_rows(np.tile(quality, (10, 1)), np.tile(cost, (10, 1))))
    weight, cheapest = {"small": 4, "medium": 2, "large": 1}, {"small": 0.1, "medium": 0.4, "large": 1.6}
    scenario = Scenario(workload, OnePerModel(Instant(), size=2), Weighted(), Deterministic(1.0), given)
    seen = set()
    for replication in range(20):
        instance = realise(scenario, 0, replication)
        names = [deployment.name for deployment in instance.fleet]
        total = min(cheapest[name] for name in names)
        expected = [total * weight[name] / sum(weight[other] for other in names) for name in names]
        assert instance.setting.budgets.tolist() == pytest.approx(expected)
        seen.add(tuple(names))
    assert len(seen) == 3


# --- from words to points


def described(words: list[str]) -> list[Point]:
    with initialize_config_module("conf", version_base="1.3"):
        return points("sweep", words)[1]


def test_points_are_all_combinations_the_last_axis_the_fastest() -> None:
    found = described(["fleet.size=2,4", "budget=uniform,weighted", "seed=range(0,2)", "policy=random"])
    assert [point.label for point in found] == [
        f"fleet.size={size} budget={budget} seed={seed}"
        for size in (2, 4)
        for budget in ("uniform", "weighted")
        for seed in (0, 1)
    ]
    for point in found:
        assert point.config.fleet.size == point.values["fleet.size"]
        assert point.config.budget._target_ == f"scenarios.budgets.{str(point.values['budget']).title()}"
        assert point.config.seed == point.values["seed"]


@pytest.mark.parametrize("policies", ["policy=random,port", "policy=[random,port]", "policy=[random],port"])
def test_policies_are_compared_inside_each_point_and_are_no_axis(policies: str) -> None:
    found = described([policies, "seed=0,1"])
    assert [list(point.config.policy) for point in found] == [["random", "port"]] * 2


def test_an_estimator_that_is_swept_over_reaches_the_policies() -> None:
    found = described(["policy=port", "estimator=hnsw,exact", "estimator.k=3,9"])
    got = [(p.config.policy.port.estimator._target_.split(".")[-1], p.config.policy.port.estimator.k) for p in found]
    assert got == [("HnswNeighbours", 3), ("HnswNeighbours", 9), ("ExactNeighbours", 3), ("ExactNeighbours", 9)]


@pytest.mark.parametrize(("name", "of"), [("volume_growing_budget", "arriving"), ("volume_fixed_budget", "all")])
def test_an_experiment_brings_its_axes_and_the_command_line_wins(name: str, of: str) -> None:
    found = described([f"experiment={name}", "policy=random"])
    assert [point.values for point in found] == [{"n_queries": n} for n in (1000, 2000, 3000, 4000)]
    assert {point.config.budget.of for point in found} == {of}
    assert [p.values for p in described([f"experiment={name}", "n_queries=5,6"])] == [
        {"n_queries": 5},
        {"n_queries": 6},
    ]
    assert [p.values for p in described([f"experiment={name}", "n_queries=5", "seed=1,2"])] == [
        {"seed": 1},
        {"seed": 2},
    ]


WRONG = {
    "no axis": (["seed=1"], "no key has several values to sweep over; give one or more a list, such as fleet.size=2,4"),
    "an unknown key": (["fleet.siez=2,4"], "unknown key 'fleet.siez'; did you mean fleet.size"),
    "an unknown option": (["budget=weighted,unifrom"], "unknown budget 'unifrom'; did you mean uniform?"),
    "a word for a number": (["decision_s=0,many"], "decision_s is 'many'; it must be a number, such as 0.0"),
    "a value twice": (["seed=1,1"], "seed has a value twice: 1, 1"),
    "a key twice": (["seed=1,2", "seed=3"], "seed is given twice"),
    "no end of values": (["seed=interval(1,2)"], "seed=interval(1,2) has no end of values"),
    "an axis that is none": (["launcher=basic,joblib"], "launcher cannot be swept over; results do not depend on it"),
    "an unknown launcher": (["seed=1,2", "launcher=joblb"], "unknown launcher 'joblb'; did you mean joblib?"),
    "ray without ray": (
        ["seed=1,2", "hydra/launcher=ray"],
        "launcher=ray needs ray: pip install 'llm-switchyard[ray]'",
    ),
    "slurm without submitit": (
        ["seed=1,2", "launcher=submitit_slurm"],
        "launcher=submitit_slurm needs submitit: pip install 'llm-switchyard[submitit]'",
    ),
    "no process": (["seed=1,2", "launcher=joblib", "launcher.n_jobs=0"], "launcher.n_jobs is 0; it must be at least 1"),
    "a fixed budget of what is swept": (["budget.of=all", "workload.n_queries=5,6"], "sweep over n_queries"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_mistake_gets_one_line_before_anything_runs(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words, message = WRONG[what]
    for package in ("ray", "submitit"):
        monkeypatch.setitem(sys.modules, package, None)
    swept = {word.partition("=")[0] for word in words}
    usual = [word for word in QUICK if word.partition("=")[0] not in swept]
    assert main(["sweep", *usual, *words, f"out={tmp_path / 'o'}"]) == 1
    printed, errors = capsys.readouterr()
    assert printed == ""
    assert message in errors
    assert len(errors.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


# --- what is kept on disk


@dataclass(frozen=True)
class Counting:
    """An estimator that leaves a file whenever it learns."""

    folder: str
    offset: float = 0.0

    def fit(self, history: History) -> Predictor:
        (Path(self.folder) / f"fit-{time.monotonic_ns()}-{threading.get_ident()}").touch()
        return Constant(float(history.quality.mean()) + self.offset)


@dataclass(frozen=True)
class Constant:
    value: float

    def predict(self, features: Features) -> Estimates:
        shape = (len(features.input_tokens), 3)
        return Estimates(np.full(shape, self.value), np.full(shape, 0.5))


def three_models() -> Scenario:
    return replace(tiny_scenario(synthetic(30, 20, 3, 4)), budget=Uniform())


def test_predictions_are_made_once_for_all_that_they_depend_on(tmp_path: Path) -> None:
    log, store = tmp_path / "log", Store(tmp_path / "cache")
    log.mkdir()
    instance = realise(three_models(), 0, 0)
    first = EstimateCache(store).get(Counting(str(log)), instance)
    again = EstimateCache(store).get(Counting(str(log)), instance)
    assert len(list(log.iterdir())) == 1
    assert all((a == b).all() and a.dtype == b.dtype for a, b in zip(first, again, strict=True))
    assert not again.quality.flags.writeable
    EstimateCache(store).get(Counting(str(log), offset=0.1), instance)  # another parameter
    other = replace(three_models(), workload=synthetic(30, 20, 3, 4, seed=1))  # another history
    EstimateCache(store).get(Counting(str(log)), realise(other, 0, 0))
    assert len(list(log.iterdir())) == 3


@pytest.mark.parametrize("damage", ["cut short", "a bit turned", "empty"])
def test_a_damaged_file_is_made_again(tmp_path: Path, damage: str) -> None:
    instance = realise(three_models(), 0, 0)
    right = EstimateCache().get(ExactNeighbours(), instance)
    EstimateCache(Store(tmp_path)).get(ExactNeighbours(), instance)
    [file] = tmp_path.iterdir()
    whole = file.read_bytes()
    middle = len(whole) // 2
    file.write_bytes(
        {
            "cut short": whole[:middle],
            "a bit turned": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
            "empty": b"",
        }[damage]
    )
    found = EstimateCache(Store(tmp_path)).get(ExactNeighbours(), instance)
    assert all((a == b).all() for a, b in zip(right, found, strict=True))
    assert file.read_bytes() == whole


def test_bounds_are_kept_with_their_plans(tmp_path: Path) -> None:
    instance = realise(three_models(), 0, 0)
    estimates = EstimateCache().get(None, instance)
    plain = BoundCache().get("optimum", instance, estimates)
    for _ in range(2):
        kept = BoundCache(Store(tmp_path)).get("optimum", instance, estimates)
        assert kept.value == plain.value
        assert kept.plan.tolist() == plain.plan.tolist()
    assert len(list(tmp_path.iterdir())) == 1
    more = replace(three_models(), budget=Uniform(total=2.0))
    BoundCache(Store(tmp_path)).get("optimum", realise(more, 0, 0), estimates)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.lengthy
def test_jobs_may_share_a_store(tmp_path: Path) -> None:
    def value(number: int) -> list[float]:
        made = Store(tmp_path).arrays([b"shared", bytes([number % 4])], lambda: [np.full(50_000, number % 4)])
        return [float(made[0].min()), float(made[0].max())]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(value, range(400)))
    assert found == [[number % 4, number % 4] for number in range(400)]
    assert len(list(tmp_path.iterdir())) == 4  # and no partial file


def test_a_full_disk_costs_time_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left on device")

    store = Store(tmp_path)
    monkeypatch.setattr(np, "savez", full)
    assert store.arrays([b"a"], lambda: [np.ones(3)])[0].tolist() == [1, 1, 1]
    assert list(tmp_path.iterdir()) == []


# --- the table


def test_rows_of_points_make_one_table_with_means_and_the_best_of_each_point() -> None:
    def point(quality: dict[str, list[float]]) -> pd.DataFrame:
        return pd.DataFrame(
            [
                {
                    "policy": policy,
                    "replication": r,
                    "seed": 0,
                    "arrived": 4,
                    "quality": q,
                    "served": 4,
                    "cost_usd": 1.0,
                }
                for policy, values in quality.items()
                for r, q in enumerate(values)
            ]
        )

    table = tidy(
        [
            ({"n": 1, "budget": "a"}, point({"x": [1, 2, 3], "y": [2, 2, 2], "optimum": [9, 9, 9]})),
            ({"n": 2, "budget": None}, point({"x": [3, 3, 3], "y": [1, 1, 1], "optimum": [9, 9, 9]})),
        ]
    )
    assert table.columns[:2].tolist() == ["n", "budget"]
    assert len(table) == 18
    assert table["budget"].unique().tolist() == ["a", "null"]
    assert (table["quality_per_query"] == table["quality"] / 4).all()
    means = cells(table, ["n", "budget"]).set_index(["n", "policy"])
    assert means.loc[(1, "x"), "quality"] == 2.0
    assert means.loc[(1, "x"), "quality_half_width"] == pytest.approx(4.303 / 3**0.5, rel=1e-3)  # t(2) x 1 / sqrt(3)
    assert best(means.reset_index(), ["n", "budget"])["policy"].tolist() in (["x", "x"], ["y", "x"])
    over_n = cells(table, ["budget"]).set_index(["budget", "policy"])
    assert over_n.loc[("null", "y"), "quality"] == 1.0
    averaged = cells(table, []).set_index("policy")  # of (1, 3), (2, 3), (3, 3) in each replication
    assert averaged.loc["x", "quality"] == 2.5
    assert averaged.loc["x", "quality_half_width"] == pytest.approx(4.303 * 0.5 / 3**0.5, rel=1e-3)


def test_a_metric_that_every_sweep_has_besides_may_be_chosen() -> None:
    rows = pd.DataFrame({"policy": ["a"], "arrived": [4], "quality": [1.0], "quality_per_query": [0.5]})
    assert tidy([({"n_queries": 4}, rows)])["quality_per_query"].tolist() == [0.5]


def test_a_line_figure_has_a_column_for_each_value_of_a_few_others_and_one_where_there_are_none_or_many() -> None:
    table = pd.DataFrame(
        [
            {
                "n": n,
                "size": size,
                "policy": "x",
                "replication": r,
                **dict.fromkeys(DRAWN, n + r),
                "quality_per_query": 1,
            }
            for n in (1, 2)
            for size in range(7)
            for r in range(2)
        ]
    )
    assert len(lines(table[table["size"] == 0], "n", [], DRAWN).axes) == len(DRAWN)
    assert len(lines(table[table["size"] < 3], "n", ["size"], DRAWN).axes) == len(DRAWN) * 3
    averaged = lines(table, "n", ["size"], DRAWN)
    assert len(averaged.axes) == len(DRAWN)
    assert np.asarray(averaged.axes[0].lines[0].get_xydata()).tolist() == [[1, 1.5], [2, 2.5]]
    plt.close("all")


def compared(orders: list[str], replications: int, relative: float | None) -> pd.DataFrame:
    """A sweep over orders of two policies: in replication r, x has r queries' worth and y twice that."""
    return pd.DataFrame(
        [
            {
                "order": order, "policy": policy, "replication": r, "served": 4, "relative_quality": relative,
                **dict.fromkeys(("quality", "quality_per_query", "quality_per_usd"), times * r),
            }
            for order in orders
            for policy, times in (("x", 1.0), ("y", 2.0))
            for r in range(replications)
        ]
    )  # fmt: skip


def test_over_orders_there_are_boxes_and_a_panel_of_relative_quality_where_it_is_known() -> None:
    [(name, _, drawing)] = figures(compared(["a", "b"], 5, 0.5), ["order"])
    assert name == "by_order"
    labels = [panel.get_ylabel().split("\n")[0] for panel in drawing.axes]
    assert labels == ["quality per query", "relative quality", "efficiency"]
    assert len(drawing.axes[0].patches) == 4  # orders x policies
    medians = [np.asarray(line.get_ydata()) for line in drawing.axes[0].lines if line.get_linewidth() == 1.3]
    assert [float(heights[0]) for heights in medians] == [2.0, 2.0, 4.0, 4.0]  # of 0 to 4, and of twice that
    [(_, _, without)] = figures(compared(["a", "b"], 5, None), ["order"])
    assert len(without.axes) == 2
    plt.close("all")


def test_the_table_has_every_policy_at_each_point_the_best_first_and_optima_last() -> None:
    table = compared(["b", "a"], 2, None).assign(cost_usd=1.0)
    known = table[table["policy"] == "y"].assign(policy="optimum", quality=9.0)
    shown = point_table(cells(pd.concat([table, known]), ["order"]), ["order"])
    columns = {str(column.header): list(column.cells) for column in shown.columns}
    assert columns["order"] == ["b"] * 3 + ["a"] * 3
    assert columns["policy"] == ["y", "x", "optimum"] * 2
    assert columns["quality"][:3] == ["1.0 +- 12.7", "0.5 +- 6.4", "9.0"]  # t(1) = 12.706
    assert "relative_quality" not in columns


def test_a_table_of_too_many_points_ends_with_a_whole_one_and_says_so() -> None:
    table = compared([f"order-{number}" for number in range(100)], 1, None).assign(cost_usd=1.0)
    shown = point_table(cells(table, ["order"]), ["order"])
    assert shown.row_count == 120
    assert str(shown.title).endswith("; the first 60 of 100 points, all are in cells.csv")


# --- the command


def table_of(out: Path) -> pd.DataFrame:
    return pd.read_parquet(out / "sweep.parquet").drop(columns="wall_s")


@pytest.mark.lengthy
def test_a_sweep_writes_one_tidy_table_and_figures(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "o"
    words = ["sweep", *QUICK, "n_queries=20,40,60", "fleet.size=1,3", "budget=uniform,weighted", f"out={out}"]
    assert main(words) == 0
    printed, errors = capfd.readouterr()
    assert errors == ""
    assert f"12 of 12 points, 0 of them kept; written to {out}" in printed
    table = table_of(out)
    assert len(table) == 3 * 2 * 2 * 2 * 2  # points x policies x replications
    assert not table.duplicated(["n_queries", "fleet.size", "budget", "policy", "replication"]).any()
    assert (table["arrived"] == table["n_queries"]).all()
    assert {path.name for path in (out / "figures").iterdir()} == {
        "by_n_queries.png",
        "by_fleet_size.png",
        "by_budget.png",
        "n_queries_by_fleet_size.png",
        "n_queries_by_budget.png",
        "fleet_size_by_budget.png",
    }
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["axes"] == ["n_queries", "fleet.size", "budget"]
    assert manifest["versions"]["numpy"]
    assert len(list((out / "points").iterdir())) == 12


def test_a_point_is_the_comparison_of_its_configuration(tmp_path: Path) -> None:
    main(["sweep", *QUICK, "fleet.size=1,2", f"out={tmp_path / 'swept'}", "oracle.names=[optimum]", "--no-report"])
    alone = [
        "compare",
        *QUICK[:-1],
        "fleet.size=2",
        "oracle.names=[optimum]",
        f"out={tmp_path / 'alone'}",
        "--no-report",
    ]
    assert main(alone) == 0
    swept = table_of(tmp_path / "swept").query("`fleet.size` == 2")
    expected = pd.read_csv(tmp_path / "alone" / "summary.csv")
    for column in ("policy", "replication", "quality", "cost_usd", "served", "optimum_ratio"):
        assert swept[column].tolist() == expected[column].tolist()


@pytest.mark.lengthy
def test_two_processes_give_what_one_gives_bit_for_bit(tmp_path: Path) -> None:
    words = ["sweep", *SMALL, "policy=[random,port,model_perf]", "replications=2", "n_queries=30,60", "fleet.size=2,3"]
    for name, launcher in (("one", ["launcher=basic"]), ("two", ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"])):
        assert (
            main([*words, *launcher, f"out={tmp_path / name}", f"store={tmp_path / f'cache {name}'}", "--no-report"])
            == 0
        )
    pd.testing.assert_frame_equal(table_of(tmp_path / "one"), table_of(tmp_path / "two"), check_exact=True)
    kept = [sorted(path.name for path in (tmp_path / f"cache {name}").iterdir()) for name in ("one", "two")]
    assert kept[0] == kept[1] != []


def test_a_kept_prediction_changes_no_bit(tmp_path: Path) -> None:
    words = ["sweep", *SMALL, "policy=[knn_threshold,port]", "replications=1", "n_queries=30,60"]
    for name, cache in (("without", "null"), ("cold", tmp_path / "cache"), ("warm", tmp_path / "cache")):
        assert main([*words, f"store={cache}", f"out={tmp_path / name}", "--no-report"]) == 0
    pd.testing.assert_frame_equal(table_of(tmp_path / "without"), table_of(tmp_path / "cold"), check_exact=True)
    pd.testing.assert_frame_equal(table_of(tmp_path / "without"), table_of(tmp_path / "warm"), check_exact=True)


@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_a_point_that_fails_is_reported_and_loses_nothing_else(
    launcher: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "o"
    assert main(["sweep", *QUICK, "fleet.size=1,9,3", f"launcher={launcher}", f"out={out}"]) == 1
    printed, errors = capfd.readouterr()
    message = "fleet.size is 9; it must be from 1 to 3, the number of models"
    assert errors == f"switchyard: fleet.size=9: {message}\n"
    assert "2 of 3 points" in printed
    failures = pd.read_csv(out / "failures.csv")
    assert failures.to_dict("records") == [{"fleet.size": 9, "error": message}]
    assert table_of(out)["fleet.size"].unique().tolist() == [1, 3]


@pytest.mark.lengthy
def test_a_sweep_that_is_killed_goes_on_with_the_same_command(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "o"
    words = ["sweep", "--no-report", *QUICK, "policy=random", "replications=9", f"seed={','.join(map(str, range(6)))}"]
    process = subprocess.Popen([sys.executable, "-m", "sim", *words, f"out={out}"], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while len(list(out.glob("points/*.parquet"))) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    kept = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in out.glob("points/[!.]*.parquet")}
    assert 2 <= len(kept) < 6
    assert not (out / "sweep.parquet").exists()
    broken = min(kept)
    broken.write_bytes(broken.read_bytes()[:100])  # as if the disk had lost the rest
    capfd.readouterr()
    assert main([*words, f"out={out}"]) == 0
    assert f"6 of 6 points, {len(kept) - 1} of them kept" in capfd.readouterr().out
    for path, (written, _) in kept.items():
        assert (path.stat().st_mtime_ns == written) == (path != broken)  # what was finished has not run again
    assert main([*words, f"out={tmp_path / 'in one go'}"]) == 0
    pd.testing.assert_frame_equal(table_of(out), table_of(tmp_path / "in one go"), check_exact=True)


@pytest.mark.lengthy
def test_an_interrupted_sweep_says_what_is_kept(tmp_path: Path) -> None:
    out = tmp_path / "o"
    words = [
        "sweep",
        "--no-report",
        *QUICK,
        "policy=random",
        "replications=40",
        f"seed={','.join(map(str, range(50)))}",
    ]
    command = [sys.executable, "-m", "sim", *words, f"out={out}"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    deadline = time.monotonic() + 120
    while not list(out.glob("points/*.parquet")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "of 50 points are kept: the same command goes on" in errors
    assert len(errors.splitlines()) == 1


def test_the_output_of_something_else_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "o"
    words = ["sweep", "--no-report", *QUICK, "policy=random", "fleet.size=1,2", f"out={out}"]
    assert main(words) == 0
    before = (out / "sweep.parquet").read_bytes()
    for more, said in (
        (["replications=1"], "holds another sweep, with other replications; choose another with out=DIR"),
        (["n_queries=20,30"], "holds another sweep, with other n_queries"),
    ):
        capsys.readouterr()
        assert main([*words, *more]) == 1
        assert said in capsys.readouterr().err
    assert main(["sweep", *QUICK, "policy=random", "fleet.size=1,2,3", f"out={out}"]) == 1
    assert "another sweep, with other values of its axes" in capsys.readouterr().err
    assert (out / "sweep.parquet").read_bytes() == before
    (tmp_path / "thesis.tex").write_text("years of work")
    assert main([*words[:-1], f"out={tmp_path}"]) == 1
    assert "is not an output of switchyard" in capsys.readouterr().err
    compared = tmp_path / "compared"
    main(["run", *SMALL, "policy=random", f"out={compared}", "--no-report"])
    capsys.readouterr()
    assert main([*words[:-1], f"out={compared}"]) == 1
    assert "holds an output of run" in capsys.readouterr().err


def test_a_data_file_that_changed_makes_another_sweep(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "table.csv"
    rows = [f"q{k},{'history' if k < 20 else 'test'},{k % 2},0.1,1,0.2" for k in range(40)]
    table.write_text("\n".join(["prompt,split,a,a|total_cost,b,b|total_cost", *rows]))
    np.save(tmp_path / "e.npy", np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32))
    words = [
        "sweep",
        "--no-report",
        "workload=table",
        f"workload.path={table}",
        f"workload.embeddings={tmp_path / 'e.npy'}",
    ]
    words += ["policy=random", "n_queries=5,10", "store=null", f"out={tmp_path / 'o'}", "replications=1"]
    assert main(words) == 0
    table.write_text(table.read_text().replace("0.2", "0.3"))
    capsys.readouterr()
    from sim.cli.sweeping.running import hash_of

    hash_of.cache_clear()  # another process
    assert main(words) == 1
    assert "holds another sweep, with other files" in capsys.readouterr().err


def test_without_an_out_the_directory_is_named_after_the_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for size in ("1,2", "1,2", "1,3"):
        words = ["sweep", "--no-report", *QUICK, "policy=random", "replications=1", f"fleet.size={size}"]
        assert main(words) == 0
    assert len(list((tmp_path / "outputs").glob("sweep-*"))) == 2


# --- launchers


def pid(job: Job) -> Outcome:
    """Say who ran a job, where an error would be."""
    return Outcome(job.number, str(os.getpid()))


JOBS = [Job(number, {}, "", None) for number in range(6)]


def test_joblib_runs_every_job_in_other_processes() -> None:
    outcomes = list(Joblib(n_jobs=2).launch(pid, JOBS))
    assert sorted(outcome.number for outcome in outcomes) == list(range(6))
    assert str(os.getpid()) not in {outcome.error for outcome in outcomes}


def die(job: Job) -> Outcome:
    """Take the whole process down, as running out of memory does."""
    if job.number == 2:
        os._exit(1)
    return Outcome(job.number)


def node(job: Job) -> Outcome:
    """Say on which node a job ran, where an error would be."""
    import ray

    time.sleep(1)  # so that one node cannot take all
    return Outcome(job.number, ray.get_runtime_context().get_node_id())


@pytest.mark.lengthy
@pytest.mark.filterwarnings("default")  # Ray's own
def test_ray_spreads_jobs_over_a_cluster_of_two_nodes_and_survives_a_lost_worker() -> None:
    ray = pytest.importorskip("ray", reason="ray is not installed: pip install 'llm-switchyard[ray]'")
    cluster_utils = pytest.importorskip("ray.cluster_utils")
    cluster = cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        cluster.add_node(num_cpus=1)
        ray.init(address=cluster.address, log_to_driver=False)
        outcomes = list(Ray(address=cluster.address).launch(node, JOBS))
        assert sorted(outcome.number for outcome in outcomes) == list(range(6))
        assert len({outcome.error for outcome in outcomes}) == 2
        errors = {outcome.number: outcome.error for outcome in Ray().launch(die, JOBS)}
        assert [number for number, error in errors.items() if error] == [2]
    finally:
        ray.shutdown()
        cluster.shutdown()


@pytest.mark.lengthy
@pytest.mark.filterwarnings("default")
def test_ray_gives_what_one_process_gives(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="ray is not installed: pip install 'llm-switchyard[ray]'")
    for launcher in ("basic", "ray"):
        assert (
            main(
                [
                    "sweep",
                    *QUICK,
                    "fleet.size=1,2,3",
                    f"launcher={launcher}",
                    f"out={tmp_path / launcher}",
                    "--no-report",
                ]
            )
            == 0
        )
    pd.testing.assert_frame_equal(table_of(tmp_path / "basic"), table_of(tmp_path / "ray"), check_exact=True)


@pytest.mark.lengthy
@pytest.mark.filterwarnings("default")  # submitit's own
def test_submitit_runs_every_job_and_reports_a_lost_one(tmp_path: Path) -> None:
    pytest.importorskip("submitit", reason="submitit is not installed: pip install 'llm-switchyard[submitit]'")
    launcher = Submitit(str(tmp_path), cluster="local", timeout_min=5, poll_s=0.2)
    errors = {outcome.number: outcome.error for outcome in launcher.launch(die, JOBS[:4])}
    assert sorted(errors) == [0, 1, 2, 3]
    assert [number for number, error in errors.items() if error] == [2]
