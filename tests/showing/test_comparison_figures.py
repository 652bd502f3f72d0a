"""The figures of a comparison: their order, their names, which policies tell the story, and what titles say."""

import itertools
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text

from sim.show.answers.findings import of_fates, of_quality
from sim.show.answers.standing import ranked, standing
from sim.show.drawings.compare import cost_quality, quality, served
from sim.show.timelines.tellers import broke_after, tellers, told
from sim.study.metrics import FATES

ROOT = Path(__file__).resolve().parents[2]


def summary(**policies: tuple[float, float, int]) -> pd.DataFrame:
    """One replication: quality, cost in USD and number of 100 queries served of each policy; others find no money."""
    rows = [
        {"policy": name, "replication": 0, "quality": worth, "cost_usd": cost, "arrived": 100}
        | dict.fromkeys(FATES, 0)
        | {"served": n, "exhausted": 100 - n}
        for name, (worth, cost, n) in policies.items()
    ]
    return pd.DataFrame(rows)


def test_policies_stand_in_the_order_of_the_question_and_equal_ones_in_their_own() -> None:
    table = summary(a=(1, 1, 1), b=(2, 1, 1), optimum=(3, 1, 1), c=(1 + 1e-12, 1, 1)).assign(p95_s=[2, math.nan, 3, 1])
    assert standing(table) == ["optimum", "b", "a", "c"]
    assert standing(table, "p95_s") == ["c", "a", "optimum", "b"]  # the quickest first, and last what has no figure
    assert ranked(table, ["b", "a"])["policy"].tolist() == ["b", "a", "optimum", "c"]


def fates(words: str) -> pd.DataFrame:
    """The record of a run: s for served, e for exhausted, in order of arrival."""
    return pd.DataFrame({"id": range(len(words)), "fate": ["served" if word == "s" else "exhausted" for word in words]})


def test_a_policy_is_broke_when_most_of_the_next_queries_find_no_money() -> None:
    assert broke_after(fates("s" * 200)) is None
    assert broke_after(fates("s" * 120 + "e" * 80)) == 120
    assert broke_after(fates("s" * 50 + "e" + "s" * 49 + "esese" + "e" * 95)) == 102  # one refusal is no bankruptcy
    assert broke_after(fates("s" * 195 + "e" * 5)) is None  # money is there to be spent
    assert broke_after(fates("e")) is None


def test_three_policies_tell_of_money_the_best_the_first_to_go_broke_and_one_between() -> None:
    means = {"best": 10.0, "next": 9.0, "between": 7.0, "thrifty": 5.9, "greedy": 2.0, "last": 1.0}
    broke = {"best": None, "next": None, "between": 900, "thrifty": None, "greedy": 40, "last": 700}
    assert tellers(means, broke) == ["best", "between", "greedy"]
    assert tellers(means, dict.fromkeys(means)) == ["best", "thrifty", "last"]  # nobody goes broke
    assert tellers({"a": 1.0, "b": 0.5}, {"a": None, "b": None}) == ["a", "b"]
    words = "greedy goes broke after 40 of 1,000 queries and between after 900; the money of best lasts"
    assert told(["best", "between", "greedy"], broke, 1000) == words
    assert told(["best"], broke, 1000) == "the money of best lasts"


def written(figure: Figure) -> list[Text]:
    """The names of points."""
    return [text for text in figure.axes[0].texts if isinstance(text, Annotation)]


def test_every_point_of_cost_and_quality_has_a_name_that_hides_no_other_and_there_is_no_legend() -> None:
    rng = np.random.default_rng(0)
    many = {f"policy_{k:02d}": (float(rng.uniform(500, 900)), float(rng.uniform(0.1, 0.2)), 50) for k in range(16)}
    figure = cost_quality(summary(optimum=(1000, 0.2, 50), **many))
    names = written(figure)
    assert {text.get_text() for text in names} == {"optimum", *many}
    assert figure.axes[0].get_legend() is None
    figure.draw_without_rendering()
    boxes = [Text.get_window_extent(text) for text in names]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    plt.close(figure)


def test_of_very_many_policies_those_that_nobody_beats_are_named_in_any_case() -> None:
    crowd = {f"policy_{k:02d}": (100.0 + k / 100, 0.3, 50) for k in range(60)}
    figure = cost_quality(summary(cheap=(50, 0.1, 50), best=(200, 0.2, 50), **crowd))
    names = [text.get_text() for text in written(figure)]
    assert {"cheap", "best"} <= set(names)
    assert len(names) < 62
    assert figure.get_suptitle().replace("\n", " ") == ("No policy beats best or cheap for the same money")
    plt.close(figure)


def test_the_frontier_goes_through_the_policies_that_nobody_beats() -> None:
    figure = cost_quality(summary(cheap=(1, 1, 50), beaten=(1, 2, 50), dear=(3, 3, 50), optimum=(9, 2, 50)))
    line = figure.axes[0].lines[0]
    assert np.asarray(line.get_xydata()).tolist() == [
        [1, 1],
        [3, 3],
    ]  # cost and quality; what knows the future is not on it
    plt.close(figure)


def test_titles_say_what_figures_show() -> None:
    table = summary(optimum=(200, 1, 90), steward=(150, 1, 80), approximate_optimum=(100, 1, 80), greedy=(50, 1, 10))
    words = "steward gets a quality of 150, 200% more than greedy, 50% more than approximate_optimum"
    assert of_quality(table) == words
    assert of_quality(table.assign(optimum_ratio=0.74)) == f"{words}: 74% of the hindsight optimum"
    assert of_fates(table) == "90% of greedy's queries are lost for want of money, 20% of steward's"
    assert of_fates(summary(a=(1, 1, 100), b=(1, 1, 100))) == "a serves 100% of its queries, b 100%; none is lost"
    for draw in (quality, served):
        figure = draw(table)
        labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
        assert labels == ["optimum", "steward", "approximate_optimum", "greedy"]
        plt.close(figure)


@pytest.mark.parametrize("name", ["a_name_that_is_much_longer_than_the_figure_is_wide" * 4, "x"])
def test_one_policy_and_long_names_can_be_drawn(name: str) -> None:
    for draw in (quality, cost_quality, served):
        figure = draw(summary(**{name: (1.0, 1.0, 50)}))
        figure.draw_without_rendering()
        assert all(len(line) < 120 for line in figure.get_suptitle().split("\n"))
        plt.close(figure)


def test_the_demonstration_has_the_steward() -> None:
    defaults = yaml.safe_load((ROOT / "conf" / "compare.yaml").read_text())["defaults"]
    [policies] = [one["policy"] for one in defaults if isinstance(one, dict) and "policy" in one]
    assert "steward" in policies
