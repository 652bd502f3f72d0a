"""Finds the reasons and prices of a whole run, for a replay: the study is run again, with notes of its policies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
from omegaconf import OmegaConf

from sim.cli.building import build_policies, build_settled
from sim.cli.progress import stdout_to_stderr
from sim.cli.verbs.telling.query import check_same
from sim.show.replay.record import Study, Told, sampled
from sim.show.steps.query import chosen
from sim.study.experiment import Run, replicate
from sim.study.oracles import ORACLES, BoundCache, EstimateCache, Oracle
from sim.study.steps.noted import Note, Noted


def reasons_of(studies: Sequence[Study], policies: Sequence[str], most: int) -> Callable[[Study, str], Told]:
    """Run studies again, and return what their policies say of at most so many queries each.

    Raises
    ------
    ValueError
        If a policy no longer does what its record says.
    """
    with stdout_to_stderr():
        found = {str(study.folder): told(study, policies, most) for study in studies}
    return lambda study, policy: found[str(study.folder)].get(policy, Told())


def told(study: Study, policies: Sequence[str], most: int) -> dict[str, Told]:
    """Return what each of some policies says in one replication of a study; hindsight optima say nothing."""
    config: Any = OmegaConf.create(study.finished.manifest["config"])
    built, in_order = build_policies(config), [str(name) for name in study.requests["policy"].unique()]
    first = {name: built[name] for name in in_order if name in built}  # a manifest has keys in order of the alphabet
    settled = build_settled(config, first | built)
    drawn = {name: sampled(int((study.requests["policy"] == name).sum()), most).tolist() for name in policies}
    noted = {name: Noted(settled.policies[name], set(drawn[name])) for name in policies if name not in ORACLES}
    if not noted:
        return {}
    runs = replicate(
        *(settled.scenario, noted, config.seed, study.replication, Oracle(()), {}),
        estimates=EstimateCache(),
        bounds=BoundCache(),
    )
    found = {}
    for run in runs:
        check_same(run, study.requests[study.requests["policy"] == run.policy], study.folder)
        found[run.policy] = of_notes(run, noted[run.policy].notes, drawn[run.policy])
    return found


def of_notes(run: Run, notes: dict[int, Note], drawn: Sequence[int]) -> Told:
    """Return sentences on the queries that are drawn, and the prices at their decisions."""
    sentences = {query: chosen(run, notes.get(query), query) for query in drawn}
    names = [info.name for info in run.instance.setting.fleet]
    rows = [
        (note.state.now_s, name, float(price))
        for note in notes.values()
        if note.reasons is not None and note.reasons.prices is not None
        for name, price in zip(names, note.reasons.prices, strict=True)
    ]
    return Told(sentences, pd.DataFrame(rows, columns=["at_s", "deployment", "price"]) if rows else None)
