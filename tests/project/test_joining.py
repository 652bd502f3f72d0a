"""A deployment that joins and whose price nobody knows is refused in one line, in every way to get there."""

from pathlib import Path

import pandas as pd
import pytest

from sim.cli.main import main

SLOTS = (
    "{_target_: sim.world.services.slots.Slots, slots: 4, time_to_first_token_s: 0.2, time_per_output_token_s: 0.01}"
)
OWN_PRICES = "price_input_usd_per_million: 1, price_output_usd_per_million: 2"
OLD, NEW, COST, TOKENS = "old", "new", "new|total_cost", "new|output_tokens"
WHOLE = pd.DataFrame(
    {
        "prompt": [f"prompt {number}" for number in range(16)],
        "split": ["history"] * 8 + ["test"] * 8,
        **{OLD: 0.5, "old|total_cost": 0.1, "old|output_tokens": 100},
        **{NEW: 0.9, COST: 0.2, TOKENS: 50},
    }
)
JOINS = ["events=joins", "events.joins.at_s=1", "events.joins.deployment=new"]
NEVER_SEEN = ["profiled={new: 0}"]
MIXED = ["budget=amounts", "budget.amounts_by_deployment={old: 1,new: 100}", "budget.unit=[usd,tokens]"]


def without_history(*columns: str) -> pd.DataFrame:
    """The table whose new model has empty cells in the history rows of these columns."""
    frame = WHOLE.astype(dict.fromkeys(columns, float))
    frame.loc[frame["split"] == "history", list(columns)] = float("nan")
    return frame


def listed(new: str, service: str = SLOTS) -> list[str]:
    """A fleet of the old model and of a new one, described so."""
    members = [
        f"{{_target_: sim.deployment.Deployment, name: {name}, service: {service}, {more}}}"
        for name, more in ((OLD, "model: old"), (NEW, new))
    ]
    return ["fleet=listed", f"fleet.members=[{','.join(members)}]"]


REFUSED: dict[str, tuple[pd.DataFrame, list[str], str]] = {
    "a table with tokens and no cost": (
        WHOLE.drop(columns=COST),
        JOINS,
        "model 'new' has no cost: a column 'new|total_cost' is needed (in table.csv); workload.exclude=[new]",
    ),
    "the same, with prices in the fleet": (
        WHOLE.drop(columns=COST),
        [*JOINS, *listed(f"model: new, {OWN_PRICES}")],
        "model 'new' has no cost: a column 'new|total_cost' is needed (in table.csv)",
    ),
    "a table with scores alone": (
        WHOLE.drop(columns=[COST, TOKENS]),
        JOINS,
        "unknown deployment of an event 'new'; known: old",
    ),
    "the same, with the model asked for": (
        WHOLE.drop(columns=[COST, TOKENS]),
        [*JOINS, "workload.models=[old,new]"],
        "model 'new' has no cost: a column 'new|total_cost' is needed (in table.csv)",
    ),
    "the same, listed with prices": (
        WHOLE.drop(columns=[COST, TOKENS]),
        [*JOINS, *listed(f"model: new, {OWN_PRICES}")],
        "unknown model 'new'; known: old",
    ),
    "a column of costs that is empty": (
        WHOLE.assign(**{COST: float("nan")}),
        JOINS,
        "model new has missing values, the first in 'new|total_cost' in row 0 of the table; fill them in, or leave it",
    ),
    "costs of the history that are empty": (
        without_history(COST),
        [*JOINS, *NEVER_SEEN],
        "fill them in, with any number in history rows that profiled={NAME: 0} hides, or leave it out with",
    ),
    "no history at all": (
        without_history(NEW, COST, TOKENS),
        JOINS,
        "fill them in, with any number in history rows that profiled={NAME: 0} hides, or leave it out with",
    ),
    "one price of two": (
        WHOLE,
        [*JOINS, *listed("model: new, price_input_usd_per_million: 1")],
        "'new' has price_input_usd_per_million only; give the prices of input and output tokens, or neither",
    ),
    "prices of tokens that nobody counted": (
        WHOLE.drop(columns=["old|output_tokens", TOKENS]),
        [*JOINS, *listed(f"model: new, {OWN_PRICES}", "{_target_: sim.world.services.slots.Instant}")],
        "'new' has a price per token, and the workload has no output tokens: add the columns 'MODEL|output_tokens'",
    ),
    "a unit that no known model has": (
        WHOLE,
        [*JOINS, *NEVER_SEEN, *MIXED],
        "the history has no row of any deployment whose budget is in tokens, so nothing says what a query costs there",
    ),
    "a history that knows nobody": (
        WHOLE,
        [*JOINS, "profiled={new: 0,old: 0}"],
        "no model of the fleet is known on any row of the history",
    ),
    "another name in the fleet": (WHOLE, [*JOINS, *listed("model: neu")], "unknown model 'neu'; did you mean 'new'?"),
    "another name in profiled": (
        WHOLE,
        [*JOINS, "profiled={neu: 0}"],
        "unknown model in profiled 'neu'; did you mean 'new'?",
    ),
    "another name in the event": (
        WHOLE,
        [*JOINS[:2], "events.joins.deployment=neu", *NEVER_SEEN],
        "unknown deployment of an event 'neu'; did you mean 'new'?",
    ),
    "a model that the fleet leaves out": (
        WHOLE,
        [*JOINS, "fleet.models=[old]"],
        "unknown deployment of an event 'new'; known: old",
    ),
}


def refused(verb: str, frame: pd.DataFrame, words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line by which a verb refuses a table and words, having written nothing."""
    frame.to_csv("table.csv", index=False)
    table = ["workload=table", "workload.path=table.csv", "workload.embeddings=hashing"]
    assert main([verb, *table, "policy=greedy_perf", *words, "out=there/o", "--no-report"]) == 1
    assert not Path("there").exists()
    *notes, line = capsys.readouterr().err.splitlines()
    assert all(note.startswith("switchyard: note: ") for note in notes)
    return line


@pytest.mark.parametrize("case", REFUSED)
def test_a_joining_model_without_price_is_refused_in_one_line(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    frame, words, message = REFUSED[case]
    assert message in refused("compare", frame, words, capsys)


@pytest.mark.parametrize("verb", ["run", "explain", "ratio", "plan", "export"])
@pytest.mark.parametrize("case", ["a unit that no known model has", "another name in the event"])
def test_every_verb_refuses_it(
    case: str, verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    frame, words, message = REFUSED[case]
    asks = {"plan": ["targets=[served_share>=0]", "fleet=instant", "search=rate"], "ratio": ["sizes=[8]"]}
    assert message in refused(verb, frame, [*asks.get(verb, []), *words], capsys)


def test_with_its_own_prices_and_a_history_that_is_hidden_it_joins_and_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    WHOLE.to_csv("table.csv", index=False)
    table = ["workload=table", "workload.path=table.csv", "workload.embeddings=hashing"]
    table += ["arrivals=deterministic", "arrivals.rate_per_s=2"]
    assert main(["run", *table, "policy=round_robin", *JOINS, *NEVER_SEEN, *listed(f"model: new, {OWN_PRICES}"),
                 "budget=unlimited", "out=o"]) == 0  # fmt: skip
    requests = pd.read_parquet("o/requests.parquet")
    new = requests[requests["deployment"] == NEW]
    assert new["arrived_at_s"].min() >= 1
    assert new["cost_usd"].tolist() == pytest.approx([(2 + 50 * 2) / 1e6] * len(new))
