"""Makes objects of a configuration: policies, metrics, scenarios and the runs of a study. It writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from omegaconf import DictConfig, OmegaConf

from sim.cli.configuration import DESCRIPTION, build, without_description
from sim.cli.progress import progress
from sim.cli.remarks import remark
from sim.errors import check_one_of, note, unknown
from sim.instance import stream
from sim.interface import Policy
from sim.scenario import Scenario
from sim.show.words import left_out
from sim.study.applicable import lacking
from sim.study.experiment import Run, Study, check_draws
from sim.study.metrics import Metric
from sim.study.metrics.groups.classes import CLASS, SUFFIX, of_each_class
from sim.study.oracles import Oracle
from sim.study.origins import fleet_words
from sim.study.output.archive import file_hashes
from sim.study.output.finished import SIGNS
from sim.study.ratio.worst_order import Found, WorstOrder, find_worst
from sim.traits import FileTraits
from sim.workload import Workload
from sim.workload.classes import classified, read_classes


def build_policies(config: DictConfig) -> dict[str, Policy]:
    """Make the policies that a configuration describes, by name; raise ValueError for what is none."""
    return {str(name): build_policy(spec, f"policy.{name}") for name, spec in config.policy.items()}


def build_policy(spec: DictConfig, key: str) -> Policy:
    """Make a policy; raise ValueError if the configuration describes something else."""
    policy = build(spec, key)
    if not isinstance(policy, Policy):
        raise ValueError(f"{key} makes a {type(policy).__name__}, which is not a Policy of sim.interface")
    return policy


def build_metrics(config: DictConfig) -> dict[str, Metric]:
    """Make the metrics that a configuration describes, by column; raise ValueError for what is none."""
    return {str(name): build_metric(str(name), spec) for name, spec in (config.get("metric") or {}).items()}


def build_metric(name: str, spec: DictConfig) -> Metric:
    """Make a metric; what its YAML says of its values beside that (``better``, ``range``) is checked here."""
    plain: dict[str, Any] = OmegaConf.to_container(spec, resolve=True)  # type: ignore[assignment]
    better, values, by = (plain.get(key) for key in DESCRIPTION)
    if better not in (None, *SIGNS):
        raise ValueError(f"metric.{name}.better is {better!r}; it must be more or less")
    is_range = values is None or (isinstance(values, list) and len(values) == 2)
    if not is_range or not all(end is None or isinstance(end, int | float) for end in values or ()):
        raise ValueError(f"metric.{name}.range is {values!r}; it must be the least and the most, such as [0, null]")
    if by not in (None, CLASS) or (by == CLASS) != name.endswith(SUFFIX):
        raise ValueError(
            f"metric.{name}.by is {by!r}; it must be {CLASS} if its name ends with {SUFFIX}, else left out"
        )
    metric: Metric = build(OmegaConf.create(without_description(plain)), f"metric.{name}")
    return metric if by is None else of_each_class(metric)


def build_scenario(config: DictConfig, workload: Workload | None = None) -> Scenario:
    """Make the scenario that a configuration describes; raise ValueError if it names several orders."""
    scenarios = build_scenarios(config, workload)
    if len(scenarios) != 1:
        raise ValueError(f"order names {', '.join(scenarios)}; this verb needs one order, such as order=random")
    return next(iter(scenarios.values()))


def build_scenarios(config: DictConfig, workload: Workload | None = None) -> dict[str, Scenario]:
    """Make a scenario for each order that a configuration names, all else equal; raise ValueError if it names none.

    A workload that is already made may be given.
    """
    orders = {str(name): build(spec, f"order.{name}") for name, spec in (config.get("order") or {}).items()}
    if not orders:
        raise ValueError("no order is chosen; choose one or more, such as order=random")
    classes, tenants = (
        read_classes(config.classes),
        {str(name): share for name, share in (config.tenants or {}).items()},
    )
    made = workload or build(config.workload, "workload")
    if classes or tenants:
        made = classified(made, classes, tenants, stream(config.seed, 0, "classes"))
    scenario = Scenario(
        workload=made,
        fleet=build(config.fleet, "fleet"),
        budget=build(config.budget, "budget"),
        arrivals=build(config.arrivals, "arrivals"),
        order=next(iter(orders.values())),
        exhausted=config.exhausted,
        events=[build(spec, f"events.{name}") for name, spec in (config.get("events") or {}).items()],
        window=build(config.window, "window") if config.get("window") else None,
        reserve=config.reserve,
        retry=build(config.retry, "retry"),
        state_refresh_s=config.state_refresh_s,
        decision_s=config.decision_s,
        measure_decisions=config.measure_decisions,
        n_queries=config.n_queries,
        duration=config.duration,
        unseen=tuple(config.unseen),
        profiled=None if config.profiled is None else dict(config.profiled),
        new_model_share=config.new_model_share,
        new_model_rows=config.new_model_rows,
        feedback=build(config.feedback, "feedback"),
        max_calls=config.max_calls,
        task=build(config.task, "task"),
        spending=build(config.spending, "spending"),
        cache=build(config.cache, "cache") if config.get("cache") else None,
    )
    return {name: replace(scenario, order=order) for name, order in orders.items()}


@dataclass(frozen=True)
class Settled:
    """A scenario with the policies that are to run on it.

    Parameters
    ----------
    scenario : Scenario
    policies : dict of str to Policy
    skipped : dict of str to str
        Why each of the others is not to run, by its name.
    worst : Found or None
        What the search for an order found, if the order was one.
    fleet : str or None
        What the fleet is and how sure its numbers are, in a line; None where it says nothing of itself.
    """

    scenario: Scenario
    policies: dict[str, Policy]
    skipped: dict[str, str]
    worst: Found | None
    fleet: str | None = None

    def noted(self) -> dict[str, Any]:
        """Return what the manifest says of it: files that it was read from, policies that do not run, the fleet."""
        more = {"skipped": self.skipped, "fleet": self.fleet}
        return {"files": files_read(self.scenario), **{key: value for key, value in more.items() if value}}


def build_settled(config: DictConfig, policies: Mapping[str, Policy], workload: Workload | None = None) -> Settled:
    """Make the one scenario of a configuration, with the policies that apply to it, and note what in it does nothing.

    If its order is a search, it is carried out.
    """
    scenario = build_scenario(config, workload)
    chosen, skipped = applicable(config, scenario, policies)
    remark(config, scenario, chosen)
    settled, worst = settle_order(scenario, chosen, config.seed)
    return Settled(settled, chosen, skipped, worst, fleet_words(scenario, config.seed))


def applicable(
    config: DictConfig, scenario: Scenario, policies: Mapping[str, Policy]
) -> tuple[dict[str, Policy], dict[str, str]]:
    """Return the policies that are to run on a scenario, and why each of the others is not, which is noted too.

    Raises
    ------
    ValueError
        If ``unfit`` is neither ``run`` nor ``skip``, or no policy is left.
    """
    check_one_of("unfit", config.unfit, ("run", "skip"))
    if config.unfit == "run":
        return dict(policies), {}
    reasons = lacking(scenario, policies, config.seed)
    for sentence in left_out(reasons):
        note(sentence.removesuffix("."))
    if len(reasons) == len(policies):
        raise ValueError(f"unfit=skip leaves no policy of {', '.join(policies)}; choose others, or unfit=run")
    return {name: policy for name, policy in policies.items() if name not in reasons}, reasons


def settle_order(scenario: Scenario, policies: Mapping[str, Policy], seed: int) -> tuple[Scenario, Found | None]:
    """Carry out the search if the order is one; return the scenario with an order, and what was found."""
    search = scenario.order
    if not isinstance(search, WorstOrder):
        return scenario, None
    name = search.policy or next(iter(policies))
    if name not in policies:
        raise ValueError(unknown("policy", name, list(policies)) + "; order.worst_of.policy must be among the policies")
    with progress(search.evaluations) as advance:
        worst = find_worst(scenario, name, policies[name], search, seed, advance)
    return replace(scenario, order=worst.order), worst


def configured_runs(config: DictConfig, scenario: Scenario, policies: Mapping[str, Policy]) -> Iterator[Run]:
    """Run policies on a scenario with the seed, replications, oracles, metrics and warm-up of a configuration."""
    check_draws(config.seed, config.replications)
    study = configured_study(config, {"": scenario}, policies)
    for replication in range(config.replications):
        yield from study.replication(replication)


def by_order(config: DictConfig, scenario: Scenario) -> dict[str, Scenario]:
    """Return the one scenario of a configuration by the name of its order."""
    [name] = config.order
    return {str(name): scenario}


def configured_study(config: DictConfig, scenarios: Mapping[str, Scenario], policies: Mapping[str, Policy]) -> Study:
    """Return what a configuration describes but for the number of replications; there is one scenario."""
    [scenario] = scenarios.values()
    metrics = build_metrics(config)
    oracle = Oracle(tuple(config.oracle.names), build(config.oracle.estimator, "oracle.estimator"))
    return Study(scenario, policies, config.seed, oracle, metrics, config.warm_up, config.roundings)


def files_read(*scenarios: Scenario) -> dict[str, str]:
    """Return the SHA-256 of every file that a part of the scenarios was read from, by its path."""
    parts = [
        part
        for one in scenarios
        for part in (one.workload, one.fleet, one.budget, one.arrivals, one.order, one.window, *one.events)
    ]
    return file_hashes(tuple(sorted({file for part in parts for file in FileTraits.of(part).files})))
