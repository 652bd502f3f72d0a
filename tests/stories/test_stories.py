"""Every number of every story, as a reader works it out by hand, and the page that tells them."""

from math import fsum

import pytest

from sim.cli.main import main
from sim.cli.project import opened
from sim.cli.verbs.telling.story import Chapter, stories
from tests.stories import page


def told(name: str) -> Chapter:
    (chapter,) = page.told(name)[1]
    return chapter


def column(chapter: Chapter, policy: str, name: str) -> list[str]:
    """A column of a policy's event table."""
    (rows,) = [rows for known, rows, _ in chapter.told.parts if known == policy]
    return [str(cell) for cell in rows[name]]


def earned(chapter: Chapter, policy: str) -> str:
    (said,) = [said for known, _, said in chapter.told.parts if known == policy]
    return said


def waits(chapter: Chapter, policy: str) -> list[float]:
    """How long each query that had to wait did so, in the order of their starts."""
    (rows,) = [rows for known, rows, _ in chapter.told.parts if known == policy]
    said = rows[rows["event"] == "starts"]["why"]
    return [float(each.removeprefix("after waiting ").removesuffix(" s")) for each in said]


def test_every_story_is_on_the_page_and_tiny() -> None:
    with opened(None, []):
        assert sorted(stories()) == sorted(page.READING_ORDER)
    for name in page.READING_ORDER:
        for chapter in page.told(name)[1]:
            assert len(chapter.queries) <= 12
            assert len([known for known in chapter.queries if str(known).endswith(": quality")]) in (2, 3)


def test_the_page_is_up_to_date() -> None:
    assert page.PAGE.read_text() == page.page()  # else: python -m tests.stories.page


def test_greed_pays_four_dollars_three_times_and_is_broke() -> None:
    chapter = told("greedy_goes_broke")
    assert column(chapter, "greedy_perf", "event") == ["served"] * 3 + ["refused"] * 5
    assert column(chapter, "greedy_perf", "budget_left") == ["9", "5", "1", "1", "1", "1", "1", "1"]
    assert earned(chapter, "greedy_perf") == (
        f"greedy_perf earns {1 + 0.8 + 1:.4g} for {3 * 4} USD and serves 3 of 8 queries. "
        f"Hindsight would earn {4 * 0.9 + 0.2 + 3 * 0.9:.4g} for {5 * 1 + 3 * 4} USD."
    )


def test_a_price_of_15_cents_keeps_the_large_model_for_hard_queries() -> None:
    chapter = told("greedy_goes_broke")
    sent = ["", "", "small", "small", "large", "small", "large", "large"]
    assert column(chapter, "awy_one_time", "deployment") == sent
    assert "0.9 (large 0.4)" in column(chapter, "awy_one_time", "why")[2]  # 1 - 4 x 0.15
    assert "0.3 (small 0.2)" in column(chapter, "awy_one_time", "why")[4]  # 0.9 - 4 x 0.15
    assert earned(chapter, "awy_one_time").startswith(f"awy_one_time earns {6 * 0.9:.4g} for {3 * 1 + 3 * 4} USD")
    planned = ["small 0.9", "small 0.2", "small 0.9", "small 0.9", "large 0.9", "small 0.9", "large 0.9", "large 0.9"]
    assert column(chapter, "awy_one_time", "hindsight") == planned


def test_the_price_of_a_budget_is_what_the_next_dollar_buys() -> None:
    gains = {0: (0.9 - 0.5) / 2, 1: (0.8 - 0.6) / 2, 2: (0.9 - 0.3) / 2, 3: (0.8 - 0.7) / 2}
    third = sorted(gains.values(), reverse=True)[2]  # 5 USD pay for two queries and half of a third
    chapter = told("price_of_a_budget")
    said = "In hindsight one more unit of a budget is worth, in quality: large"
    assert chapter.told.prices == f"{said} {third:.4g}."
    assert column(chapter, "carrot", "deployment") == ["large", "small", "large", "small"]
    assert "earns 3.1 for 4 USD" in earned(chapter, "carrot")
    assert "earns 1.7 for 4 USD" in earned(chapter, "greedy_perf")


def test_each_of_two_routers_wins_in_one_order() -> None:
    rising, falling = page.told("two_orders")[1]
    assert (rising.order, falling.order) == ("hard_first", "easy_first")
    for chapter, policy, quality in (
        (rising, "greedy_perf", fsum([0.3, 0.4, 0.5])),
        (rising, "awy_one_time", fsum([0.5, 0.7, 0.8])),
        (falling, "greedy_perf", fsum([0.9, 0.8, 0.7])),
        (falling, "awy_one_time", 4 * 0.2),
    ):
        assert earned(chapter, policy).startswith(f"{policy} earns {quality:.4g} for")
        assert "Hindsight would earn 3 for 6 USD" in earned(chapter, policy)
    assert "0.3 (small 0.2)" in column(rising, "awy_one_time", "why")[2]  # 0.5 - 2 x 0.1
    assert "0.2 (large 0)" in column(falling, "awy_one_time", "why")[2]  # 0.7 - 2 x 0.35


def test_two_more_queries_to_learn_from_teach_nothing_and_cost_what_they_would_have_earned() -> None:
    chapter = told("exploration_costs")
    assert "earns 2.59 for 12 USD" in earned(chapter, "awy_one_time")  # 0.8 + 1 + 0.79
    two, four = 0.9 + 0.2 + 0.9 + 0.9 + 0.9 + 0.9, 4 * 0.9
    assert f"earns {two:.4g} for" in earned(chapter, "learns_from_two")
    assert f"earns {four:.4g} for" in earned(chapter, "learns_from_four")
    for place, policy in ((5, "learns_from_two"), (5, "learns_from_four")):  # 0.9 - 4 x 0.15
        assert "large has the highest score, 0.3" in column(chapter, policy, "why")[place]


def test_the_cascade_pays_both_models_four_times_of_six() -> None:
    chapter = told("cascade_pays_twice")
    assert earned(chapter, "cascade").startswith(f"cascade earns 4 for {2 * 1 + 4 * (1 + 3)} USD")
    assert earned(chapter, "always_large").startswith(f"always_large earns 5 for {6 * 3} USD")
    assert [column(chapter, "cascade", "query").count(str(query)) for query in range(6)] == [1, 2, 2, 1, 2, 2]
    again = [why for why in column(chapter, "cascade", "why") if why.startswith("it looked at the answer of small")]
    assert [why.split("confidence ")[1].split(";")[0] for why in again] == ["0.2", "0.4", "0.1", "0.3"]


def test_each_query_waits_three_seconds_longer_for_the_cheap_model() -> None:
    chapter = told("cheap_model_full")
    assert waits(chapter, "knn_threshold") == [3, 6, 9, 12, 15]  # 4 k - k seconds
    assert waits(chapter, "cheapest_available") == [3, 1, 1, 4]
    assert "in 11.5 s on average" in earned(chapter, "knn_threshold")
    assert "earns 5.1 for 12 USD" in earned(chapter, "cheapest_available")
    assert "in 4.5 s on average" in earned(chapter, "cheapest_available")


def test_waits_at_95_percent_load_are_those_of_lindleys_recursion() -> None:
    times = [0, 0, 1, 1, 1, 2, 6, 6, 6, 7, 10, 11]
    expected = {}
    for server in (0, 1):  # in turn
        free_s = 0.0
        for query in range(server, 12, 2):
            began_s = max(float(times[query]), free_s)
            expected[query] = began_s - times[query]
            free_s = began_s + 1.9
    chapter = told("queue_at_95")
    for policy in ("round_robin", "least_loaded"):
        assert sorted(waits(chapter, policy)) == pytest.approx(sorted(wait for wait in expected.values() if wait > 0))
        assert f"in {1.9 + sum(expected.values()) / 12:.4g} s on average" in earned(chapter, policy)


def test_behind_a_stale_dashboard_four_queries_in_a_row_go_to_one_server() -> None:
    chapter = told("stale_dashboard")
    (rows,) = [rows for known, rows, _ in chapter.told.parts if known == "least_loaded"]
    assert rows[rows["event"] == "sent"]["deployment"].tolist() == ["one"] * 4 + ["two"] * 4
    assert sorted(waits(chapter, "least_loaded")) == [1, 1, 2, 2, 3, 3]
    assert waits(chapter, "round_robin") == []


def test_the_answer_is_told_when_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["story", "price_of_a_budget", "--answer"]) == 0
    shown = capsys.readouterr().out
    assert "Question: What is one more dollar of the budget worth" in shown
    assert "Answer: Per dollar large adds" in shown


def test_the_answer_is_not_told_before(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["story", "price_of_a_budget", "budget.amounts_by_deployment.large=7"]) == 0
    shown = capsys.readouterr().out
    assert "quality: large 0.05." in shown  # 6 USD pay for three queries, and the seventh dollar for half of query 3
    assert "The answer: switchyard story price_of_a_budget budget.amounts_by_deployment.large=7 --answer" in shown
    assert "Per dollar" not in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["greedy_broke"], "unknown story 'greedy_broke'; did you mean 'greedy_goes_broke'?"),
        ([], "story needs one name; the stories are cascade_pays_twice"),
        (["two_orders", "out=x"], "story writes nothing, so that out=x does nothing; leave it out"),
    ],
)
def test_a_story_that_is_not_there_is_one_clear_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["story", *words]) == 1
    assert capsys.readouterr().err.startswith(f"switchyard: {said}")
    assert main(["run", "--answer"]) == 2
