"""switchyard diff: how far two studies are apart, and which of many policies is the best."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sim.cli.main import main
from sim.study.diff.comparison import better, differences, direction, verdict, welch_difference
from sim.study.diff.ranking import ranking, rankings
from sim.study.oracles import ORACLES
from sim.study.output.finished import Finished, read_finished

Values = dict[str, list[float]]


def study(folder: Path, values: dict[str, Values], seed: int = 0, **manifest: object) -> Path:
    """Write what a comparison leaves: a value per policy, metric and replication."""
    folder.mkdir()
    rows = [
        {"policy": policy, "replication": number, "seed": seed, "arrived": 100, "wall_s": 0.1}
        | {metric: found[number] for metric, found in metrics.items()}
        for policy, metrics in values.items()
        for number in range(len(next(iter(metrics.values()))))
    ]
    pd.DataFrame(rows).to_csv(folder / "summary.csv", index=False)
    text = {"verb": "compare", "config": {"seed": seed}, "files": {}, "git_commit": None, **manifest}
    (folder / "manifest.json").write_text(json.dumps(text))
    return folder


def series(values: list[float], seed: int = 0) -> "pd.Series[float]":
    index = pd.MultiIndex.from_product([[seed], range(len(values))], names=["seed", "replication"])
    return pd.Series(values, index=index)


def chances(values: "dict[str, pd.Series[float]]", sign: int = 1) -> dict[str, float]:
    table = ranking(values, sign, np.random.default_rng(0))
    return dict(zip(table["alternative"], table["probability_best"].tolist(), strict=True))


def test_a_beats_b_where_the_paired_interval_is_on_its_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # Differences of quality 1, 2, 3: 2 +- 4.303 / sqrt(3) = 2 +- 2.5; of cost -1 each time; of latency 0, 1, -1.
    a = {"quality": [11.0, 22.0, 33.0], "cost_usd": [1.0, 2.0, 3.0], "p95_latency_s": [5.0, 6.0, 4.0]}
    b = {"quality": [10.0, 20.0, 30.0], "cost_usd": [2.0, 3.0, 4.0], "p95_latency_s": [5.0, 5.0, 5.0]}
    study(tmp_path / "new", {"port": a})
    study(tmp_path / "old", {"random": b})
    assert main(["diff", str(tmp_path / "new"), str(tmp_path / "old")]) == 0
    printed = capsys.readouterr().out
    assert "new - old, +- 95%, paired over 3 common replications" in printed
    assert (
        "new (port), old (random): new beats old on cost_usd by 1; "
        "chance can explain the difference on quality by 2.0 +- 2.5 and p95_latency_s by 0.0 +- 2.5" in printed
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "old"]


def test_paired_differences_are_those_of_a_paired_t_test(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    luck = rng.normal(100, 20, 8)
    a, b = luck + rng.normal(3, 1, 8), luck + rng.normal(0, 1, 8)
    study(tmp_path / "a", {"p": {"quality": a.tolist()}})
    study(tmp_path / "b", {"p": {"quality": b.tolist()}})
    row = differences(*read_finished([tmp_path / "a", tmp_path / "b"])).iloc[0]
    interval = stats.ttest_rel(a, b).confidence_interval(0.95)
    assert row["method"] == "paired"
    assert row["difference"] - row["half_width"] == pytest.approx(interval.low)
    assert row["difference"] + row["half_width"] == pytest.approx(interval.high)
    assert row["better"] == "a"


def test_without_a_common_seed_differences_are_those_of_welchs_t_test(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(10, 1, 6), rng.normal(10, 5, 9)
    study(tmp_path / "a", {"p": {"quality": a.tolist()}}, seed=0)
    study(tmp_path / "b", {"p": {"quality": b.tolist()}}, seed=1)
    row = differences(*read_finished([tmp_path / "a", tmp_path / "b"])).iloc[0]
    interval = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    assert (row["method"], row["n_a"], row["n_b"]) == ("Welch", 6, 9)
    assert row["difference"] - row["half_width"] == pytest.approx(interval.low)
    assert row["difference"] + row["half_width"] == pytest.approx(interval.high)


def test_only_common_replications_are_compared(tmp_path: Path) -> None:
    study(tmp_path / "a", {"p": {"quality": [1.0, 2.0, 900.0]}})
    study(tmp_path / "b", {"p": {"quality": [0.0, 1.0]}})
    row = differences(*read_finished([tmp_path / "a", tmp_path / "b"])).iloc[0]
    assert (row["n_a"], row["mean_a"], row["difference"], row["half_width"]) == (2, 1.5, 1.0, 0.0)


def test_welch_of_samples_that_do_not_vary_is_sure() -> None:
    assert welch_difference([2.0, 2.0], [1.0, 1.0, 1.0]) == (1.0, 0.0)
    assert np.isnan(welch_difference([2.0], [1.0, 1.0])[1])


@pytest.mark.parametrize(
    ("difference", "half_width", "sign", "who"),
    [
        (2.0, 1.0, 1, "a"),
        (2.0, 1.0, -1, "b"),
        (-2.0, 1.0, 1, "b"),
        (0.5, 1.0, 1, "none"),
        (2.0, 1.0, 0, "none"),
        (1e-16, 0.0, 1, "none"),
        (2.0, float("nan"), 1, "unknown"),
    ],
)
def test_who_is_better_depends_on_interval_and_direction(
    difference: float, half_width: float, sign: int, who: str
) -> None:
    assert better(difference, half_width, sign, size=10.0) == who


def test_directions_of_metrics_follow_their_names() -> None:
    more = ["quality", "served", "optimum_ratio", "slo_attainment_of_served", "goodput_quality_per_s"]
    less = ["cost_per_1000_served_usd", "p99_first_token_of_arrivals_s", "energy_per_served_j", "timed_out"]
    assert [direction(metric) for metric in more] == [1] * 5
    assert [direction(metric) for metric in less] == [-1] * 4
    assert direction("declined") == 0


def test_of_two_normal_policies_the_probability_is_students() -> None:
    a, b = [1.0, 3.0, 2.0, 5.0], [0.5, 3.2, 1.0, 4.1]
    d = np.subtract(a, b)
    expected = stats.t.cdf(d.mean() / (d.std(ddof=1) / np.sqrt(4)), 3)
    found = chances({"a": series(a), "b": series(b)})
    error = 4 * np.sqrt(0.25 / 100_000)  # of the draws
    assert found["a"] == pytest.approx(expected, abs=error)
    assert sum(found.values()) == pytest.approx(1)
    assert chances({"a": series(a), "b": series(b)}, -1)["b"] == pytest.approx(expected, abs=error)


def test_with_many_replications_the_probability_is_normal() -> None:
    rng = np.random.default_rng(3)
    samples = [rng.normal(mean, 1.0, 2000) for mean in (0.0, 0.02, 0.05)]
    found = chances({str(k): series(values.tolist()) for k, values in enumerate(samples)})
    means, errors = [values.mean() for values in samples], [values.std(ddof=1) / np.sqrt(2000) for values in samples]
    # P(0 is the best) = int phi(x) Phi(x - 1) Phi(x - 2), as the three are drawn independently of each other.
    x = np.linspace(-0.3, 0.3, 20_001)
    density = stats.norm.pdf(x, means[0], errors[0])
    below = stats.norm.cdf(x, means[1], errors[1]) * stats.norm.cdf(x, means[2], errors[2])
    assert found["0"] == pytest.approx(np.trapezoid(density * below, x), abs=0.02)


def test_common_luck_does_not_hide_who_is_the_best() -> None:
    luck = np.array([0.0, 50.0, -30.0, 80.0, 10.0])
    small = np.array([0.1, -0.1, 0.05, 0.0, -0.05])
    paired = {"a": series((luck + 1).tolist()), "b": series((luck + small).tolist())}
    apart = {"a": series((luck + 1).tolist(), seed=0), "b": series((luck + small).tolist(), seed=1)}
    assert chances(paired)["a"] > 0.999
    assert chances(apart)["a"] < 0.6


def test_equals_share_their_draws() -> None:
    values = {name: series([1.0, 2.0, 4.0]) for name in "abc"} | {"worse": series([0.0, 0.5, 0.6])}
    found = chances(values)
    assert found["a"] == pytest.approx(found["b"])
    assert found["a"] == pytest.approx(found["c"])
    assert sum(found.values()) == pytest.approx(1)


def test_the_ranking_is_a_calibrated_probability() -> None:
    # Flat beliefs on differences of normal means: of the cases in which a has 70 to 90%, it is the best in as many.
    rng = np.random.default_rng(4)
    said, right = [], []
    for _ in range(400):
        truth = rng.normal(0, 5, 2)
        a, b = (truth[:, None] + rng.normal(0, 3, (2, 5))).tolist()
        d = np.subtract(a, b)
        likely = stats.t.cdf(d.mean() / (d.std(ddof=1) / np.sqrt(5)), 4)
        if 0.7 < likely < 0.9:
            said.append(chances({"a": series(a), "b": series(b)})["a"])
            right.append(truth[0] > truth[1])
    assert np.mean(right) == pytest.approx(np.mean(said), abs=2.6 * np.sqrt(0.16 / len(said)))


def test_a_metric_that_is_not_finite_is_left_out(tmp_path: Path) -> None:
    values: dict[str, Values] = {
        name: {"quality": [1.0, 2.0], "p95_latency_s": [1.0, float("inf")], "optimum_ratio": [float("nan")] * 2}
        for name in ("p", "q")
    }
    folders = [study(tmp_path / name, values) for name in "ab"]
    assert differences(*read_finished(folders))["metric"].unique().tolist() == ["quality"]
    assert rankings(read_finished(folders), 0)["metric"].unique().tolist() == ["quality"]


def test_hindsight_optima_are_no_policies(tmp_path: Path) -> None:
    values = {name: {"quality": [1.0, 2.0]} for name in (*ORACLES, "p")}
    (found,) = read_finished([study(tmp_path / "a", values)])
    assert isinstance(found, Finished)
    assert found.policies == ["p"]


def test_one_study_of_many_policies_is_ranked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = {
        "dear": {"quality": [9.0, 10.0, 11.0], "cost_usd": [2.0, 2.1, 2.2]},
        "cheap": {"quality": [1.0, 2.0, 3.5], "cost_usd": [1.0, 1.1, 1.0]},
        "bad": {"quality": [0.0, 1.0, 2.0], "cost_usd": [3.0, 3.0, 3.1]},
    }
    folder, out = study(tmp_path / "study", values), tmp_path / "out"
    assert main(["diff", str(folder), f"out={out}"]) == 0
    printed = capsys.readouterr().out
    assert (
        "The likeliest best of 3 policies, with its probability: quality: dear (> 0.999); cost_usd: cheap (0.998)"
        in printed
    )
    assert {path.name for path in out.iterdir()} == {"best.csv", "best.png", "manifest.json", "report.html"}
    best = pd.read_csv(out / "best.csv")
    assert best.loc[best["metric"] == "quality", "alternative"].tolist() == ["dear", "cheap", "bad"]
    assert best.loc[best["metric"] == "quality", "behind"].tolist() == pytest.approx([0, 10 - 6.5 / 3, 9])


def test_what_makes_studies_hard_to_compare_is_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = {"p": {"quality": [1.0, 2.0]}}
    a = study(tmp_path / "a", values, files={"table.csv": "1234"}, git_commit="aaaa")
    b = study(tmp_path / "b", values, files={"table.csv": "5678"}, git_commit="bbbb")
    assert main(["diff", str(a), str(b)]) == 0
    assert capsys.readouterr().err.splitlines() == [
        "switchyard: warning: a and b read different data files, so differences may be those of the data",
        "switchyard: warning: a and b were made by different versions of the code",
    ]


def test_studies_of_one_name_are_called_by_their_paths(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = []
    for parent in ("x", "y"):
        (tmp_path / parent).mkdir()
        folders.append(study(tmp_path / parent / "results", {"p": {"quality": [1.0, 2.0]}}))
    assert [found.name for found in read_finished(folders)] == [str(folder) for folder in folders]


def test_real_comparisons_are_compared_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    small = ["workload.n_queries=60", "workload.n_history=40", "workload.n_models=3", "workload.dim=8"]
    for total in (1, 3):
        words = ["run", *small, "policy=random", "replications=3", f"budget.total={total}", f"out=budget {total}"]
        assert main(words) == 0
    capsys.readouterr()
    assert main(["diff", "budget 3", "budget 1", "metrics=[quality,cost_usd]", "out=diff", "--no-report"]) == 0
    printed = capsys.readouterr().out
    assert "random: budget 3 beats budget 1 on quality by" in printed
    assert "the configurations differ in budget.total (3, 1)" in printed
    assert "served" not in printed
    rows = pd.read_csv("diff/differences.csv").set_index("metric")
    means = [pd.read_csv(f"budget {total}/summary.csv")["quality"].mean() for total in (3, 1)]
    assert rows.loc["quality", "difference"] == pytest.approx(means[0] - means[1])
    assert "wall_s" not in rows.index


WRONG = {
    "nothing": ([], "no directory is given; give one or more of run or compare"),
    "no directory": (["a", "nowhere"], "nowhere does not exist; give the directory that a verb wrote"),
    "another verb": (["a", "fitted"], "fitted is of fit and has no summary.csv; give directories of run or compare"),
    "one policy": (["a"], "a has one policy only; give another directory"),
    "no common policy": (["many", "other"], "no policy in common: many has p, q; other has r"),
    "no common metric": (["a", "costs"], "a and costs have no metric in common"),
    "nothing to tell chance by": (["single", "a"], "single and a have no seed and replication in common"),
    "an unknown metric": (["a", "many", "metrics=[qualty]"], "unknown metric 'qualty'; did you mean 'quality'?"),
    "no list": (["a", "many", "metrics=quality"], "metrics is 'quality'; it must be a list, such as [quality]"),
    "one replication to rank": (["one"], "a probability needs replications=2 or more"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_mistake_gets_one_clear_line(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    study(Path("a"), {"p": {"quality": [1.0, 2.0]}})
    study(Path("many"), {"p": {"quality": [1.0, 2.0]}, "q": {"quality": [1.0, 2.0]}})
    study(Path("other"), {"r": {"quality": [1.0, 2.0]}})
    study(Path("costs"), {"p": {"cost_usd": [1.0, 2.0]}})
    study(Path("single"), {"p": {"quality": [1.0]}}, seed=7)
    study(Path("one"), {"p": {"quality": [1.0]}, "q": {"quality": [2.0]}})
    Path("fitted").mkdir()
    Path("fitted/manifest.json").write_text(json.dumps({"verb": "fit", "config": {}}))
    words, message = WRONG[what]
    assert main(["diff", *words, "out=out", "--no-report"]) == 1
    printed, errors = capsys.readouterr()
    assert printed == ""
    assert message in errors
    assert len(errors.splitlines()) == 1
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("difference", "half_width", "sign", "margin", "words"),
    [
        (0.19, 0.47, 1, 0.0, "cannot tell"),
        (0.0, 0.0, 1, 0.0, "no difference"),
        (0.01, 0.02, 1, 0.05, "no difference"),  # the whole interval is within 5% of a mean of 1
        (0.04, 0.02, 1, 0.05, "a"),
        (2.0, 1.0, 0, 0.0, "apart"),
        (2.0, 1.0, -1, 0.0, "b"),
    ],
)
def test_an_interval_with_zero_inside_says_that_it_cannot_tell_and_not_that_there_is_no_difference(
    difference: float, half_width: float, sign: int, margin: float, words: str
) -> None:
    assert verdict(difference, half_width, sign, size=2.0, margin=margin / 2) == words


def test_a_metric_that_says_that_less_is_better_is_ranked_and_one_that_says_nothing_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = {
        "seed": 0,
        "metric": {"regret": {"_target_": "mine.regret", "better": "less"}, "odd": {"_target_": "m.o"}},
    }
    values = {"regret": [1.0, 1.1, 1.2], "odd": [5.0, 5.1, 5.3], "quality": [1.0, 2.0, 3.0]}
    worse = {"regret": [2.0, 2.2, 2.1], "odd": [1.0, 1.0, 1.1], "quality": [1.0, 2.0, 3.0]}
    for name, found in (("a", values), ("b", worse)):
        study(tmp_path / name, {"p": found}, config=config)
    assert main(["diff", str(tmp_path / "a"), str(tmp_path / "b"), "metrics=[regret,odd]"]) == 0
    printed, errors = capsys.readouterr()
    assert "p: a beats b on regret by" in printed
    assert "they differ on odd by" in printed
    assert "odd cannot be ranked, as nothing says whether more is better" in errors


def test_replications_that_are_all_alike_are_said_to_be_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, quality in (("a", 3.0), ("b", 2.0)):
        study(tmp_path / name, {"p": {"quality": [quality] * 3}})
    assert main(["diff", str(tmp_path / "a"), str(tmp_path / "b")]) == 0
    assert "every figure of p is the same in all replications, as nothing was redrawn" in capsys.readouterr().err
