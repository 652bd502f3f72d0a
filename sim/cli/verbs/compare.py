"""Carries out the verbs run and compare: policies on the same queries at the same times."""

from __future__ import annotations

import gc
from dataclasses import replace
from pathlib import Path

import pandas as pd
from omegaconf import DictConfig, ListConfig
from rich.console import RenderableType

from sim.cli.building import build_policies, build_settled, configured_study
from sim.cli.output import Output
from sim.cli.progress import progress
from sim.cli.trace_words import EVENTS
from sim.cli.verbs.telling.steps import Told
from sim.cli.working.team import Team
from sim.cli.working.worth import of_runs
from sim.errors import check_one_of, note
from sim.show.answers.fates import behind_percentiles
from sim.show.answers.standing import ranked, standing
from sim.show.answers.subject import latency_column, of_made_up
from sim.show.tables.by_class import by_class
from sim.show.tables.by_hour import hours_table
from sim.show.tables.runs import by_rounding, comparison, limits_table, worst_order
from sim.study.experiment import Run, check_draws
from sim.study.output.archive import Archive
from sim.study.ratio.worst_order import write as write_worst
from sim.study.suggestion import GOALS, suggest

MANY = 200_000  # queries, whose tables take long enough to let go of


def compare(verb: str, config: DictConfig) -> int:
    """Run the policies, write records and summary, print the table; return 0."""
    output = Output(verb, config)
    check_suggestion(config)
    with output.whole() as folder:
        shown, n_arrived = carried_out(config, output, folder)
        if n_arrived > MANY:
            gc.collect()  # the world and what it was made of, before the report reads what they left
    output.say(*shown)
    return 0


def carried_out(config: DictConfig, output: Output, folder: Path) -> tuple[list[RenderableType | None], int]:
    """Run the policies and write to the folder; return what is to be printed, and how many queries arrived in all."""
    with Team(config, of_runs(config), config.trace == EVENTS, output.get_ready) as team:
        settled = build_settled(config, build_policies(config))
        policies, worst = settled.policies, settled.worst
        told = None
        if config.trace == EVENTS:
            if Path(EVENTS).is_file():
                note("trace=events prints what happens step by step; the file of that name is trace=./events")
            told = Told(policies)
            policies = told.policies
        output.note(**settled.noted())
        rows = {}
        check_draws(config.seed, config.replications)
        study = team.share_one(configured_study, replace(settled, policies=policies))
        with Archive(folder) as archive, progress(config.replications * (len(policies) + n_oracles(config))) as advance:
            for run in team.each(study.records if told is None else study.replication, range(config.replications)):
                archive.add(run)
                if told is not None and isinstance(run, Run):
                    told.add(run)
                rows[run.replication] = run.rows
                advance(f"{run.policy}, replication {run.replication}")
            summary = archive.finish()
        limits, hours, suggestion = limits_table(folder), hours_table(folder), suggested(config, summary)
        time = latency_column(output.config, summary)
        summary = ranked(summary, standing(summary, time))
        fates = behind_percentiles(folder, summary, time is not None)
        if worst is not None:
            write_worst(folder, worst, rows)
    found = None if worst is None else worst_order(worst)
    shown = [
        settled.fleet,
        *(() if told is None else told.shown()),
        *(comparison(summary, time is not None), by_class(summary), limits, hours),
        *by_rounding(summary),
        fates,
        of_made_up(output.config, summary),
        found,
        suggestion,
    ]
    return shown, int(summary["arrived"].sum())


def check_suggestion(config: DictConfig) -> None:
    """Raise ValueError, before anything is run, for a goal that there is none of, or limits without a goal."""
    goal = config.get("suggest")
    if goal is not None:
        check_one_of("suggest", goal, tuple(GOALS))
        if config.replications < 2:
            raise ValueError("suggest needs replications=2 or more, as it goes by intervals")
    elif config.get("needs"):
        raise ValueError("needs is for suggest; give suggest=cost, quality or latency")


def suggested(config: DictConfig, summary: pd.DataFrame) -> str | None:
    """Return which policy fits the goal of a configuration, if it has one."""
    if config.get("suggest") is None:
        return None
    return suggest(summary, config.suggest, limits(config.needs)).sentence


def limits(needs: ListConfig | str) -> list[str]:
    """Return limits as a list; one may stand alone."""
    return [str(word) for word in needs] if isinstance(needs, ListConfig) else [str(needs)]


def n_oracles(config: DictConfig) -> int:
    """Return how many bounds in hindsight are replayed beside the policies."""
    return len(set(config.oracle.names))
