"""Offers in Python what asks further: the verbs sweep, plan, diff and check; each imports its verb when called."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pandas as pd

from sim.cli.api.simulating import made
from sim.cli.building import build_settled
from sim.cli.configuration import configure
from sim.cli.project import opened
from sim.cli.words import with_plain_words
from sim.cli.working.team import Team
from sim.cli.working.worth import of_plan
from sim.errors import note
from sim.interface import Policy

if TYPE_CHECKING:
    from sim.study.plan.planner import Plan


def sweep(*words: str) -> pd.DataFrame:
    """Return the summaries at all combinations of the values of keys: ``sweep.parquet`` of ``switchyard sweep``.

    Points run as ``launcher`` says, and may be in other processes, so a policy of one's own is named by its file or
    module, as in ``"policy=[port,./mine.py:Mine]"``. Nothing is kept but in a ``cache`` that the words name.

    Parameters
    ----------
    *words : str
        At least one of them with several values, such as ``"fleet.size=2,4"``.

    Returns
    -------
    DataFrame
        A row per point, policy and replication, see ``sim.study.sweep.tidy``; ``sim.study.sweep.cells`` makes means of
        it.

    Raises
    ------
    RuntimeError
        If a point fails; the message has the first one's.

    Examples
    --------
    >>> table = sweep("n_queries=20,40", "policy=random", "replications=1", "workload.n_queries=40")
    >>> table[["n_queries", "policy", "arrived"]].values.tolist()
    [[20, 'random', 20], [40, 'random', 40]]
    """
    from sim.cli.sweeping.running import Sweep, named_store

    with opened(words=words), TemporaryDirectory(prefix="switchyard-") as folder:
        points = Sweep(words)
        points.check()
        points.run(Path(folder), named_store(points, words))
        for number in sorted(points.failures):
            raise RuntimeError(f"{points.points[number].label}: {points.failures[number]}")
        return points.table()


def plan(*words: str, policy: Policy | None = None) -> Plan:
    """Return the fewest replicas, largest load, smallest budget or cheapest fleet: the answer of ``switchyard plan``.

    Parameters
    ----------
    *words : str
        With ``targets``, such as ``"targets=[p95_latency_s<=2]"``.
    policy : Policy or None
        To plan for in the place of the one that the words name.

    Returns
    -------
    Plan
        ``sentence`` says it in words, ``candidates`` has a row per candidate (``candidates.csv``), ``found.answer`` is
        None if nothing met the targets, and ``as_dict()`` is ``plan.json``.
    """
    from sim.cli.verbs.plan import answer, configured_trials, question

    with made("plan", words, None) as (config, named):
        asked = question(config)
        chosen = named if policy is None else dict.fromkeys(named, policy)
        with Team(config, of_plan(config), policy is not None) as team:
            settled = build_settled(config, chosen)
            return answer(asked, team.share_one(configured_trials, settled), settled.scenario, team)


def diff(*words: str | Path) -> dict[str, pd.DataFrame]:
    """Return how far studies are apart and which policy is the best: the tables of ``switchyard diff``.

    Parameters
    ----------
    *words : str or Path
        Output directories of ``run`` or ``compare``, and words with ``=``.

    Returns
    -------
    dict of str to DataFrame
        By the names of the files: of two studies ``differences`` and ``configuration``, the keys in which they differ;
        of other numbers of studies, or of two with three policies or more, ``best``.
    """
    from sim.cli.verbs.diff import chosen, compared, studied, unranked
    from sim.study.output.finished import cautions

    with opened():
        config = configure("diff", with_plain_words([str(word) for word in words], "directories"))
    studies = studied(config)
    chosen(config.metrics, studies)
    for warning in [*cautions(studies), *unranked(studies)]:
        note(warning)
    return compared(config, studies)


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
    from sim.cli.verbs.check import verdicts

    with opened(words=words):
        return [f"{one.policy}, {one.world}: {one.broken}" for one in verdicts(words) if one.broken is not None]
