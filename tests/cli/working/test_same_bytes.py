"""Studies in several processes: the same bytes as in one, the same errors, and nothing left when they are stopped."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from sim.cli import api
from sim.cli.building import build_policies, build_settled, configured_study
from sim.cli.configuration import configure
from sim.cli.main import main
from sim.cli.project import opened
from sim.cli.working.team import Team
from sim.cli.working.worth import of_runs
from sim.interface import Decision, Policy, Query, State

SMALL = ["workload.n_queries=60", "workload.n_history=40", "workload.n_models=3", "workload.dim=4"]
RULES = """
import os, pathlib, signal, time
from sim.interface import Decision, Policy

HELPED = pathlib.Path("helped")


class Drawing(Policy):
    runs = 0

    def reset(self, setting, rng):
        self.rng, self.n = rng, len(setting.fleet)
        Drawing.runs += 1
        if not is_first_process():
            HELPED.touch()
        while Drawing.runs > 1 and not HELPED.exists():  # so that the other process has its share of so little
            time.sleep(0.01)

    def decide(self, query, state):
        return Decision(int(self.rng.integers(self.n)))


class Failing(Drawing):
    def decide(self, query, state):
        return Decision(99)


class Dying(Drawing):
    def reset(self, setting, rng):
        super().reset(setting, rng)
        if not is_first_process():
            os.kill(os.getpid(), signal.SIGKILL)


def is_first_process():
    return os.environ["FIRST"] == str(os.getpid())
"""
# The interrupt key works, even if the tests run in the background, where it is ignored.
ATTENTIVE = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from sim.cli.main import main
sys.exit(main(sys.argv[1:]))
"""
VERBS = {
    "compare": ["replications=3", "order=worst_of", "order.worst_of.evaluations=25", "order.worst_of.policy=random"],
    "ratio": ["sizes=[20,60]", "order=[random,cheap_first]",
              "min_replications=2", "max_replications=5", "half_width=0.05"],
    "explain": ["replications=3", "moments=4"],
    "plan": ["fleet=timed", "fleet.service.slots=1", "arrivals.rate_per_s=5", "max_replications=6",
             "targets=[p95_ttft_s<=9,cost_per_1k_usd<=50]", "min_replications=3"],
}  # fmt: skip


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file of policies in the current folder, of a name of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FIRST", str(os.getpid()))
    name = f"rules_{tmp_path.name}.py"
    Path(name).write_text(RULES)
    return f"./{name}"


def written(words: list[str], workers: int) -> dict[str, bytes]:
    """What a command writes with so many workers, by the names of the files; times that runs took are left out."""
    helped = Path("helped")
    if workers == 1:
        helped.touch()
    assert main([*words, *SMALL, f"workers={workers}", "out=study", "--no-report"]) == 0
    assert helped.exists()
    helped.unlink()
    found = {path.name: path.read_bytes() for path in Path("study").iterdir()}
    if "summary.csv" in found:
        found["summary.csv"] = pd.read_csv("study/summary.csv").drop(columns="wall_s").to_csv().encode()
    return found


@pytest.mark.lengthy
def test_two_processes_write_the_bytes_of_one_with_a_policy_of_ones_own(rules: str) -> None:
    words = ["compare", f"policy=[random,port_fallback,{rules}:Drawing]", "replications=4", "roundings=1"]
    assert written(words, 1) == written(words, 2)


@pytest.mark.lengthy
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_writes_the_same_bytes_in_two_processes(rules: str, verb: str) -> None:
    words = [verb, *VERBS[verb], f"policy={rules}:Drawing" if verb == "plan" else f"policy=[random,{rules}:Drawing]"]
    assert written(words, 1) == written(words, 2)


def test_an_error_in_another_process_is_the_same_line(rules: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = []
    for workers in (1, 2):
        Path("helped").touch()
        words = ["run", *SMALL, f"policy={rules}:Failing", "replications=3", f"workers={workers}", "out=failed"]
        assert main(words) == 1
        said.append(capsys.readouterr().err)
    assert said[0] == said[1]
    assert said[0].count("\n") == 1
    assert not Path("failed").exists()


def test_a_process_that_dies_is_an_error_that_says_what_to_do(rules: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", *SMALL, f"policy={rules}:Dying", "replications=4", "workers=2", "out=null"]) == 1
    line = "switchyard: a process beside this one was ended; workers=1 takes no other, and less memory\n"
    assert capsys.readouterr().err == line


def test_an_error_in_what_uses_the_results_ends_all_processes(rules: str) -> None:
    words = [*SMALL, f"policy={rules}:Drawing", "replications=100", "workers=2"]
    with pytest.raises(OSError, match="no space is left"):
        write_no_more_than(20, words)


def write_no_more_than(most: int, words: list[str]) -> None:
    """Run policies, and raise as where a disk is full."""
    with opened(words=words):
        config = configure("run", words)
        with Team(config, of_runs(config)) as team:
            study = team.share_one(configured_study, build_settled(config, build_policies(config)))
            for record in team.each(study.records, range(100)):
                if record.replication == most:
                    raise OSError("no space is left")


@pytest.mark.lengthy
def test_the_interrupt_key_ends_all_processes_and_leaves_nothing(rules: str) -> None:
    words = ["run", *SMALL, f"policy={rules}:Drawing", "replications=100000", "workers=2", "out=stopped"]
    command = subprocess.Popen([sys.executable, "-c", ATTENTIVE, *words], stderr=subprocess.PIPE, text=True)
    for _ in range(3000):
        if Path("helped").exists():
            break
        time.sleep(0.01)
    children = Path(f"/proc/{command.pid}/task/{command.pid}/children").read_text().split()
    command.send_signal(signal.SIGINT)
    assert command.communicate(timeout=60)[1] == "switchyard: stopped; nothing was written\n"
    assert command.returncode == 130
    assert children
    for _ in range(500):  # one of loky's, which cleans up after the others, is the last
        if not any(Path(f"/proc/{child}").exists() for child in children):
            break
        time.sleep(0.01)
    assert not any(Path(f"/proc/{child}").exists() for child in children)
    assert not list(Path().glob("*stopped*"))


def test_python_has_the_same_key_and_objects_of_ones_own_stay_in_this_process(rules: str) -> None:
    words = [*SMALL, f"policy={rules}:Drawing", "replications=3", "oracle.names=[]"]
    Path("helped").touch()
    one, two = (api.compare(*words, f"workers={number}").drop(columns="wall_s") for number in (1, 2))
    pd.testing.assert_frame_equal(one, two)
    others = api.compare(*words, "workers=2", others={"mine": OneForAll()})
    assert others["policy"].unique().tolist() == ["drawing", "mine"]


class OneForAll(Policy):
    """No other process could import it, as it is given as an object."""

    def decide(self, query: Query, state: State) -> Decision:
        assert os.environ["FIRST"] == str(os.getpid())
        return Decision(0)


@pytest.mark.parametrize("workers", [0, -1])
def test_a_number_of_processes_that_cannot_be_is_said(workers: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *SMALL, f"workers={workers}", "out=null"]) == 1
    error = f"switchyard: workers is {workers}; it must be at least 1, or null for one per core where it is worth it\n"
    assert capsys.readouterr().err == error
