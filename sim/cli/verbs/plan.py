"""Carries out the verb plan: from a question to an answer with its reasons, a table and a figure."""

from __future__ import annotations

import json

from omegaconf import DictConfig, ListConfig

from sim.cli.building import build_metric, build_policy, build_settled, files_read
from sim.cli.configuration import build
from sim.cli.output import Output
from sim.cli.progress import progress
from sim.show.plan import candidate_table, reasons
from sim.show.tables import worst_order
from sim.study.metrics import IN_EVERY_SUMMARY
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
    output = Output(verb, config)
    search = build(config.search, "search")
    name, spec = next(iter(config.policy.items()))
    policy = build_policy(spec, f"policy.{name}")
    wanted = {target.metric for target in targets}
    metrics = {str(key): build_metric(str(key), spec) for key, spec in specs.items() if key in wanted}
    with output.whole() as folder:
        scenario, worst = build_settled(config, {str(name): policy})
        output.note(files=files_read(scenario))
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
        (folder / "plan.json").write_text(json.dumps(found.as_dict(), indent=2) + "\n")
        if worst is not None:
            write_search(folder, worst)
        found.candidates.to_csv(folder / "candidates.csv", index=False)
    sentences = [found.sentence, *reasons(found.as_dict()), *([] if worst is None else [worst_order(worst)])]
    output.say(candidate_table(found.candidates, targets), *sentences)
    return 0 if found.found.answer is not None else 1
