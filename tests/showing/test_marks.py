"""What happened in a run is in its files, and is marked on what reports draw over time."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from scenarios.events import BudgetCut, Degradation, Joins, Leaves, Outage, PriceChange, TopUp
from scenarios.quality_events import QualityChange
from sim.cli.main import main
from sim.scenario import Event, Scenario
from sim.show.answers.events import happened as happened_in
from sim.show.answers.events import read_events
from sim.show.answers.fates import behind_percentiles
from sim.show.drawings.capacity import replicas
from sim.show.timelines.maps import over_time
from sim.show.timelines.marks import Mark, marks
from sim.show.timelines.spending import spend
from sim.study.experiment import runs
from sim.study.oracles import Oracle
from tests.configured import configured_policy
from tests.worlds import tiny_rows, tiny_scenario, tiny_workload


def happened(*events: Event) -> list[tuple[str, str, float, float]]:
    """What the record of ten arrivals, one a second to `small` and `medium`, says of these events."""
    plain = tiny_scenario(tiny_workload(tiny_rows([[1.0, 1.0]] * 10, [[0.1, 0.2]] * 10)))
    scenario = Scenario(plain.workload, plain.fleet, plain.budget, plain.arrivals, plain.order, events=events)
    [run] = runs(scenario, {"random": configured_policy("random")}, 0, 1, Oracle(()), {})
    return [tuple(row) for row in run.events.itertuples(index=False)]


def test_each_event_is_recorded_with_its_span_at_each_of_its_deployments() -> None:
    assert happened() == []
    assert happened(Outage(2, 3)) == [("small", "down", 2, 5), ("medium", "down", 2, 5)]
    assert happened(Degradation(1, 2, 1.5, "small")) == [("small", "1.5 times as slow", 1, 3)]
    assert happened(PriceChange(4, 0.5, "medium", 1)) == [("medium", "price times 0.5", 4, 5)]
    assert happened(Joins(3, "small")) == [("small", "out of service", 0, 3)]
    assert happened(QualityChange(1, 0.5, "small", 2)) == [("small", "quality times 0.5", 1, 3)]


def test_what_is_over_at_once_and_what_lasts_to_the_end_are_recorded_as_such() -> None:
    assert happened(TopUp(2, 1.0, "small")) == [("small", "budget + 1", 2, 2)]
    assert happened(BudgetCut(0.5, "50%", "small")) == [("small", "budget times 0.5", 5, 5)]
    [(name, what, from_s, until_s)] = happened(Leaves(4, "small"))
    assert (name, what, from_s, math.isnan(until_s)) == ("small", "out of service", 4, True)
    assert happened(Outage(100, 1)) == []  # after the run


def test_outages_that_overlap_are_one_span() -> None:
    assert happened(Outage(1, 3, "small"), Outage(2, 4, "small")) == [("small", "down", 1, 6)]


def events(*rows: tuple[str, str, float, float]) -> pd.DataFrame:
    """The events of a policy p."""
    table = pd.DataFrame(rows, columns=["deployment", "what", "from_s", "until_s"])
    return table.assign(policy="p", replication=0)


def test_marks_are_one_a_kind_and_name_deployments_and_times() -> None:
    found = marks(
        events(
            ("a", "down", 60, 120), ("b", "down", 60, 120), ("", "crowd", 30, 90),
            ("a", "slow", 1, 2), ("a", "slow", 5, 6), ("b", "out of service", 7, math.nan),
        ),
        2,
    )  # fmt: skip
    labels = ["down: all deployments, 60 to 120 s", "crowd, 30 to 90 s", "slow: a, 2 times"]
    assert [mark.label for mark in found] == [*labels, "out of service: b, from 7 s on"]
    assert list(found[2].spans) == [(1, 2), (5, 6)]
    assert len({mark.colour for mark in found}) == 4
    assert not marks(events(), 2)


OUTAGE = Mark("down, 2 to 5 s", ((2.0, 5.0),), "red")


def test_a_span_is_shaded_on_lines_and_is_a_strip_above_maps_and_named_once() -> None:
    edges = np.linspace(0, 10, 6)
    for n_rows in (2, 9):  # lines, and a map
        numbers = {policy: np.ones((n_rows, 5)) for policy in ("p", "q")}
        rows = [(f"deployment-{number}", "") for number in range(n_rows)]
        late = Mark("down, 20 to 30 s", ((20.0, 30.0),), "blue")
        figure = over_time(numbers, rows, edges, "busy (%)", {"p": [OUTAGE, late], "q": [OUTAGE]}, most=100)
        [legend] = [legend for legend in figure.legends if "down" in legend.get_texts()[0].get_text()]
        assert [text.get_text() for text in legend.get_texts()] == ["down, 2 to 5 s"]  # not what came after the end
        figure.draw_without_rendering()
        [span] = [patch for patch in figure.axes[0].patches if patch.get_facecolor()[:3] == (1.0, 0.0, 0.0)]
        ends = span.get_extents().transformed(figure.axes[0].transData.inverted()).intervalx
        assert ends == pytest.approx([2.0, 5.0])
        plt.close(figure)


SMALL = ["workload.n_queries=80", "workload.n_history=40", "workload.n_models=2", "workload.dim=4", "policy=random"]
CROWD = ["arrivals=flash_crowd", "arrivals.at_s=2", "arrivals.ramp_s=0", "arrivals.hold_s=1", "arrivals.decay_s=0"]


def test_the_folder_of_a_run_is_enough_to_mark_outage_and_crowd_again(tmp_path: Path) -> None:
    out = tmp_path / "o"
    outage = ["events=outage", "events.outage.at_s=1", "events.outage.for_s=2"]
    assert main(["run", *SMALL, *CROWD, *outage, "fleet=slots", "budget=unlimited", f"out={out}"]) == 0
    found = marks(read_events(out), 2)
    assert [mark.label for mark in found] == [
        "down: all deployments, 1 to 3 s",
        "crowd, up to 5 times the traffic, 2 to 3 s",
    ]
    page = (out / "report.html").read_text()
    assert "queries are not answered" in page
    assert "down: all deployments, 1 to 3 s" in page
    (out / "figures" / "utilisation.png").unlink()
    assert main(["report", str(out)]) == 0
    assert (out / "figures" / "utilisation.png").is_file()
    assert (out / "report.html").read_text() == page
    # One policy alone is no bar and no dot; the tables say it.
    assert {path.name for path in (out / "figures").iterdir()} <= {
        *("latency.png", "utilisation.png", "queue.png", "spend.png")
    }
    fleet = pd.read_csv(out / "fleet.csv")
    caption, drawing = spend(out, fleet, {"random": 1.0}) or ("", None)
    assert caption.startswith("What each deployment's queries have cost")  # without a budget, no share of one
    assert drawing is not None
    assert drawing.axes[0].get_ylabel() == "settled spend (USD)"
    plt.close("all")


def test_spending_of_deployments_without_a_budget_is_left_out_beside_those_with_one(tmp_path: Path) -> None:
    out = tmp_path / "o"
    assert main(["run", *SMALL, "budget=unlimited", f"out={out}"]) == 0
    fleet = pd.read_csv(out / "fleet.csv")
    fleet.loc[0, "budget"] = 1e9
    caption, drawing = spend(out, fleet, {"random": 1.0}) or ("", None)
    assert drawing is not None
    assert "without a budget for the run are left out" in caption
    assert drawing.axes[0].get_title() == fleet["deployment"][0]
    assert drawing.axes[0].get_ylabel() == "settled spend (% of budget)"
    requests = pd.read_parquet(out / "requests.parquet").assign(cost_usd=0.0)
    requests.to_parquet(out / "requests.parquet")
    assert spend(out, fleet, {"random": 1.0}) is None  # nothing was spent
    assert not happened_in(out)
    losing = pd.read_csv(out / "summary.csv").assign(served=50, failed=30, p95_latency_s=1.0)
    assert behind_percentiles(out, losing, False) is None  # nothing happened, and the question is of quality
    assert behind_percentiles(out, losing, True) is not None
    plt.close("all")


@pytest.mark.parametrize(("end_s", "ends_at"), [(1000.0, 780.0), (36_000.0, 780 / 3600)])
def test_replicas_over_time_have_a_strip_where_a_crowd_came(end_s: float, ends_at: float) -> None:
    counts = {"serving": np.ones(2), "starting": np.zeros(2), "spare": np.zeros(2)}
    crowd = Mark("crowd", ((300.0, 780.0),), "grey")
    figure = replicas({"p": counts}, np.linspace(0, end_s, 3), {"p": [crowd]})
    [strip] = figure.axes[0].patches[1:]
    assert strip.get_window_extent().transformed(figure.axes[0].transData.inverted()).x1 == pytest.approx(ends_at)
    assert [text.get_text() for text in figure.legends[-1].texts] == ["crowd"]
    plt.close(figure)
