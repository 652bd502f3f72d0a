"""Offers the command line in Python: the same words, DataFrames instead of a directory. It adds nothing to the verbs.

A word is what stands after the verb on the command line, such as ``"budget=uniform"``, and means the same; defaults are
those of the verb. The verbs take further policies as objects, by name.

>>> from sim.cli.api import compare
>>> summary = compare("policy=[random,port_exact]", "workload.n_queries=200", "oracle.names=[]", "replications=2")
>>> summary[["policy", "replication", "arrived"]].values.tolist()
[['random', 0, 200], ['port_exact', 0, 200], ['random', 1, 200], ['port_exact', 1, 200]]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from sim.cli.building import (
    build_policies,
    build_scenario,
    build_scenarios,
    build_settled,
    configured_runs,
    settle_order,
)
from sim.cli.configuration import configure
from sim.cli.project import opened
from sim.cli.remarks import remark
from sim.interface import Policy
from sim.scenario import Scenario
from sim.study.experiment import Run

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
    with opened():
        return build_scenario(configure("run", words))


def policies(*words: str) -> dict[str, Policy]:
    """Return policies by name: those of ``conf/policy`` that are named, as the other words change them.

    Parameters
    ----------
    *words : str
        Names, and words with ``=``; without a name those that ``switchyard compare`` with these words would run.

    Examples
    --------
    >>> list(policies("port", "port_fallback", "policy.port.eps=0.05"))
    ['port', 'port_fallback']
    """
    names = [word for word in words if "=" not in word]
    chosen = [f"policy=[{','.join(names)}]"] if names else []
    with opened():
        return build_policies(configure("compare", [*chosen, *(word for word in words if "=" in word)]))


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
    from sim.cli.verbs.ratio import configured_ratios  # not before, as it imports what draws

    with opened():
        config = configure("ratio", words)
        chosen = build_policies(config) | dict(others or {})
        unsettled = build_scenarios(config)
        remark(config, next(iter(unsettled.values())), chosen)
        settled = {name: settle_order(one, chosen, config.seed)[0] for name, one in unsettled.items()}
        return configured_ratios(config, settled, chosen)


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
    from sim.cli.verbs.explain import configured_explanations, tables  # likewise

    with opened():
        config = configure("explain", words)
        chosen = build_policies(config) | dict(others or {})
        scenario, _ = build_settled(config, chosen)
        return tables(list(configured_explanations(config, scenario, chosen)))


def contract(*words: str) -> list[str]:
    """Return what policies break of the contract that ``switchyard check`` holds them to; nothing if they keep it.

    Parameters
    ----------
    *words : str
        Such as ``"policy=mine"``.

    Returns
    -------
    list of str
        A line per check that fails, with the policy and the world.

    Examples
    --------
    >>> contract("policy=[random,least_loaded]")
    []
    """
    from sim.cli.verbs.check import verdicts  # likewise

    with opened():
        return [f"{one.policy}, {one.world}: {one.broken}" for one in verdicts(words) if one.broken is not None]


def done_runs(verb: str, words: Sequence[str], others: Policies | None) -> Iterator[Run]:
    """Carry out the runs of a verb."""
    with opened():
        config = configure(verb, words)
        chosen = build_policies(config) | dict(others or {})
        scenario, _ = build_settled(config, chosen)
        yield from configured_runs(config, scenario, chosen)
