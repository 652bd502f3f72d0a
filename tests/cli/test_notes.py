"""What a user should know and is no error: a warning in Python, one line on stderr from the command."""

import warnings

import pytest

from sim.cli.main import notes_to_stderr
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
