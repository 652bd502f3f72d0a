"""The page of published systems: made of their files, whole, and true of what is shipped."""

import importlib.util
import re
from pathlib import Path

import pytest

from tests.configured import NAMES

ROOT = Path(__file__).resolve().parents[2]
ESTIMATORS = sorted(path.stem for path in (ROOT / "conf" / "estimator").glob("*.yaml"))
spec = importlib.util.spec_from_file_location("page", ROOT / "docs" / "systems" / "page.py")
assert spec is not None
assert spec.loader is not None
made = importlib.util.module_from_spec(spec)
spec.loader.exec_module(made)


def test_the_page_is_up_to_date() -> None:
    assert made.PAGE.read_text() == made.page()  # else: python docs/systems/page.py


@pytest.mark.parametrize("known", made.read(), ids=lambda known: known["system"].split(" (")[0])
def test_what_a_system_names_is_there(known: dict[str, str | list[str]]) -> None:
    assert known["policies"]
    for name in known["policies"]:
        assert name in (*NAMES, *ESTIMATORS)
    text = " ".join(str(known["ours"]).split())
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))
    named = re.findall(r"\btest_\w+\b(?!\.py)", text)
    files = re.findall(r"tests/[\w/]+\.py", text)
    assert named or files, "no test holds what was measured"
    for file in files:
        assert (ROOT / file).is_file(), file
    for name in named:
        assert f"def {name}(" in tests, name
