"""The pages that are made or shown as code: up to date, and every example runs."""

import json
import re
import shlex
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from sim.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "guide" / "python.md").read_text(), flags=re.DOTALL)


def test_the_python_page_has_examples() -> None:
    assert len(EXAMPLES) == 4


@pytest.mark.lengthy
@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_of_the_python_page_runs(example: str) -> None:
    exec(compile(example, "docs/guide/python.md", "exec"), {})


@pytest.mark.lengthy
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_no_outputs_of_whoever_ran_it(path: Path) -> None:
    notebook = json.loads(path.read_text())
    namespace: dict[str, object] = {}
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert len(code) >= 3
    for cell in code:
        assert cell["outputs"] == []
        assert cell["execution_count"] is None
        exec(compile("".join(cell["source"]), path.name, "exec"), namespace)
    plt.close("all")


@pytest.mark.lengthy
def test_the_commands_of_the_teaching_page_run_and_draw_its_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "guide" / "teaching.md").read_text()
    commands = [shlex.split(line) for line in page.splitlines() if line.startswith("switchyard ")]
    for words in commands:
        assert main([*words[1:], "replications=1", "workload.n_queries=400", "workload.n_history=300"]) == 0
    out = tmp_path / "outputs"
    assert (out / "teaching" / "figures" / "spend.png").exists()
    why = {path.name for path in (out / "teaching_why").iterdir()}
    assert why >= {"decomposition.png", "iso_prices.png", "served_by.png", "decision_map.png"}


PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(\s*([^)\s]+)\s*\)", page.read_text()):
        assert target.startswith("https://") or (page.parent / target.partition("#")[0]).exists(), target


def test_a_page_that_is_mentioned_anywhere_is_there() -> None:
    rooms = ("sim", "policies", "scenarios", "switchyard", "conf", "tests", "benchmarks", "notebooks", "docs")
    files = [
        path for room in rooms for kind in ("py", "yaml", "md", "ipynb") for path in ROOT.glob(f"{room}/**/*.{kind}")
    ]
    for path in [*files, *ROOT.glob("*.md")]:
        for page in re.findall(r"docs/[a-z_/]+\.md", path.read_text()):
            assert (ROOT / page).is_file() or "docs/latency" in page, f"{path.relative_to(ROOT)} mentions {page}"


VERBS = sorted((ROOT / "conf").glob("*.yaml"))
PLAIN_GROUPS = ("arrivals", "budget", "estimator", "events", "launcher", "order", "search", "window", "workload")
OPTIONS = [path for group in PLAIN_GROUPS for path in sorted((ROOT / "conf" / group).glob("*.yaml"))]


@pytest.mark.parametrize("path", [*VERBS, *OPTIONS], ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_key_says_beside_it_what_it_is(path: Path) -> None:
    keys = [line for line in path.read_text().splitlines() if re.match(r" *[a-z]\w*: *\S|[a-z]\w*:$", line)]
    names = ("defaults:", f"{path.parent.name}:", f"{path.stem}:")  # of a list, a group and an option
    assert [line for line in keys if "# " not in line and not line.strip().startswith(names)] == []
