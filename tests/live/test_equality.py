"""A day that a gateway recorded is simulated: every decision is the one that was made, whatever happened meanwhile."""

from pathlib import Path

import pandas as pd
import pytest

from scenarios.recorded.day import read_day
from sim.cli import api
from tests.conftest import Beside
from tests.live.days import NAMES, live_day


def simulated(day: Path, policy: str) -> pd.DataFrame:
    return api.run(f"record={day}", f"policy={policy}", "metric=[]")


def live_decisions(path: Path) -> list[str | None]:
    """What took each query; else what the policy chose, though it could not take it; None for one that it declined."""
    day = read_day(str(path))
    places = zip(day.place("taken").tolist(), day.place("chosen").tolist(), strict=True)
    return [None if max(taken, chosen) < 0 else NAMES[chosen if taken < 0 else taken] for taken, chosen in places]


def simulated_decisions(requests: pd.DataFrame) -> list[str | None]:
    return [None if pd.isna(name) else str(name) for name in requests["deployment"]]


@pytest.mark.parametrize(
    ("policy", "shadow"),
    [("port", False), ("random", False), ("steward", False), ("greenserv", False), ("greenserv", True)],
)
@pytest.mark.filterwarnings("ignore::sim.errors.Note")
def test_every_simulated_decision_is_the_live_one(policy: str, shadow: bool, tmp_path: Path, beside: Beside) -> None:
    path = live_day(tmp_path, api.policies(policy)[policy], shadow=shadow, expected=75)
    day, requests = read_day(str(path)), simulated(path, policy)
    assert requests["arrived_at_s"].tolist() == day.frame["at_s"].tolist()
    assert day.frame["error"].isna().all()
    live, again = live_decisions(path), simulated_decisions(requests)
    assert again == live
    figure = f"decisions of {policy}{', in shadow mode' if shadow else ''}, of {len(live)} queries of a recorded day"
    alike = sum(one == other for one, other in zip(again, live, strict=True))
    beside("Live", figure, alike, len(live), "the decisions made live", "every decision")
