"""Cost against quality: hull, area and QNC by hand, a router's curve in a tiny world, and the verb."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from policies.estimators.neighbours import ExactNeighbours
from policies.greedy.quality_threshold import QualityThreshold
from sim.cli.main import main
from sim.study.frontier.curve import area, envelope, hull, hull_area, normalized_cost
from sim.study.frontier.points import Router, measured, points
from tests.worlds import tiny_rows, tiny_scenario, tiny_workload

COST, QUALITY = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.2, 0.3, 0.8, 0.7])


def test_an_envelope_never_falls() -> None:
    assert envelope(COST[::-1], QUALITY[::-1])[1].tolist() == [0.2, 0.3, 0.8, 0.8]


def test_a_hull_leaves_out_what_a_mixture_of_two_others_beats() -> None:
    # Halfway between (1, 0.2) and (3, 0.8) a coin gives 0.5 for 2, more than 0.3; (4, 0.7) costs more and is worse.
    assert [part.tolist() for part in hull(COST, QUALITY)] == [[1.0, 3.0], [0.2, 0.8]]


def test_a_hull_of_one_point_is_that_point_and_of_equally_dear_ones_the_best() -> None:
    assert [part.tolist() for part in hull(np.array([2.0]), np.array([0.5]))] == [[2.0], [0.5]]
    assert [part.tolist() for part in hull(np.array([1.0, 1.0]), np.array([0.4, 0.6]))] == [[1.0], [0.6]]


def test_an_area_ends_at_the_best_models_cost() -> None:
    # Up to 5: (0.25 + 0.55 + 0.8 + 0.8) / 4. Up to 2.5: 0.25, then 0.3 held for half a dollar, / 1.5.
    assert area(COST, QUALITY, 5.0) == pytest.approx(0.6)
    assert area(COST, QUALITY, 2.5) == pytest.approx((0.25 + 0.15) / 1.5)
    assert math.isnan(area(COST, QUALITY, 1.0))


def test_the_area_of_a_hull_is_cut_within_a_line() -> None:
    assert hull_area(COST, QUALITY, 2.0) == pytest.approx((0.2 + 0.5) / 2)
    assert hull_area(COST, QUALITY, 4.0) == pytest.approx((2 * 0.5 + 0.8) / 3)


def test_the_normalized_cost_is_the_least_that_has_the_best_models_quality() -> None:
    assert normalized_cost(COST, QUALITY, 0.7, 4.0) == 0.75
    assert math.isnan(normalized_cost(COST, QUALITY, 0.9, 4.0))
    assert math.isnan(normalized_cost(COST, QUALITY, 0.7, 0.0))


# Two models; the cheap one is right on two of four questions, the dear one on three.
ROWS = tiny_rows([[1, 1], [1, 1], [0, 1], [0, 0]], [[1, 4]] * 4)
EXACT = ExactNeighbours(k=1)  # whose history are the same questions


def test_a_curve_is_made_of_a_run_at_each_setting() -> None:
    floors = Router("threshold", tuple((floor, QualityThreshold(EXACT, floor)) for floor in (0.0, 1.0)))
    table = points(tiny_scenario(tiny_workload(ROWS)), {"floor": floors}, seed=0, replications=1)
    # Without a floor all go to the cheap one. With one, the third goes to the dear one, and the fourth to the first.
    assert table[["policy", "setting", "quality_per_query", "cost_per_query_usd"]].fillna(-1).values.tolist() == [
        ["floor", 0.0, 0.5, 1.0],
        ["floor", 1.0, 0.75, 1.75],
        ["small", -1, 0.5, 1.0],
        ["medium", -1, 0.75, 4.0],
    ]
    measures = measured(table).set_index("policy")
    assert measures.loc["floor", "qnc"] == 1.75 / 4
    assert measures.loc["floor", "area"] == pytest.approx((0.75 * 0.625 + 2.25 * 0.75) / 3)
    assert measures.loc["single models", "hull_area"] == pytest.approx(0.625)
    assert measures.loc["single models", "qnc"] == 1


SMALL = ["workload.n_queries=60", "workload.n_history=40", "workload.n_models=3", "workload.dim=4"]


def test_the_verb_takes_knobs_of_any_key_and_of_any_policy(tmp_path: Path) -> None:
    words = ["policy=[random,knn_threshold,knn_perf]", "knobs.knn_threshold.threshold=[0.2,0.8]"]
    words.append("knobs.knn_perf={estimator.k: [1,5,9]}")
    assert main(["frontier", *SMALL, *words, "replications=2", "metric=share", f"out={tmp_path / 'o'}"]) == 0
    measures = pd.read_csv(tmp_path / "o" / "frontier.csv").set_index("policy")
    assert measures["settings"].to_dict() == {"random": 1, "knn_threshold": 2, "knn_perf": 3, "single models": 3}
    made = pd.read_csv(tmp_path / "o" / "points.csv")
    assert np.allclose(made["total_cost_per_1000_arrivals_usd"], 1000 * made["cost_per_query_usd"])
    assert (tmp_path / "o" / "figures" / "frontier.png").is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["policy=knn_perf", "knobs.knn_perf={estimator.n: [1]}"],
            "unknown knob 'knn_perf.estimator.n'; did you mean ",
        ),
        (["policy=carrot", "knobs.carrot={cost_weight: [0], cost_scale: [1]}"], "so add '~knobs.carrot.cost_weight'"),
        (["policy=carrot", "knobs.carrot.cost_weight=[]"], "it must be one or more numbers, each once"),
        (["policy=carrot", "knobs.carrot.cost_weight=[0,0]"], "it must be one or more numbers, each once"),
        (["policy=carrot", "knobs.carrot.cost_weight=[a]"], "knobs.carrot.cost_weight[0] is 'a'; it must be a number"),
        (["policy=carrot", "knobs.carrot.cost_weight=[2]"], "cost_weight is 2; it must be from 0 to 1"),
    ],
)
def test_a_knob_that_cannot_be_is_refused_in_one_line(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["frontier", *SMALL, *words, f"out={tmp_path / 'o'}", "--no-report"]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "o").exists()
