"""Carries out the verb leaderboard: policies on frozen tables, orders and seeds, ranked and compared with standings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from omegaconf import DictConfig

from sim.cli.building import build_policies, build_scenario, files_read
from sim.cli.configuration import configure
from sim.cli.output import Output
from sim.cli.progress import progress
from sim.errors import unknown
from sim.show.leaderboard import comparison, places, ranking_table
from sim.study.beside import beside, gaps, new_policies
from sim.study.leaderboard import Task, differing, ranking, read, standings, write
from sim.study.oracles import Oracle

FILE = "leaderboard.csv"
SHIPPED = Path(__file__).resolve().parents[2] / "study" / FILE


def leaderboard(verb: str, config: DictConfig) -> int:
    """Carry out the verb; return 1 if a figure differs from the frozen one."""
    policies = build_policies(config)
    frozen = frozen_standings(config.frozen)
    output = Output(verb, config)
    with output.whole() as folder:
        tasks = list(configured_tasks(config))
        output.note(files={name: digest for task in tasks for name, digest in files_read(task.scenario).items()})
        with progress(len(tasks) * len(config.seeds) * len(policies)) as advance:
            table = standings(tasks, policies, list(config.seeds), Oracle(), advance)
        new = [] if frozen is None else new_policies(table, frozen)
        ranked = table if frozen is None or not new else beside(table, frozen)
        ranks = ranking(ranked)
        behind = gaps(ranked, new) if ranked["policy"].nunique() > 1 else gaps(ranked, [])
        write(table, folder / FILE)
        ranks.to_csv(folder / "ranking.csv", index=False)
        n_both, lines = (0, []) if frozen is None else differing(table, frozen)
        if len(behind):
            behind.to_csv(folder / "gaps.csv", index=False)
        pd.DataFrame({"difference": lines}).to_csv(folder / "differences.csv", index=False)
    output.say(ranking_table(ranks, ranked), *places(behind), *comparison(table, frozen, n_both, lines))
    return 1 if lines else 0


def configured_tasks(config: DictConfig) -> Iterator[Task]:
    """Yield a task per table and order; raise ValueError for a table or an order that there is none of."""
    for table in config.tables:
        if table not in config.words_of_table:
            raise ValueError(unknown("table", str(table), list(config.words_of_table)))
        for order in config.orders:
            words = [*config.words_of_table[table], f"order={order}", "policy=random", "metric=null"]
            yield Task(str(table), str(order), build_scenario(configure("compare", words)))


def frozen_standings(name: str | None) -> pd.DataFrame | None:
    """Return the standings to compare with; None for none."""
    return None if name is None else read(SHIPPED if name == "shipped" else Path(name))
