"""Random legal command lines of ``switchyard run``. It draws words and runs nothing.

A line is options of groups and values of keys, which ``tests.drawn_studies`` builds and runs. Numbers are few, round
and awkward, so that things happen at one time, budgets are spent to the last cent, and queues have no room.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from tests.drawn_studies import CONF, costs_of, made_of, names_of, node, topics_of

STORIES = (CONF / "experiment").glob("story_*.yaml")  # worlds whose keys stand as they are, in tests/stories
NEEDS_A_FILE = {
    "workload": {"mmlu_two_models", "recorded", "routerbench", "table", "trace"},
    "fleet": {"measured"},  # of latencies
    "order": {"saved"},
    "arrivals": {"recorded"},
    "budget": {"recorded"},
    "events": {"recorded"},
    "experiment": {"mmlu_pro", "mmlu_two_models", "zeroeval"} | {path.stem for path in STORIES},
}
FOR_SWEEPS = {"experiment": {"task_caps", "volume_fixed_budget", "volume_growing_budget"}}
GROUPS = (
    "workload",
    "fleet",
    "policy",
    "estimator",
    "budget",
    "window",
    "arrivals",
    "order",
    "cache",
    "events",
    "metric",
    "experiment",
)
TABLE = Path(__file__).parent / "tables" / "signals.csv"  # made up: three models with signals, queries with preferences
TRACES = sorted((Path(__file__).parent / "traces").glob("*.csv"))

HARD = ("adwords_triangular", "greedy_half", "long_then_short", "rising_density")
SCALED_FLEETS = ("autoscaled", "autoscaled_queue", "autoscaled_utilisation", "autoscaled_slo", "spot")
PLAIN_FLEETS = ("instant", "slots", "slots", "timed", "timed", "batching", "disaggregated", *SCALED_FLEETS)
TASKS = "agent_tasks"
TURNS = "sessions"
EDITED_FLEETS = (
    "listed",
    "token_pools",
    "hosted_api",
    "routerbench_2024",
    "selfhosted_a100",
    "selfhosted_h100",
    "gpus_2026",
    "fitted_servers",
)
TASK_FLEETS = (*PLAIN_FLEETS, "sprout_2024")  # the latter for its prices per token
TURN_FLEETS = (*PLAIN_FLEETS, "batching", "batching", "disaggregated")  # which keeps prefixes
MODEL_FLEETS = (*PLAIN_FLEETS, "measured")  # whose deployments have the names of the models
DEAR = {  # what takes long, so that it is drawn less often
    "policy": (
        *("steward", "batch_split", "paced_batch", "model_cost", "model_perf", "primal_resolve", "awy_dynamic"),
        *("barp", "cost_spectrum", "zero_router", "radial_performance", "radial_balance", "radial_cost", "route_moa"),
        *("omnirouter_batch", "omnirouter_dual", "robust_batch", "uniroute_map", "proteus", "wise_router"),
    ),
    "estimator": ("blend", "contrastive", "item_response", "logistic", "radial", "bootstrap", "uniroute_map"),
}
TIMES_S = (0.0, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 7.5, 12.0)
POSITIVE_S = TIMES_S[1:]
INF = float("inf")
SCALER = {
    "autoscaler.interval_s": POSITIVE_S,
    "autoscaler.cold_start_s": TIMES_S,
    "autoscaler.stabilisation_s": TIMES_S,
    "autoscaler.minimum": (1, 2),
    "autoscaler.maximum": (2, 8),
    "autoscaler.warm_pool": (
        None,
        {"_target_": "sim.world.stations.autoscaler.WarmPool", "size": 1, "warm_start_s": 0.5, "price_share": 0.5},
    ),
}
PERIODS = ("hour", "day", "week", "month")
BEGINNINGS = ("2024-01-01T00:00", "2024-05-31T23:59:57", "2024-03-31T01:59:58+01:00", "2024-09-01T23:30")
SHARE = {"eps": (0.02, 0.1, 0.5)}
BATCH = {"size": (1, 2, 8, 64), "window_s": (INF, 0.25, 1.0, 3.0)}
SETTINGS: dict[str, dict[str, tuple[Any, ...]]] = {
    "policy.awy_dynamic": SHARE,
    "policy.awy_one_time": SHARE,
    "policy.port": SHARE,
    "policy.port_exact": SHARE,
    "policy.port_fallback": SHARE,
    "policy.primal_resolve": SHARE | {"growth": (1.25, 2.0)},
    "policy.batch_split": BATCH,
    "policy.capped_greedy": {"cost_weight": (0.0, 1000.0)},
    "policy.paced_batch": BATCH | {"confidence": (0.0, 1.0)},
    "policy.cheapest_available": {"max_queued": (0, 1, 4)},
    "policy.knapsack_threshold": {"tail": (0.0, 0.1)},
    "policy.knn_threshold": {"threshold": (0.0, 0.5, 1.0)},
    "policy.latency_priced": {"price_per_s": (0.0, 0.05, 1.0), "decline": (False, True)},
    "policy.lowest_latency": {"weight": (0.2, 1.0)},
    "policy.mirror_descent_entropic": {"step": (0.1, 1.0)},
    "policy.mirror_descent_euclidean": {"step": (0.1, 1.0)},
    "policy.dual_subgradient": {"step": (0.1, 1.0)},
    "policy.steward": {"solves": (2, 5)},
    "policy.r2_router": {"cost_share": (0.0, 0.999, 1.0)},
    "policy.prefix_affinity": {"blocks": (1, 2, 8)},
    "policy.prefix_then_load": {"extra": (0, 2, 16), "memory_blocks": (None, 1, 50), "forget_s": (None, 0.5, 10.0)},
    "policy.token_pools": {"output_tokens": (0, 1024), "spill": (None, 1.0)},
    "policy.multiplexed": {"tries": (0, 1, 3)},
    "policy.cascade": {"threshold": (0.0, 0.3, 1.0, 3.0)},
    "policy.carrot": {"cost_weight": (0.0, 0.5, 1.0), "cost_scale": (0.0, 100.0)},
    "policy.uniroute": {"cost_weight": (0.0, 1.0, 100.0)},
    "policy.omnirouter_batch": BATCH | {"floor": (0.0, 0.5, 1.0)},
    "policy.omnirouter_dual": BATCH | {"floor": (0.0, 0.5, 1.0), "steps": (1, 30)},
    "policy.robust_batch": BATCH | {"cost_per_query": (None, 1e-5, 1e-3)},
    "policy.proteus": {"floor": (0.0, 0.5, 1.0), "rate": (0.0, 0.1), "by_preference": (False, True)},
    "policy.wise_router": {"kinds": (1, 3), "explore": (0.0, 1.0), "every": (1, 20)},
    "order.adversarial_prefix": {"share": (0.025, 0.29, 0.5), "densest": (False, True)},
    "order.drift": {"strength": (0.0, 0.5, 1.0)},
    "order.late_topic": {"after": (0.0, 0.29, 0.5)},
    "arrivals.batches": {"mean_size": (1.0, 5.0, 20.0), "fixed": (False, True)},
    "arrivals.closed_loop": {"users": (1, 3, 20), "mean_think_s": (0.0, 1.0)},
    "arrivals.flash_crowd": {
        "base_rate_per_s": (0.5, 4.0),
        "at_s": (0.0, 3.0),
        "ramp_s": (0.0, 1.0),
        "hold_s": (0.0, 5.0),
    },
    "arrivals.gamma": {"cv": (0.5, 4.0)},
    "arrivals.mmpp": {"rates_per_s": ((0.0, 8.0), (0.5, 40.0)), "mean_dwell_s": ((1.0, 3.0), (12.0, 0.25))},
    "arrivals.piecewise": {"rates_per_s": ((0.0, 8.0), (1.0, 4.0)), "durations_s": ((3.0, 3.0), (0.5, 5.0))},
    "arrivals.profile": {"rate_scale": (30.0, 300.0), "gap_cv": (0.5, 1.0, 3.0)},
    "arrivals.replay": {"rate_scale": (0.5, 1.0, 4.0)},
    "arrivals.sessions": {"mean_turns": (1.0, 5.0), "mean_gap_s": (0.25, 10.0)},
    "arrivals.sinusoidal": {"mean_rate_per_s": (0.5, 4.0), "relative_amplitude": (0.0, 1.0), "period_s": (3.0, 60.0)},
    "arrivals.weibull": {"shape": (0.5, 2.0)},
    "fleet.batching": {
        "service.slots": (None, 1, 2, 4),
        "service.kv_tokens": (None, 300, 2000),
        "service.context_tokens": (None, 400),
        "service.reserved_output_tokens": (None, 100),
    },
    "fleet.disaggregated": {
        "service.prefill_engines": (1, 2),
        "service.decode_engines": (1, 2),
        "service.link_bytes_per_s": (None, 1e7, 1e9),
        "service.slots": (None, 1, 2, 4),
        "service.kv_tokens": (None, 300, 2000),
        "service.context_tokens": (None, 400),
    },
    "fleet.autoscaled": SCALER | {"autoscaler.target_per_replica": (0.7, 1.0, 5.6)},
    "fleet.autoscaled_queue": SCALER | {"autoscaler.target_waiting_per_replica": (0.5, 1.0, 4.0)},
    "fleet.autoscaled_utilisation": SCALER | {"autoscaler.target": (0.2, 0.7, 1.0)},
    "fleet.autoscaled_slo": SCALER
    | {"autoscaler.limit_s": (0.5, 2.0), "autoscaler.of": ("first_token", "wait"), "autoscaler.window_s": (1.0, 60.0)},
    "fleet.spot": {
        "spot.interruptions_per_hour": (0.0, 1.0, 300.0),
        "spot.notice_s": TIMES_S,
        "spot.replacement_s": TIMES_S,
        "replicas": (1, 3),
    },
    "events.budget_cut": {"factor": (0.0, 0.5, 1.0)},
    "events.degradation": {"factor": (0.5, 1.0, 3.0), "at_s": TIMES_S, "for_s": TIMES_S},
    "events.joins": {"at_s": TIMES_S},
    "events.leaves": {"at_s": TIMES_S, "for_s": (None, *TIMES_S)},
    "events.outage": {"at_s": TIMES_S, "for_s": TIMES_S},
    "events.practice": {"behind": (0.0, 0.4, 1.0), "gain": (0.0, 0.01, 0.5)},
    "events.price_change": {
        "factor": (0.0, 0.5, 1.0, 3.0),
        "at_s": TIMES_S,
        "for_s": (None, *TIMES_S),
        "announced": (True, False),
    },
    "events.quality_change": {"factor": (0.0, 0.5, 1.0, 3.0), "at_s": TIMES_S, "for_s": (None, *TIMES_S)},
    "events.random_outages": {"mean_up_s": (1.0, 5.0), "mean_down_s": (0.5, 3.0)},
    "events.top_up": {"at_s": TIMES_S, "amount": (0.0, 0.002, 100.0)},
}
FEEDBACK = {"share": (0.0, 0.5), "delay_s": (0.25, 5.0, 60.0), "noise": (0.1, 1000.0), "flipped": (0.3, 1.0)}
WELL_KNOWN = 15  # rows of the history: few, and enough that a model is right on some
RATED = ("poisson", "deterministic", "gamma", "weibull", "batches", "sessions")


def options(group: str) -> list[str]:
    """The options of a group that need no file."""
    left_out = NEEDS_A_FILE.get(group, set()) | FOR_SWEEPS.get(group, set())
    return sorted(path.stem for path in (CONF / group).glob("*.yaml") if path.stem not in left_out)


@dataclass(frozen=True)
class Line:
    """A command line: an option, or several, of each group, and values of keys in the order of writing.

    As in Hydra, a key that begins with + is new to its group, and one that begins with ~ is left out.
    """

    groups: dict[str, str | tuple[str, ...]]
    keys: dict[str, Any] = field(default_factory=dict)

    @property
    def words(self) -> list[str]:
        """As they are typed."""
        chosen = [f"{group}={text(option)}" for group, option in self.groups.items()]
        keys = (key if key.startswith("~") else f"{key}={text(value)}" for key, value in self.keys.items())
        return [*chosen, *keys]

    def __str__(self) -> str:
        """Return it as it is pasted into a shell."""
        return "switchyard run " + " ".join(f"'{word}'" if set(word) & set("[]{}$*? ") else word for word in self.words)


def text(value: Any) -> str:
    """A value in Hydra's grammar."""
    if isinstance(value, tuple | list):
        return f"[{','.join(map(text, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{key}: {text(item)}' for key, item in value.items())}}}"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


class Drawing:
    """One line in the making; ``slow`` ones have every policy, fleet and estimator alike."""

    def __init__(self, draw: st.DrawFn, slow: bool) -> None:
        self.draw = draw
        self.slow = slow
        self.groups: dict[str, str | tuple[str, ...]] = {}
        self.keys: dict[str, Any] = {}

    def pick(self, *values: Any) -> Any:
        return self.draw(st.sampled_from(values))

    def one_in(self, n: int) -> bool:
        """Whether something rare happens; shrinking leaves it out."""
        return bool(self.draw(st.integers(0, n - 1)) == n - 1)

    def choose(self, group: str, *names: str) -> str:
        """Choose an option, dear ones rarely, with some of its settings."""
        dear = () if self.slow or self.one_in(20) else DEAR.get(group, ())
        chosen: str = self.pick(*(name for name in names or options(group) if name not in dear))
        self.groups[group] = chosen
        self.settle(f"{group}.{chosen}", f"{group}.{chosen}" if group in ("policy", "order") else group)
        return chosen

    def settle(self, option: str, prefix: str) -> None:
        """Give some settings of an option."""
        for name, values in SETTINGS.get(option, {}).items():
            if self.pick(False, True):
                self.keys[f"{prefix}.{name}"] = self.pick(*values)


@st.composite
def lines(draw: st.DrawFn, slow: bool = False, only_tasks: bool = False) -> Line:
    """Legal command lines; ``slow`` ones draw every policy, fleet and estimator alike."""
    line = Drawing(draw, slow)
    pick, groups, keys = line.pick, line.groups, line.keys
    keys["seed"] = draw(st.integers(0, 99))
    is_hard = not only_tasks and line.one_in(6)
    is_table = not is_hard and not only_tasks and line.one_in(8)
    is_tasks = not is_hard and not is_table and (only_tasks or line.one_in(5))
    plain = (TURNS,) if line.one_in(6) else ("synthetic",)
    kind = HARD if is_hard else ("table",) if is_table else (TASKS,) if is_tasks else plain
    workload = line.choose("workload", *kind)
    if is_hard:
        keys["workload.budget"] = pick(10, 20)
        if workload in ("adwords_triangular", "long_then_short"):
            keys["workload.n_deployments" if workload == "adwords_triangular" else "workload.n_long"] = 6
    elif is_table:
        keys |= {"workload.path": str(TABLE), "workload.embeddings": "hashing", "workload.n_history": pick(30, 60)}
    elif is_tasks:
        draw_tasks(line)
    else:
        (draw_turns if workload == TURNS else draw_synthetic)(line)
    line.choose("policy")
    if not is_hard and line.one_in(4):
        line.choose("estimator")
    draw_traffic(line)
    draw_classes(line)
    names: Sequence[str] = ()
    if workload == "synthetic" and line.one_in(12):
        line.choose("experiment")
        for group in ("arrivals",):
            groups.pop(group)
        for key in [key for key in keys if key.startswith("arrivals.")]:
            del keys[key]
        keys["exhausted"] = pick("fallback", "lost")
    else:
        names = draw_fleet(line, is_hard)
        draw_money(line, is_hard, names)
        draw_events(line, names)
        draw_new_models(line, is_hard, names)
    if not is_tasks and line.one_in(5):  # a cache is for queries that stand for themselves
        draw_cache(line, is_hard)
    draw_order(line, is_hard)
    draw_calls(line, names)
    groups["metric"] = tuple(sorted({pick(*options("metric")) for _ in range(2)}))
    keys["warm_up"] = pick(None, None, 0.0, 2.0, "29%", "mser5")
    if line.one_in(8):
        keys["oracle.names"] = ("approximate_optimum", "optimum")
    return Line(groups, keys)


def draw_tasks(line: Drawing) -> None:
    """Draw tasks of a few steps, what they earn, and what they may take."""
    pick, keys = line.pick, line.keys
    keys |= {"workload.n_queries": line.draw(st.integers(5, 12)), "workload.dim": 8}
    keys["workload.n_history"] = line.draw(st.integers(5, 10))
    keys["workload.mean_steps"] = pick(1.0, 2.0, 3.5, 6.0)
    keys["workload.separation"] = pick(0.5, 0.696, 0.9999)
    reward = pick("every_step", "last_step", "mean_step")
    keys["workload.reward"] = {"_target_": f"sim.workload.tasks.{reward}", "_partial_": True}
    keys["task.budget_usd"] = pick(None, None, 0.0, 0.001, 0.01, 0.1)
    keys["task.deadline_s"] = pick(None, None, *POSITIVE_S, 60.0)


def draw_classes(line: Drawing) -> None:
    """Draw kinds of traffic with shares, priorities, deadlines and prices, and who sends it."""
    pick, keys = line.pick, line.keys
    if not line.one_in(4):
        return
    shares = pick((1.0,), (0.5, 0.5), (0.25, 0.7, 0.05))
    keys["classes"] = {
        name: {
            "share": share,
            "priority": pick(None, 0, 1, 5),
            "due_s": pick(None, *TIMES_S),
            "price": pick(1.0, 0.5, 0.0),
        }
        for name, share in zip(("chat", "batch", "rest"), shares, strict=False)
    }
    keys["tenants"] = pick(None, {"acme": 1.0}, {"acme": 0.9, "zenith": 0.1})


def draw_synthetic(line: Drawing) -> None:
    """Draw made-up queries that stand for themselves."""
    pick, keys = line.pick, line.keys
    keys |= {"workload.n_queries": pick(50, 50, 50, 50, 80, 120, 300), "workload.dim": 8}
    keys["workload.n_history"] = pick(30, 60, 60, 200)
    keys["workload.cap_curve"] = pick(None, 0.5, 3.0)
    keys["workload.separation"] = pick(0.5, 0.696, 0.9999)


def draw_turns(line: Drawing) -> None:
    """Draw conversations, whose prompts have prefixes."""
    pick, keys = line.pick, line.keys
    keys |= {"workload.n_queries": pick(50, 80, 120), "workload.n_history": pick(30, 60), "workload.dim": 8}
    keys |= {"workload.n_models": pick(2, 3), "workload.mean_turns": pick(1.0, 3.0, 10.0)}
    keys |= {"workload.system_tokens": pick(0, 100, 1024), "workload.block_tokens": pick(1, 16, 64)}


def draw_queue(line: Drawing, fleet: str, is_table: bool, is_turns: bool) -> None:
    """Draw how long queries wait, who waits where, and which query goes first."""
    pick, keys = line.pick, line.keys
    keys["fleet.timeout_s"] = pick(None, None, *POSITIVE_S)
    if pick(False, True):
        keys["fleet.patience"] = {"_target_": "sim.distributions.Constant", "value_s": pick(*TIMES_S)}
    keys["fleet.price_per_hour_usd"] = pick(0.0, 4.0, 36.0)
    if fleet not in SCALED_FLEETS:
        keys["fleet.replicas"] = pick(1, 1, 2, 3)
    by_queries = ("highest_priority", "earliest_deadline") if is_table or "classes" in keys else ()
    disciplines = (f"sim.world.stations.queue.{name}" for name in ("shortest_predicted", *by_queries))
    keys["fleet.discipline"] = pick(None, *({"_target_": name, "_partial_": True} for name in disciplines))
    if keys["fleet.discipline"] is not None and fleet in ("slots", "timed", *SCALED_FLEETS):
        keys["fleet.preemptive"] = pick(False, True, True)
    balancers = [{"_target_": f"sim.world.stations.balancer.{name}"} for name in ("RoundRobin", "PowerOfTwo")]
    by_prefix = ("PrefixAffinity", "PrefixThenLoad") if is_turns else ()
    balancers += [{"_target_": f"sim.world.stations.prefix_balancer.{name}"} for name in by_prefix]
    keys["fleet.balancer"] = pick(None, *balancers)


def draw_fleet(line: Drawing, is_hard: bool) -> Sequence[str]:
    """Draw deployments, their limits, times and replicas; return their names, none if they are not known beforehand."""
    pick, keys = line.pick, line.keys
    is_table = line.groups["workload"] == "table"
    is_tasks, is_turns = line.groups["workload"] == TASKS, line.groups["workload"] == TURNS
    is_plain = is_hard or is_turns or not line.one_in(3 if line.slow else 10)
    able: Sequence[str] = (
        ("instant", "timed") if is_hard else MODEL_FLEETS if is_table else PLAIN_FLEETS if is_plain else ()
    )
    if is_tasks and not is_plain:
        able = TASK_FLEETS
    if is_turns:
        able = TURN_FLEETS
    fleet = line.choose("fleet", *(able or options("fleet")))
    is_plain = fleet in MODEL_FLEETS
    if line.groups["workload"] == "synthetic" and is_plain:
        keys["workload.n_models"] = pick(2, 3, 4)
    draw_service(line, fleet)
    if is_plain:
        keys["fleet.queue_capacity"] = pick(None, None, 0, 1, 4)
    if is_plain and fleet != "instant":
        draw_queue(line, fleet, is_table, is_turns)
    if fleet == "sprout_2024":  # its models are those of another table
        models = ("agent-small", "agent-large") if is_tasks else ("claude-v1", "claude-v2")
        keys["fleet.models"] = {entry["name"]: pick(*models) for entry in node("fleet", fleet)["entries"]}
    if fleet != "roofline" and line.one_in(8):
        keys["fleet.size"] = 1 if is_hard else pick(1, 2)
        return ()
    if is_hard:
        return ()
    if fleet in EDITED_FLEETS and pick(False, True):
        left_out, *left = line.draw(st.permutations(names_of(fleet, 11)))
        keys["fleet.exclude"] = (left_out,)
        keys["fleet.change"] = {left[0]: {"replicas": pick(1, 2), "queue_capacity": pick(None, 0, 1)}}
        return tuple(name for name in names_of(fleet, 11) if name != left_out)
    if "fleet.models" in keys:
        return tuple(keys["fleet.models"])
    if is_tasks or is_turns:
        return made_of(keys).models
    return names_of(fleet, keys.get("workload.n_models", 3 if is_table else 11))


def draw_service(line: Drawing, fleet: str) -> None:
    """Draw how long a plain deployment takes, and how many it serves at once."""
    pick, keys = line.pick, line.keys
    if fleet in ("slots", *SCALED_FLEETS):
        keys["fleet.service.slots"] = pick(1, 1, 2, 4)
        keys["fleet.service.time_to_first_token_s"] = pick(0.0, 0.25, 0.5)
        keys["fleet.service.time_per_output_token_s"] = pick(0.0, 0.001, 0.02)
    if fleet in ("batching", "disaggregated") and line.groups["workload"] == TURNS:
        keys["fleet.prefix_cache_tokens"] = pick(None, INF, 64, 1000, 20_000)
    if fleet == "measured":
        keys["fleet.service.slots"] = pick(None, 1, 2)
    if fleet == "timed":
        keys["fleet.service.slots"] = pick(1, 2, 4)
        if pick(False, True, True):
            keys["fleet.service.duration._target_"] = "sim.distributions.Constant"
            keys |= {"~fleet.service.duration.mean_s": None, "+fleet.service.duration.value_s": pick(*TIMES_S)}
        else:
            keys["fleet.service.duration.mean_s"] = pick(0.25, 1.0)


def draw_traffic(line: Drawing) -> None:
    """Draw arrivals, retries, how old the state is, and how long a decision takes."""
    pick, keys = line.pick, line.keys
    arrivals = line.choose("arrivals")
    if arrivals == "replay":
        keys |= {"arrivals.path": str(pick(*TRACES)), "arrivals.loop": True}
    elif arrivals in RATED:
        keys["arrivals.rate_per_s"] = pick(0.5, 1.0, 4.0, 40.0, *((0.02,) if line.one_in(4) else ()))
    keys["retry.attempts"] = pick(1, 1, 2, 3, 4)
    if keys["retry.attempts"] > 1:
        keys |= {"retry.backoff_s": pick(0.25, 1.0, 5.0), "retry.multiplier": pick(1.0, 2.0)}
    keys["state_refresh_s"] = pick(None, None, 0.5, 5.0)
    keys["decision_s"] = pick(0.0, 0.0, 0.25)


def draw_money(line: Drawing, is_hard: bool, names: Sequence[str]) -> None:
    """Draw budgets, how they are given out, and what happens when there is none left."""
    pick, keys = line.pick, line.keys
    if not is_hard:
        unfit = {"amounts", "shared"} if not names else set()
        if keys.get("fleet.size") == 1:
            unfit.add("extreme")  # it needs one who is cost-effective
        able = [name for name in options("budget") if name not in unfit]
        budget = line.choose("budget", *able, *(["amounts"] * 4 if names else []))
        if budget == "each":
            keys["budget.unit"] = unit = pick("usd", "tokens")
            amounts_of = {"tokens": (0, 300, 2000, 50_000), "usd": (0.0, 0.001, 0.01, 0.1)}
            keys["budget.amount"] = pick(*amounts_of[unit])
        elif budget == "shared":  # by the first and the last deployment; the others have their own
            own = {name: pick(0.0, 0.001, INF) for name in names[1:-1]}
            keys["budget.amount_by_account"] = {"both": pick(0.0, 0.001, 0.01), **own}
            keys["budget.account_by_deployment"] = {names[0]: "both", names[-1]: "both"}
        elif budget == "amounts":  # so many queries to the last digit, in the order of the data set
            costs = costs_of(line.keys)
            amounts: list[Callable[[int], float]] = [lambda _: 0.0, lambda _: INF]
            amounts += [lambda k, n=n: float(sum(costs[:n, k].tolist())) for n in (1, 2, 3, 10)]  # type: ignore[misc]
            which = costs.shape[1] == len(names)
            keys["budget.amounts_by_deployment"] = tuple(
                pick(*amounts)(k) if which else pick(0.0, 0.001, 0.01, INF) for k in range(len(names))
            )
        elif budget != "unlimited":
            keys["budget.total"] = pick(0.1, 0.5, 1.0, 4.0)
            keys["budget.unit"] = pick("usd", "usd", "tokens")
    keys["exhausted"] = pick("fallback", "lost")
    if pick(False, True):
        is_closed = line.groups["arrivals"] == "closed_loop"
        window = line.choose("window", *(["minute", "hour", "day", "calendar"] if is_closed else options("window")))
        keys[f"window.{'burst_s' if window == 'bucket' else 'length_s'}"] = pick(0.5, 1.0, 3.0, 10.0, 60.0)
        if window == "calendar":
            del keys["window.length_s"]
            keys |= {"window.every": pick(*PERIODS), "window.starts_at": pick(*BEGINNINGS)}
            keys["window.rollover"] = pick(False, True)
        elif window != "bucket":
            keys["window.rollover"] = pick(False, True)
            keys["window.spread"] = not is_closed and pick(False, True, True)
        keys["exhausted"] = pick("fallback", "lost", "wait", "wait")
    keys["reserve"] = pick("true_cost", "true_cost", "estimate")
    if line.one_in(4):
        draw_limits(line, names)


def draw_limits(line: Drawing, names: Sequence[str]) -> None:
    """Draw limits beside the budgets: for everything, a deployment, or all but one of them."""
    pick, keys = line.pick, line.keys
    scopes = {"total": ("total",), **({names[0]: names[:1], "most": names[1:]} if names[1:] else {})}
    limits = {}
    for name, of in scopes.items():
        if pick(False, True):
            period = pick(None, *PERIODS)
            limits[name] = {"amount": pick(0.0, 0.001, 0.01, 0.1, INF), "every": period, "of": of}
            limits[name] |= {"soft": pick(False, False, True), "rollover": period is not None and pick(False, True)}
    keys["spending.limits"] = limits
    keys |= {"spending.starts_at": pick(*BEGINNINGS), "spending.time_zone": pick(None, "Europe/Berlin")}
    keys["spending.alert_at"] = pick((0.8, 1.0), (0.5,), ())
    if any(limit["every"] for limit in limits.values()) and pick(False, True):
        keys["exhausted"] = "wait"


def draw_cache(line: Drawing, is_hard: bool) -> None:
    """Draw a cache before the policy; prompts come again where the order draws with replacement."""
    pick, keys = line.pick, line.keys
    if line.choose("cache") == "none":
        return
    keys["cache.capacity"] = pick(1, 3, 20, *(() if is_hard else (None,)))  # hard instances have no output tokens
    keys["cache.capacity_tokens"] = None if keys["cache.capacity"] else pick(500, 5000)
    keys["cache.similarity"] = pick(None, None, 0.5, 0.9, 1.0)
    keys["cache.lookup_s"] = pick(0.0, 0.0, 0.25, 3.0)
    keys["cache.expires_s"] = pick(None, None, 0.5, 5.0)


def draw_order(line: Drawing, is_hard: bool) -> None:
    """Draw in which order queries arrive, and which of them do."""
    pick, groups, keys = line.pick, line.groups, line.keys
    has_topics = not is_hard and groups["workload"] != TASKS  # a few tasks may all have one
    unfit = {"worst_of", *(() if has_topics else ("drift", "late_topic", "topic_blocks"))}
    if groups["workload"] in ("adwords_triangular", "greedy_half"):  # whose queries cost nothing somewhere
        unfit |= {"density_up", "density_down", "adversarial_prefix"}
    able = [name for name in options("order") if name not in unfit]
    topics = topics_of(keys) if has_topics else ()
    money = ("window", "events", "experiment", "cache")
    pays = groups.get("budget") not in ("amounts", "each", "shared")  # which may pay for nothing
    has_optimum = (
        pays
        and "spending.limits" not in keys
        and not any(group in groups for group in money)
        and groups["workload"] != TASKS
    )
    if has_optimum and keys["reserve"] == "true_cost" and line.one_in(30):
        able = ["worst_of"]
    order = line.choose("order", *able, "given", "given")
    if order == "late_topic":
        keys["order.late_topic.topic"] = pick(*topics)
    elif order == "worst_of":
        keys |= {"order.worst_of.evaluations": 20, "order.worst_of.family.n_topics": 1}
    elif has_topics and line.one_in(8):
        keys["unseen"] = (pick(*topics),)
    if not is_hard and order not in ("late_topic", "worst_of") and line.one_in(3):
        fewer, more = ((2, 5), 20) if groups["workload"] == TASKS else ((30, 50), 400)
        keys["n_queries"] = pick(*fewer, *((more,) if order in ("resampled", "zipf", "power", "blocks") else ()))


def draw_events(line: Drawing, names: Sequence[str]) -> None:
    """Draw none to three events, which may overlap."""
    needs_a_name = {"joins", "leaves", "top_up"}
    able = [name for name in options("events") if names or name not in needs_a_name]
    chosen = tuple(line.draw(st.lists(st.sampled_from(able), max_size=3, unique=True)))
    if not chosen:
        return
    line.groups["events"] = chosen
    for name in chosen:
        named = () if name in needs_a_name else (None,)
        line.keys[f"events.{name}.deployment"] = line.pick(*named, *names)
        if name == "budget_cut":
            shares = () if line.groups["arrivals"] == "closed_loop" else ("0%", "29%", "50%")
            line.keys["events.budget_cut.at"] = line.pick(*TIMES_S, *shares)
        for key in SETTINGS[f"events.{name}"]:
            line.keys[f"events.{name}.{key}"] = line.pick(*SETTINGS[f"events.{name}"][key])


def draw_new_models(line: Drawing, is_hard: bool, names: Sequence[str]) -> None:
    """Draw models that the history knows on few rows or none, never so that it knows nobody."""
    pick, groups, keys = line.pick, line.groups, line.keys
    if not line.one_in(3):
        return
    are_models = bool(names) and groups["fleet"] in MODEL_FLEETS
    known = 5 if groups["workload"] == TASKS else WELL_KNOWN  # whose history may have no more rows
    few = (0, 1, 5, known) if are_models else (1, 5) if is_hard else (known,)
    if are_models and pick(False, True):
        keys["profiled"] = {pick(*names): pick(*few)}
        few = (known,)
        if keys["profiled"] != {names[0]: known}:
            return
    keys |= {"new_model_share": pick(0.34, 0.5), "new_model_rows": pick(*few)}


def draw_calls(line: Drawing, names: Sequence[str]) -> None:
    """Draw how many calls a query may take, whom a cascade asks, and what is said of the answers."""
    pick, keys = line.pick, line.keys
    is_cascade = line.groups["policy"] == "cascade"
    if is_cascade and names and pick(False, True):
        keys["policy.cascade.deployments"] = pick(names[::-1], names[:1], (*names[1:], names[0]))
    keys["max_calls"] = pick(len(names) + 2, 20) if is_cascade else pick(1, 8)
    if line.one_in(3):
        for name, values in FEEDBACK.items():
            if pick(False, True):
                keys[f"feedback.{name}"] = pick(*values)
