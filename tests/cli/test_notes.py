"""What a user should know and is no error: a warning in Python, one line on stderr from the command."""

import importlib.util
import warnings
from pathlib import Path

import pytest

from sim.cli.main import main, notes_to_stderr
from sim.cli.renamed import MOVED
from sim.errors import Note, note


def test_in_python_a_note_is_a_warning() -> None:
    with pytest.warns(Note, match="scores are clipped"):
        note("3 scores are clipped")


def test_the_command_prints_each_different_note_once(capsys: pytest.CaptureFixture[str]) -> None:
    with notes_to_stderr():
        for text in ("one", "two", "one"):
            note(text)
    assert capsys.readouterr().err == "switchyard: note: one\nswitchyard: note: two\n"


def test_other_warnings_are_left_as_they_are() -> None:
    with notes_to_stderr(), pytest.raises(RuntimeWarning, match="overflow"):
        warnings.warn("overflow", RuntimeWarning, stacklevel=1)


@pytest.mark.parametrize("module", sorted(MOVED))
def test_a_module_that_has_moved_is_where_the_table_says(module: str) -> None:
    assert importlib.util.find_spec(MOVED[module]) is not None


def test_an_old_name_of_a_class_works_on_with_a_note_that_says_the_new_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ["workload.n_queries=20", "workload.n_history=20", "workload.n_models=2", "workload.dim=4"]
    old = "policy.random._target_=policies.uniform_random.UniformRandom"
    service = "fleet.service={_target_: sim.world.service.Instant}"
    assert main(["run", *small, "policy=random", old, service, f"out={tmp_path / 'o'}", "--no-report"]) == 0
    notes = capsys.readouterr().err.splitlines()
    ends = "; write that, as the old name goes with the next release"
    assert sorted(notes) == [
        "switchyard: note: policies.uniform_random.UniformRandom is now "
        "policies.balancing.uniform_random.UniformRandom" + ends,
        "switchyard: note: sim.world.service.Instant is now sim.world.services.slots.Instant" + ends,
    ]
