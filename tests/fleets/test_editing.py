"""Fleets edited, given as files and put together from the command line, and the line that says what a fleet is."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from scenarios.combined import Combined
from scenarios.fleets import Catalogue, Listed
from sim.cli.main import main
from sim.deployment import Deployment
from sim.study.fit.fit import simulate
from sim.study.fit.measured import Measured
from sim.study.origins import confidence_words
from sim.study.plan.mix import mixes_of
from sim.world.services.paged import PagedBatching
from sim.world.services.slots import Instant, Slots

ORIGIN = {"source": "a list", "as_of": "2026-11", "confidence": "low"}
SMALL = Deployment(
    "7b-v0.1", "m", Slots(4, 0.1, 0.0), price_per_hour_usd=2.0, provenance={"price_per_hour_usd": ORIGIN}
)
LARGE = Deployment("gpt-3.5", "m", Instant())
QUICK = ["policy=least_loaded", "budget=unlimited", "workload.n_queries=60", "workload.n_history=60"]


def members(fleet: Any) -> tuple[Deployment, ...]:
    """The deployments of a fleet on a workload with one model."""
    made: tuple[Deployment, ...] = fleet.deployments(["m", "n"], np.random.default_rng(0))
    return made


# --- edits ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Listed, Catalogue])
def test_a_deployment_is_left_out_by_its_name(kind: Callable[..., Any]) -> None:
    assert [one.name for one in members(kind([SMALL, LARGE], exclude=["7b-v0.1"]))] == ["gpt-3.5"]


@pytest.mark.parametrize("kind", [Listed, Catalogue])
def test_numbers_of_one_are_changed_and_lose_their_origin(kind: Callable[..., Any]) -> None:
    change = {"7b-v0.1": {"price_per_hour_usd": 1, "replicas": 2, "service.slots": 8, "model": "n"}}
    small, large = members(kind([SMALL, LARGE], change=change))
    assert (small.price_per_hour_usd, small.replicas, small.model) == (1, 2, "n")
    assert small.service == Slots(8, 0.1, 0.0)
    assert small.provenance is None
    assert large == LARGE


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"exclude": ["7b-v0.2"]}, r"unknown deployment in fleet.exclude, '7b-v0.2'; did you mean '7b-v0.1'"),
        ({"exclude": ["7b-v0.1", "gpt-3.5"]}, r"fleet.exclude leaves none of 7b-v0.1, gpt-3.5"),
        ({"change": {"gpt-35": {}}}, r"unknown deployment in fleet.change, 'gpt-35'; did you mean 'gpt-3.5'"),
        ({"change": {"gpt-3.5": {"replica": 2}}}, r"unknown key in fleet.change of 'gpt-3.5', 'replica'; did you mean"),
        (
            {"change": {"gpt-3.5": {"replicas": 1.5}}},
            r"replicas in fleet.change of 'gpt-3.5' is 1.5; .* a whole number",
        ),
        ({"change": {"gpt-3.5": {"replicas": 0}}}, r"replicas of 'gpt-3.5' is 0; it must be at least 1"),
        (
            {"change": {"7b-v0.1": {"service.slots": "x"}}},
            r"service.slots .* is 'x'; it must be a whole number or null",
        ),
        ({"change": {"7b-v0.1": {"price_per_hour_usd": None}}}, r"price_per_hour_usd .* is None; it must be a number"),
    ],
)
def test_an_edit_that_cannot_be_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        members(Listed([SMALL, LARGE], **settings))


def test_a_listed_deployment_whose_model_is_not_there_brings_the_remedy() -> None:
    with pytest.raises(ValueError, match=r"'a': unknown model 'x'; .*fleet.change=\{a: \{model: NAME\}\} puts it to"):
        members(Listed([Deployment("a", "x", Instant())]))


def test_fleets_are_put_together_and_edited_as_one() -> None:
    both = Combined({"a": Listed([SMALL]), "b": Listed([LARGE])}, change={"gpt-3.5": {"replicas": 3}})
    assert [(one.name, one.replicas) for one in members(both)] == [("7b-v0.1", 1), ("gpt-3.5", 3)]
    with pytest.raises(ValueError, match=r"fleet 'b' has a deployment named '7b-v0.1', and so has one before it"):
        members(Combined({"a": Listed([SMALL]), "b": Listed([SMALL])}))


def test_a_mix_may_have_few_kinds() -> None:
    assert set(mixes_of([1, 0, 2], 1)) == {(1, 0, 0), (0, 0, 1), (0, 0, 2)}
    assert len(list(mixes_of([3, 3, 3], None))) == 4**3 - 1


# --- from the command line --------------------------------------------------------------------------------------------

MINE = """\
_target_: scenarios.fleets.Listed
members:
  - _target_: sim.deployment.Deployment
    name: my-7b.v0.1
    model: mistral-7b-chat
    price_per_hour_usd: 2.0
    service:
      _target_: sim.world.services.slots.Slots
      slots: 16
      time_to_first_token_s: 0.2
      time_per_output_token_s: 1e-2
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A fleet of a user's own in a file."""
    path = tmp_path / "of mine-1.yaml"
    path.write_text(MINE)
    return path


def deployments(out: Path) -> list[tuple[str, int]]:
    """Names and replicas of the fleet that an output was made with."""
    lines = [line.split(",") for line in (out / "fleet.csv").read_text().splitlines()]
    names, replicas = (lines[0].index(column) for column in ("deployment", "replicas"))
    return [(line[names], int(line[replicas])) for line in lines[1:]]


def test_a_file_is_a_fleet_and_can_be_edited(mine: Path, tmp_path: Path) -> None:
    words = [f"fleet='{mine}'", "fleet.change={my-7b.v0.1: {replicas: 2}}", f"out={tmp_path / 'o'}"]
    assert main(["run", *words, *QUICK]) == 0
    assert deployments(tmp_path / "o") == [("my-7b.v0.1", 2)]


def test_files_and_shipped_fleets_are_put_together(mine: Path, tmp_path: Path) -> None:
    words = [f"fleet=['{mine}',selfhosted_h100]", "fleet.exclude=[8b-h100,13b-h100]", f"out={tmp_path / 'o'}"]
    assert main(["run", *words, *QUICK]) == 0
    assert [name for name, _ in deployments(tmp_path / "o")] == ["my-7b.v0.1", "34b-tp2-h100", "70b-tp8-h100"]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("fleet=none.yaml", "fleet=none.yaml: there is no such file"),
        ("fleet=[listde,timed]", "unknown fleet 'listde'; did you mean listed"),
        ("fleet=[timed,timed]", "names a fleet twice"),
        ("fleet=[]", "names no fleet; give names or files"),
        ("fleet=text.yaml", "text.yaml holds no fleet; it must have a _target_"),
        ("fleet=broken.yaml", "broken.yaml is no YAML"),
        ("fleet=listde", "unknown fleet 'listde'; did you mean listed?"),
    ],
)
def test_what_is_no_fleet_is_refused_in_one_line(
    word: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.yaml").write_text("just words\n")
    Path("broken.yaml").write_text("a: [1\n")
    assert main(["run", word, *QUICK, "out=o", "--no-report"]) != 0
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not Path("o").exists()


# --- what a fleet says of itself --------------------------------------------------------------------------------------


def test_the_first_line_names_the_fleet_its_source_and_its_least_confidence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "fleet=selfhosted_a100", *QUICK, f"out={tmp_path / 'o'}"]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("fleet selfhosted_a100: settings that simulators publish; confidence assumed (slots of ")
    assert first.endswith(" to medium")
    assert json.loads((tmp_path / "o" / "manifest.json").read_text())["fleet"] == first
    assert f"F{first[1:]}." in (tmp_path / "o" / "report.html").read_text()


def test_a_fleet_that_says_nothing_of_itself_has_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "fleet=instant", *QUICK, "out=null"]) == 0
    assert "fleet" not in capsys.readouterr().out


def test_the_least_confidence_is_named_with_a_number_that_has_it() -> None:
    sure = {"price_per_hour_usd": {**ORIGIN, "confidence": "high"}}
    other = Deployment("b", "m", Instant(), price_per_hour_usd=1.0, provenance=sure)
    assert confidence_words([SMALL, other]) == "confidence low (price_per_hour_usd of 7b-v0.1) to high"
    assert confidence_words([other]) == "confidence high"
    assert confidence_words([LARGE]) is None


def test_what_fit_writes_is_a_fleet_with_a_price(tmp_path: Path) -> None:
    lengths = np.random.default_rng(0).integers(5, 60, (2, 40))
    arrival_s = np.linspace(0.0, 12.0, 40)
    requests = Measured(arrival_s, arrival_s, arrival_s, *lengths)
    first_s, last_s = simulate(PagedBatching(8, 0.02, 0.001, prefill_per_token_s=1e-4), 1, requests)
    columns = (arrival_s, first_s, last_s, *lengths)
    pd.DataFrame(dict(zip(Measured.__dataclass_fields__, columns, strict=True))).to_csv(tmp_path / "m.csv", index=False)
    words = ["slots=8", "evaluations=8", "name=8b-v1.0", "model=mistral-7b-chat", "price_per_hour_usd=0.5"]
    assert main(["fit", f"requests={tmp_path / 'm.csv'}", *words, f"out={tmp_path / 'fit'}", "--no-report"]) == 0
    assert (
        main(["run", f"fleet={tmp_path / 'fit' / 'fleet.yaml'}", *QUICK, f"out={tmp_path / 'o'}", "--no-report"]) == 0
    )
    fleet = pd.read_csv(tmp_path / "o" / "fleet.csv")
    assert fleet[["deployment", "model", "price_per_hour_usd"]].to_numpy().tolist() == [
        ["8b-v1.0", "mistral-7b-chat", 0.5]
    ]
    assert json.loads((tmp_path / "o" / "manifest.json").read_text())["fleet"].startswith("fleet 8b-v1.0: fitted to")


def test_a_sweep_takes_a_file_as_its_fleet_or_as_an_axis(
    mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mine.rename("mine.yaml")
    words = ["policy=least_loaded", "budget=unlimited", "workload.n_history=60"]
    assert main(["sweep", "fleet=mine.yaml", "workload.n_queries=20,40", *words, "out=a", "--no-report"]) == 0
    assert main(["sweep", "fleet=mine.yaml,instant", "workload.n_queries=20", *words, "out=b", "--no-report"]) == 0
    assert set(pd.read_csv("b/cells.csv")["fleet"]) == {"mine.yaml", "instant"}
