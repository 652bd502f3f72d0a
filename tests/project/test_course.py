"""The notebooks of the course: each runs on its own, as its solutions do, in less than 30 seconds."""

import json
import time
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

ROOT = Path(__file__).resolve().parents[2]
COURSE = ROOT / "notebooks" / "course"
NOTEBOOKS = sorted(COURSE.glob("*.ipynb"))
SOLUTIONS = sorted((COURSE / "solutions").glob("*.ipynb"))
QUICK = ("1_first_route",)


def cells(path: Path, kind: str) -> list[str]:
    found: list[str] = [
        "".join(cell["source"]) for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == kind
    ]
    return found


def test_every_notebook_has_solutions_and_exercises_that_they_answer_one_by_one() -> None:
    assert len(NOTEBOOKS) == 8
    assert [path.name for path in NOTEBOOKS] == [path.name for path in SOLUTIONS]
    for notebook, solution in zip(NOTEBOOKS, SOLUTIONS, strict=True):
        exercises = cells(notebook, "markdown")[-1].split("## Exercises")[1]
        asked = [line[:2] for line in exercises.splitlines() if line[:1].isdigit()]
        answered = [text[3:5] for text in cells(solution, "markdown") if text.startswith("## ")]
        assert asked == answered, notebook.name


def test_all_begin_with_the_same_installation() -> None:
    assert len({cells(path, "code")[0] for path in [*NOTEBOOKS, *SOLUTIONS]}) == 1


def parameter(path: Path) -> object:
    name = f"{path.parent.name}-{path.stem}"
    return pytest.param(path, id=name, marks=() if path.stem in QUICK else pytest.mark.lengthy)


@pytest.mark.parametrize("path", [parameter(path) for path in [*NOTEBOOKS, *SOLUTIONS]])
def test_a_notebook_runs_in_half_a_minute(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # where the last one writes its policies
    namespace: dict[str, object] = {}
    began_s = time.process_time()  # of this process, so that what else runs on the machine does not count
    for code in cells(path, "code"):
        exec(compile(code, path.name, "exec"), namespace)
    plt.close("all")
    assert time.process_time() - began_s < 30
