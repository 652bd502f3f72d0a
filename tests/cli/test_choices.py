"""Every verb with every option of every group: carried out, or refused in one line that gives the reason."""

import functools
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from hydra import initialize_config_module

from sim.cli.configuration import GROUPS, options
from sim.cli.main import main

SMALL = ["workload.n_queries=40", "workload.n_history=40"]
VERBS = {
    "run": [],
    "compare": ["replications=1", "policy=[random,batch_split,port_fallback]"],
    "ratio": ["sizes=[15]", "min_replications=2", "max_replications=2", "policy=[greedy_cost]", "order=[random]"],
    "explain": ["replications=1", "moments=2", "policy=[greedy_cost]"],
    "plan": ["targets=['served_share>=0.01']", "min_replications=2", "max_replications=2"],
    "sweep": ["seed=0,1", "replications=1", "store=null", "policy=[greedy_cost]"],
    "frontier": ["replications=1", "policy=[knn_threshold]", "knobs.knn_threshold.threshold=[0,1]"],
    "check": ["policy=[greedy_cost]"],
}
WITHOUT_GROUPS = ("validate", "fit", "report", "diff", "replay")
FIRST = "WizardLM-13B-V1.2"
NEEDS = {
    ("workload", "table"): ["workload.path=absent.csv"],
    ("workload", "routerbench"): ["workload.path=absent.pkl"],
    ("workload", "long_then_short"): ["workload.n_long=20", "workload.budget=5"],
    ("workload", "adwords_triangular"): ["workload.n_deployments=3", "workload.budget=5"],
    ("workload", "greedy_half"): ["workload.budget=5"],
    ("workload", "rising_density"): ["workload.levels=3", "workload.budget=5"],
    ("events", "joins"): [f"events.joins.deployment={FIRST}"],
    ("events", "leaves"): [f"events.leaves.deployment={FIRST}"],
    ("events", "top_up"): [f"events.top_up.deployment={FIRST}"],
    ("budget", "amounts"): [f"budget.amounts_by_deployment={{{FIRST}:1}}"],
    ("budget", "each"): ["budget.amount=1"],
    ("order", "saved"): ["order.saved.file=absent.csv"],
    ("order", "late_topic"): ["order.late_topic.topic=topic-1"],
    ("order", "worst_of"): ["order.worst_of.evaluations=2"],
    ("search", "replicas"): ["search.high=2"],
    ("search", "rate"): ["search.high=2"],
    ("search", "budget"): ["search.high=0.2"],
    ("search", "fleet"): ["search.most=1", "search.max_candidates=2"],
}
MOST_POINTS = 8  # of a sweep, where an experiment brings axes of its own
REMOTE = ("ray", "submitit_slurm")  # processes of their own; tests of sweeps have them
JARGON = ("Traceback", "Config", "Hydra", "override", "defaults list", "Error", "NoneType", "object_type")


@functools.cache
def choices() -> list[tuple[str, str]]:
    """Return every option of every group."""
    with initialize_config_module("conf", version_base="1.3"):
        return [(group, option) for group in GROUPS for option in options(group) if option not in REMOTE]


def words(verb: str, chosen: dict[str, str]) -> list[str]:
    """Return the command line of a verb with one option of each of these groups, on a tiny world."""
    if verb in WITHOUT_GROUPS:
        return [verb, *(f"{group}={option}" for group, option in chosen.items())]
    needed = [word for choice in chosen.items() for word in NEEDS.get(choice, ())]
    is_synthetic = chosen.get("workload", "synthetic") in ("synthetic", "trace")
    is_real = chosen.get("experiment", "").startswith(("mmlu", "zero"))
    small = SMALL if is_synthetic and not is_real else ["n_queries=40"] if is_real and verb != "ratio" else []
    keys = {word.partition("=")[0] for word in needed} | set(chosen)
    preset = [word for word in VERBS[verb] if word.partition("=")[0] not in keys]
    return [
        verb,
        *(f"{group}={option}" for group, option in chosen.items()),
        *needed,
        *preset,
        *small,
    ]


def held(line: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Fail unless the line is carried out, or refused in one line in plain words."""
    code = main([*line, f"out={folder / 'out'}"] if line[0] != "report" else line)
    said = [text for text in capsys.readouterr().err.splitlines() if not text.startswith("switchyard: note:")]
    told = f"{' '.join(line)}: exit code {code}, {said}"
    assert code in ((1, 2) if said else (0,)), told  # 2 is for what is not understood, and a plan without an answer
    assert len(said) <= (MOST_POINTS if line[0] == "sweep" else 1), told  # a sweep has a line for each of its points
    assert not any(word in text for word in JARGON for text in said), told


def sample() -> Iterator[list[str]]:
    """Give lines that have every option once, except policies, each line an option of many groups at a time."""
    by_group = {group: [option for at, option in choices() if at == group] for group in GROUPS}
    verbs = list(VERBS)
    for number in range(max(len(names) for group, names in by_group.items() if group != "policy")):
        verb = verbs[number % len(verbs)]
        own = {"search": "plan", "launcher": "sweep"}
        chosen = {
            group: names[number % len(names)]
            for group, names in by_group.items()
            if own.get(group, verb) == verb and (group != "experiment" or number % 5 == 0)
        }
        yield words(verb, chosen)


@pytest.mark.lengthy
def test_every_option_is_carried_out_or_refused_in_one_line_beside_options_of_all_other_groups(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, line in enumerate(sample()):
        draws = number % 4 == 0 or line[0] == "check"  # make proof draws every report
        held(line if draws else [*line, "--no-report"], tmp_path / str(number), capsys)


@pytest.mark.slow
@pytest.mark.parametrize("verb", [*VERBS, *WITHOUT_GROUPS])
def test_every_verb_takes_every_option_or_says_why_not(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, (group, option) in enumerate(choices()):
        held(words(verb, {group: option}), tmp_path / str(number), capsys)


CARRIED_OUT = {
    "the ratio of a hard instance": ("ratio", {"workload": "adwords_triangular"}),
    "an explanation of a hard instance": ("explain", {"workload": "greedy_half"}),
    "a plan of a hard instance": ("plan", {"workload": "rising_density", "fleet": "timed"}),
    "a plan of an experiment": ("plan", {"experiment": "best_model_down", "policy": "greedy_perf"}),
    "a comparison of users": ("compare", {"arrivals": "closed_loop"}),
}


@pytest.mark.parametrize("case", CARRIED_OUT)
def test_what_makes_sense_together_is_carried_out(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verb, chosen = CARRIED_OUT[case]
    code = main([*words(verb, chosen), f"out={tmp_path / 'out'}", "--no-report"])
    assert code == 0, capsys.readouterr().err


def test_a_mapping_with_a_target_takes_the_place_of_what_makes_something_else(tmp_path: Path) -> None:
    constant = "fleet.service.duration={_target_: sim.distributions.Constant, value_s: 0.5}"
    assert (
        main(["run", "fleet=timed", constant, "policy=greedy_cost", *SMALL, f"out={tmp_path / 'out'}", "--no-report"])
        == 0
    )
    requests = pd.read_parquet(tmp_path / "out" / "requests.parquet")
    served = requests[requests["fate"] == "served"]
    assert (served["finished_at_s"] - served["started_at_s"]).round(9).unique().tolist() == [0.5]
