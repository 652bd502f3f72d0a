"""report.html: one file per output directory, made from the directory's files alone."""

import html
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sim.cli.main import main
from sim.show.answers.quality import answered
from sim.show.page import Check, Report, page
from sim.study.diff.ranking import ranking

SMALL = ["workload.n_queries=80", "workload.n_history=60", "workload.n_models=3", "workload.dim=8"]
VERBS = {
    "run": ["run", *SMALL, "policy=random"],
    "compare": ["compare", *SMALL, "policy=[random,port_fallback]", "replications=3", "fleet=slots"],
    "ratio": ["ratio", *SMALL, "policy=[random,greedy_cost]", "sizes=[20,40,80]", "min_replications=2",
              "max_replications=2"],
    "explain": ["explain", *SMALL, "policy=[random,greedy_perf]", "replications=2", "moments=4"],
    "sweep": ["sweep", *SMALL[1:], "n_queries=30,60", "budget=uniform,weighted", "workload.n_queries=80",
              "policy=[random,greedy_cost]", "replications=2", "store=null"],
    "plan": ["plan", *SMALL[:2], "workload.n_models=2", "workload.dim=8", "fleet=timed", "fleet.service.slots=1",
             "arrivals.rate_per_s=5", "targets=[p95_ttft_s<=9,cost_per_1k_usd<=50]", "min_replications=3",
             "max_replications=6"],
    "frontier": ["frontier", *SMALL, "policy=[knn_threshold,random]", "replications=2"],
    "validate": ["validate", "quick=true", "quick_customers=4000", "systems=[M/M/1]"],
    "fit": ["fit", "requests=measured.csv", "slots=4", "evaluations=20"],
}  # fmt: skip
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


# The others are drawn by make examples.
EVERY_VERB = [
    pytest.param(verb, marks=() if verb in ("run", "compare", "sweep", "plan", "diff") else pytest.mark.lengthy)
    for verb in (*VERBS, "diff")
]
Outputs = Callable[[str], Path]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Outputs:
    """Return a function from a verb to a directory that it wrote, once."""
    folder = tmp_path_factory.mktemp("outputs")

    def made(verb: str) -> Path:
        if not (folder / verb).exists():
            words = ["diff", str(made("run")), str(made("compare"))] if verb == "diff" else VERBS[verb]
            with pytest.MonkeyPatch.context() as patch:
                patch.chdir(folder)
                measured().to_csv("measured.csv", index=False)
                assert main([*words, f"out={verb}"]) in (0, 1), verb  # so few customers may contradict a theory
        return folder / verb

    return made


def measured() -> pd.DataFrame:
    """Return requests that each find an idle server: half a second to the first token, 0.1 s for each other."""
    arrival_s, output = np.arange(12) * 10.0, np.arange(12) % 4 + 2
    return pd.DataFrame(
        {
            "arrival_s": arrival_s,
            "first_token_s": arrival_s + 0.5,
            "last_token_s": arrival_s + 0.5 + 0.1 * (output - 1),
            "input_tokens": 100,
            "output_tokens": output,
        }
    )


class Links(HTMLParser):
    """Collects identifiers, what refers to them, and addresses."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.inside: set[str] = set()
        self.outside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.ids.add(value)
            for target in re.findall(r"url\(#([^)]*)\)", value or ""):
                self.inside.add(target)
            if name in ("href", "xlink:href", "src") and value:
                if value.startswith("#"):
                    self.inside.add(value[1:])
                elif not value.startswith("data:"):
                    self.outside.append(value)


@pytest.mark.parametrize("verb", EVERY_VERB)
@pytest.mark.lengthy
def test_every_verb_writes_a_report_that_needs_no_other_file(verb: str, outputs: Outputs) -> None:
    text = (outputs(verb) / "report.html").read_text()
    links = Links(text)
    assert links.outside == []
    assert links.inside <= links.ids
    assert text.count("<h1>") == 1
    assert text.count("<svg") >= 1
    assert "What was checked" in text
    assert not re.search(r"<script|@import|wall_s|nan\b", re.sub(r"<svg.*?</svg>", "", text, flags=re.DOTALL))
    assert (re.search(r"<h1>(.*)</h1>", text) or [""])[1].endswith("?")


@pytest.mark.parametrize("verb", EVERY_VERB)
@pytest.mark.lengthy
def test_a_report_made_again_from_the_files_is_the_same(verb: str, outputs: Outputs) -> None:
    path = outputs(verb) / "report.html"
    before = path.read_bytes()
    path.unlink()
    assert main(["report", str(path.parent)]) == 0
    assert path.read_bytes() == before


@pytest.mark.parametrize("verb", ["run", "sweep"])
def test_without_a_report_tables_are_written_alone_and_it_can_be_made_later(
    verb: str, outputs: Outputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*VERBS[verb], f"out={verb}", "--no-report"]) == 0
    written = {path.suffix for path in (tmp_path / verb).rglob("*.*")}
    assert written & {".csv", ".parquet"}
    assert not written & {".html", ".png"}
    assert main(["report", verb]) == 0
    assert (tmp_path / verb / "report.html").read_text() == (outputs(verb) / "report.html").read_text()


def test_a_verb_that_writes_no_report_takes_no_word_against_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "policy=random", "--no-report"]) == 2
    assert capsys.readouterr().err == "switchyard: --no-report is for studies and not for check; leave it out\n"


@pytest.mark.parametrize("verb", ["compare", "fit"])
@pytest.mark.lengthy
def test_the_command_in_the_report_makes_the_same_directory_again(
    verb: str, outputs: Outputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (outputs(verb) / "report.html").read_text()
    found = re.search(r"<pre>(switchyard .*)</pre>", text)
    assert found
    program, *words = shlex.split(html.unescape(found[1]))
    assert (program, words[-1]) == ("switchyard", f"out={verb}")
    monkeypatch.chdir(tmp_path)
    measured().to_csv("measured.csv", index=False)
    assert main(words) == 0
    again = (tmp_path / verb / "report.html").read_text()
    assert again == text


def summary(quality: dict[str, list[float]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"policy": policy, "seed": 0, "replication": replication, "quality": value, "optimum_ratio": value / 50}
            for policy, values in quality.items()
            for replication, value in enumerate(values)
        ]
    )


def test_the_answer_names_the_best_its_interval_and_how_far_the_next_is_behind() -> None:
    table = summary({"random": [9, 10, 11], "port": [18, 20, 22], "plain": [17.0, 18.0, 19.0]})
    values = {str(name): rows.set_index(["seed", "replication"])["quality"] for name, rows in table.groupby("policy")}
    ranks = ranking(values, 1, np.random.default_rng(0))
    # port: 20 +- 4.303 x 2 / sqrt(3); port - plain: 1, 2, 3, thus 2 +- 4.303 / sqrt(3)
    assert answered(table, ranks) == (
        "port has the highest quality, 20.0 +- 5.0 (95%). That is 2 times random's and 40% of the hindsight optimum. "
        "Chance can explain its lead over the next, plain: 2.0 +- 2.5 (paired)."
    )


def test_one_replication_has_no_interval_and_says_so() -> None:
    assert answered(summary({"a": [10], "b": [5]}), None) == (
        "a has the highest quality, 10 (one replication, so no interval). That is 2 times b's and 20% of the hindsight "
        "optimum. One replication cannot tell whether that is chance."
    )


def test_a_record_that_was_tampered_with_fails_the_check_of_its_report(outputs: Outputs, tmp_path: Path) -> None:
    folder = tmp_path / "tampered"
    shutil.copytree(outputs("run"), folder)
    table = pd.read_parquet(folder / "requests.parquet")
    served = table.index[table["fate"] == "served"][0]
    table.loc[served, "finished_at_s"] = table.loc[served, "arrived_at_s"] - 1
    table.to_parquet(folder / "requests.parquet")
    assert main(["report", str(folder)]) == 0
    text = (folder / "report.html").read_text()
    assert 'aria-label="does not hold"' in text
    assert f"query {table.loc[served, 'id']}" in text


def test_a_verb_without_a_report_of_its_own_gets_its_tables(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"verb": "other", "config": {"seed": 0}}))
    pd.DataFrame({"rate_per_s": [1.0, 2.0], "quality": [0.25, 0.5]}).to_csv(tmp_path / "points.csv", index=False)
    assert main(["report", str(tmp_path)]) == 0
    text = (tmp_path / "report.html").read_text()
    assert "points.csv" in text
    assert '<td class="right">0.25</td>' in text
    assert "the configuration below is what it ran" in text


def test_what_users_wrote_is_text_and_no_markup() -> None:
    text = page(Report("<b>?", "", "a & b", checks=(Check(None, "<i>"),)), {"verb": "run", "config": {"out": "<u>"}})
    assert "&lt;b&gt;?" in text
    assert "a &amp; b" in text
    assert not re.search("<b>|<i>|<u>", text)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["report"], "no directory is given"),
        (["report", "nowhere"], "nowhere does not exist; give the directory that a verb wrote"),
        (["report", "."], ". has no manifest.json, so it is no output of switchyard"),
        (["report", ".", "seed=1"], "unknown key 'seed'"),
    ],
)
def test_a_report_of_nothing_is_an_error_in_one_line(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 1
    printed, errors = capsys.readouterr()
    assert printed == ""
    assert message in errors
    assert len(errors.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def browse(words: list[str], profile: Path) -> subprocess.CompletedProcess[str]:
    assert BROWSER
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", f"--user-data-dir={profile}"]
    return subprocess.run([BROWSER, *options, *words], capture_output=True, text=True, timeout=120, check=True)


@pytest.mark.lengthy
@pytest.mark.skipif(BROWSER is None, reason="neither chromium nor google-chrome is installed")
@pytest.mark.parametrize("verb", EVERY_VERB)
def test_a_browser_shows_and_prints_the_report_without_an_error(verb: str, outputs: Outputs, tmp_path: Path) -> None:
    address = (outputs(verb) / "report.html").as_uri()
    # What is wrong is in the browser's log: messages of the console, requests that were refused.
    shown = browse(["--dump-dom", address], tmp_path / "profile")
    assert "CONSOLE" not in shown.stderr
    assert "How to run it again" in shown.stdout
    broken = f"<script>{FINDS_BROKEN}</script>"
    probe = tmp_path / "probe.html"
    probe.write_text((outputs(verb) / "report.html").read_text().replace("</body>", f"{broken}</body>"))
    found = browse(["--dump-dom", probe.as_uri()], tmp_path / "profile").stdout
    assert 'data-broken="0"' in found
    assert 'data-empty="0"' in found
    assert 'data-wide="false"' in found
    pdf = tmp_path / "report.pdf"
    browse([f"--print-to-pdf={pdf}", address], tmp_path / "profile")
    assert pdf.read_bytes().startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", pdf.read_bytes())) >= 1


# Pictures that did not load, drawings without a size, and whether the page is wider than the window.
FINDS_BROKEN = """
const root = document.documentElement;
const pictures = [...document.images];
root.dataset.broken = pictures.filter((p) => !p.complete || p.naturalWidth === 0).length;
root.dataset.empty = [...document.querySelectorAll("svg")].filter((s) => s.getBoundingClientRect().width < 50).length;
root.dataset.wide = root.scrollWidth > window.innerWidth;
"""
