"""Carries out the verbs run and compare: policies on the same queries at the same times."""

from __future__ import annotations

from omegaconf import DictConfig

from sim.cli.building import build_policies, build_settled, configured_runs
from sim.cli.output import Output
from sim.cli.progress import progress
from sim.show.tables import by_rounding, comparison, worst_order
from sim.study.output.archive import Archive
from sim.study.ratio.worst_order import write as write_worst


def compare(verb: str, config: DictConfig) -> int:
    """Run the policies, write records and summary, print the table; return 0."""
    output = Output(verb, config)
    with output.whole() as folder:
        settled = build_settled(config, build_policies(config))
        scenario, policies, worst = settled.scenario, settled.policies, settled.worst
        output.note(**settled.noted())
        rows = {}
        with Archive(folder) as archive, progress(config.replications * (len(policies) + n_oracles(config))) as advance:
            for run in configured_runs(config, scenario, policies):
                archive.add(run)
                rows[run.replication] = run.instance.rows
                advance(f"{run.policy}, replication {run.replication}")
            summary = archive.finish()
        if worst is not None:
            write_worst(folder, worst, rows)
    output.say(settled.fleet, comparison(summary), *by_rounding(summary), None if worst is None else worst_order(worst))
    return 0


def n_oracles(config: DictConfig) -> int:
    """Return how many bounds in hindsight are replayed beside the policies."""
    return len(set(config.oracle.names))
