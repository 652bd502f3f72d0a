"""``--help``: at once for all, and for one verb what its keys mean."""

import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from sim.cli.configuration import composed, options
from sim.cli.help import NAMES, comments, keys, of_yaml
from sim.cli.main import main
from sim.cli.project import opened
from sim.cli.verbs import VERBS

ESTIMATORS = (Path(__file__).resolve().parents[2] / "conf" / "estimator").glob("*.yaml")
SLOW = ("faiss", "matplotlib", "pandas", "pyarrow", "scipy", "seaborn", "simpy", "sklearn")


def page(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main([*words, "--help"]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["fit", "--help"], ["--version"], ["rn"]])
def test_help_imports_nothing_that_simulates_or_draws(words: list[str]) -> None:
    code = f"import sys; from sim.cli.main import main; main({words!r}); print([m for m in {SLOW} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_page_of_its_own_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown = page(capsys, verb)
    assert shown.startswith(f"usage: switchyard {verb} ")
    assert f"example: switchyard {VERBS[verb].example}" in shown


def test_a_key_stands_with_its_value_and_its_meaning(capsys: pytest.CaptureFixture[str]) -> None:
    shown = " ".join(page(capsys, "run", "policy=port").split())
    assert "policy.port.eps=0.025 float. Share of queries to explore on" in shown
    assert "replications=1 how many times the scenario is drawn and run" in shown
    assert f"Options: {', '.join(sorted(path.stem for path in ESTIMATORS))}" in shown


def test_the_keys_are_those_of_the_options_that_are_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    shown = page(capsys, "run", "policy=random", "fleet=slots", "window=bucket")
    assert "window.burst_s=60.0" in shown
    assert "fleet.service.slots=8" in shown
    assert "policy.port" not in shown


def test_a_wrong_word_beside_help_gets_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "policy=pord", "--help"]) == 1
    assert capsys.readouterr().err == "switchyard: unknown policy 'pord'; did you mean port?\n"


def test_comments_of_yaml_belong_to_their_keys() -> None:
    text = "# a page\ndefaults:\n  - fleet: instant # what serves\nseed: 0\nretry:\n  attempts: 1 # in all\n"
    assert of_yaml(text) == {"fleet": "what serves", "retry.attempts": "in all"}


def test_a_meaning_is_that_of_the_chosen_option_and_not_of_another_with_a_key_of_that_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = " ".join(page(capsys, "run", "workload=table").split())
    assert "workload.path=shipped:mmlu_two_models.csv .csv, .jsonl" in shown
    assert "arrivals.rate_per_s=10.0 mean number of queries per second" in shown  # an experiment says other things


VERBS_OF_GROUPS = {"search": "plan", "launcher": "sweep"}
GROUPS_WITH_KEYS = (
    *("policy", "estimator", "workload", "fleet", "budget", "window", "arrivals", "order", "events"),
    *VERBS_OF_GROUPS,
)


@pytest.mark.parametrize("group", GROUPS_WITH_KEYS)
def test_every_key_of_every_option_has_a_meaning(group: str) -> None:
    verb = VERBS_OF_GROUPS.get(group, "run")
    with opened():
        # What stands under its own name may be chosen all at once, and Hydra then composes once.
        chosen = [f"[{','.join(options(group))}]"] if group in NAMES else options(group)
        for name in chosen:
            config = OmegaConf.to_container(composed(verb, [f"{group}={name}"])[0], resolve=False)
            assert isinstance(config, dict)
            lacking = [key for key, _, meaning in keys(config, comments(verb, config, None)) if not meaning]  # type: ignore[arg-type]
            assert lacking == [], f"{group}={name}"


def test_a_key_of_a_base_in_another_module_has_its_meaning(capsys: pytest.CaptureFixture[str]) -> None:
    shown = " ".join(page(capsys, "run", "fleet=autoscaled_slo").split())
    assert "fleet.autoscaler.most_retired=null int or None. The most replicas that are retired at one look;" in shown
