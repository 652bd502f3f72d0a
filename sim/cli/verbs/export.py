"""Carries out the verb export: it writes instances of a scenario, so that another program can solve the same."""

from __future__ import annotations

from collections.abc import Mapping

from omegaconf import DictConfig
from rich.table import Table

from sim.cli.building import build_policies, build_settled
from sim.cli.output import Output
from sim.cli.progress import progress
from sim.instance import realise
from sim.show.tables.runs import worst_order
from sim.study.experiment import check_draws
from sim.study.oracles import EstimateCache
from sim.study.output.instance_columns import FLEET, OF_FLEET, TABLES
from sim.study.output.instance_files import InstanceFiles
from sim.study.ratio.worst_order import write as write_worst

UNUSED = {"warm_up": "metrics leave out", "metric": "runs measure"}  # keys of every study, and what they are about


def export(verb: str, config: DictConfig) -> int:
    """Carry out the verb: draw the instances, estimate, write the output directory, print what is in it; return 0."""
    check(config)
    output = Output(verb, config)
    with output.whole() as folder:
        settled = build_settled(config, build_policies(config))
        scenario, policies, worst = settled.scenario, settled.policies, settled.worst
        if scenario.workload.test.steps is not None:
            raise ValueError("export writes queries that stand for themselves; here they are steps of tasks")
        output.note(**settled.noted())
        estimates, rows = EstimateCache(), {}
        with InstanceFiles(folder) as files, progress(config.replications) as advance:
            for replication in range(config.replications):
                instance = realise(scenario, config.seed, replication)
                rows[replication] = instance.rows
                files.add(instance, {name: estimates.get(one.estimator, instance) for name, one in policies.items()})
                advance(f"replication {replication}")
            named = {name: None if one.estimator is None else repr(one.estimator) for name, one in policies.items()}
            files.finish(instance, named)
        if worst is not None:
            write_worst(folder, worst, rows)
    output.say(contents(files.n_rows), None if worst is None else worst_order(worst))
    return 0


def check(config: DictConfig) -> None:
    """Raise ValueError for keys that other verbs have and this one has no use for, and for draws that cannot be."""
    for key, about in UNUSED.items():
        if config.get(key) is not None:
            raise ValueError(f"{key} is about what {about}; export runs nothing, so leave it out")
    check_draws(config.seed, config.replications)


def contents(n_rows: Mapping[str, int]) -> Table:
    """Return what the files have."""
    table = Table(title="What was exported", title_justify="left", title_style="bold")
    for column in ("file", "rows"):
        table.add_column(column, justify="right" if column == "rows" else "left", no_wrap=True)
    table.add_column("what a row is")
    for name, (what, _) in TABLES.items():
        table.add_row(name, f"{n_rows[name]:,}", what)
    table.add_row(FLEET, f"{n_rows[FLEET]:,}", OF_FLEET)
    return table
