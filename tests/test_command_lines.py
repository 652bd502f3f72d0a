"""Random legal command lines: what holds for every one of them. ``tests.command_lines`` draws them.

What a line says of itself is printed when it fails, so that it can be pasted into a shell.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, event, given, note, reject, seed, settings

from sim.cli.main import main
from sim.instance import Instance
from sim.interface import TOLERANCE
from sim.scenario import TokenBucket, Window
from tests.command_lines import NEEDS_A_FILE, SLOW, Line, Study, lines, measured, options, record, study, with_one_more

QUICK_SHARDS, QUICK_EACH = 6, 50
SHARDS, EACH = 20, 1000
TIMES = [
    "arrived_at_s",
    "decided_at_s",
    "offered_at_s",
    "started_at_s",
    "first_token_at_s",
    "finished_at_s",
    "ended_at_s",
]


def hold(line: Line) -> None:
    """Hold a line to everything."""
    note(str(line))
    try:
        one = study(line)
        scenario = one.moved(0.0)
        run = measured(one, scenario)
    except ValueError as error:
        event(f"refused: {str(error)[:60]}")  # its parts do not go together
        reject()
    requests = run.requests
    again, instance = record(one.policy(), scenario, one.config.seed)
    pd.testing.assert_frame_equal(again, requests, check_exact=True)
    if not one.is_closed:
        for shift_s in (3600.0, 1.7e9):
            moved, _ = record(one.policy(), one.moved(shift_s), one.config.seed)
            pd.testing.assert_frame_equal(moved, requests, check_exact=True)
    more = with_one_more(one, scenario, len(instance.fleet))
    pd.testing.assert_frame_equal(plain(more), plain(requests), check_exact=True)
    hold_fates(requests, instance)
    hold_budgets(one, requests, instance)


def plain(requests: pd.DataFrame) -> pd.DataFrame:
    """The table with names of deployments as texts."""
    return requests.assign(deployment=requests["deployment"].astype(object))


def hold_fates(requests: pd.DataFrame, instance: Instance) -> None:
    """Every arrival has one fate, and time runs forward."""
    assert len(requests) == len(instance.rows)
    assert (requests["fate"] != "pending").all()
    assert requests["arrived_at_s"].min() == 0
    assert requests["arrived_at_s"].is_monotonic_increasing
    served = requests[requests["fate"] == "served"]
    assert served[TIMES].notna().all(axis=None)
    steps = np.diff(served[TIMES[:-1]].to_numpy(), axis=1)
    assert (steps >= -1e-9 * (1 + served["ended_at_s"].to_numpy()[:, None])).all()
    unserved = requests[requests["fate"] != "served"]
    assert unserved["finished_at_s"].isna().all()
    assert (unserved["quality"] == 0).all()
    assert (unserved["cost_usd"] == 0).all()


def hold_budgets(one: Study, requests: pd.DataFrame, instance: Instance) -> None:
    """No budget is overspent, by the truth and the table alone."""
    scenario = one.scenario
    if scenario.reserve == "estimate":
        return  # which may be overshot
    events = {type(event).__name__: event for event in scenario.events}
    top_up = events.get("TopUp")
    window = scenario.window
    for k, (info, budget) in enumerate(zip(instance.setting.fleet, instance.setting.budgets.tolist(), strict=True)):
        here = requests[(requests["fate"] == "served") & (requests["deployment"] == info.name)]
        rows = instance.rows[here["id"].to_numpy()]
        spent = here["cost_usd"].to_numpy() if info.unit == "usd" else instance.cost[rows, k]
        added = top_up.amount if top_up is not None and top_up.deployment == info.name else 0.0  # type: ignore[attr-defined]
        limit = budget + added
        if isinstance(window, Window) and not window.spread:
            number = np.floor(here["offered_at_s"].to_numpy() / window.length_s + 1e-9)
            limit += budget * number.max() if len(number) and np.isfinite(budget) else 0.0
            if not window.rollover and not added:
                assert pd.Series(spent).groupby(number).sum().le(budget * (1 + TOLERANCE)).all()
        else:
            assert window is None or isinstance(window, Window | TokenBucket)
        assert spent.sum() <= limit * (1 + TOLERANCE)


def hold_many(number: int, how_many: int, slow: bool) -> None:
    """Draw lines from a fixed seed and hold each."""

    @seed(number)
    @settings(
        max_examples=how_many,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(line=lines(slow))
    def each(line: Line) -> None:
        hold(line)

    each()


@pytest.mark.parametrize("shard", range(QUICK_SHARDS))
def test_three_hundred_random_command_lines_hold_to_everything(shard: int) -> None:
    hold_many(shard, QUICK_EACH, slow=False)


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(SHARDS))
def test_twenty_thousand_random_command_lines_hold_to_everything(shard: int) -> None:
    hold_many(1000 + shard, EACH, slow=True)


LINE = Line(
    {"workload": "synthetic", "fleet": "slots", "policy": "least_loaded", "window": "bucket", "events": ("outage",)},
    {
        "seed": 3,
        "workload.n_queries": 60,
        "workload.n_history": 50,
        "fleet.service.slots": 2,
        "fleet.patience": {"_target_": "sim.world.distributions.Constant", "value_s": 1.0},
        "events.outage.at_s": 2.0,
        "exhausted": "wait",
    },
)


@pytest.mark.parametrize("line", [LINE])
def test_a_line_gives_through_the_command_what_it_gives_here(line: Line, tmp_path: Path) -> None:
    assert main(["run", *line.words, f"out={tmp_path / 'out'}"]) == 0
    theirs = pd.read_parquet(tmp_path / "out" / "requests.parquet")
    one = study(line)
    ours = measured(one, one.scenario).requests
    assert theirs["fate"].astype(str).tolist() == ours["fate"].astype(str).tolist()
    assert theirs["ended_at_s"].tolist() == ours["ended_at_s"].tolist()


def test_every_option_is_drawn_or_named_as_one_that_needs_a_file_or_time() -> None:
    groups = ("workload", "fleet", "policy", "budget", "window", "arrivals", "order", "events", "metric")
    for group in groups:
        known = {*options(group), *NEEDS_A_FILE.get(group, set()), *SLOW.get(group, set())}
        assert known == {path.stem for path in (Path(__file__).resolve().parents[1] / "conf" / group).glob("*.yaml")}
