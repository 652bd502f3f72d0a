"""Offers in Python what simulates: scenarios, policies, and the verbs run, compare, ratio, frontier and explain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import pandas as pd
from omegaconf import DictConfig

from sim.cli.building import (
    applicable,
    build_policies,
    build_scenario,
    build_scenarios,
    build_settled,
    configured_study,
    settle_order,
)
from sim.cli.configuration import configure
from sim.cli.project import opened
from sim.cli.remarks import remark
from sim.cli.working.team import Team
from sim.cli.working.worth import of_explanations, of_ratios, of_runs
from sim.interface import Policy
from sim.scenario import Scenario
from sim.study.experiment import Record, check_draws

Policies = Mapping[str, Policy]


def scenario(*words: str) -> Scenario:
    """Return what ``switchyard run`` with these words would simulate.

    Parameters
    ----------
    *words : str

    Raises
    ------
    ValueError
        For a word that the command line would not understand either; so do the functions below.

    Examples
    --------
    >>> from dataclasses import replace
    >>> base = scenario("fleet=slots", "budget=unlimited")
    >>> stale = replace(base, state_refresh_s=5.0)
    """
    with opened(words=words):
        return build_scenario(configure("run", words))


def policies(*words: str) -> dict[str, Policy]:
    """Return policies by name: those of ``conf/policy`` that are named, as the other words change them.

    Parameters
    ----------
    *words : str
        Names or places (``./mine.py:Mine``), and words with ``=``; without a name those that ``switchyard compare``
        with these words would run.

    Examples
    --------
    >>> list(policies("port", "port_fallback", "policy.port.eps=0.05"))
    ['port', 'port_fallback']
    """
    names = [word for word in words if "=" not in word]
    chosen = [f"policy=[{','.join(names)}]"] if names else []
    asked = [*chosen, *(word for word in words if "=" in word)]
    with opened(words=asked):
        return build_policies(configure("compare", asked))


def run(*words: str, others: Policies | None = None) -> pd.DataFrame:
    """Return what happened to every query: ``requests.parquet`` of ``switchyard run``.

    Parameters
    ----------
    *words : str
    others : mapping of str to Policy or None
        Policies besides those of the words, by name.

    Returns
    -------
    DataFrame
        A row per policy, replication and arrival.
    """
    tables = [
        done.requests.assign(policy=done.policy, replication=done.replication)
        for done in done_runs("run", words, others)
    ]
    return pd.concat(tables, ignore_index=True)


def compare(*words: str, others: Policies | None = None) -> pd.DataFrame:
    """Return the summary of several policies on the same queries: ``summary.csv`` of ``switchyard compare``.

    Parameters
    ----------
    *words : str
    others : mapping of str to Policy or None
        Policies besides those of the words, by name.

    Returns
    -------
    DataFrame
        A row per policy and replication.
    """
    return pd.DataFrame([done.summary for done in done_runs("compare", words, others)])


def ratio(*words: str, others: Policies | None = None) -> pd.DataFrame:
    """Return shares of the hindsight optimum in several orders: ``ratio.parquet`` of ``switchyard ratio``.

    Parameters
    ----------
    *words : str
    others : mapping of str to Policy or None
        Policies besides those of the words, by name.

    Returns
    -------
    DataFrame
        A row per policy, order, size and replication, see ``sim.study.ratio.ratios.ratios``;
        ``sim.study.ratio.tables`` has its means, differences and slopes.
    """
    from sim.cli.verbs.ratio import check, configured_ratios  # not before, as it imports what draws
    from sim.study.ratio.ratios import until_precise

    with made("ratio", words, others) as (config, asked):
        precision = check(config)
        with Team(config, of_ratios(config), bool(others)) as team:
            unsettled = build_scenarios(config)
            chosen, _ = applicable(config, next(iter(unsettled.values())), asked)
            remark(config, next(iter(unsettled.values())), chosen)
            settled = {name: settle_order(one, chosen, config.seed) for name, one in unsettled.items()}
            searched = [name for name, (_, found) in settled.items() if found is not None]
            scenarios = {name: one for name, (one, _) in settled.items()}
            return until_precise(team.share(configured_ratios, scenarios, chosen, searched), precision, team)


def frontier(*words: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return cost against quality of routers and single models: the two tables of ``switchyard frontier``.

    Parameters
    ----------
    *words : str
        Knobs among them, such as ``"knobs.carrot.cost_weight=[0,0.5,1]"``.

    Returns
    -------
    points, measures : DataFrame
        A row per router, setting and replication, and one per deployment and replication (``points.csv``); a row per
        router with hull, area and query-normalized cost (``frontier.csv``).

    Examples
    --------
    >>> _, measures = frontier("policy=random", "workload.n_queries=40", "workload.n_models=3")
    >>> measures[["policy", "settings"]].values.tolist()
    [['random', 1], ['single models', 3]]
    """
    from sim.cli.verbs.frontier import build_routers, configured_points, firsts  # not before, as it imports what draws
    from sim.study.frontier.points import measured

    with opened(words=words):
        config = configure("frontier", words)
        routers = build_routers(config)
        settled = build_settled(config, firsts(routers))
        fitting = {name: routers[name] for name in settled.policies}
        table = configured_points(config, settled.scenario, fitting)
    return table, measured(table)


def explain(*words: str, others: Policies | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return where quality went and what budgets are worth: the two tables of ``switchyard explain``.

    Parameters
    ----------
    *words : str
    others : mapping of str to Policy or None
        Policies besides those of the words, by name.

    Returns
    -------
    quality, prices : DataFrame
        ``decomposition.csv``, a row per policy, replication and term; ``prices.csv``, a row per policy, replication,
        moment and deployment. See ``sim.study.explain.explanation.Explanation``.
    """
    from sim.cli.verbs.explain import configured_explaining, tables  # likewise

    with (
        made("explain", words, others) as (config, chosen),
        Team(config, of_explanations(config), bool(others)) as team,
    ):
        study = team.share_one(configured_explaining, build_settled(config, chosen))
        check_draws(config.seed, config.replications)
        return tables(list(team.each(study.replication, range(config.replications))))


@contextmanager
def made(verb: str, words: Sequence[str], others: Policies | None) -> Iterator[tuple[DictConfig, dict[str, Policy]]]:
    """Yield the configuration of a verb, and its policies with those of the caller's own."""
    with opened(words=words):
        config = configure(verb, words)
        yield config, build_policies(config) | dict(others or {})


def done_runs(verb: str, words: Sequence[str], others: Policies | None) -> Iterator[Record]:
    """Carry out the runs of a verb."""
    with made(verb, words, others) as (config, chosen), Team(config, of_runs(config), bool(others)) as team:
        study = team.share_one(configured_study, build_settled(config, chosen))
        check_draws(config.seed, config.replications)
        yield from team.each(study.records, range(config.replications))
