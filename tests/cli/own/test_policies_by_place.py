"""Policies named by their file, their module or an entry point: in every verb, in workers, in the manifest."""

import hashlib
import json
from pathlib import Path

import pandas as pd
import pytest

from sim.cli import api
from sim.cli.main import main

SMALL = ["workload.n_queries=40", "workload.n_history=30", "workload.n_models=3", "workload.dim=4", "budget=unlimited"]
RULES = """
from sim.interface import Decision, Estimator, Policy
from helper_of_{module} import FIRST


class MyRule(Policy):
    \"\"\"Choose one deployment for all.\"\"\"

    def __init__(self, k: int = FIRST) -> None:
        self.k = k

    def decide(self, query, state):
        return Decision(self.k)


class Predicting(Policy):
    def __init__(self, estimator: Estimator) -> None:
        self.estimator = estimator

    def decide(self, query, state):
        return Decision(int(query.quality_hat.argmax()))


class Other:
    pass
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file with policies and one that it imports, in a folder that is no project; its name is its own."""
    module = f"rules_{tmp_path.name}"
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / f"{module}.py").write_text(RULES.format(module=module))
    (folder / f"helper_of_{module}.py").write_text("FIRST = 0\n")
    monkeypatch.chdir(tmp_path)
    return f"./code/{module}.py"


def where(out: Path) -> list[str]:
    """The names of the deployments that served, by policy and in the order of the fleet."""
    requests = pd.read_parquet(out / "requests.parquet")
    fleet = pd.read_csv(out / "fleet.csv")["deployment"].tolist()
    chosen = requests.groupby("policy", observed=True)["deployment"].agg(lambda names: "".join(sorted(set(names))))
    return [f"{policy}:{fleet.index(name)}" for policy, name in chosen.items()]


def test_a_class_in_a_file_is_a_policy_named_after_it_whose_keys_are_set_like_any_others(
    place: str, tmp_path: Path
) -> None:
    assert main(["run", *SMALL, f"policy={place}:MyRule", "out=a", "--no-report"]) == 0
    assert main(["run", *SMALL, f"policy=[{place}:MyRule]", "policy.my_rule.k=2", "out=b", "--no-report"]) == 0
    assert where(tmp_path / "a") == ["my_rule:0"]
    assert where(tmp_path / "b") == ["my_rule:2"]


def test_the_order_of_the_words_is_kept_and_a_policy_that_takes_an_estimator_gets_the_chosen_one(place: str) -> None:
    words = [*SMALL, f"policy=[{place}:Predicting,random,{place}:MyRule]", "estimator=exact", "oracle.names=[]"]
    summary = api.compare(*words, "replications=1")
    assert summary["policy"].tolist() == ["predicting", "random", "my_rule"]
    assert list(api.policies(f"{place}:MyRule")) == ["my_rule"]


def test_a_class_in_a_module_of_the_current_folder_is_found(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path / "code")
    module = Path(place).stem
    assert main(["run", *SMALL, f"policy={module}:MyRule", "out=a", "--no-report"]) == 0
    assert where(tmp_path / "code" / "a") == ["my_rule:0"]


VERBS = {
    "run": [],
    "compare": ["replications=1", "oracle.names=[]"],
    "ratio": ["sizes=[40]", "order=random", "min_replications=2", "max_replications=2", "budget=weighted"],
    "plan": ["search=replicas", "fleet=slots", "targets=[served_share>=0]", "min_replications=2", "max_replications=2"],
    "explain": ["replications=1", "moments=2", "budget=weighted"],
    "sweep": ["replications=1", "policy.my_rule.k=0,1"],
    "export": [],
}


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_that_takes_policies_takes_them_by_place(verb: str, place: str, tmp_path: Path) -> None:
    usual = [word for word in SMALL if word.partition("=")[0] not in {one.partition("=")[0] for one in VERBS[verb]}]
    assert main([verb, *usual, *VERBS[verb], f"policy={place}:MyRule", "out=null"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["code"]  # and nothing is written


def test_check_holds_it_to_the_contract(place: str) -> None:
    assert main(["check", f"policy={place}:MyRule"]) == 0


@pytest.mark.lengthy
def test_workers_of_a_sweep_find_it_and_its_keys_may_be_an_axis(place: str, tmp_path: Path) -> None:
    words = [*SMALL, f"policy=random,{place}:MyRule", "policy.my_rule.k=0,2", "replications=1", "store=null", "out=o"]
    assert main(["sweep", *words, "launcher=joblib", "launcher.n_jobs=2"]) == 0
    table = pd.read_parquet(tmp_path / "o" / "sweep.parquet")
    assert table["policy"].tolist() == ["random", "my_rule"] * 2
    assert table["policy.my_rule.k"].tolist() == [0, 0, 2, 2]


def test_the_manifest_has_the_hash_of_its_file_and_its_code(place: str, tmp_path: Path) -> None:
    assert main(["run", *SMALL, f"policy={place}:MyRule", "out=a"]) == 0
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    file = (tmp_path / place).resolve()
    assert manifest["project"] == {str(file): hashlib.sha256(file.read_bytes()).hexdigest()}
    assert main(["run", *SMALL, "policy=random", "out=b"]) == 0
    other = json.loads((tmp_path / "b" / "manifest.json").read_text())
    assert "project" not in other
    assert other["source"] != manifest["source"]


def test_an_installed_package_offers_policies_by_an_entry_point(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = Path(place).stem
    about = tmp_path / "code" / f"{module}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[switchyard.policies]\nfrom-afar = {module}:MyRule\n")
    monkeypatch.syspath_prepend(tmp_path / "code")
    assert main(["run", *SMALL, "policy=from-afar", "policy.from_afar.k=1", "out=a", "--no-report"]) == 0
    assert where(tmp_path / "a") == ["from_afar:1"]


WRONG = {
    "./code/none.py:MyRule": "there is no file ./code/none.py, which policy=./code/none.py:MyRule names",
    "PLACE": "policy=PLACE names a file; give the class in it too, as in policy=PLACE:MyPolicy",
    "PLACE:MyRul": "unknown class 'MyRul'; did you mean 'MyRule'? (in FILE)",
    "PLACE:Other": "policy=PLACE:Other must be a Policy of sim.interface, and Other is no subclass of it",
    "PLACE:FIRST": "policy=PLACE:FIRST must be a Policy of sim.interface, and FIRST is a int",
    "PLACE:Predicting": "policy 'predicting' needs an estimator; choose one, such as estimator=hnsw",
    "no.such:Rule": "policy=no.such:Rule cannot be imported: ModuleNotFoundError: No module named 'no'",
    "[PLACE:MyRule,./PLACE:MyRule]": "two policies would be named 'my_rule'; rename the class of ./PLACE:MyRule",
}


@pytest.mark.parametrize("word", WRONG)
def test_what_is_no_policy_is_refused_in_one_line(
    word: str, place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(text: str) -> str:
        return text.replace("PLACE", place).replace("FILE", str((tmp_path / place).resolve()))

    assert main(["run", *SMALL, told(f"policy={word}"), "out=a", "--no-report"]) == 1
    assert capsys.readouterr().err == f"switchyard: {told(WRONG[word])}\n"
    assert not (tmp_path / "a").exists()


def test_a_key_that_its_constructor_does_not_take_is_refused(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", *SMALL, f"policy={place}:MyRule", "policy.my_rule.kk=1", "out=a", "--no-report"]) == 1
    assert "unknown key 'policy.my_rule.kk'; did you mean 'policy.my_rule.k'" in capsys.readouterr().err


def test_a_file_with_the_name_of_another_module_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "random.py").write_text("")
    assert main(["run", *SMALL, f"policy={tmp_path / 'random.py'}:Rule"]) == 1
    assert "random.py has its name; rename the file" in capsys.readouterr().err


def test_files_of_one_name_in_two_folders_follow_each_other(tmp_path: Path) -> None:
    for number in (0, 1):
        folder = tmp_path / str(number)
        folder.mkdir()
        name = f"twice_{tmp_path.name}"
        text = RULES.replace("from helper_of_{module} import FIRST", f"FIRST = {number}")
        (folder / f"{name}.py").write_text(text)
        assert main(["run", *SMALL, f"policy={folder / name}.py:MyRule", f"out={folder / 'o'}", "--no-report"]) == 0
        assert where(folder / "o") == [f"my_rule:{number}"]
