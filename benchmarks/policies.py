"""Every policy of conf/policy over greedy_perf: a run of a million queries, and the microseconds of a decision.

    python -m benchmarks.policies [n_queries] [rounds] [policy ...]

Times are of the processor. A run is all that a policy needs: fitting its estimator and predicting every query, what
``reset`` prepares from the history, and then the world with all decisions; drawing the workload is left out, and the
tables that are written. The scenario is that of ``switchyard run``: fleet=instant, weighted budgets, eleven models,
10,000 history rows, and answers that may be cut. Policies of tasks run on ``workload=agent_tasks`` with as many steps.

Sizes are tried from at most 2,000 queries on, each four times the last, while the next is expected to take less than
half a minute. What was timed on fewer than a million is taken to grow in proportion, which flatters policies whose
decisions take longer the more there have been; ``growth`` says by how much, from a quarter of the queries to all.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sim.cli.api import policies, scenario
from sim.instance import Instance, realise, stream
from sim.interface import Estimates, Estimator, Policy, Predictor, Setting
from sim.world.world import simulate

OF_TASKS = ("bopo", "evo_route", "steer", "x_router")
STEPS = 40  # of a task, about
BASE = "greedy_perf"
MILLION = 1_000_000
MOST = 3.0  # times greedy's run
MOST_S = 30.0  # of the longest run that is begun
LEAST, STEP = 2000, 4  # queries to begin with, at most, and from one size to the next
GROWS = 1.5  # a decision that takes so many times as long when there are four times as many queries


@dataclass(frozen=True)
class Times:
    """Processor times: once for a policy (fit, reset), and for each of n queries (predict, run)."""

    n: int
    fit_s: float
    reset_s: float
    predict_s: float
    run_s: float

    @property
    def of_a_million_s(self) -> float:
        """The time of a run of a million queries, in proportion."""
        return self.fit_s + self.reset_s + (self.predict_s + self.run_s) * MILLION / self.n

    @property
    def prepared_share(self) -> float:
        """Which share of that passes before the first decision."""
        return 1 - self.decision_us / self.of_a_million_s

    @property
    def decision_us(self) -> float:
        """Microseconds of a decision, with what the world does for it."""
        return 1e6 * self.run_s / self.n


class Bench:
    """Runs policies, and keeps what several runs share: instances, and the predictions of the estimators in use."""

    def __init__(self) -> None:
        self._base = new(BASE).estimator
        self._instances: dict[tuple[bool, int], Instance] = {}
        self._fitted: dict[tuple[Estimator, bool], tuple[Predictor, float]] = {}
        self._predicted: dict[tuple[Estimator, bool, int], tuple[Estimates, float]] = {}

    def timed(self, name: str, of_tasks: bool, n_queries: int) -> Times:
        """Run a policy once."""
        instance = self._instance(of_tasks, n_queries)
        policy, rng = new(name), stream(0, 0, "policy")
        estimates, fit_s, predict_s = self._estimates(policy.estimator, of_tasks, n_queries)
        reset, marks = policy.reset, [time.process_time()]

        def marked(setting: Setting, rng: np.random.Generator) -> None:
            reset(setting, rng)
            marks.append(time.process_time())

        vars(policy)["reset"] = marked  # to tell what prepares from what decides
        n = len(simulate(name, policy, instance, estimates, rng).row)
        began, prepared, ended = *marks, time.process_time()
        return Times(n, fit_s, prepared - began, predict_s, ended - prepared)

    def _instance(self, of_tasks: bool, n_queries: int) -> Instance:
        """Return the scenario with so many queries, or about so many steps of tasks."""
        key = (of_tasks, n_queries)
        if key not in self._instances:
            words = [f"workload.n_queries={n_queries}", "workload.n_history=10000"]
            if of_tasks:
                words = [f"workload.n_queries={max(1, n_queries // STEPS)}", "workload=agent_tasks"]
            self._instances[key] = realise(scenario(*words, "workload.cap_curve=3"), seed=0, replication=0)
        return self._instances[key]

    def _estimates(self, estimator: Estimator | None, of_tasks: bool, n_queries: int) -> tuple[Estimates, float, float]:
        """Return predictions of all queries, and the times to fit the estimator and to predict."""
        instance = self._instance(of_tasks, n_queries)
        history = instance.setting.history
        if estimator is None:
            return Estimates(*(np.broadcast_to(mean, instance.quality.shape) for mean in history.means())), 0.0, 0.0
        if (estimator, of_tasks) not in self._fitted:
            began = time.process_time()
            self._fitted[estimator, of_tasks] = estimator.fit(history), time.process_time() - began
        predictor, fit_s = self._fitted[estimator, of_tasks]
        key = (estimator, of_tasks, n_queries)
        if key not in self._predicted:
            in_use = (self._base, estimator)
            self._predicted = {known: value for known, value in self._predicted.items() if known[0] in in_use}
            began = time.process_time()
            self._predicted[key] = predictor.predict(instance.features), time.process_time() - began
        estimates, predict_s = self._predicted[key]
        return estimates, fit_s, predict_s


def new(name: str) -> Policy:
    """Return the policy of conf/policy/NAME.yaml."""
    return policies(name)[name]


def middle(several: list[Times]) -> Times:
    """Return the run whose time is the median."""
    return sorted(several, key=lambda times: times.run_s)[len(several) // 2]


@dataclass(frozen=True)
class Row:
    """What the rounds say of a policy, beside greedy in the same rounds."""

    name: str
    times: Times
    ratio: float
    rule_ratio: float
    growth: float

    def line(self) -> str:
        """Return the line that is printed."""
        prepared = f"{self.times.prepared_share:4.0%} of it prepared"
        cost = f"{self.times.decision_us:9,.1f} us a decision ({self.rule_ratio:7,.2f} of greedy's)"
        return (
            f"{self.name:25}{self.ratio:7,.2f} {prepared} {cost}, growth {self.growth:.2f}, timed on {self.times.n:,}"
        )


def measured(bench: Bench, name: str, n_queries: int, rounds: int) -> Row:
    """Find the largest size that a policy can do in time, and let it alternate with greedy there."""
    of_tasks = name in OF_TASKS
    sizes = [n_queries]
    while sizes[0] > LEAST:
        sizes.insert(0, sizes[0] // STEP)
    before = bench.timed(name, of_tasks, sizes[0])
    growth, largest = 1.0, sizes[0]
    for size in sizes[1:]:
        if STEP * before.run_s * max(growth, 1.0) > MOST_S:
            break
        largest = size
        if size < n_queries:
            latest = bench.timed(name, of_tasks, size)
            before, growth = latest, latest.decision_us / before.decision_us
    bases, runs = [], []
    for _ in range(rounds):
        bases.append(bench.timed(BASE, of_tasks, largest))
        runs.append(bench.timed(name, of_tasks, largest))
    if before.n < runs[0].n:
        growth = middle(runs).decision_us / before.decision_us
    pairs = list(zip(runs, bases, strict=True))
    ratio = np.median([run.of_a_million_s / base.of_a_million_s for run, base in pairs])
    rule_ratio = np.median([run.decision_us / base.decision_us for run, base in pairs])
    return Row(name, middle(runs), float(ratio), float(rule_ratio), growth)


def main(n_queries: int, rounds: int, names: list[str]) -> None:
    """Print a line per policy, and then which of them stay within three times of greedy's run."""
    chosen = names or [path.stem for path in (Path(__file__).resolve().parents[1] / "conf" / "policy").glob("*.yaml")]
    bench, rows = Bench(), []
    for name in sorted(chosen, key=lambda name: (name in OF_TASKS, repr(new(name).estimator), name)):
        rows.append(measured(bench, name, n_queries, rounds))
        print(rows[-1].line(), flush=True)
    rows.sort(key=lambda row: row.ratio)
    near = [f"{row.name} {row.ratio:.2f}" for row in rows if row.ratio <= MOST]
    far = [f"{row.name} {row.ratio:,.1f} ({row.times.decision_us:,.0f} us)" for row in rows if row.ratio > MOST]
    slow = [f"{row.name} ({row.times.decision_us:,.0f} us)" for row in rows if row.ratio <= MOST < row.rule_ratio]
    grow = [f"{row.name} ({row.growth:.1f})" for row in rows if row.growth > GROWS]
    print(f"\nwithin {MOST:g} times of {BASE}'s run of a million queries: {', '.join(near) or 'none'}")
    print(f"of these, not where decisions alone count and no predictions: {', '.join(slow) or 'none'}")
    print(f"not within, with the time of a decision: {', '.join(far) or 'none'}")
    print(f"a decision takes longer where there are {STEP} times as many queries: {', '.join(grow) or 'none'}")


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    main(
        numbers[0] if numbers else 1_000_000,
        numbers[1] if len(numbers) > 1 else 3,
        [word for word in sys.argv[1:] if not word.isdigit()],
    )
