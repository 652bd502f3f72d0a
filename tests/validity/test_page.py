"""The page of figures beside somebody else's is what the tests of a report noted, or stays as it is."""

import json
from pathlib import Path

import pytest

from tests.validity.page import PAGE, SECTIONS, line, noted, page

ROW: dict[str, str | float] = {
    "section": "Queues",
    "figure": "mean wait, s",
    "whose": "M/M/1",
    "held": "1%",
    "ours": 4.04,
    "theirs": 4.0,
}


def written(folder: Path, inside: str) -> Path:
    path = folder / "report.xml"
    path.write_text(f'<testsuites><testcase classname="t" name="a_test">{inside}</testcase></testsuites>')
    return path


def test_a_row_says_ours_theirs_and_the_difference() -> None:
    assert line(ROW) == "| mean wait, s | 4.040 | 4 | +1.00% | M/M/1 | 1% |"
    assert "| none |" in line(ROW | {"ours": 4.0})
    assert "| +0.5 |" in line(ROW | {"ours": 0.5, "theirs": 0.0})


def test_what_tests_noted_comes_back(tmp_path: Path) -> None:
    value = json.dumps(ROW).replace('"', "&quot;")
    path = written(tmp_path, f'<properties><property name="beside" value="{value}" /></properties>')
    assert noted(path) == [ROW]
    assert page(noted(path)).endswith("| mean wait, s | 4.040 | 4 | +1.00% | M/M/1 | 1% |\n")


@pytest.mark.parametrize(("inside", "message"), [("<failure />", "1 tests failed"), ("<skipped />", "1 tests were")])
def test_without_every_figure_there_is_no_page(inside: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"{message}.*a_test; the page stays as it is"):
        noted(written(tmp_path, inside))


def test_a_row_of_an_unknown_section_is_refused() -> None:
    with pytest.raises(ValueError, match="no section 'Weather'"):
        page([ROW | {"section": "Weather"}])


def test_the_page_has_every_section() -> None:
    text = PAGE.read_text()
    assert [section for section in SECTIONS if f"\n## {section}\n" not in text] == []
