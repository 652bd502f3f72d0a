"""Results of old code are never passed off as new: digests by hand, then sweeps between which a policy is edited."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sim.cli.sweeping.launchers import Job
from sim.cli.sweeping.points import run_point
from sim.study.output.directory import manifest_text
from sim.study.output.source_digest import digest_of, outside_files, own_digest, source_digest, targets
from sim.study.output.store import Store

ROOT = Path(__file__).resolve().parents[2]
SMALL = ["workload.n_queries=30", "workload.n_history=20", "workload.n_models=2", "workload.dim=4", "metric=[]"]


def test_the_digest_is_of_names_and_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1")
    (tmp_path / "b.py").write_text("x = 1")
    one, other = {"a": tmp_path / "a.py"}, {"b": tmp_path / "b.py"}
    assert digest_of(one) != digest_of(other)
    before = digest_of(one)
    (tmp_path / "a.py").write_text("x = 2")
    assert digest_of(one) != before
    (tmp_path / "a.py").write_text("x = 1")
    assert digest_of(one) == before


def test_every_target_of_a_configuration_is_found() -> None:
    config = {"policy": {"p": {"_target_": "a.B", "parts": [{"_target_": "c.D"}, 3]}}, "metric": None}
    assert list(targets(config)) == ["a.B", "c.D"]


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's package beside a module and a folder of other things."""
    home = tmp_path / "plugin"
    (home / "mine" / "deep").mkdir(parents=True)
    (home / "mine" / "__init__.py").write_text("")
    (home / "mine" / "rule.py").write_text(
        "from mine.deep import tables\nfrom . import words\nimport beside\nimport numpy"
    )
    (home / "mine" / "words.py").write_text("import json\nimport sim.interface")
    (home / "mine" / "unrelated.py").write_text("")
    (home / "mine" / "deep" / "__init__.py").write_text("from ..words import *")
    (home / "mine" / "deep" / "tables.py").write_text("")
    (home / "beside.py").write_text("")
    monkeypatch.syspath_prepend(home)
    for module in ("mine", "beside"):  # which other tests may have imported from elsewhere
        monkeypatch.delitem(sys.modules, module, raising=False)
    return home


def test_a_class_of_a_users_own_brings_its_module_and_what_that_imports_from_the_same_folder(plugin: Path) -> None:
    found = outside_files(["mine.rule.Rule.make", "json.JSONDecoder", "policies.budgeted.port.Port", "nowhere.Thing"])
    assert found == {
        "mine": plugin / "mine" / "__init__.py",
        "mine.rule": plugin / "mine" / "rule.py",
        "mine.words": plugin / "mine" / "words.py",
        "mine.deep": plugin / "mine" / "deep" / "__init__.py",
        "mine.deep.tables": plugin / "mine" / "deep" / "tables.py",
        "beside": plugin / "beside.py",
    }


def test_an_edited_helper_of_a_users_own_class_is_other_code_and_an_edited_neighbour_is_not(plugin: Path) -> None:
    before = digest_of(outside_files(["mine.rule.Rule"]))
    (plugin / "mine" / "unrelated.py").write_text("x = 1")
    assert digest_of(outside_files(["mine.rule.Rule"])) == before
    (plugin / "mine" / "words.py").write_text("x = 1")
    assert digest_of(outside_files(["mine.rule.Rule"])) != before


def test_an_installed_package_brings_no_other_package() -> None:
    found = outside_files(["rich.text.Text"])
    assert "rich.text" in found
    assert {module.partition(".")[0] for module in found} == {"rich"}


def test_the_code_of_a_configuration_without_classes_of_a_users_own_is_switchyards(plugin: Path) -> None:
    ours = {"policy": {"port": {"_target_": "policies.budgeted.port.Port"}}}
    assert source_digest(ours) == source_digest() == own_digest()
    assert source_digest({"policy": {"mine": {"_target_": "mine.rule.Rule"}}}) != own_digest()


def test_a_manifest_says_which_code_it_was_made_with() -> None:
    assert json.loads(manifest_text({"verb": "run", "config": {}}))["source"] == own_digest()


def test_what_is_kept_is_of_one_code(tmp_path: Path) -> None:
    made: list[str] = []

    def make(source: str) -> list[np.ndarray[Any, Any]]:
        made.append(source)
        return [np.ones(1)]

    for source in ("before", "after", "after"):
        Store(tmp_path, source).arrays([b"a"], lambda source=source: make(source))  # type: ignore[misc]
    assert made == ["before", "after"]


def test_a_process_with_other_code_does_not_run_a_point(tmp_path: Path) -> None:
    outcome = run_point(Job(0, {}, str(tmp_path / "point.parquet"), None, "another digest"))
    assert outcome.error == f"this process has other code than the sweep: {own_digest()}, not another digest"
    assert list(tmp_path.iterdir()) == []


def swept(words: list[str], folders: list[Path], out: Path) -> subprocess.CompletedProcess[str]:
    """Run a small sweep over two seeds with the packages in these folders."""
    command = [sys.executable, "-m", "sim", "sweep", *SMALL, "replications=1", "seed=1,2", "launcher=basic", *words]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders)), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [*command, f"store={out.parent / 'cache'}", f"out={out}"],
        cwd=out.parent, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.slow  # make proof runs it
def test_a_policy_that_was_edited_shows_its_new_quality_in_the_same_sweep(tmp_path: Path) -> None:
    tree, out = tmp_path / "tree", tmp_path / "o"
    for package in ("sim", "policies", "scenarios", "conf"):
        shutil.copytree(ROOT / package, tree / package, ignore=shutil.ignore_patterns("__pycache__"))
    words = ["policy=random", "budget=unlimited"]
    assert "2 of 2 points, 0 of them kept" in swept(words, [tree], out).stdout
    assert pd.read_parquet(out / "sweep.parquet")["served"].tolist() == [30, 30]
    old = {path.name for path in (out / "points").iterdir()}

    rule = tree / "policies" / "balancing" / "uniform_random.py"
    draws = "return self._decisions[query.id]"
    assert draws in rule.read_text()
    rule.write_text(rule.read_text().replace(draws, "return Decision(None)"))
    done = swept(words, [tree], out)
    assert "holds 2 points of other code or settings, not used here" in done.stderr
    assert "2 of 2 points, 0 of them kept" in done.stdout
    assert pd.read_parquet(out / "sweep.parquet")["served"].tolist() == [0, 0]
    new = {path.name for path in (out / "points").iterdir()}
    assert len(new) == 2
    assert not new & old
    assert (out / "figures" / "by_seed.png").is_file()

    done = swept(words, [tree], out)
    assert "2 of 2 points, 2 of them kept" in done.stdout
    assert done.stderr == ""
