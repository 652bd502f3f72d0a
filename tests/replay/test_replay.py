"""switchyard replay: a page that needs no other file, whose totals are those of summary.csv."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sim.cli.main import main
from sim.show.replay.page import replay_page, written
from sim.show.replay.record import Told, read_study

WORLD = ["workload.n_queries=40", "workload.n_history=30", "workload.n_models=3", "workload.dim=4", "fleet=slots",
         "fleet.service.slots=2", "metric=[]", "oracle.names=[optimum]", "replications=2", "--no-report"]  # fmt: skip
POLICIES = "policy=[greedy_perf,greedy_cost,random]"
NODE = shutil.which("node")
BROWSERS = [shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")]
SCRIPTS = Path(replay_page.__code__.co_filename).parent


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("outputs")
    for total in (0.5, 2):
        assert main(["compare", *WORLD, POLICIES, f"budget.total={total}", f"out={folder / str(total)}"]) == 0
    (folder / "other").mkdir()
    (folder / "other" / "manifest.json").write_text(json.dumps({"verb": "sweep", "config": {}}))
    return folder


def embedded(path: Path) -> dict[str, Any]:
    """Return the record in a page."""
    found = re.search(r'<script type="application/json" id="record">(.*?)</script>', path.read_text(), re.DOTALL)
    assert found
    record: dict[str, Any] = json.loads(found[1])
    return record


def summary(folder: Path, policy: str, replication: int = 0) -> "pd.Series[Any]":
    table = pd.read_csv(folder / "summary.csv")
    return table[(table["policy"] == policy) & (table["replication"] == replication)].iloc[0]


@pytest.fixture(scope="module")
def page(outputs: Path) -> Path:
    """Two settings of a budget, three policies and the optimum."""
    path = outputs / "page.html"
    words = ["policies=[greedy_perf,greedy_cost,optimum]", f"out={path}"]
    assert main(["replay", str(outputs / "2"), str(outputs / "0.5"), *words]) == 0
    return path


def test_the_last_counts_of_the_page_are_those_of_the_summary(page: Path, outputs: Path) -> None:
    record = embedded(page)
    assert record["varied"] == "budget.total"
    assert [setting["label"] for setting in record["settings"]] == ["0.5", "2"]  # in order of the number
    for setting in record["settings"]:
        for run in setting["runs"]:
            row, overall = summary(outputs / setting["label"], run["policy"]), run["overall"]
            assert overall["arrived"][-1] == row["arrived"] == run["n_drawn"]
            assert overall["answered"][-1] == row["served"]
            assert overall["lost"][-1] == row["arrived"] - row["served"]
            assert overall.get("exhausted", [0])[-1] == row["exhausted"]
            assert overall["quality"][-1] == pytest.approx(row["quality"])
            assert overall["cost_usd"][-1] == pytest.approx(row["cost_usd"])
            assert sum(one["served"][-1] if one["t"] else 0 for one in run["deployments"]) == row["served"]
            assert [one["queue"][-1] for one in run["deployments"] if one["t"]].count(0) == len(
                [one for one in run["deployments"] if one["t"]]
            )


def test_the_page_needs_no_other_file(page: Path) -> None:
    text = page.read_text()
    assert not re.search(r'(src|href)="(?!data:)|@import|https?:', text)
    assert "default-src 'none'" in text


def test_without_more_words_two_policies_are_shown_and_the_page_is_in_their_directory(outputs: Path) -> None:
    assert main(["replay", str(outputs / "2"), "replication=1"]) == 0
    record = embedded(outputs / "2" / "replay.html")
    assert record["policies"] == ["greedy_perf", "greedy_cost"]
    assert (
        record["settings"][0]["runs"][0]["overall"]["quality"][-1]
        == summary(outputs / "2", "greedy_perf", 1)["quality"]
    )
    assert "replay.html" in json.loads((outputs / "2" / "manifest.json").read_text())["outputs"]


def test_a_run_that_is_too_large_is_sampled_and_counts_stay_whole(outputs: Path, tmp_path: Path) -> None:
    assert main(["replay", str(outputs / "2"), "queries=7", f"out={tmp_path / 'page.html'}"]) == 0
    run = embedded(tmp_path / "page.html")["settings"][0]["runs"][0]
    assert (run["n_drawn"], run["n_queries"], len(run["queries"]["id"])) == (7, 40, 7)
    assert set(run["calls"]["query"]) == set(run["queries"]["id"])
    assert run["overall"]["arrived"][-1] == 40


def test_reasons_and_prices_come_from_the_same_run_made_again(outputs: Path, tmp_path: Path) -> None:
    words = ["replay", str(outputs / "2"), "policies=[greedy_perf,optimum]", f"out={tmp_path / 'page.html'}"]
    assert main(words) == 0
    greedy, optimum = embedded(tmp_path / "page.html")["settings"][0]["runs"]
    assert len(greedy["sentences"]) == 40
    assert greedy["sentences"]["0"].startswith("greedy_perf sends query 0 to ")
    assert (greedy["prices"], optimum["sentences"]) == (None, {})
    assert main([*words, "reasons=false"]) == 0
    assert embedded(tmp_path / "page.html")["settings"][0]["runs"][0]["sentences"] == {}


def test_a_study_that_cannot_be_made_again_is_played_without_reasons(
    outputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "of_another_seed"
    shutil.copytree(outputs / "2", folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["config"]["seed"] += 1
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert main(["replay", str(folder)]) == 0
    assert (
        "no reasons and no prices, as the study cannot be run again: greedy_perf no longer" in capsys.readouterr().err
    )
    assert embedded(folder / "replay.html")["settings"][0]["runs"][0]["sentences"] == {}


def test_text_of_users_is_no_markup() -> None:
    assert "</script><b>" not in written({"policies": ["</script><b>"], "settings": []})


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["replay"], "no directory is given; give one or more of run or compare"),
        (["replay", "nowhere"], "nowhere does not exist; give the directory that a verb wrote"),
        (
            ["replay", "other"],
            "other is of sweep and has no requests.parquet, so there is nothing to replay; run the points",
        ),
        (["replay", "2", "policies=[greedy_pref]"], "unknown policy 'greedy_pref'; did you mean 'greedy_perf'"),
        (["replay", "2", "policies=[]"], "policies is []; it must name one or more"),
        (["replay", "2", "replication=2"], "replication is 2; the record in 2 has 0 to 1"),
        (["replay", "2", "queries=0"], "queries is 0; it must be at least 1"),
        (["replay", "2", "out=./2"], "out is 2, a directory; give the name of a file"),
        (["replay", "2", "out=2/summary.csv"], "2/summary.csv exists and is no replay"),
        (["replay", "2", "seed=1"], "unknown key 'seed'"),
        (["replay", "2", "--no-report"], "--no-report is for studies and not for replay"),
    ],
)
def test_what_cannot_be_replayed_is_an_error_in_one_line(
    words: list[str], message: str, outputs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(outputs)
    before = sorted(outputs.rglob("*"))
    assert main(words) in (1, 2)
    printed, errors = capsys.readouterr()
    assert (printed, len(errors.splitlines())) == ("", 1)
    assert message in errors
    assert sorted(outputs.rglob("*")) == before


@pytest.mark.skipif(NODE is None, reason="node is not installed")
def test_the_scripts_read_the_same_totals_and_say_what_happened(page: Path, tmp_path: Path) -> None:
    assert NODE
    record = embedded(page)
    run = record["settings"][0]["runs"][0]
    lines = [(SCRIPTS / name).read_text() for name in ("record.js", "words.js")]
    lines += [f"const run = prepare({json.dumps(run)});", "const all = overallAt(run, run.end_s);"]
    lines += ["const fleet = fleetAt(run, run.end_s).map((one) => [one.queue, one.service]);"]
    lines += ["const words = run.queries.id.map((_, place) => explained(run, place, 'USD'));"]
    lines += ["let time = -1, steps = 0; while ((time = nextMoment([run], time, true)) !== null) steps++;"]
    lines += ["const spans = [{ at: 0, what: 'down', from: 1, until: 2 }, { at: 1, what: 'down', from: 1, until: 2 },"]
    lines += ["  { at: 2, what: 'down', from: 1, until: 2 }, { at: null, what: 'crowd', from: 3, until: null }];"]
    lines += ["const marks = marksOf({ ...run, events: spans }).map((one) => one.name);"]
    lines += ["console.log(JSON.stringify({ marks, all, fleet, words, steps, moments: run.moments.length }));"]
    script = tmp_path / "script.js"
    script.write_text("\n".join(lines))
    done = subprocess.run([NODE, str(script)], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["all"]["quality"] == run["totals"]["quality"]
    assert found["all"]["lost"] == run["totals"]["arrived"] - run["totals"]["served"]
    assert found["marks"] == ["all: down", "crowd"]
    assert found["fleet"] == [[0, 0]] * 3
    assert found["steps"] == found["moments"]
    lost = run["queries"]["fates"].index("exhausted")
    for fate, words in zip(run["queries"]["fate"], found["words"], strict=True):
        assert ("no budget could pay for it" in words["sentence"]) == (fate == lost)
        assert words["hindsight"].startswith("With hindsight it ")
        assert not re.search("undefined|NaN|null", json.dumps([words["sentence"], words["steps"], words["outcome"]]))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Give a headless Chromium, the system's or Playwright's own."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        try:
            path = next(filter(None, BROWSERS), None)
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        except api.Error:
            pytest.skip("no chromium is installed; python -m playwright install chromium brings one")
        yield browser
        browser.close()


def opened(chromium: Any, path: Path, **options: Any) -> tuple[Any, list[str]]:
    """Return the page in a browser, and the list that gets what goes wrong in it."""
    shown, errors = chromium.new_page(**options), []
    shown.on("console", lambda message: errors.append(message.text))
    shown.on("pageerror", lambda error: errors.append(str(error)))
    shown.on("request", lambda request: None if request.url.startswith("file:") else errors.append(request.url))
    shown.goto(path.as_uri())
    return shown, errors


DRAWN = "!isRequested && state.settled === Infinity"  # no frame is to come


def wait(shown: Any, condition: str) -> None:
    """Wait until something holds on the page, whose policy of content forbids it to watch for a text itself."""
    for _ in range(500):
        if shown.evaluate(condition):
            return
        shown.wait_for_timeout(20)
    raise AssertionError(f"{condition} never held")


def figures(shown: Any, name: str) -> list[float]:
    found: list[float] = shown.eval_on_selector_all(
        f"[data-stat={name}]", "all => all.map(e => Number(e.dataset.value))"
    )
    return found


def test_in_a_browser_it_plays_steps_scrubs_and_ends_with_the_totals_of_the_summary(
    chromium: Any, page: Path, outputs: Path
) -> None:
    shown, errors = opened(chromium, page)
    assert figures(shown, "quality") == [0, 0]
    shown.keyboard.press("Space")
    wait(shown, "state.time > 0.1")
    shown.keyboard.press("Space")
    assert shown.inner_text("#play") == "Play"
    before = shown.evaluate("state.time")
    shown.keyboard.press("ArrowRight")
    assert shown.evaluate("state.time") > before
    shown.keyboard.press("ArrowLeft")
    assert shown.evaluate("state.time") <= before
    shown.fill("#time", "1")
    assert shown.evaluate("state.time") == pytest.approx(1)
    shown.click("h1")
    for number, label in enumerate(("0.5", "2")):
        shown.fill("#setting", str(number))
        shown.keyboard.press("Tab")
        shown.click("#end")
        said = "byId('said').textContent.startsWith(`At ${seconds(length(), length())}`)"
        wait(shown, f"{DRAWN} && state.setting === {number} && {said}")
        for name in ("quality", "cost_usd"):
            totals = [summary(outputs / label, policy)[name] for policy in ("greedy_perf", "greedy_cost")]
            assert figures(shown, name) == pytest.approx(totals)
    assert "greedy_perf: 40 arrived" in shown.inner_text("#said")
    assert errors == []
    shown.close()


def test_in_a_browser_a_query_is_explained_by_a_click_and_by_keys(chromium: Any, page: Path) -> None:
    shown, errors = opened(chromium, page)
    shown.fill("#time", str(embedded(page)["settings"][0]["runs"][1]["end_s"] / 2))
    wait(shown, f"{DRAWN} && state.time > 0 && panes[1].drawn.length > 0")
    shown.evaluate("panes[1].canvas.scrollIntoView({ block: 'center' })")
    x, y, place = shown.evaluate("panes[1].drawn[0]")
    shown.locator(".pane canvas").nth(1).click(position={"x": x, "y": y})
    assert f"Query {place} under greedy_cost" in shown.inner_text("#answers")
    shown.click("h1")
    shown.keyboard.press("n")
    assert f"Query {place + 1} under greedy_perf" in shown.inner_text("#answers")
    shown.fill("#query", "99")
    shown.keyboard.press("Enter")
    assert "There is no query 99; the last is 39." in shown.inner_text("#answers")
    assert errors == []
    shown.close()


def test_in_a_browser_that_asks_for_less_motion_nothing_travels_and_the_page_says_so(chromium: Any, page: Path) -> None:
    shown, errors = opened(chromium, page, reduced_motion="reduce")
    assert "motion is reduced" in shown.inner_text("#notice")
    shown.click("#play")
    wait(shown, "state.time > 0")
    assert shown.evaluate("state.settled === Infinity")
    assert errors == []
    shown.close()


def test_in_a_browser_sentences_and_prices_are_shown_where_somebody_tells_them(
    chromium: Any, outputs: Path, tmp_path: Path
) -> None:
    study = read_study(outputs / "2", 0)
    name = str(study.fleet["deployment"][0])
    told = Told(
        {0: "It went there for a reason."}, pd.DataFrame({"at_s": [0.0], "deployment": [name], "price": [123.0]})
    )
    path = tmp_path / "told.html"
    path.write_text(replay_page([study], ["greedy_perf"], 4, lambda study, policy: told))
    shown, errors = opened(chromium, path)
    assert "40 queries" in shown.inner_text("#notice")
    assert "4 of them are drawn" in shown.inner_text("#notice")
    shown.keyboard.press("n")
    assert "It went there for a reason." in shown.inner_text("#answers")
    shown.click("#tables summary")
    wait(shown, "byId('table-room').textContent.includes('123')")
    assert errors == []
    shown.close()
