"""Carries out the verb plan: from a question to an answer with its reasons, a table and a figure."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from omegaconf import DictConfig, ListConfig

from sim.cli.building import build_metric, build_policies, build_settled
from sim.cli.configuration import build
from sim.cli.output import Output
from sim.cli.progress import progress
from sim.cli.working.team import Team
from sim.cli.working.worth import of_plan
from sim.interface import Policy
from sim.scenario import Scenario
from sim.show.plan import candidate_table, reasons
from sim.show.tables.runs import worst_order
from sim.study.metrics import IN_EVERY_SUMMARY, Metric
from sim.study.metrics.groups.classes import SUFFIX, OfClass, check_class, check_figure, split
from sim.study.plan import planner
from sim.study.plan.beyond import runs_beyond
from sim.study.plan.candidates import Judge, Trials
from sim.study.plan.targets import Target, read_targets
from sim.study.ratio.worst_order import write_search
from sim.study.sequential import Effort
from sim.study.side_by_side import SideBySide
from sim.workload.classes import class_names

NO_ANSWER = 2  # the exit code; 0 is an answer


@dataclass(frozen=True)
class Question:
    """What a plan is asked for, made of a configuration and checked."""

    targets: Sequence[Target]
    metrics: Mapping[str, Metric]
    effort: Effort
    search: planner.Search
    beyond: bool

    @property
    def runs_at_most(self) -> int:
        """A bound on the number of replications in all."""
        further = runs_beyond(self.effort.looks[0]) if self.beyond else 0
        return self.search.runs_at_most(self.effort.looks) + further


def plan(verb: str, config: DictConfig) -> int:
    """Carry out the verb: simulate, write the output directory, print; return 2 if nothing met the targets."""
    asked = question(config)
    output = Output(verb, config)
    with output.whole() as folder, Team(config, of_plan(config), meanwhile=output.get_ready) as team:
        settled = build_settled(config, build_policies(config))
        scenario, worst = settled.scenario, settled.worst
        check_classes(asked.targets, scenario)
        output.note(**settled.noted())
        trials = team.share_one(configured_trials, settled)
        with progress(asked.runs_at_most) as advance:
            found = answer(asked, trials, scenario, team, advance)
        (folder / "plan.json").write_text(json.dumps(found.as_dict(), indent=2) + "\n")
        if worst is not None:
            write_search(folder, worst)
        found.candidates.to_csv(folder / "candidates.csv", index=False)
    sentences = [found.sentence, *reasons(found.as_dict()), *([] if worst is None else [worst_order(worst)])]
    output.say(settled.fleet, candidate_table(found.candidates, asked.targets), *sentences)
    if found.found.answer is None:
        sys.stderr.write(f"switchyard: {found.sentence}\n")
        return NO_ANSWER
    return 0


def question(config: DictConfig) -> Question:
    """Return what is asked for; raise ValueError for what cannot be, or a key that this verb has no use for."""
    if config.replications is not None:
        raise ValueError("replications is for run and compare; here it is min_replications and max_replications")
    check_one(list(map(str, config.policy)))
    words = list(config.targets) if isinstance(config.targets, ListConfig) else [config.targets]
    specs = config.get("metric") or {}
    ranges = {str(key): tuple(spec.range) for key, spec in specs.items() if spec.get("range") is not None}
    known = [str(key) for key in specs if not str(key).endswith(SUFFIX)]
    targets = read_targets(words, [*known, *IN_EVERY_SUMMARY], ranges)
    return Question(
        targets,
        {target.metric: metric_of(target.metric, specs) for target in targets if target.metric not in IN_EVERY_SUMMARY},
        Effort(config.min_replications, config.max_replications, config.confidence),
        build(config.search, "search"),
        config.beyond,
    )


def metric_of(column: str, specs: Mapping[str, DictConfig]) -> Metric:
    """Make the metric of a column, of all queries or of one class; raise ValueError if classes have no such figure."""
    figure, name = split(column)
    metric = build_metric(figure, specs[figure])
    if name is None:
        return metric
    check_figure(figure, metric)
    return OfClass(metric, name)


def check_one(policies: Sequence[str]) -> None:
    """Raise ValueError unless there is one policy."""
    if len(policies) != 1:
        raise ValueError(f"policy names {', '.join(policies)}; a plan is for one policy")


def check_classes(targets: Sequence[Target], scenario: Scenario) -> None:
    """Raise ValueError for a target of a class that no query has."""
    for target in targets:
        name = split(target.metric)[1]
        if name is not None:
            check_class(name, class_names(scenario.workload.test))


def answer(
    asked: Question,
    trials: Trials,
    scenario: Scenario,
    team: SideBySide,
    done: Callable[[str], None] | None = None,
) -> planner.Plan:
    """Search for the answer to a question."""
    return planner.plan(scenario, asked.search, Judge(trials, asked.effort, team, done), asked.beyond)


def configured_trials(config: DictConfig, scenarios: Mapping[str, Scenario], policies: Mapping[str, Policy]) -> Trials:
    """Return what the candidates of a configuration have in common, for the one policy there is."""
    asked = question(config)
    [(name, policy)] = policies.items()
    return Trials(name, policy, tuple(asked.targets), asked.metrics, config.seed, config.warm_up)
