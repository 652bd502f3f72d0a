"""Draws the picture of every page of docs/concepts, from runs that take a few seconds each.

python docs/site/pictures.py [FOLDER]
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from policies.estimators.neighbours import ExactNeighbours
from sim.assignment.prices import minimise
from sim.cli.api import compare, run, scenario
from sim.interface import Features, History
from sim.study.statistics import mean_interval

FOLDER = Path(__file__).resolve().parents[1] / "concepts" / "pictures"
SIZE = ("workload.n_queries=1000", "workload.n_history=1000")
STYLES = (("#1b4f72", "-"), ("#c0392b", "--"))  # apart in black and white too


def budgets(axes: Axes) -> None:
    """Draw quality earned so far, greedy and priced."""
    for policy, (colour, style) in zip(("port_fallback", "greedy_perf"), STYLES, strict=True):
        earned = run(f"policy={policy}", *SIZE, "replications=1")["quality"].fillna(0).cumsum().to_numpy()
        axes.plot(np.arange(1, len(earned) + 1), earned, style, color=colour)
        axes.annotate(f"{policy}: {earned[-1]:.0f}", (len(earned), earned[-1]), xytext=(-4, 6), **OF_END)
    axes.set(xlabel="queries that have arrived", ylabel="quality so far (sum of scores)")
    axes.set_title("Greed earns early and then has nothing left")


def prices(axes: Axes) -> None:
    """Draw the dual of four queries and two dollars."""
    quality, cost = np.array([[0.8, 0.9], [0.5, 0.9], [0.2, 0.9], [0.1, 0.9]]), np.array([0.0, 1.0])
    price = np.linspace(0, 1, 101)
    dual = [2 * p + np.maximum(0, (quality - p * cost).max(axis=1)).sum() for p in price]
    _, value = minimise(quality, np.tile(cost, (4, 1)), np.array([np.inf, 2.0]))
    axes.plot(price, dual, color=STYLES[0][0])
    axes.axvspan(0.4, 0.7, color="0.9")
    axes.annotate("every price here is right", (0.55, value), xytext=(0, 24), textcoords="offset points", ha="center")
    axes.set(xlabel="price of the large model (quality per USD)", ylabel="dual (quality)")
    axes.set_title(f"The lowest point is the best plan's quality, {value:.1f}")


def estimators(axes: Axes) -> None:
    """Draw squared error of nearest neighbours by their number."""
    workload = scenario(*SIZE).workload
    past, present = workload.history, workload.test
    history = History(Features(past.embeddings, past.input_tokens), past.quality, past.cost_usd)
    features = Features(present.embeddings, present.input_tokens)
    numbers = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
    predicted = [ExactNeighbours(k=k).fit(history).predict(features).quality for k in numbers]
    errors = [float(((one - present.quality) ** 2).mean()) for one in predicted]
    axes.plot(numbers, errors, "o-", color=STYLES[0][0])
    axes.set(
        xscale="log", xlabel="k, the neighbours that are asked", ylabel="mean squared error of a score", ylim=(0, None)
    )
    axes.set_title(f"One neighbour is noise, all are the average; k = {numbers[int(np.argmin(errors))]} is best here")


def orders(axes: Axes) -> None:
    """Draw shares of the optimum in two orders of one workload."""
    policies = ("greedy_cost", "port_exact", "port_fallback")
    for place, (order, (colour, style)) in enumerate(zip(("random", "hard_first"), STYLES, strict=True)):
        words = (f"policy=[{','.join(policies)}]", *SIZE, f"order={order}", "replications=3", "oracle.names=[optimum]")
        shares = compare(*words).groupby("policy")["optimum_ratio"].mean()[list(policies)]
        bars = axes.barh(
            np.arange(3) + 0.4 * place, shares, 0.38, label=f"order={order}", color=colour, hatch="//" * (style != "-")
        )
        axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.set_yticks(np.arange(3) + 0.2, policies)
    axes.set(xlabel="share of the hindsight optimum", xlim=(0, 0.6))
    axes.legend(frameon=False, loc="lower right")
    axes.set_title("The same queries, hard ones first, earn less")


def queues(axes: Axes) -> None:
    """Draw time in a system with one server, by its load."""
    rng = np.random.default_rng(0)
    gaps, work_s = rng.exponential(1.0, 50_000), rng.exponential(1.0, 50_000)
    loads = (0.3, 0.5, 0.7, 0.8, 0.9)
    means = []
    for load in loads:
        free_at_s, total_s = 0.0, 0.0
        for arrived_at_s, work in zip(np.cumsum(gaps / load), work_s, strict=True):
            free_at_s = max(free_at_s, arrived_at_s) + work
            total_s += free_at_s - arrived_at_s
        means.append(total_s / len(gaps))
    fine = np.linspace(0, 0.95, 96)
    axes.plot(fine, 1 / (1 - fine), color=STYLES[0][0], label="1 / (1 - load)")
    axes.plot(loads, means, "o", color=STYLES[1][0], label="simulated")
    axes.legend(frameon=False)
    axes.set(
        xlabel="load (share of the time that the server is busy)", ylabel="mean time in the system (s)", ylim=(0, None)
    )
    axes.set_title(f"At 90% load a second of work takes {means[-1]:.0f} seconds")


def intervals(axes: Axes) -> None:
    """Draw half-width of an interval by the number of replications."""
    quality = compare("policy=port_fallback", *SIZE, "replications=40", "oracle.names=[]")["quality"].to_numpy()
    numbers = (3, 5, 10, 20, 40)
    found = [mean_interval(quality[:n].tolist()) for n in numbers]
    means, half_widths = [mean for mean, _ in found], [half for _, half in found]
    axes.errorbar(range(len(numbers)), means, half_widths, fmt="o", color=STYLES[0][0], capsize=6)
    axes.set_xticks(range(len(numbers)), [str(n) for n in numbers])
    axes.set(xlabel="replications", ylabel="quality: mean and 95% interval")
    axes.set_title(f"From 5 to 20 replications: +- {found[1][1]:.0f} becomes +- {found[3][1]:.0f}")


def common_random_numbers(axes: Axes) -> None:
    """Draw the difference of two policies in each replication, with common and with other arrivals."""
    busy = ("fleet=slots", "fleet.service.slots=1", "budget=unlimited", "arrivals.rate_per_s=5")
    words = ("policy=[power_of_two,least_loaded]", *busy, *SIZE, "replications=10", "oracle.names=[]")
    one = compare(*words).pivot(index="replication", columns="policy", values="mean_latency_s")
    other = compare(*words, "seed=1").pivot(index="replication", columns="policy", values="mean_latency_s")
    found = {
        "the same arrivals": (one["power_of_two"] - one["least_loaded"]).to_numpy(),
        "other arrivals": (one["power_of_two"] - other["least_loaded"]).to_numpy(),
    }
    for place, (name, differences) in enumerate(found.items()):
        mean, half_width = mean_interval(differences.tolist())
        axes.errorbar(mean, place, xerr=half_width, fmt="o", color=STYLES[place][0], capsize=6)
        axes.plot(differences, np.full(len(differences), place - 0.15), "|", color="0.5", markersize=10)
        axes.annotate(f"{name}: {mean:.2f} +- {half_width:.2f} s", (mean, place), xytext=(0, 12), **OF_MIDDLE)
    axes.set(yticks=[], xlabel="power_of_two less least_loaded (mean latency, s)", ylim=(-0.5, 1.6))
    axes.set_title("Paired runs say more with as many replications")


OF_END = {"textcoords": "offset points", "ha": "right"}
OF_MIDDLE = {"textcoords": "offset points", "ha": "center"}
PICTURES: tuple[Callable[[Axes], None], ...] = (
    budgets,
    prices,
    estimators,
    orders,
    queues,
    intervals,
    common_random_numbers,
)


def draw(folder: Path) -> None:
    """Write all pictures as SVG whose words are text."""
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "switchyard", "font.size": 11}):
        for picture in PICTURES:
            figure, axes = plt.subplots(figsize=(7.2, 4.0), layout="constrained")
            picture(axes)
            axes.spines[["top", "right"]].set_visible(False)
            axes.title.set_fontsize(12)
            figure.savefig(folder / f"{picture.__name__}.svg", metadata={"Date": None})
            plt.close(figure)


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
