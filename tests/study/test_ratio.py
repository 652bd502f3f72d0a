"""Competitive ratios: by hand, then against formulas computed elsewhere, then from the command line."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from policies.balancing.uniform_random import UniformRandom
from scenarios.budgets import Amounts, Uniform
from scenarios.orders import given, shuffled
from sim.cli.main import main
from sim.interface import Decision, IntArray, Policy, Query, State
from sim.scenario import BudgetRule, Scenario, Window
from sim.study.experiment import compare
from sim.study.oracles import OPTIMUM, Oracle
from sim.study.ratio.ratios import ratios
from sim.study.ratio.tables import cells, paired, slopes, worst
from sim.study.sequential import Precision
from sim.workload import Rows
from tests.worlds import tiny_rows, tiny_scenario, tiny_workload

TWO = Precision(half_width=9.0, min_replications=2, max_replications=2)


class Always(Policy):
    """Send every query to one deployment."""

    def __init__(self, deployment: int) -> None:
        self._deployment = deployment

    def decide(self, query: Query, state: State) -> Decision:
        return Decision(self._deployment)


def two_models(n: int = 10) -> Scenario:
    """Each query is worth 0.5 at the small model and 1.0 at the medium one, for 1 USD at either; no budgets."""
    return tiny_scenario(tiny_workload(tiny_rows([[0.5, 1.0]] * n, np.ones((n, 2)))))


def ten_worths() -> Scenario:
    """One model; query j is worth 0.1 j and costs 1 USD."""
    return tiny_scenario(tiny_workload(tiny_rows(np.arange(1, 11)[:, None] / 10, np.ones((10, 1)))))


def in_orders(scenario: Scenario) -> dict[str, Scenario]:
    """The scenario in two orders."""
    return {"random": replace(scenario, order=shuffled), "given": replace(scenario, order=given)}


def test_a_policy_that_gets_half_of_the_optimum_has_ratio_one_half_in_every_order() -> None:
    rows = ratios(in_orders(two_models()), {"half": Always(0), "all": Always(1)}, [4, None], precision=TWO)
    assert len(rows) == 2 * 2 * 2 * 2  # policies x orders x sizes x replications
    assert rows["ratio_to_optimum"].tolist() == pytest.approx(np.where(rows["policy"] == "half", 0.5, 1.0))
    assert rows["ratio_to_approximate"].tolist() == pytest.approx(rows["ratio_to_optimum"].tolist())
    assert rows["optimum"].tolist() == pytest.approx(rows["size"].tolist())  # everybody gets the better model
    assert set(rows["size"]) == {4, 10}


def test_orders_of_one_size_and_replication_bring_the_same_queries() -> None:
    rows = ratios(in_orders(ten_worths()), {"one": Always(0)}, [3], precision=replace(TWO, max_replications=8))
    rows = pd.concat([rows, ratios(in_orders(ten_worths()), {"one": Always(0)}, [3], precision=Precision(8, 8, 1e-9))])
    worth = rows.groupby(["replication", "order"])["quality"].mean().unstack()
    assert worth["random"].tolist() == pytest.approx(worth["given"].tolist())  # three queries' worths, in any order
    assert worth["given"].nunique() > 3  # and other queries in other replications


def test_the_ratios_are_those_of_a_comparison_of_one_order_and_size() -> None:
    scenario = replace(ten_worths(), budget=Uniform(0.5), order=shuffled)
    rows = ratios({"random": scenario}, {"one": Always(0)}, [4, 6], precision=TWO, seed=3)
    for size in (4, 6):
        alone = compare(
            replace(scenario, n_queries=size),
            {"one": Always(0)},
            seed=3,
            replications=2,
            oracle=Oracle((OPTIMUM,)),
        )
        expected = alone.loc[alone["policy"] == "one", "optimum_ratio"].tolist()
        assert rows.loc[rows["size"] == size, "ratio_to_optimum"].tolist() == pytest.approx(expected)


@pytest.mark.parametrize("budget", [Amounts([4.0]), Uniform(0.4)])
def test_budgets_grow_with_the_size_whether_amounts_or_shares(budget: BudgetRule) -> None:
    scenario = replace(ten_worths(), budget=budget)
    rows = ratios({"given": scenario}, {"one": Always(0)}, [5, None], precision=TWO)
    assert rows.groupby("size")["k"].first().to_dict() == pytest.approx({5: 2.0, 10: 4.0})  # 2 of 5 queries, 4 of 10
    all_ten = rows[rows["size"] == 10]
    assert all_ten["quality"].tolist() == pytest.approx([1.0, 1.0])  # 0.1 + 0.2 + 0.3 + 0.4, the first four
    assert all_ten["optimum"].tolist() == pytest.approx([3.4, 3.4])  # 0.7 + 0.8 + 0.9 + 1.0


def test_k_is_the_smallest_budget_over_its_largest_cost_among_those_that_can_bind() -> None:
    workload = tiny_workload(tiny_rows(np.ones((4, 3)), [[1, 1, 1], [2, 1, 1], [1, 1, 9], [1, 3, 9]]))
    scenario = replace(tiny_scenario(workload), budget=Amounts([5.0, 9.0, float("inf")]))
    rows = ratios({"given": scenario}, {"first": Always(0)}, [None], precision=TWO)
    assert rows["k"].tolist() == [2.5, 2.5]  # 5 / 2; the next is 9 / 3
    assert rows["k_mean"].tolist() == [2.75, 2.75]
    unlimited = ratios({"given": two_models()}, {"first": Always(0)}, [None], precision=TWO)
    assert np.isinf(unlimited["k"]).all()


@pytest.mark.slow  # make proof runs it
def test_replications_stop_at_the_first_number_whose_intervals_are_all_narrow_enough() -> None:
    wanted, least, most = 0.04, 5, 40
    scenarios, policies = in_orders(two_models()), {"random": UniformRandom(), "all": Always(1)}
    many = ratios(scenarios, policies, [10], precision=Precision(least, most, 1e-9))
    assert many["replication"].max() + 1 == most  # 1e-9 is out of reach
    by_cell = many.pivot(index="replication", columns=["policy", "order"], values="ratio_to_optimum")
    half_widths = [
        (stats.t.ppf(0.975, n - 1) * by_cell[:n].std() / n**0.5).max() for n in range(least, most + 1)
    ]  # pandas' deviation has n - 1
    first = least + next(number for number, half_width in enumerate(half_widths) if half_width <= wanted)
    assert least < first < most
    found = ratios(scenarios, policies, [10], precision=Precision(least, most, wanted))
    pd.testing.assert_frame_equal(found, many[many["replication"] < first])


def planted(noise: float = 0.0, sizes: tuple[int, ...] = (100, 400, 900, 1600)) -> pd.DataFrame:
    """Twelve replications of a policy that loses 0.1 + 0.5 / sqrt(k), where k is a hundredth of the size."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        [
            {
                "policy": "planted",
                "order": "random",
                "size": size,
                "replication": replication,
                "k": size / 100,
                "k_mean": size / 50,
                "ratio_to_optimum": 1 - (0.1 + 0.5 * (size / 100) ** -0.5) + noise * rng.normal(),
                "ratio_to_bayes": np.nan,
                "ratio_to_approximate": 1.0,
            }
            for replication in range(12)
            for size in sizes
        ]
    )


def test_slopes_recover_a_planted_law() -> None:
    [exact] = slopes(planted()).to_dict("records")
    assert (exact["slope"], exact["intercept"], exact["r_squared"]) == pytest.approx((0.5, 0.1, 1.0))
    assert exact["slope_half_width"] == pytest.approx(0, abs=1e-9)
    [noisy] = slopes(planted(noise=0.02)).to_dict("records")
    assert 0.001 < noisy["slope_half_width"] < 0.05
    assert abs(noisy["slope"] - 0.5) < 2 * noisy["slope_half_width"]  # more than 4 standard errors
    assert 0.9 < noisy["r_squared"] < 1


def test_there_is_no_slope_through_two_sizes_or_without_budgets() -> None:
    [two] = slopes(planted(sizes=(100, 400))).to_dict("records")
    assert two["left_out"] == "a slope needs at least 3 sizes"
    assert np.isnan(two["slope"])
    [unlimited] = slopes(planted().assign(k=np.inf)).to_dict("records")
    assert unlimited["left_out"] == "no budget can bind"


def by_hand() -> pd.DataFrame:
    """Two policies in two orders, two replications at one size."""
    found = {
        ("a", "random"): (0.5, 0.7),
        ("b", "random"): (0.6, 1.0),
        ("a", "given"): (0.9, 0.9),
        ("b", "given"): (0.2, 0.4),
    }
    return pd.DataFrame(
        [
            {"policy": policy, "order": order, "size": 10, "replication": replication, "k": 4.0, "k_mean": 5.0,
             "ratio_to_optimum": ratio, "ratio_to_bayes": 1.5 * ratio, "ratio_to_approximate": 2 * ratio}
            for (policy, order), both in found.items()
            for replication, ratio in enumerate(both)
        ]
    )  # fmt: skip


def test_each_cell_has_a_student_interval() -> None:
    [first, *_] = cells(by_hand()).to_dict("records")
    assert (first["policy"], first["order"], first["replications"]) == ("a", "random", 2)
    assert first["ratio"] == pytest.approx(0.6)
    assert first["half_width"] == pytest.approx(12.7062 * 0.1)  # t with 1 degree of freedom x standard error
    assert first["lowest"] == 0.5
    assert first["ratio_to_bayes"] == pytest.approx(0.9)
    assert first["ratio_to_approximate"] == pytest.approx(1.2)


def test_policies_differ_in_pairs_from_the_best_or_from_a_chosen_one() -> None:
    best = paired(by_hand()).set_index("order")
    assert best[["policy", "reference"]].to_numpy().tolist() == [["a", "b"], ["b", "a"]]
    assert best["difference"].tolist() == pytest.approx([-0.2, -0.6])
    assert best["half_width"].tolist() == pytest.approx(
        [12.7062 * 0.1, 12.7062 * 0.1], rel=1e-4
    )  # -0.1, -0.3 and so on
    assert paired(by_hand(), "a")["difference"].tolist() == pytest.approx([0.2, -0.6])
    with pytest.raises(ValueError, match="unknown reference 'c'; known: a, b"):
        paired(by_hand(), "c")


def test_each_policy_has_its_worst_order() -> None:
    found = worst(cells(by_hand()))
    assert found[["policy", "order"]].to_numpy().tolist() == [["a", "random"], ["b", "given"]]
    assert found["ratio"].tolist() == pytest.approx([0.6, 0.3])


class Resampled:
    """The drawn rows as they are drawn, the same row perhaps twice."""

    with_replacement = True

    def __call__(self, rows: Rows, rng: np.random.Generator) -> IntArray:
        return np.arange(len(rows))


def test_more_queries_than_there_are_need_an_order_that_draws_with_replacement() -> None:
    scenario = ten_worths()
    rows = ratios({"resampled": replace(scenario, order=Resampled())}, {"one": Always(0)}, [25], precision=TWO)
    assert rows["size"].tolist() == [25, 25]
    scenarios = {"resampled": replace(scenario, order=Resampled()), "given": scenario}
    with pytest.raises(ValueError, match=r"size 25 is more than the workload's 10 test queries, which order 'given'"):
        ratios(scenarios, {"one": Always(0)}, [25], precision=TWO)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ([0], "sizes has 0; a size is a whole number"),
        ([2.5], "sizes has 2.5; a size is a whole number"),
        ([], "sizes is empty"),
        ([10, None], "size 10 is given twice; null stands for all"),
    ],
)
def test_sizes_that_cannot_be_are_refused(sizes: list[int | None], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ratios({"given": ten_worths()}, {"one": Always(0)}, sizes, precision=TWO)


def test_without_a_hindsight_optimum_there_is_no_ratio() -> None:
    for scenario, message in (
        (replace(ten_worths(), window=Window(5.0)), "there is none, as budgets renew themselves: use window=null"),
        (replace(ten_worths(), reserve="estimate"), "there is none, as budgets may be overshot: use reserve=true_cost"),
        (replace(ten_worths(), budget=Uniform(0.0)), "the optimum of 10 queries is 0, so it has no ratio"),
    ):
        with pytest.raises(ValueError, match=message):
            ratios({"given": scenario}, {"one": Always(0)}, [None], precision=TWO)


SMALL = [
    "ratio",
    "workload.n_queries=120",
    "workload.n_history=80",
    "workload.n_models=3",
    "workload.dim=8",
    "min_replications=2",
    "max_replications=3",
]


@pytest.mark.lengthy
def test_the_command_writes_tables_and_figures_and_marks_the_worst_order(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "o"
    words = [*SMALL, "policy=[random,port_exact]", "order=[random,given]", "sizes=[30,60,null]", "reference=random"]
    assert main([*words, f"out={out}"]) == 0
    printed, errors = capfd.readouterr()
    assert errors == ""
    assert "120 queries, 3 replications; * worst order" in printed
    assert printed.count("*", printed.index("port_exact")) == 1
    assert "12 mean ratios are not known to +- 0.01 (95%); the widest: " in printed
    assert "slope of 1 - ratio" in printed
    assert {path.name for path in out.iterdir()} == {
        *("ratio.parquet", "cells.csv", "slopes.csv", "paired.csv", "worst.csv", "manifest.json"),
        *("heat_map.png", "slope.png", "report.html"),
    }
    rows = pd.read_parquet(out / "ratio.parquet")
    assert len(rows) == 2 * 2 * 3 * 3  # policies x orders x sizes x replications
    asked = "policy order size replication seed k quality optimum ratio_to_optimum ratio_to_bayes ratio_to_approximate"
    assert set(asked.split()) <= set(rows)
    assert (rows["ratio_to_optimum"] <= 1).all()
    assert pd.read_csv(out / "paired.csv")["reference"].unique().tolist() == ["random"]
    assert json.loads((out / "manifest.json").read_text())["config"]["sizes"] == [30, 60, None]

    main([*words, f"out={tmp_path / 'again'}"])
    assert (tmp_path / "again" / "ratio.parquet").read_bytes() == (out / "ratio.parquet").read_bytes()


def test_one_order_and_one_size_are_enough(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*SMALL, "policy=random", "order=given", "sizes=[null]", "budget=unlimited", "half_width=1"]
    assert main([*words, f"out={tmp_path / 'o'}", "--no-report"]) == 0
    printed = capsys.readouterr().out
    assert "every mean ratio is known to +- 1 (95%)" in printed
    assert "no slopes: no budget can bind" in printed
    assert "*" not in printed  # one order is not the worst of anything


WRONG = {
    "an order": (["order=[random,givn]"], "unknown order 'givn'; did you mean given?"),
    "no order": (["order=[]"], "no order is chosen; choose one or more"),
    "one replication": (["min_replications=1"], "min_replications is 1; an interval needs at least 2"),
    "fewer at most than at least": (["max_replications=5"], "max_replications is 5; it must be at least min_repl"),
    "no width": (["half_width=0"], "half_width is 0; it must be positive and finite"),
    "too many queries": (["sizes=[5000]"], "size 5000 is more than the workload's 4000 test queries"),
    "no list of sizes": (["sizes=500"], "sizes is 500; it must be a list, such as [500]"),
    "renewing budgets": (["window=minute"], "a ratio needs a hindsight optimum, and there is none, as budgets renew"),
    "changing prices": (["events=price_change"], "there is none, as a PriceChange may change budgets or prices"),
    "a reference": (["reference=prt"], "unknown reference 'prt'; did you mean 'port'"),
    "a number of replications": (["replications=5"], "replications is for run and compare; here it is half_width"),
    "a number of queries": (["n_queries=5"], "n_queries is for run and compare; here it is sizes"),
    "a metric": (["metric=latency"], "metric is for run and compare; here it is nothing"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_mistake_gets_one_clear_line_and_leaves_nothing(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words, message = WRONG[what]
    assert main(["ratio", *words, f"out={tmp_path / 'o'}"]) == 1
    printed, errors = capsys.readouterr()
    assert printed == ""
    assert message in errors
    assert len(errors.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_other_verbs_need_one_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "order=[random,given]"]) == 1
    assert "order names random, given; this verb needs one order" in capsys.readouterr().err


def test_the_worst_order_is_searched_for_and_what_was_found_is_kept(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "o"
    words = [*SMALL, "policy=port_exact", "order=[random,worst_of]", "sizes=[null]", f"out={out}"]
    assert main(words) == 0
    assert "worst order for port_exact: ratio" in capfd.readouterr()[0]
    assert json.loads((out / "worst_order.json").read_text())["policy"] == "port_exact"
    ratios_by_order = pd.read_parquet(out / "ratio.parquet").groupby("order")["ratio_to_optimum"].mean()
    assert ratios_by_order["worst_of"] < ratios_by_order["random"]
