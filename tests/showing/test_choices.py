"""What became of single queries, beside a plan that knows them all, on worlds that can be worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from scenarios.budgets import Amounts
from sim.instance import realise
from sim.scenario import Scenario
from sim.show.choices.atlas import agreement, atlas, most_frequent
from sim.show.choices.plane import finding, path, plane
from sim.show.choices.served_by import served_by, shares_of
from sim.study.experiment import runs
from sim.study.explain.choices import Beside, two_axes
from sim.study.oracles import Oracle
from tests.scripted import Scripted
from tests.worlds import tiny_rows, tiny_scenario, tiny_workload

# The medium model is better by 0.4 on the first query and by 0.1 on the second, at a cost of 4. Its budget of 5 is
# enough for the first and a quarter of the second, so that a unit of it is worth 0.1 / 4.
QUALITY, COST = [[0.6, 1.0], [0.6, 0.7]], [[0.0, 4.0], [0.0, 4.0]]


def world() -> Scenario:
    """The two queries, with a budget of 5 at the medium model."""
    plain = tiny_scenario(tiny_workload(tiny_rows(QUALITY, COST)))
    return Scenario(plain.workload, plain.fleet, Amounts({"small": 1.0, "medium": 5.0}), plain.arrivals, plain.order)


def test_hindsight_sends_the_scarce_model_to_the_query_that_gains_most_and_prices_it_by_the_next() -> None:
    [run] = runs(world(), {"greedy": Scripted([1, 1])}, 0, 1, Oracle(()), {})
    beside = Beside(realise(world(), 0, 0))
    hindsight = beside.hindsight(run.requests)
    assert hindsight["deployment"].tolist() == ["medium", "small"]
    assert hindsight["fate"].tolist() == ["served", "served"]
    assert hindsight["quality"].tolist() == [1.0, 0.6]
    assert hindsight["priced_cost"].tolist() == pytest.approx([4 * 0.1 / 4, 0.0], abs=1e-3)
    assert hindsight["difficulty"].tolist() == pytest.approx([0.2, 0.35])
    assert hindsight["mean_cost_usd"].tolist() == [2.0, 2.0]

    greedy = beside.choices("greedy", run.requests)  # its second query finds 1 of the 4 that it costs
    assert greedy["fate"].tolist() == ["served", "exhausted"]
    assert greedy["quality"].tolist() == [1.0, 0.0]
    assert greedy["deployment"].isna().tolist() == [False, True]
    assert agreement(hindsight, greedy) == 0.5

    one = beside.candidates(run.requests)
    assert one["deployment"].tolist() == ["small", "medium"]
    assert one["quality"].tolist() == QUALITY[one["id"][0]]


def test_the_axes_of_a_map_are_where_embeddings_differ_most() -> None:
    found = two_axes(np.array([[0, 0, 3.0], [0, 1.0, 0], [0, -1.0, 0], [0, 0, -3.0]]))
    assert np.abs(found).tolist() == pytest.approx(np.array([[3, 0], [0, 1], [0, 1], [3, 0]]), abs=1e-12)
    assert found[0, 0] == pytest.approx(3)  # the largest weight of an axis is positive
    assert two_axes(np.zeros((1, 0))).tolist() == [[0.0, 0.0]]  # a table of one's own may have no embeddings
    assert two_axes(np.array([[1.0], [3.0]])).tolist() == [[-1.0, 0.0], [1.0, 0.0]]


def run_of(fates: str, difficulty: list[float] | None = None) -> pd.DataFrame:
    """Queries that are served (s) at a cost of 1 or exhausted (e), which stand on a line."""
    is_served = np.array([fate == "s" for fate in fates])
    n = len(fates)
    return pd.DataFrame(
        {
            "id": range(n),
            "fate": np.where(is_served, "served", "exhausted"),
            "deployment": pd.Categorical.from_codes(np.where(is_served, 0, -1), pd.Index(["gpt"])),
            "quality": np.where(is_served, 0.5, 0.0),
            "priced_cost": is_served * 1.0,
            "difficulty": difficulty or np.arange(n) / n,
            "mean_cost_usd": 1.0 + np.arange(n),
            "map_x": np.arange(n) * 1.0,
            "map_y": np.arange(n) * 1.0,
        }
    )


def test_the_path_of_a_policy_is_its_mean_query_a_twelfth_of_the_run_after_the_other() -> None:
    assert path(run_of("s" * 12 + "e" * 12)).tolist() == [[1.0, 0.5]] * 6 + [[0.0, 0.0]] * 6
    assert path(run_of("se")).tolist() == [[1.0, 0.5], [0.0, 0.0]]
    paths = {"greedy": path(run_of("s" * 12 + "e" * 12)), "priced": path(run_of("se" * 12))}
    words = "greedy begins with 2.0 times what the budgets allow per query and ends with nothing"
    assert finding(paths, np.array([0.5, 0.4])) == f"{words}; priced keeps between 1.0 and 1.0"


def test_shares_served_are_by_quarters_of_difficulty_and_cost() -> None:
    share = shares_of(run_of("ssse"))  # each query is a quarter of its own, and the hardest is the dearest
    assert np.diag(share).tolist() == [100.0, 100.0, 100.0, 0.0]
    assert share.isna().sum().sum() == 12
    assert share.index.tolist()[-1] == "hardest"


def test_a_cell_of_the_map_shows_what_most_of_its_queries_get() -> None:
    cells = most_frequent(run_of("seeeeeee"))
    assert dict(zip(cells["x"], cells["end"], strict=True)) == {1.75: "not served", 5.25: "not served"}
    assert cells["n"].tolist() == [4, 4]
    assert most_frequent(run_of("ssseeeee"))["end"].tolist() == ["not served", "gpt"]


@pytest.mark.parametrize("n_policies", [1, 2, 3])
def test_figures_of_choices_have_a_panel_for_hindsight_or_one_query_and_one_for_each_policy(n_policies: int) -> None:
    hindsight = run_of("sesesese")
    policies = {f"policy-{number}": run_of("sssseeee") for number in range(n_policies)}
    one = pd.DataFrame({"id": 0, "deployment": ["a", "b"], "quality": [0.5, 0.9], "priced_cost": [0.1, 0.6]})
    drawn = [plane(one, hindsight, policies), served_by(hindsight, policies), atlas(hindsight, policies)]
    for figure in drawn:
        titled = [axes.get_title() for axes in figure.axes if axes.get_title()]
        assert titled[1:] == list(policies)
        assert figure.get_suptitle()
        plt.close(figure)
    assert drawn[0].axes[0].get_title() == "query 0: a is worth 0.40,\nb, the best answer, 0.30"


def test_numbers_on_a_map_with_empty_cells_can_be_read_on_their_own() -> None:
    figure = served_by(run_of("ssss"), {"greedy": run_of("ssse")})  # three quarters of the cells have no queries
    for axes in figure.axes:
        for text in axes.texts:
            assert text.get_color() == ("black" if text.get_text() == "100%" else "white")
    plt.close(figure)
