"""Limits, calendars and the name of the money from the command line, and what is written and said of them."""

from pathlib import Path

import pandas as pd
import pytest

from sim.cli.main import main

SMALL = ["workload.n_queries=60", "workload.n_history=40", "workload.n_models=3", "workload.dim=4"]
ONE_POLICY = ["run", *SMALL, "budget=unlimited", "policy=greedy_perf"]


def test_a_limit_in_a_planners_words_is_one_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["spending.limits={total: 0.01 USD a day, topic-03: 0.0001 USD soft}", "arrivals.rate_per_s=0.0005"]
    assert main([*ONE_POLICY, *words, f"out={tmp_path / 'out'}", "--no-report"]) == 0
    assert "Limits, in USD" in capsys.readouterr().out
    limits, alerts = (pd.read_csv(tmp_path / "out" / name) for name in ("limits.csv", "alerts.csv"))
    requests = pd.read_parquet(tmp_path / "out" / "requests.parquet")
    total = limits[limits["limit"] == "total"]
    assert (total["spent"] <= 0.01).all()
    assert total["spent"].sum() == pytest.approx(requests["cost_usd"].sum())
    assert total["begins_at"].str.endswith("T00:00:00+00:00").all()
    topic = limits[limits["limit"] == "topic-03"]
    assert topic["spent"].sum() == pytest.approx(requests["cost_usd"][requests["source"] == "topic-03"].sum())
    assert len(alerts[alerts["alert_at"] == 0.8]) > 0


def test_without_limits_no_table_of_them_is_written(tmp_path: Path) -> None:
    assert main([*ONE_POLICY, f"out={tmp_path / 'out'}", "--no-report"]) == 0
    assert not (tmp_path / "out" / "limits.csv").exists()


def test_reports_have_the_name_of_the_money(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["spending.currency=EUR", "spending.limits={total: 5 EUR a day}"]
    assert main([*ONE_POLICY, *words, f"out={tmp_path / 'out'}"]) == 0
    said = capsys.readouterr()
    assert "Limits, in EUR" in said.out
    assert "amounts are in EUR, also in columns whose names end in _usd; nothing is converted" in said.err
    report = (tmp_path / "out" / "report.html").read_text()
    assert "Amounts are in EUR, also in columns whose names end in _usd." in report
    assert " USD" not in report


@pytest.mark.parametrize("infinity", ["inf", ".inf"])
def test_infinity_is_written_either_way(infinity: str, tmp_path: Path) -> None:
    limits = [f"spending.limits={{total: {infinity}}}", f"budget.amount={infinity}", "budget=each"]
    assert main(["run", *SMALL, "policy=greedy_perf", *limits, f"out={tmp_path / 'out'}", "--no-report"]) == 0
    assert pd.read_csv(tmp_path / "out" / "fleet.csv")["budget"].tolist() == [float("inf")] * 3
    assert pd.read_csv(tmp_path / "out" / "limits.csv")["amount"].tolist() == [float("inf")]


def test_a_file_may_say_infinity_either_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "conf" / "budget").mkdir(parents=True)
    (tmp_path / "conf" / "budget" / "mine.yaml").write_text(
        "_target_: scenarios.budgets.Amounts\namounts_by_deployment: [inf, .inf, 1.0]\n"
    )
    (tmp_path / "switchyard.yaml").write_text("")
    monkeypatch.chdir(tmp_path)
    assert main(["run", *SMALL, "policy=greedy_perf", "budget=mine", "out=out", "--no-report"]) == 0
    assert pd.read_csv("out/fleet.csv")["budget"].tolist() == [float("inf"), float("inf"), 1.0]


def test_budgets_by_the_calendar_are_checked_again_from_the_files(tmp_path: Path) -> None:
    words = ["window=calendar", "window.every=month", "window.starts_at=2024-05-31T23:00+02:00", "exhausted=wait"]
    budgets = ["budget=each", "budget.amount=0.005", "arrivals.rate_per_s=0.005"]
    assert main(["run", *SMALL, "policy=greedy_perf", *words, *budgets, f"out={tmp_path / 'out'}"]) == 0
    calendar = pd.read_csv(tmp_path / "out" / "fleet.csv")["calendar"]
    assert calendar.tolist() == ["month 2024-05-31T23:00+02:00"] * 3
    report = (tmp_path / "out" / "report.html").read_text()
    assert "budgets that bind and slots are kept" in report
    assert "But:" not in report


def test_budgets_and_limits_have_one_calendar_unless_they_are_given_two(tmp_path: Path) -> None:
    words = ["window=calendar", "spending.starts_at=2024-05-10T20:00", "spending.time_zone=Europe/Berlin"]
    assert main(["run", *SMALL, "policy=greedy_perf", *words, f"out={tmp_path / 'one'}", "--no-report"]) == 0
    calendar = pd.read_csv(tmp_path / "one" / "fleet.csv")["calendar"]
    assert calendar[0] == "day 2024-05-10T20:00 Europe/Berlin"
    own = [*words, "window.starts_at=2024-05-10T21:00", "window.time_zone=null"]
    assert main(["run", *SMALL, "policy=greedy_perf", *own, f"out={tmp_path / 'two'}", "--no-report"]) == 0
    assert pd.read_csv(tmp_path / "two" / "fleet.csv")["calendar"][0] == "day 2024-05-10T21:00"


def test_the_default_budget_is_pointed_out_beside_limits(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", *SMALL, "policy=greedy_perf", "spending.limits={total: 5}", "out=null"]) == 0
    assert "with budget=unlimited the limits stand alone" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("ratio policy=random", "as limits stand beside the budgets: leave spending.limits out, or make them soft"),
        ("explain policy=random", "as limits stand beside the budgets: leave spending.limits out, or make them soft"),
        ("run policy=random exhausted=wait", "exhausted=wait needs budgets that renew themselves: choose a window"),
    ],
)
def test_what_cannot_go_with_a_hard_limit_is_refused_in_one_line(
    words: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words.split(), *SMALL, "budget=unlimited", "spending.limits={total: 0.01}", "out=null"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("spending.limits=[5]", "spending.limits is [5]; it must be a mapping such as {NAME: VALUE}"),
        ("spending.limits=5", "spending.limits is 5; it must be a mapping such as {NAME: VALUE}"),
        ("spending.limits={total: [5]}", "spending.limits.total is [5]; it must be text or a number or a mapping"),
        ("spending.limits={total: 5 EUR a day}", "spending.limits.total is in EUR and spending.currency is USD"),
        ("spending.limits={topic-99: 5 USD a day}", "of spending.limits.topic-99 'topic-99'; did you mean"),
        ("spending.starts_at=2024", "spending.starts_at is 2024; it must be text"),
        ("spending.time_zone=Berlin", "unknown time_zone 'Berlin'; did you mean 'Europe/Berlin'?"),
        ("spending.alert_at=0.8", "spending.alert_at is 0.8; it must be a list, such as [0.8]"),
        ("spending.limit={total: 5}", "unknown key 'spending.limit'; did you mean spending.limits"),
    ],
)
def test_a_word_that_cannot_be_is_answered_in_one_line(
    word: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*ONE_POLICY, word, "out=null"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_limits_are_an_axis_of_a_sweep(capsys: pytest.CaptureFixture[str]) -> None:
    axis = ["spending.limits.total=0.001,0.01", "policy=greedy_perf", "replications=1", "store=null", "out=null"]
    assert main(["sweep", *SMALL, "budget=unlimited", *axis]) == 0
    assert "spending.limits.total" in capsys.readouterr().out
