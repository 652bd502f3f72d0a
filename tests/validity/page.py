"""Writes docs/evidence/validity.md from what the tests that compare a figure with somebody else's have noted.

make proof
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

PAGE = Path(__file__).resolve().parents[2] / "docs" / "evidence" / "validity.md"
SECTIONS = {
    "Queues": (
        "Simulated queues beside closed forms of queueing theory, and beside Ciw on the same customers. "
        "Of right figures one in twenty lies outside its 95% interval."
    ),
    "Priorities": "Classes of customers, without preemption and with preemptive-resume.",
    "Files": "What the tool says of a real file beside what pandas says of the raw file.",
    "Prefix caching": "Hits of a replica's prefix cache beside a count from Mooncake's block numbers.",
    "Disaggregation": "Prefill and decoding in pools of their own, with a link between them.",
    "Capacity that moves": "Autoscalers, spot instances and profiles of the day.",
    "Measured servers": "vLLM 0.19.0, on the half that no fit has seen; a roofline has seen none.",
    "Plans": "Answers of `switchyard plan` beside formulas and beside trying everything.",
    "Money": "Budgets and limits beside sums by hand.",
    "Live": "Simulated decisions on a recorded day that are those which the policy made live.",
}
HEAD = """# Figures of ours beside somebody else's

Every row is a figure of this project beside the same figure of a formula, of another program, of plain code or of a
measured server. A test makes each row and holds it as near as the last column says. `make proof` runs these tests and
writes this page. The rows of measured servers and of real traces need those files beside the project; without them
the page stays as it is.
"""


def noted(path: Path) -> list[dict[str, str | float]]:
    """Return what the tests of a JUnit report noted, in the order of the report; raise ValueError if one failed."""
    root = ElementTree.parse(path).getroot()
    wrong = [case.get("name") for case in root.iter("testcase") if case.find("failure") is not None]
    if wrong:
        raise ValueError(f"{len(wrong)} tests failed, the first is {wrong[0]}; the page stays as it is")
    cases = [case for case in root.iter("testcase") if case.get("classname")]  # others are files of other tests
    left_out = [case.get("name") for case in cases if case.find("skipped") is not None]
    if left_out:
        raise ValueError(f"{len(left_out)} tests were skipped, the first is {left_out[0]}; the page stays as it is")
    return [json.loads(one.get("value", "")) for one in root.iter("property") if one.get("name") == "beside"]


def page(rows: Sequence[Mapping[str, str | float]]) -> str:
    """Return the page of these rows; raise ValueError for a row of an unknown section."""
    if odd := {str(row["section"]) for row in rows} - set(SECTIONS):
        raise ValueError(f"the page has no section {sorted(odd)[0]!r}; it has {', '.join(SECTIONS)}")
    parts = [HEAD]
    for section, about in SECTIONS.items():
        lines = sorted({line(row) for row in rows if row["section"] == section}, key=in_order)
        if lines:
            table = ["| figure | ours | theirs | difference | whose | held to |", "|---|---|---|---|---|---|", *lines]
            parts.append(f"## {section}\n\n{about}\n\n" + "\n".join(table) + "\n")
    return "\n".join(parts)


def in_order(text: str) -> list[tuple[float, str]]:
    """Order lines by their words, and numbers in them by their size."""
    return [
        (float(word), "") if word.replace(".", "", 1).isdigit() else (math.inf, word)
        for word in text.replace(",", "").split()
    ]


def line(row: Mapping[str, str | float]) -> str:
    """Return a row of the table."""
    ours, theirs = float(row["ours"]), float(row["theirs"])
    return (
        f"| {row['figure']} | {number(ours)} | {number(theirs)} | {difference(ours, theirs)} "
        f"| {row['whose']} | {row['held']} |"
    )


def number(value: float) -> str:
    """Return a number in four digits, whole numbers whole."""
    if value == round(value) and abs(value) < 1e9:
        return f"{value:,.0f}"
    return f"{value:,.{max(0, 3 - math.floor(math.log10(abs(value))))}f}"


def difference(ours: float, theirs: float) -> str:
    """Return by how much ours is above theirs, relative where theirs is not 0."""
    if math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-12):
        return "none"
    if theirs == 0:
        return f"{ours:+.2g}"
    share = ours / theirs - 1
    return f"{share:+.2%}" if abs(share) >= 5e-5 else "below 0.01%"


def main() -> None:
    """Write the page from the report that is named on the command line; say why if it cannot be written."""
    try:
        PAGE.write_text(page(noted(Path(sys.argv[1]))))
    except ValueError as error:
        sys.stderr.write(f"{error}\n")


if __name__ == "__main__":
    main()
