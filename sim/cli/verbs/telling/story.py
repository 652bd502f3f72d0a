"""Carries out the verb story: a tiny world step by step, with the optimum in hindsight, a question and its answer."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from omegaconf import DictConfig, OmegaConf
from rich.console import RenderableType
from rich.table import Table

from sim.cli.building import build_policies, build_scenarios, configured_runs
from sim.cli.configuration import configure, options
from sim.cli.output import say
from sim.cli.remarks import remark
from sim.cli.verbs import STORY
from sim.cli.verbs.telling.steps import Told
from sim.errors import unknown
from sim.instance import Instance
from sim.show.words import number


@dataclass(frozen=True)
class Chapter:
    """A story in one order of arrival: its queries, and what each policy did with them."""

    order: str
    queries: pd.DataFrame
    told: Told


def stories() -> list[str]:
    """Return the names of all stories, those of the user's own project among them."""
    return [name.removeprefix(STORY) for name in options("experiment") if name.startswith(STORY)]


def story(words: Sequence[str], answers: bool, shows_configuration: bool = False) -> int:
    """Carry out the verb: print the story; return 0.

    Raises
    ------
    ValueError
        If no story is named, several are, or there is none of that name.
    """
    config = composed(words)
    if config.out is not None:
        raise ValueError(f"story writes nothing, so that out={config.out} does nothing; leave it out")
    if shows_configuration:
        sys.stdout.write(OmegaConf.to_yaml(config, resolve=True))
        return 0
    said = list(told(config))
    say(*said)
    about = config.story
    if about.question:
        say(f"Question: {about.question}")
        say(f"Answer: {about.answer}" if answers else f"The answer: switchyard story {' '.join(words)} --answer")
    return 0


def composed(words: Sequence[str]) -> DictConfig:
    """Compose the configuration of a story in all of its orders, inside Hydra's initialisation; raise as ``story``."""
    names = [word for word in words if "=" not in word]
    if len(names) != 1:
        raise ValueError(f"story needs one name; the stories are {', '.join(stories())}")
    if names[0] not in stories():
        raise ValueError(unknown("story", names[0], stories()))
    given = [f"experiment={STORY}{names[0]}", *(word for word in words if "=" in word)]
    config = configure("story", given)
    if config.story.orders and not any(word.startswith("order=") for word in given):
        return configure("story", [*given, f"order=[{','.join(config.story.orders)}]"])
    return config


def told(config: DictConfig) -> list[RenderableType | None]:
    """Run the policies of a story, and return its title, its queries, and its tables."""
    found: list[RenderableType | None] = [config.story.title or None]
    told_in = chapters(config)
    for one in told_in:
        found += [query_table(one.queries, one.order if len(told_in) > 1 else ""), *one.told.shown()]
    return found


def chapters(config: DictConfig) -> list[Chapter]:
    """Run the policies of a story in each of its orders."""
    found = []
    scenarios = build_scenarios(config)
    for order, scenario in scenarios.items():
        policies = build_policies(config)
        remark(config, scenario, policies)
        noted = Told(policies)
        told_of: Instance | None = None
        for run in configured_runs(config, scenario, noted.policies):
            noted.add(run)
            told_of = told_of or run.instance
        assert told_of is not None  # a configuration has a policy
        found.append(Chapter(order, queries(told_of), noted))
    return found


def queries(instance: Instance) -> pd.DataFrame:
    """Return the queries of a replication in order of arrival, as texts: what each would earn and cost everywhere."""
    rows, names = instance.rows, [info.name for info in instance.setting.fleet]
    columns: dict[str, list[str]] = {"query": [str(n) for n in range(len(rows))]}
    if instance.source is not None:
        columns["source"] = [str(instance.source[row]) for row in rows]
    for k, name in enumerate(names):
        columns[f"{name}: quality"] = [number(value) for value in instance.quality[rows, k]]
        columns[f"{name}: cost"] = [number(value) for value in instance.cost[rows, k]]
        if instance.confidence is not None:
            columns[f"{name}: confidence"] = [number(value) for value in instance.confidence[rows, k]]
    budgets = dict(zip(names, instance.setting.budgets, strict=True))
    table = pd.DataFrame(columns)
    table.attrs["budgets"] = {name: number(value) for name, value in budgets.items() if value != float("inf")}
    return table


def query_table(table: pd.DataFrame, order: str) -> Table:
    """Return the queries for a terminal, with the order, if there are several, and the budgets as the title."""
    budgets = ", ".join(f"{name} {amount} USD" for name, amount in table.attrs["budgets"].items())
    title = (f"order {order}: " if order else "") + "what each query would earn and cost"
    shown = Table(title=title + (f"; budgets: {budgets}" if budgets else ""))
    for column in table:
        shown.add_column(str(column), justify="left" if column == "source" else "right")
    for row in table.itertuples(index=False):
        shown.add_row(*row)
    return shown
