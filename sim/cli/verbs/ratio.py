"""Carries out the verb ratio: from a configuration to tables and figures of competitive ratios."""

from __future__ import annotations

from collections.abc import Mapping

from omegaconf import DictConfig, ListConfig

from sim.cli.building import applicable, build_policies, build_scenarios, files_read, settle_order
from sim.cli.configuration import build
from sim.cli.output import Output
from sim.cli.progress import progress
from sim.cli.remarks import remark
from sim.cli.working.team import Team
from sim.cli.working.worth import of_ratios
from sim.errors import unknown
from sim.interface import Policy
from sim.scenario import Scenario
from sim.show.ratio import bayes_table, precision_reached, ratio_table, slope_table
from sim.show.tables.runs import worst_order
from sim.study.ratio.ratios import Ratios, until_precise
from sim.study.ratio.tables import cells, paired, slopes, worst
from sim.study.ratio.worst_order import write_search
from sim.study.sequential import Precision

# What other verbs have, and what takes its place here.
ELSEWHERE = {
    "replications": "half_width, min_replications and max_replications",
    "n_queries": "sizes",
    "duration": "sizes",
    "warm_up": "nothing, as a ratio is over all arrivals",
    "metric": "nothing, as a ratio is of quality",
}


def ratio(verb: str, config: DictConfig) -> int:
    """Carry out the verb: simulate, write the output directory, print the tables; return 0."""
    precision = check(config)
    if config.reference is not None and config.reference not in config.policy:
        raise ValueError(unknown("reference", config.reference, list(config.policy)))
    output = Output(verb, config)
    unsettled = build_scenarios(config)
    policies, skipped = applicable(config, next(iter(unsettled.values())), build_policies(config))
    remark(config, next(iter(unsettled.values())), policies)
    with output.whole() as folder, Team(config, of_ratios(config), meanwhile=output.get_ready) as team:
        settled = {name: settle_order(each, policies, config.seed) for name, each in unsettled.items()}
        scenarios = {name: scenario for name, (scenario, _) in settled.items()}
        searched = {name: found for name, (_, found) in settled.items() if found is not None}
        output.note(files=files_read(*scenarios.values()), **({"skipped": skipped} if skipped else {}))
        total = precision.max_replications * len(scenarios) * len(config.sizes) * (len(policies) + 2)
        study = team.share(configured_ratios, scenarios, policies, searched)
        with progress(total) as advance:
            rows = until_precise(study, precision, team, advance)
        means, lines = cells(rows), slopes(rows)
        lowest = worst(means)
        rows.to_parquet(folder / "ratio.parquet", index=False)
        means.to_csv(folder / "cells.csv", index=False)
        paired(rows, config.reference).to_csv(folder / "paired.csv", index=False)
        lowest.to_csv(folder / "worst.csv", index=False)
        lines.to_csv(folder / "slopes.csv", index=False)
        for found in searched.values():
            write_search(folder, found)
    output.say(
        ratio_table(means, lowest, precision.half_width),
        precision_reached(means, precision.half_width),
        bayes_table(means),
        slope_table(lines),
        *map(worst_order, searched.values()),
    )
    return 0


def configured_ratios(config: DictConfig, scenarios: Mapping[str, Scenario], policies: Mapping[str, Policy]) -> Ratios:
    """Return what a configuration asks for but for the precision."""
    estimator = build(config.oracle.estimator, "oracle.estimator")
    return Ratios(scenarios, policies, list(config.sizes), config.seed, estimator)


def check(config: DictConfig) -> Precision:
    """Return when to stop; raise ValueError for keys that the verb has no use for, or that cannot be."""
    for key, instead in ELSEWHERE.items():
        if config.get(key) is not None:
            raise ValueError(f"{key} is for run and compare; here it is {instead}")
    if not isinstance(config.sizes, ListConfig):
        raise ValueError(f"sizes is {config.sizes!r}; it must be a list, such as [500,1000,null]")
    return Precision(config.min_replications, config.max_replications, config.half_width)
