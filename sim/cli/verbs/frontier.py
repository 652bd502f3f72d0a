"""Carries out the verb frontier: cost against quality of routers at every setting, and of single models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy

import pandas as pd
from omegaconf import DictConfig, ListConfig, OmegaConf

from sim.cli.building import build_metrics, build_policy, build_settled
from sim.cli.configuration import leaves
from sim.cli.output import Output
from sim.cli.progress import progress
from sim.errors import unknown
from sim.instance import realise
from sim.interface import Policy
from sim.scenario import Scenario
from sim.show.frontier import curve_table, model_table
from sim.show.tables.runs import worst_order
from sim.study.frontier.points import Router, measured, n_runs, points
from sim.study.ratio.worst_order import write as write_worst


def frontier(verb: str, config: DictConfig) -> int:
    """Carry out the verb: run every setting, write the output directory, print two tables; return 0."""
    output = Output(verb, config)
    routers = build_routers(config)
    with output.whole() as folder:
        settled = build_settled(config, firsts(routers))
        scenario, worst = settled.scenario, settled.worst
        routers = {name: routers[name] for name in settled.policies}
        output.note(**settled.noted())
        with progress(n_runs(scenario, routers, config.seed, config.replications)) as advance:
            table = configured_points(config, scenario, routers, advance)
        measures = measured(table)
        table.to_csv(folder / "points.csv", index=False)
        measures.to_csv(folder / "frontier.csv", index=False)
        if worst is not None:
            rows = {number: realise(scenario, config.seed, number).rows for number in range(config.replications)}
            write_worst(folder, worst, rows)
    output.say(curve_table(measures), model_table(table), None if worst is None else worst_order(worst))
    return 0


def configured_points(
    config: DictConfig,
    scenario: Scenario,
    routers: Mapping[str, Router],
    done: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """Run routers on a scenario with the seed, replications, metrics and warm-up of a configuration."""
    return points(
        scenario,
        routers,
        config.seed,
        config.replications,
        metrics=build_metrics(config),
        warm_up=config.warm_up,
        done=done,
    )


def build_routers(config: DictConfig) -> dict[str, Router]:
    """Make every chosen policy at every setting of its knob, by name.

    Raises
    ------
    ValueError
        For knobs that are no key of their policy, or have no settings.
    """
    return {str(name): build_router(str(name), spec, config) for name, spec in config.policy.items()}


def build_router(name: str, spec: DictConfig, config: DictConfig) -> Router:
    """Make one policy at every setting of its knob; one without a knob as it is."""
    knobs = config.knobs.get(name)
    if not knobs:
        return Router("", ((float("nan"), build_policy(spec, f"policy.{name}")),))
    if len(knobs) > 1:
        named = [str(knob) for knob in knobs]
        leave = " ".join(f"'~knobs.{name}.{knob}'" for knob in named[:-1])
        raise ValueError(f"knobs.{name} has {', '.join(named)}; a curve has one knob, so add {leave}")
    knob, settings = next(iter(knobs.items()))
    if knob not in leaves(spec):
        raise ValueError(unknown("knob", f"{name}.{knob}", [f"{name}.{key}" for key in leaves(spec) if key[0] != "_"]))
    if not isinstance(settings, ListConfig) or len(set(settings)) < len(settings) or not settings:
        raise ValueError(
            f"knobs.{name}.{knob} is {settings}; it must be one or more numbers, each once, as in [0,0.5,1]"
        )
    made = []
    for setting in settings:
        turned = deepcopy(spec)
        OmegaConf.update(turned, str(knob), setting)
        made.append((float(setting), build_policy(turned, f"policy.{name}")))
    return Router(str(knob), tuple(made))


def firsts(routers: dict[str, Router]) -> dict[str, Policy]:
    """Return every router at its first setting."""
    return {name: router.policies[0][1] for name, router in routers.items()}
