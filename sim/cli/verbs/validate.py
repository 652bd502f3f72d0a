"""The verb validate: from a configuration to a table of verdicts and an exit code. It knows no formula."""

from __future__ import annotations

from collections.abc import Sequence

from omegaconf import DictConfig

from sim.cli.configuration import build
from sim.cli.output import Output
from sim.cli.progress import progress
from sim.errors import unknown
from sim.show.validate import reasons, verdicts
from sim.study.theory import validate as theory
from sim.study.theory.conditions import System
from sim.study.theory.laboratory import standard


def validate(verb: str, config: DictConfig) -> int:
    """Check closed forms, write the output directory, print the tables; return 1 if a form fails."""
    output = Output(verb, config)
    systems = [own(config)] if config.system else chosen(config.systems)
    n_customers = config.quick_customers if config.quick else config.customers
    with output.whole() as folder, progress(len(systems)) as advance:
        table = theory.validate(systems, n_customers, n_batches=config.batches, seed=config.seed, done=advance)
        table.to_csv(folder / "validate.csv", index=False)
    output.say(verdicts(table), reasons(table))
    return 0 if table["passed"].dropna().all() else 1


def own(config: DictConfig) -> System:
    """Make the system that the configuration describes; raise ValueError if it describes something else."""
    system = build(config.system, "system")
    if not isinstance(system, System):
        raise ValueError(
            f"system makes a {type(system).__name__}, which is not a System of sim.study.theory.conditions"
        )
    return system


def chosen(names: Sequence[str]) -> list[System]:
    """Return the standard systems of these names, all if there is none; raise ValueError for an unknown name."""
    known = {system.name: system for system in standard()}
    for name in names:
        if name not in known:
            raise ValueError(unknown("system", name, list(known)))
    return [known[name] for name in names] or list(known.values())
