"""Carries out the verb explain: where the quality of policies went, and what more budget would be worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from omegaconf import DictConfig

from sim.cli.building import build_policies, build_settled
from sim.cli.output import Output
from sim.cli.progress import progress
from sim.cli.working.team import Team
from sim.cli.working.worth import of_explanations
from sim.instance import realise
from sim.interface import Policy
from sim.scenario import Scenario
from sim.show.explain import by_achieved, price_table, quality_table
from sim.show.tables.runs import worst_order
from sim.study.experiment import check_draws
from sim.study.explain.explanation import Explaining, Explanation
from sim.study.output.archive import CHOICES, EVENTS, ONE_QUERY
from sim.study.ratio.worst_order import write as write_worst


def explain(verb: str, config: DictConfig) -> int:
    """Carry out the verb: run the policies, write the output directory, print two tables; return 0."""
    check(config)
    output = Output(verb, config)
    with output.whole() as folder, Team(config, of_explanations(config), meanwhile=output.get_ready) as team:
        settled = build_settled(config, build_policies(config))
        scenario, policies, worst = settled.scenario, settled.policies, settled.worst
        output.note(**settled.noted())
        study = team.share_one(configured_explaining, settled)
        check_draws(config.seed, config.replications)
        found = []
        with progress(config.replications * len(policies)) as advance:
            for explanation in team.each(study.replication, range(config.replications)):
                found.append(explanation)
                advance(f"{explanation.policy}, replication {explanation.replication}")
        quality, prices = tables(found)
        quality.to_csv(folder / "decomposition.csv", index=False)
        prices.to_csv(folder / "prices.csv", index=False)
        write_events(folder, found)
        write_choices(folder, found)
        if worst is not None:
            rows = {number: realise(scenario, config.seed, number).rows for number in range(config.replications)}
            write_worst(folder, worst, rows)
    quality, prices = by_achieved(quality, prices)
    output.say(quality_table(quality), price_table(prices), None if worst is None else worst_order(worst))
    return 0


def configured_explaining(
    config: DictConfig, scenarios: Mapping[str, Scenario], policies: Mapping[str, Policy]
) -> Explaining:
    """Return what a configuration describes but for the number of replications; there is one scenario."""
    check(config)
    [scenario] = scenarios.values()
    return Explaining(scenario, policies, config.seed, config.moments)


def check(config: DictConfig) -> None:
    """Raise ValueError for keys that other verbs have and this one has no use for."""
    if config.warm_up is not None:
        raise ValueError(f"warm_up is {config.warm_up!r}; explain is over all arrivals, so it must be null")
    if config.get("metric"):
        raise ValueError("metric is for run and compare; here it is nothing, as explain is about quality")


def write_events(folder: Path, found: Sequence[Explanation]) -> None:
    """Write what happened in the runs, if anything did, for the drawings over time."""
    named = [
        one.events.assign(policy=one.policy, replication=one.replication)[["policy", "replication", *one.events]]
        for one in found
        if not one.events.empty
    ]
    if named:
        pd.concat(named).to_csv(folder / EVENTS, index=False)


def write_choices(folder: Path, found: Sequence[Explanation]) -> None:
    """Write what became of single queries in the first replication, for the drawings of them."""
    of_all = pd.concat([one.choices for one in found if one.choices is not None], ignore_index=True)
    named = of_all.astype({"policy": "category", "fate": "category"})
    named.to_parquet(folder / CHOICES, index=False)
    for one in found:
        if one.candidates is not None:
            one.candidates.to_csv(folder / ONE_QUERY, index=False)


def tables(found: Sequence[Explanation]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the terms of quality, and the prices, of all explanations."""
    quality = pd.concat([explanation.quality for explanation in found], ignore_index=True)
    return quality, pd.concat([explanation.prices for explanation in found], ignore_index=True)
