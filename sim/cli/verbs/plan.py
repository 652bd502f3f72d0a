"""The verb plan: from a question to an answer with its reasons, a table and a figure."""

from __future__ import annotations

import json
import sys

from omegaconf import DictConfig, ListConfig
from rich.console import Console

from sim.cli.configuration import build
from sim.cli.remarks import remark
from sim.cli.verbs.compare import (
    build_metric,
    build_policy,
    build_scenario,
    destination,
    files_read,
    progress,
    settle_order,
    stdout_to_stderr,
    stop_on_termination,
)
from sim.cli.verbs.report import write_report
from sim.show.plan import candidate_table, reasons
from sim.show.tables import worst_order
from sim.study.metrics import IN_EVERY_SUMMARY
from sim.study.output.directory import Directory
from sim.study.plan import planner
from sim.study.plan.candidates import Judge
from sim.study.plan.targets import read_targets
from sim.study.ratio.worst_order import write_search
from sim.study.sequential import Effort


def plan(verb: str, config: DictConfig) -> int:
    """Carry out the verb: simulate, write the output directory, print; return 1 if nothing met the targets."""
    if config.replications is not None:
        raise ValueError("replications is for run and compare; here it is min_replications and max_replications")
    if len(config.policy) != 1:
        raise ValueError(f"policy names {', '.join(map(str, config.policy))}; a plan is for one policy")
    words = list(config.targets) if isinstance(config.targets, ListConfig) else [config.targets]
    specs = config.get("metric") or {}
    ranges = {str(key): tuple(spec.range) for key, spec in specs.items() if spec.get("range") is not None}
    targets = read_targets(words, [*map(str, specs), *IN_EVERY_SUMMARY], ranges)
    effort = Effort(config.min_replications, config.max_replications, config.confidence)
    resolved, out = destination(verb, config)
    with stdout_to_stderr(), stop_on_termination():
        search = build(config.search, "search")
        name, spec = next(iter(config.policy.items()))
        policy = build_policy(spec, f"policy.{name}")
        scenario = build_scenario(config)
        remark(config, scenario, {str(name): policy})
        scenario, worst = settle_order(scenario, {str(name): policy}, config.seed)
        wanted = {target.metric for target in targets}
        metrics = {str(key): build_metric(str(key), spec) for key, spec in specs.items() if key in wanted}
        with Directory(out) as directory:
            with progress(search.runs_at_most(effort.looks)) as advance:
                judge = Judge(
                    str(name),
                    policy,
                    targets,
                    metrics,
                    effort,
                    seed=config.seed,
                    warm_up=config.warm_up,
                    done=advance,
                )
                found = planner.plan(scenario, search, judge)
            (directory.folder / "plan.json").write_text(json.dumps(found.as_dict(), indent=2) + "\n")
            if worst is not None:
                write_search(directory.folder, worst)
            found.candidates.to_csv(directory.folder / "candidates.csv", index=False)
            directory.write_manifest({"verb": verb, "config": resolved, "files": files_read(scenario)})
            write_report(directory.folder)
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    console.print(candidate_table(found.candidates, targets))
    for line in (found.sentence, *reasons(found.as_dict())):
        console.print(line, soft_wrap=True)
    if worst is not None:
        console.print(worst_order(worst), soft_wrap=True)
    console.print(f"written to {out}", soft_wrap=True)
    return 0 if found.found.answer is not None else 1
