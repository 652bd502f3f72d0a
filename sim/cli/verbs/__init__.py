"""Lists the verbs of the command line; each has a module here, which is imported when it is asked for."""

from __future__ import annotations

from typing import NamedTuple


class Verb(NamedTuple):
    """What a verb does, in a line; its function, as ``MODULE:NAME`` in ``sim.cli.verbs``; and an example."""

    what: str
    function: str
    example: str


STORY = "story_"  # begins the names of experiments that are stories

VERBS = {
    "run": Verb("one policy on a scenario", "compare:compare", "run policy=port_exact order=random replications=10"),
    "compare": Verb(
        "several policies on the same queries at the same times",
        "compare:compare",
        "compare policy=[random,port,port_exact] budget=uniform budget.total=0.5 out=results",
    ),
    "ratio": Verb(
        "policies in several orders at several sizes, as shares of the hindsight optimum",
        "ratio:ratio",
        "ratio policy=[port_exact,port_fallback] order=[random,given] sizes=[500,1000,2000]",
    ),
    "plan": Verb(
        "the fewest replicas, largest load, smallest budget or cheapest fleet that meets targets",
        "plan:plan",
        "plan search=replicas arrivals.rate_per_s=20 'targets=[p95_ttft_s<=0.5]'",
    ),
    "explain": Verb(
        "where the quality of policies went, and what more budget would be worth",
        "explain:explain",
        "explain policy=[greedy_perf,port_fallback] replications=1",
    ),
    "story": Verb(
        "a tiny world, told step by step, with a question; --answer has the answer",
        "telling.story:story",
        "story greedy_goes_broke",
    ),
    "frontier": Verb(
        "cost against quality of routers that have a trade-off knob, beside single models",
        "frontier:frontier",
        "frontier policy=[carrot,knn_threshold] replications=2",
    ),
    "sweep": Verb(
        "policies at every combination of the values of keys, such as fleet.size=2,4,8",
        "sweep:sweep",
        "sweep n_queries=1000,2000,4000 fleet.size=2,4,8 policy=[port,port_fallback] launcher=joblib",
    ),
    "export": Verb(
        "the instances of a scenario as tables, for another program to solve",
        "export:export",
        "export policy=[greedy_perf,port] order=random out=instance",
    ),
    "leaderboard": Verb(
        "policies on tables, orders and seeds that stay as they are, ranked",
        "leaderboard:leaderboard",
        "leaderboard policy=[port,steward,./mine.py:Mine]",
    ),
    "diff": Verb(
        "how far two studies are apart, and which of many policies is the best",
        "diff:diff",
        "diff outputs/before outputs/after out=outputs/difference",
    ),
    "report": Verb("report.html of output directories anew, from their files", "report:report", "report outputs/demo"),
    "replay": Verb(
        "one page that plays what happened in a run, or in two policies side by side",
        "files.replay:replay",
        "replay outputs/demo 'policies=[greedy_perf,steward]'",
    ),
    "validate": Verb(
        "closed forms of queueing theory beside simulated figures", "validate:validate", "validate quick=true"
    ),
    "fit": Verb(
        "service parameters from measured requests, as load generators write them",
        "fit:fit_service",
        "fit rate_5.json rate_10.json slots=128 batched_tokens=2048 out=fitted",
    ),
    "data": Verb(
        "public tables, built from what their authors published",
        "files.data:data",
        "data zeroeval",
    ),
    "import": Verb(
        "a trace or a routing table in a foreign format: what is in it, and the same in our own form",
        "files.importing:import_file",
        "import AzureLLMInferenceTrace_conv.csv out=conv.parquet",
    ),
    "new": Verb(
        "a policy, metric, workload, arrival process or fleet of your own, ready to change",
        "new:new",
        "new policy mine",
    ),
    "check": Verb(
        "whether a policy sees only what a router may see, in several worlds",
        "check:check",
        "check policy=mine",
    ),
}
