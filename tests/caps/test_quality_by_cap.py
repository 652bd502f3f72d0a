"""Where quality by cap comes from: columns of a table, a made-up curve, arrays made in Python."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from scenarios.workloads.capping import CAPS as CURVE_CAPS
from scenarios.workloads.capping import retained
from scenarios.workloads.synthetic import synthetic
from scenarios.workloads.table import table
from sim.errors import Note
from sim.interface import History
from sim.workload import Workload
from tests.caps.capped import CAPS, rows_of, world

NOTHING: dict[str, Any] = {}
WHOLE = {"a": [0.0, 1.0, 0.0, 1.0], "b": [1.0, 0.8, 0.6, 0.4]}


def read(
    folder: Path,
    columns: Mapping[str, Any] = NOTHING,
    *,
    has_tokens: bool = True,
    scores: str = "strict",
    curve: float | None = None,
) -> Workload:
    """Return the workload of two history and two test queries on models a and b, with these columns besides."""
    frame = pd.DataFrame({"split": ["history", "history", "test", "test"], "input_tokens": [1, 2, 3, 4]})
    for model, whole in WHOLE.items():
        frame[model] = whole
        frame[f"{model}|total_cost"] = 0.1
        if has_tokens:
            frame[f"{model}|output_tokens"] = [100, 100, 100, 15]
    frame.assign(**{"a@20": 0.1, "b@20": 0.2, **columns}).to_csv(folder / "t.csv", index=False)
    np.save(folder / "e.npy", np.eye(4, dtype=np.float32))
    return table(str(folder / "t.csv"), embeddings=str(folder / "e.npy"), scores=scores, cap_curve=curve)


def test_columns_of_a_table_are_scores_at_caps(tmp_path: Path) -> None:
    made = read(tmp_path, {"a@60": [0.3, 0.4, 0.5, 0.6], "b@60": 0.7})
    assert made.caps == (20, 60)
    assert made.test.capped_quality is not None
    assert made.test.capped_quality.tolist() == [[[0.1, 0.5], [0.2, 0.7]], [[0.1, 0.6], [0.2, 0.7]]]


def test_a_cap_that_one_model_lacks_lies_between_its_own(tmp_path: Path) -> None:
    made = read(tmp_path, {"a@10": [0.0, 0.0, 0.08, 0.2], "b@60": 0.3})
    assert made.caps == (10, 20, 60)
    first, second = made.test.capped_quality  # type: ignore[misc]
    assert first[0].tolist() == pytest.approx([0.08, 0.1, 0.1 + (0.0 - 0.1) * 40 / 80])  # from 20 to the whole at 100
    assert first[1].tolist() == pytest.approx([0.1, 0.2, 0.3])  # halfway between no token and 20
    assert second[0].tolist() == pytest.approx([0.2, 1.0, 1.0])  # its answer has 15 tokens


def test_scores_at_caps_may_be_clipped_like_others(tmp_path: Path) -> None:
    with pytest.warns(Note, match="1 of 4 scores were outside"):
        made = read(tmp_path, {"a@20": [0.1, 1.5, 0.1, 0.1]}, scores="clip")
    assert made.history.capped_quality is not None
    assert made.history.capped_quality[1, 0].tolist() == [1.0]


def rewritten(folder: Path, without: list[str]) -> Workload:
    """Return the workload of the same table without some columns."""
    pd.read_csv(folder / "t.csv").drop(columns=without).to_csv(folder / "t.csv", index=False)
    return table(str(folder / "t.csv"), embeddings=str(folder / "e.npy"))


def test_a_table_without_columns_by_cap_has_none(tmp_path: Path) -> None:
    read(tmp_path)
    made = rewritten(tmp_path, without=["a@20", "b@20"])
    assert (made.caps, made.test.capped_quality) == ((), None)


def test_caps_that_some_models_lack_are_not_read_and_a_note_says_whose(tmp_path: Path) -> None:
    read(tmp_path)
    with pytest.warns(Note, match=r"^no scores by cap are read, as there are none of b \(in .*t.csv\)$"):
        assert rewritten(tmp_path, without=["b@20"]).caps == ()


def test_what_stands_after_the_sign_and_is_no_number_of_tokens_is_not_read(tmp_path: Path) -> None:
    with pytest.warns(Note, match=r"^2 columns are not read: 'a@all', 'b@020'"):
        assert read(tmp_path, {"a@all": 1.0, "b@020": 1.0}).caps == (20,)


REFUSED: dict[str, tuple[dict[str, object], dict[str, Any], str]] = {
    "a score": ({"a@20": [0.1, 1.5, 0, 0]}, {}, r"score of model 'a@20' is 1.5 in row 1 of the table; .*\[0, 1\]"),
    "an empty score": ({"b@20": [0.1, np.nan, 0, 0]}, {}, r"'b@20' is 'nan' in row 1 of the table; it must be a num"),
    "no tokens": ({}, {"has_tokens": False}, r"scores by cap, such as 'a@20', and no output tokens, so nobody knows"),
    "a curve besides": ({}, {"curve": 3.0}, r"workload.cap_curve is 3.0, and the workload has scores by cap already"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.filterwarnings("ignore::sim.errors.Note")
def test_columns_that_cannot_be_are_refused(tmp_path: Path, case: str) -> None:
    columns, others, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        read(tmp_path, columns, **others)


# --- the curve


def test_an_answer_keeps_more_of_its_score_the_larger_the_curve() -> None:
    share = np.array([0.0, 0.25, 0.5, 1.0])
    assert retained(3.0, share).tolist() == pytest.approx([0.0, 0.555, 0.818, 1.0], abs=1e-3)
    assert retained(1e-9, share).tolist() == pytest.approx(share.tolist())  # the straight line
    assert retained(1000.0, share).tolist() == pytest.approx([0.0, 1.0, 1.0, 1.0])


def test_the_synthetic_workload_has_the_curve_and_stays_as_it_was_besides() -> None:
    plain, made = (synthetic(n_queries=30, n_history=20, n_models=3, dim=4, cap_curve=curve) for curve in (None, 3.0))
    assert (plain.caps, plain.test.capped_quality) == ((), None)
    assert made.caps == CURVE_CAPS
    for name in ("quality", "cost_usd", "output_tokens", "confidence"):
        np.testing.assert_array_equal(getattr(made.test, name), getattr(plain.test, name))
    assert made.test.capped_quality is not None
    assert made.test.output_tokens is not None
    n = int(made.test.output_tokens[7, 1])
    kept = (1 - np.exp(-3 * 50 / n)) / (1 - np.exp(-3)) if n > 50 else 1.0
    assert made.test.capped_quality[7, 1, CURVE_CAPS.index(50)] == pytest.approx(made.test.quality[7, 1] * kept)


@pytest.mark.parametrize("curve", [0.0, -1.0, 1001.0, float("nan")])
def test_a_curve_out_of_its_range_is_refused(curve: float) -> None:
    with pytest.raises(ValueError, match=r"^workload.cap_curve is .*; it must be above 0 and at most 1000$"):
        synthetic(n_queries=3, n_history=3, n_models=2, dim=4, cap_curve=curve)


# --- arrays


MADE: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "a score": (
        {"capped_quality": np.full((2, 2, 2), 1.5)},
        {},
        r"at cap 20 of model 'a' is 1.5 in history row 0",
    ),
    "no score": ({"capped_quality": np.full((2, 2, 2), np.nan)}, {}, r"the score at cap 20 of model 'a' is nan in"),
    "a shape": (
        {"capped_quality": np.ones((2, 2, 3))},
        {},
        r"is of shape \(2, 2, 3\), not of shape \(2, 2, 2\)",
    ),
    "nothing": ({"capped_quality": None}, {}, r"history capped_quality is missing, not of shape \(2, 2, 2\)"),
    "no tokens": ({"output_tokens": None}, {}, r"history rows have quality by cap and no output tokens"),
    "no order": ({}, {"caps": (60, 20)}, r"caps are 60, 20; they must be at least 1 token, and ascend"),
    "a cap of 0": ({}, {"caps": (0, 20)}, r"caps are 0, 20; they must be at least 1 token, and ascend"),
    "no caps": ({}, {"caps": ()}, r"capped_quality is of shape \(2, 2, 2\), not of shape \(2, 2, 0\)"),
}


@pytest.mark.parametrize("case", MADE)
def test_a_workload_made_in_python_is_held_to_the_same_ranges(case: str) -> None:
    of_rows, of_workload, message = MADE[case]
    rows = replace(rows_of(2), **of_rows)
    with pytest.raises(ValueError, match=message):
        Workload(("a", "b"), rows, rows, **{"caps": CAPS, **of_workload})


# --- what policies are told


def test_the_history_says_what_cut_answers_are_worth_and_cost() -> None:
    capped = world(2).setting.history.capped
    assert capped is not None
    assert capped.caps.tolist() == [20, 60]
    assert capped.quality[0].tolist() == [[0.1, 0.3], [0.4, 0.6]]
    assert capped.cost[0] == pytest.approx(np.array([[0.3, 0.7], [0.6, 1.4]]))


def test_where_an_answer_is_no_longer_than_the_cap_the_history_has_the_whole_one() -> None:
    rows = replace(rows_of(1), output_tokens=np.array([[60, 15]]))
    capped = world(1, rows=rows).setting.history.capped
    assert capped is not None
    assert capped.quality[0].tolist() == [[0.1, 0.8], [1.0, 1.0]]
    assert capped.cost[0] == pytest.approx(np.array([[1.1 * 30 / 70, 1.1], [2.2, 2.2]]))


def test_the_history_at_a_cap_is_one_that_an_estimator_can_learn_from() -> None:
    history = world(2).setting.history
    at_20 = history.at_cap(0)
    assert isinstance(at_20, History)
    assert at_20.quality.tolist() == [[0.1, 0.4]] * 2
    assert at_20.capped is None
    assert at_20.units == history.units
    with pytest.raises(ValueError, match="the history has no quality by cap"):
        at_20.at_cap(0)
