"""Random legal command lines: what holds for every one of them. ``tests.command_lines`` draws them.

A line that fails is printed, so that it can be pasted into a shell. It is found again by the seed of its shard.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hydra import initialize_config_module
from hypothesis import HealthCheck, Phase, given, note, seed, settings
from omegaconf import OmegaConf

from scenarios.events import Joins, Leaves, Outage, PriceChange, TopUp
from sim.cli.configuration import configure
from sim.cli.main import main
from sim.instance import Instance
from sim.interface import TOLERANCE, FloatArray, IntArray
from sim.scenario import TokenBucket, Window
from sim.spending import Calendar
from sim.study.oracles import EstimateCache
from tests.changing.given import given_scores
from tests.command_lines import FOR_SWEEPS, GROUPS, NEEDS_A_FILE, Line, lines, options
from tests.drawn_studies import CONF, Study, configuration, measured, record, study
from tests.held_tasks import hold_tasks, test_rows, true_costs
from tests.one_more import with_one_more

pytestmark = pytest.mark.filterwarnings("ignore:the times of .* are since 1970:sim.errors.Note")

QUICK_SHARDS, QUICK_EACH = 6, 10
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
    """Hold a line to everything. It is legal, so nothing may refuse it."""
    note(str(line))
    estimates = EstimateCache()
    one = study(line)
    scenario = one.moved(0.0)
    run = measured(one, scenario, estimates)
    again = measured(one, scenario, EstimateCache())
    pd.testing.assert_frame_equal(again.requests, run.requests, check_exact=True)
    pd.testing.assert_series_equal(figures(again.summary), figures(run.summary), check_exact=True)
    predicted = estimates.get(one.policy().estimator, run.instance)
    for shift_s in () if one.is_closed else (3600.0, 1.7e9):
        moved, _ = record(one.policy(), one.moved(shift_s), one.seed, predicted)
        pd.testing.assert_frame_equal(moved, run.requests, check_exact=True)
    more = with_one_more(one, scenario, predicted, run.instance.setting.budgets)
    pd.testing.assert_frame_equal(plain(more), plain(run.requests), check_exact=True)
    hold_fates(run.requests, run.instance, run.calls is not None)
    span_s = max(float(np.cumsum(run.instance.gaps_s)[-1]), float(np.finfo(np.float64).tiny))
    if one.is_closed:
        span_s = float(run.requests["arrived_at_s"].iloc[-1])
    tried = run.requests if run.calls is None else run.calls.assign(id=run.calls["query"])
    rows = test_rows(run)
    hold_budgets(one, tried, span_s, run.instance, rows, predicted.cost)
    hold_limits(one, tried)
    hold_events(one, tried, run.instance, rows, true_costs(run, rows))
    if run.tasks is not None:
        hold_tasks(run, rows)
    else:
        scores = given_scores(run, rows)
        is_told = (run.requests["fate"] == "served").to_numpy() & ~np.isnan(scores)
        np.testing.assert_allclose(run.requests["quality"].to_numpy()[is_told], scores[is_told], rtol=0, atol=1e-9)
    assert not float(run.summary["optimum_ratio"]) > 1 + 1e-6  # it may be NaN


def figures(summary: dict[str, float | int | str]) -> pd.Series[Any]:
    """A row of the summary without what no two runs share."""
    return pd.Series({name: value for name, value in summary.items() if name != "wall_s"}, dtype=object)


def plain(requests: pd.DataFrame) -> pd.DataFrame:
    """The table with names of deployments as texts."""
    return requests.assign(deployment=requests["deployment"].astype(object))


def hold_fates(requests: pd.DataFrame, instance: Instance, takes_calls: bool) -> None:
    """Every arrival has one fate, and time runs forward; what took several calls may cost something and be lost."""
    assert requests["id"].tolist() == list(range(len(requests)))
    assert len(requests) == len(instance.rows) or (instance.tasks is not None and len(requests) < len(instance.rows))
    assert (requests["fate"] != "pending").all()
    assert requests["arrived_at_s"].min() == 0
    assert requests["arrived_at_s"].is_monotonic_increasing
    served = requests[requests["fate"] == "served"]
    assert served[TIMES].notna().all(axis=None)
    steps = np.diff(served[TIMES[:-1]].to_numpy(), axis=1)
    assert (steps >= -1e-9 * (1 + served["ended_at_s"].to_numpy()[:, None])).all()
    cached = requests[requests["fate"] == "cached"]
    assert (cached["cost_usd"] == 0).all()
    assert (cached["ended_at_s"] >= cached["arrived_at_s"]).all()
    assert set(cached["answer_of"]) <= set(served["id"])
    lost = requests[~requests["fate"].isin(["served", "cached"])]
    assert lost["finished_at_s"].isna().all()
    assert (lost[["quality"] if takes_calls else ["quality", "cost_usd"]] == 0).all(axis=None)
    assert not (lost["fate"].isin(["exhausted", "rejected"]) & lost["started_at_s"].notna()).any()


def tokens(tried: pd.DataFrame) -> FloatArray:
    """What each query or call takes from a budget in tokens."""
    return (tried["input_tokens"] + tried["output_tokens"]).to_numpy(dtype=np.float64)


def hold_budgets(
    one: Study, tried: pd.DataFrame, span_s: float, instance: Instance, rows: IntArray, cost_hat: FloatArray
) -> None:
    """No budget is overspent at any time, by the truth and the table alone: of queries, or of calls."""
    scenario = one.scenario
    fleet, budgets = instance.setting.fleet, instance.setting.budgets
    accounts = np.array([info.account or info.name for info in fleet])
    for account in np.unique(accounts):
        members = [info.name for info in fleet if (info.account or info.name) == account]
        budget, info = float(budgets[accounts == account][0]), fleet[int((accounts == account).argmax())]
        here = tried[(tried["fate"] == "served") & tried["deployment"].isin(members)]
        here = here.sort_values("offered_at_s", kind="stable")
        if here.empty or np.isinf(budget):
            continue
        at_s = here["offered_at_s"].to_numpy()
        k = here["deployment"].map({info.name: k for k, info in enumerate(fleet)}).to_numpy(dtype=np.int64)
        spent = here["cost_usd"].to_numpy() if info.unit == "usd" else tokens(here)
        added = sum(
            event.amount for event in scenario.events if isinstance(event, TopUp) and event.deployment in members
        )
        if scenario.reserve == "estimate":  # so far may the truth be above what was reserved
            added += np.maximum(spent - cost_hat[rows[here["id"].to_numpy()], k], 0.0).sum()
        given_out = budget * shares(scenario.window, span_s, at_s) + added
        slack = TOLERANCE * (given_out + spent.sum())
        assert (spent.cumsum() <= given_out + slack).all(), f"{account} overspends {budget}"
        if isinstance(scenario.window, Window | Calendar) and not scenario.window.rollover:
            in_each = pd.Series(spent).groupby(number(scenario.window, at_s)).sum()
            of_each = shares(scenario.window, span_s, np.zeros(1))[0] * budget
            assert (in_each <= (of_each + added) * (1 + TOLERANCE)).all(), f"{account} overspends {of_each} in a window"


def hold_events(one: Study, tried: pd.DataFrame, instance: Instance, rows: IntArray, cost_usd: FloatArray) -> None:
    """What overlaps an event of its deployment has met it, whatever else happens."""
    served = tried[tried["fate"] == "served"]
    offered_s, started_s, finished_s = (
        served[f"{what}_at_s"].to_numpy() for what in ("offered", "started", "finished")
    )
    names = served["deployment"].astype(str).to_numpy()
    factor = np.ones(len(served))
    for event in one.scenario.events:
        here = (names == event.deployment) | (event.deployment is None)  # type: ignore[attr-defined]
        begin_s = getattr(event, "at_s", 0.0)
        length_s = getattr(event, "for_s", None)
        end_s = np.inf if length_s is None else begin_s + length_s
        meets = here & (begin_s <= offered_s) & (offered_s < end_s)
        if isinstance(event, Outage):
            assert not (here & (started_s < end_s) & ((finished_s > begin_s) | (started_s >= begin_s))).any()
        elif isinstance(event, Leaves):
            assert not meets.any()
        elif isinstance(event, Joins):
            assert not (here & (offered_s < begin_s)).any()
        elif isinstance(event, PriceChange):
            factor[meets] *= event.factor
    columns = pd.Index([info.name for info in instance.setting.fleet]).get_indexer(pd.Index(names))
    truth = cost_usd[served["id"].to_numpy(), columns]
    rows = rows[served["id"].to_numpy()]
    if instance.token_usd is not None and instance.output_tokens is not None:
        cut_off = instance.output_tokens[rows, columns] - served["output_tokens"].to_numpy(dtype=np.int64)
        truth = truth - cut_off * instance.token_usd[rows, columns, 1]
    np.testing.assert_allclose(served["cost_usd"], truth * factor, rtol=1e-11)


def number(window: Window | Calendar, at_s: FloatArray) -> FloatArray:
    """The number of the window at each time."""
    if isinstance(window, Calendar):
        return number_by_calendar(window.every, window.starts_at, window.time_zone, at_s)
    return np.asarray(np.floor(at_s / window.length_s + 1e-9))


def number_by_calendar(every: str, starts_at: str, time_zone: str | None, at_s: FloatArray) -> FloatArray:
    """The number of the hour, day, week or month at each time, by pandas; they are consecutive in these worlds."""
    start = pd.Timestamp(starts_at)
    start = start.tz_localize(time_zone or "UTC") if start.tzinfo is None else start.tz_convert(time_zone or start.tz)
    utc = start.tz_convert("UTC") + pd.to_timedelta(np.append(0.0, np.round(at_s, 6)), unit="s")
    local = utc.tz_convert(start.tz).tz_localize(None)
    of_times = (utc.tz_localize(None) if every == "hour" else local).to_period(
        {"hour": "h", "week": "W"}.get(every, every[0].upper())
    )
    return np.array([(one - of_times[0]).n for one in of_times[1:]], dtype=np.float64)


def hold_limits(one: Study, tried: pd.DataFrame) -> None:
    """No hard limit is overspent in any period, by the truth and the table alone."""
    spending = one.scenario.spending
    for limit in spending.read().values():
        here = tried[tried["fate"] == "served"]
        if "total" not in limit.of:
            here = here[here["deployment"].isin(limit.of)]
        if limit.soft or one.scenario.reserve == "estimate" or here.empty or np.isinf(limit.amount):
            continue
        at_s = here["offered_at_s"].to_numpy()
        periods = np.zeros(len(at_s))
        if limit.every is not None:
            periods = number_by_calendar(limit.every, spending.starts_at, spending.time_zone, at_s)
        in_each = here["cost_usd"].groupby(periods).sum()
        if limit.rollover:
            assert (in_each.cumsum() <= limit.amount * (in_each.index + 1) * (1 + TOLERANCE)).all(), limit
        else:
            assert (in_each <= limit.amount * (1 + TOLERANCE)).all(), limit


def shares(window: Window | Calendar | TokenBucket | None, span_s: float, at_s: FloatArray) -> FloatArray:
    """How much of a budget has been given out at each time, as docs/reference/semantics.md has it."""
    if window is None:
        return np.ones_like(at_s)
    span_s = max(span_s, float(np.finfo(np.float64).tiny))  # of arrivals that come together
    if isinstance(window, TokenBucket):
        at_first = min(1.0, window.burst_s / span_s)
        return np.minimum(1.0, at_first + (1 - at_first) * (at_s / span_s))
    begun = number(window, at_s) + 1
    return (
        np.minimum(1.0, begun * min(1.0, window.length_s / span_s))
        if isinstance(window, Window) and window.spread
        else begun
    )


def each_of(number: int, how_many: int, slow: bool, what: Callable[[Line], None], only_tasks: bool = False) -> None:
    """Draw lines from a fixed seed and do something with each."""

    @seed(number)
    @settings(
        max_examples=how_many,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(line=lines(slow, only_tasks))
    def each(line: Line) -> None:
        what(line)

    each()


@pytest.mark.parametrize(
    "shard", [pytest.param(shard, marks=pytest.mark.lengthy if shard >= 3 else ()) for shard in range(QUICK_SHARDS)]
)
def test_random_command_lines_hold_to_everything(shard: int) -> None:
    each_of(shard, QUICK_EACH, False, hold)


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(SHARDS))
def test_twenty_thousand_random_command_lines_hold_to_everything(shard: int) -> None:
    each_of(1000 + shard, EACH, shard % 4 == 0, hold)  # a quarter with dear policies as often as any


def compose_it(line: Line) -> None:
    """Hold a line to the configuration that its words have in the command."""
    with initialize_config_module("conf", version_base="1.3"):
        theirs = configure("run", line.words)
    ours = configuration(line)
    assert OmegaConf.to_container(theirs, resolve=True) == OmegaConf.to_container(ours, resolve=True)


def test_the_words_of_a_line_give_the_configuration_that_was_run() -> None:
    each_of(0, 8, False, compose_it)


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(4))
def test_the_words_of_many_lines_give_the_configurations_that_were_run(shard: int) -> None:
    each_of(2000 + shard, 100, True, compose_it)


LINE = Line(
    {"workload": "synthetic", "fleet": "slots", "policy": "least_loaded", "window": "bucket", "events": ("outage",)},
    {
        "seed": 3,
        "workload.n_queries": 60,
        "workload.n_history": 50,
        "fleet.service.slots": 2,
        "fleet.patience": {"_target_": "sim.distributions.Constant", "value_s": 1.0},
        "events.outage.at_s": 2.0,
        "exhausted": "wait",
    },
)


def test_a_line_gives_through_the_command_what_it_gives_here(tmp_path: Path) -> None:
    assert main(["run", *LINE.words, f"out={tmp_path / 'out'}", "--no-report"]) == 0
    theirs = pd.read_parquet(tmp_path / "out" / "requests.parquet")
    one = study(LINE)
    run = measured(one, one.scenario, EstimateCache())
    assert theirs["fate"].astype(str).tolist() == run.requests["fate"].astype(str).tolist()
    assert theirs["ended_at_s"].tolist() == run.requests["ended_at_s"].tolist()
    summary = pd.read_csv(tmp_path / "out" / "summary.csv", dtype=str).iloc[0]
    for name, value in run.summary.items():
        if name == "wall_s":
            continue
        found = str(summary[name])
        assert found == "nan" if pd.isna(value) else type(value)(found) == value, name


def test_lines_have_new_models_confidences_preferences_calls_and_scores_that_come_late() -> None:
    drawn: set[str] = set()
    each_of(0, 200, True, lambda line: drawn.update(line.keys))
    feedback = {f"feedback.{name}" for name in ("share", "delay_s", "noise", "flipped")}
    models = {"profiled", "new_model_share", "new_model_rows", "workload.separation"}
    assert drawn >= feedback | models | {"max_calls", "workload.path"}  # a table, with preferences
    assert drawn >= {"classes", "tenants", "fleet.preemptive"}
    assert drawn >= {"task.budget_usd", "task.deadline_s", "workload.reward"}
    assert drawn >= {"spending.limits", "spending.alert_at", "window.every"}


@pytest.mark.parametrize("group", GROUPS)
def test_every_option_is_drawn_or_named_as_one_that_cannot_be(group: str) -> None:
    known = {*options(group), *NEEDS_A_FILE.get(group, set()), *FOR_SWEEPS.get(group, set())}
    assert known == {path.stem for path in (CONF / group).glob("*.yaml")}
