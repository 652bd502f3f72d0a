"""Which package may import which; the arrows of ARCHITECTURE.md."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import sim

ROOT = Path(__file__).resolve().parents[2]

# From the top down: a module may import those of its own layer and of layers below.
LAYERS = (
    "sim.cli",
    "sim.show",
    "sim.study",
    "sim.live",
    "sim.world",
    "sim.instance",
    "sim.selection",
    "sim.history",
    "sim.fitting",
    "sim.truth",
    "sim.scenario",
    "sim.caching",
    "sim.deployment",
    "sim.workload",
    "sim.renewing",
    "sim.spending",
    "sim.scores",
    "sim.traits",
    "sim.assignment",
    "sim.distributions",
    "sim.interface",
    "sim.errors",
)
OURS = ("sim", "policies", "scenarios", "conf", "switchyard")


def modules(package: str) -> Iterator[tuple[str, Path]]:
    for path in sorted((ROOT / package).rglob("*.py")):
        yield ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"), path


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            found.add(node.module or "")
    return found


def layer(module: str) -> int:
    return next(rank for rank, name in enumerate(LAYERS) if module == name or module.startswith(f"{name}."))


@pytest.mark.parametrize(("module", "path"), list(modules("policies")))
def test_a_policy_sees_only_the_interface_and_arithmetic(module: str, path: Path) -> None:
    ours = {name for name in imported(path) if name.split(".")[0] in OURS and name.split(".")[0] != "policies"}
    assert {name for name in ours if not name.startswith("sim.assignment.")} <= {"sim.interface", "sim.errors"}


@pytest.mark.parametrize(("module", "path"), list(modules("scenarios")))
def test_scenarios_see_the_interface_and_what_a_scenario_is_made_of(module: str, path: Path) -> None:
    ours = {name for name in imported(path) if name.split(".")[0] in OURS and name.split(".")[0] != "scenarios"}
    made_of = {
        "sim.scenario",
        "sim.caching",
        "sim.deployment",
        "sim.workload",
        "sim.workload.rows",
        "sim.workload.tasks",
        "sim.workload.prefixes",
    }
    assert ours <= {"sim.interface", "sim.errors", *made_of}


@pytest.mark.parametrize(("module", "path"), [(m, p) for m, p in modules("sim") if m not in ("sim", "sim.__main__")])
def test_arrows_inside_the_simulator_run_down_only(module: str, path: Path) -> None:
    ours = {name for name in imported(path) if name.split(".")[0] in OURS}
    assert {name for name in ours if name.split(".")[0] != "sim"} == set()
    assert {name for name in ours if layer(name) < layer(module)} == set()


def test_what_joins_all_of_it_for_other_programs_is_imported_by_nothing() -> None:
    for package in ("sim", "policies", "scenarios", "benchmarks"):
        for module, path in modules(package):
            assert not {name for name in imported(path) if name.split(".")[0] == "switchyard"}, module


def test_figures_and_tables_never_touch_the_world() -> None:
    for _, path in modules("sim/show"):
        assert not {name for name in imported(path) if name.startswith(("sim.world", "sim.instance", "sim.scenario"))}


def test_only_the_command_line_knows_hydra() -> None:
    for package in ("sim", "policies", "scenarios", "switchyard"):
        for module, path in modules(package):
            if not module.startswith("sim.cli"):
                assert not {name for name in imported(path) if name.split(".")[0] in ("hydra", "omegaconf")}, module


def test_the_package_named_sim_is_ours() -> None:
    assert sim.__file__ is not None
    assert Path(sim.__file__).resolve().parent == ROOT / "sim"


def test_no_room_has_more_than_15_files_at_one_level() -> None:
    for package in ("sim", "policies", "scenarios", "switchyard", "tests", "benchmarks", "docs"):
        pages = [path for path in (ROOT / package).rglob("*") if path.suffix in (".py", ".md")]
        rooms = Counter(path.parent.relative_to(ROOT) for path in pages if path.stem != "__init__")
        assert {str(room): n for room, n in rooms.items() if n > 15} == {}
