"""One rule for every verb: which files were read, what a search for an order found, where hindsight bounds nothing."""

import hashlib
import json
from pathlib import Path

import pandas as pd
import pytest

from sim.cli import api
from sim.cli.main import main

# So few queries come before most events.
pytestmark = pytest.mark.filterwarnings("ignore:.*after the last query, which comes at:sim.errors.Note")

SMALL = ["workload.n_queries=30", "workload.n_history=20", "workload.n_models=2", "workload.dim=4"]
VERBS = {
    "run": [*SMALL, "policy=port_exact"],
    "compare": [*SMALL, "policy=[port_exact]", "replications=1"],
    "explain": [*SMALL, "policy=port_exact", "replications=1", "moments=2"],
    "ratio": [*SMALL, "policy=port_exact", "sizes=[null]", "min_replications=2", "max_replications=2"],
    "sweep": [*SMALL, "policy=port_exact", "replications=1", "seed=0,1", "store=null"],
    "export": [*SMALL, "policy=port_exact"],
    "frontier": [*SMALL, "policy=port_exact"],
    "plan": [*SMALL, "policy=port_exact", "fleet=slots", "targets=[quality_per_query>=0]", "max_replications=2",
             "min_replications=2", "search.high=1"],
}  # fmt: skip


@pytest.mark.parametrize("verb", VERBS)
def test_the_manifest_of_every_verb_names_the_file_of_a_saved_order(verb: str, tmp_path: Path) -> None:
    order, out = tmp_path / "order.csv", tmp_path / "o"
    order.write_text("row\n" + "\n".join(map(str, reversed(range(30)))) + "\n")
    assert main([verb, *VERBS[verb], "order=saved", f"order.saved.file={order}", f"out={out}", "--no-report"]) == 0
    files = json.loads((out / "manifest.json").read_text())["files"]
    assert files == {str(order): hashlib.sha256(order.read_bytes()).hexdigest()}


SEARCH = ["order=worst_of", "order.worst_of.evaluations=11", "order.worst_of.family.n_topics=1"]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_keeps_what_a_search_for_the_worst_order_found(verb: str, tmp_path: Path) -> None:
    out = tmp_path / "o"
    assert main([verb, *VERBS[verb], *SEARCH, f"out={out}"]) == 0
    if verb in ("run", "compare", "explain", "plan"):
        assert "The order is the worst of 11 tried for port_exact" in (out / "report.html").read_text()
    folders = [path for path in (out / "points").iterdir() if path.is_dir()] if verb == "sweep" else [out]
    assert len(folders) == (2 if verb == "sweep" else 1)
    for folder in folders:
        found = json.loads((folder / "worst_order.json").read_text())
        assert found["policy"] == "port_exact"
        assert found["evaluations"] == 11
        if verb in ("run", "compare", "explain", "sweep", "export"):
            assert len(pd.read_csv(folder / "worst_order.csv")) == 30


def test_from_python_too_a_search_is_carried_out_by_every_verb() -> None:
    quality, _ = api.explain(*VERBS["explain"], *SEARCH)
    shares = api.ratio(*VERBS["ratio"], *SEARCH)
    summary = api.compare(*VERBS["compare"], *SEARCH, "oracle.names=[]")
    achieved = summary.loc[summary["policy"] == "port_exact", "quality"].iloc[0]
    assert quality.set_index("term")["quality"]["achieved"] == achieved
    assert shares["quality"].iloc[0] == achieved


@pytest.mark.parametrize("event", ["outage", "random_outages", "degradation", "joins", "leaves"])
def test_where_an_event_moves_no_money_compare_and_ratio_have_the_same_optimum(event: str) -> None:
    # What is lost in an outage is not charged, so it only takes away: no policy does better than without it.
    events = [f"events={event}"]
    if event in ("joins", "leaves"):
        deployment = api.scenario(*SMALL).workload.models[0]
        events.append(f"events.{event}.deployment={deployment}")
    summary = api.compare(*VERBS["compare"], *events, "replications=2", "oracle.names=[optimum]")
    shares = api.ratio(*VERBS["ratio"], *events, "order=random")
    compared = summary.loc[summary["policy"] == "port_exact", "optimum_ratio"]
    assert compared.tolist() == shares["ratio_to_optimum"].tolist()
    assert compared.between(0, 1 + 1e-9).all()


UNBOUNDED = {
    "window=minute": "budgets renew themselves: use window=null",
    "reserve=estimate": "budgets may be overshot: use reserve=true_cost",
    "events=price_change": "a PriceChange may change budgets or prices: leave it out",
}


@pytest.mark.parametrize("word", UNBOUNDED)
def test_where_hindsight_bounds_nothing_every_verb_says_so_for_the_same_reason(word: str) -> None:
    for verb, study in (("ratio", api.ratio), ("explain", api.explain)):
        with pytest.raises(ValueError, match=f", as {UNBOUNDED[word]}$"):
            study(*VERBS[verb], word)
    with pytest.raises(ValueError, match=f"order=worst_of needs .*, as {UNBOUNDED[word]}$"):
        api.compare(*VERBS["compare"], word, *SEARCH)
    summary = api.compare(*VERBS["compare"], word, "oracle.names=[optimum]")
    assert summary["optimum_ratio"].isna().all()


@pytest.mark.parametrize("verb", VERBS)
def test_with_out_null_every_verb_prints_and_writes_nothing(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [word for word in VERBS[verb] if word != "store=null"]
    assert main([verb, *words, "out=null"]) == 0
    printed = capsys.readouterr().out
    assert "\u2503" in printed  # a table
    assert "written" not in printed
    assert list(tmp_path.iterdir()) == []


def test_without_out_a_directory_is_named_after_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run", *VERBS["run"], "--no-report"]) == 0
    assert main(["run", *VERBS["run"], "out=auto", "--no-report"]) == 0
    assert len(list((tmp_path / "outputs").glob("run-*"))) == 1
