"""What all tests share: how many examples they draw, and the fixture by which a test says what it compared.

``tests.validity`` makes a page of what was compared.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable

import pytest

PROOF = bool(os.environ.get("PROOF"))  # make proof sets it
Beside = Callable[[str, str, float, float, str, str], None]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that compares a figure with somebody else's, so that one command runs them all."""
    for item in items:
        if "beside" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.validity)


@pytest.fixture
def beside(record_property: Callable[[str, object], None]) -> Beside:
    """Return a function that notes a figure of ours beside the same figure of somebody else.

    Its arguments: the section of the page, what the figure is, ours, theirs, whose theirs is, and how near the test
    holds the two.
    """

    def note(section: str, figure: str, ours: float, theirs: float, whose: str, held: str) -> None:
        values = {"ours": float(ours), "theirs": float(theirs)}
        record_property(
            "beside", json.dumps({"section": section, "figure": figure, "whose": whose, "held": held} | values)
        )

    return note
