"""Draws the figures of explain: where the quality went, and what budgets and slots are worth over time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from sim.show.figures import bars_height_in, colours, headline, legend_at_right, look, panels, wrapped
from sim.show.timelines.marks import Mark, name_marks, shade
from sim.show.words import number, several, shortened

MILLION = 1e6
LUCK = "luck_of_outcomes"
HINDSIGHT = ("optimum", "optimum_with_slots")
PARTS = {  # in the order of the sum: the number of a colour, and a hatch for eyes and printers without colour
    LUCK: (9, ""),
    "estimation_error_with_luck": (0, ""),
    "estimation_error": (0, "--"),
    "exploration": (8, "//"),
    "decision_rule": (5, "++"),
    "budget_pacing": (2, ".."),
    "admission": (1, "xx"),
    "unkept_calls": (6, "oo"),
    "queueing": (4, "\\\\"),
    "achieved": (7, ""),
}


def stacked(quality: pd.DataFrame) -> Figure:
    """Draw the mean terms of each policy on top of what it achieved, up to the optimum; negative ones left of 0."""
    means = quality.pivot_table(index="policy", columns="term", values="quality", sort=False)
    parts = [term for term in reversed(occurring(quality)) if term != "optimum"]
    palette = sns.color_palette("colorblind")
    figure, axes = plt.subplots(figsize=(9, bars_height_in(len(means)) + 1.2), layout="constrained")
    right, left = np.zeros(len(means)), np.zeros(len(means))
    widest = means["optimum"].max()
    for part in parts:
        values = means[part].fillna(0.0).to_numpy()  # a term that is not of this policy
        number, hatch = PARTS[part]
        start = np.where(values >= 0, right, left)
        axes.barh(
            means.index, values, left=start, color=palette[number], hatch=hatch, edgecolor="white", label=in_words(part)
        )
        for row, (value, begin) in enumerate(zip(values, start, strict=True)):
            if abs(value) > 0.045 * widest:
                axes.text(
                    begin + value / 2,
                    row,
                    f"{value:.0f}",
                    ha="center",
                    va="center",
                    fontsize="small",
                    bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none"},
                )
        right += np.maximum(values, 0.0)
        left += np.minimum(values, 0.0)
    for row, end in enumerate(left):
        if round(end) < 0:
            axes.text(end - 0.005 * widest, row, f"{end:.0f}", ha="right", va="center", fontsize="small")
    axes.axvline(widest, color="black", linestyle="--", linewidth=1.2, label="optimum")
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_ylim(len(means) - 0.4, -0.6)
    axes.set_yticks(range(len(means)), map(shortened, means.index))
    axes.grid(visible=False, axis="y")
    lower = "; left of 0: negative terms" if (left < 0).any() else ""
    of = several(quality["replication"].nunique(), "replication")
    axes.set(xlabel=f"quality (sum of scores), mean of {of}{lower}", ylabel="")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncol=4, frameon=False)
    headline(figure, of_terms(means))
    return figure


def of_terms(means: pd.DataFrame) -> str:
    """Return what the best and the worst policy lose most quality by, luck aside.

    Parameters
    ----------
    means : DataFrame
        A row per policy and a column per term.

    >>> of_terms(pd.DataFrame({"optimum": [9.0], "admission": [3.0], "achieved": [6.0]}, index=["a"]))
    'a gets 67% of the optimum and loses 33% by admission'
    """
    causes = means.drop(columns=[term for term in ("optimum", "achieved", LUCK) if term in means]).fillna(0.0)
    by_quality = means["achieved"].round(9).sort_values(ascending=False, kind="stable").index
    words: list[str] = []
    for policy in dict.fromkeys((by_quality[0], by_quality[-1])):
        optimum = float(means["optimum"][policy])
        if not optimum > 0:
            continue
        of = " of the optimum" if not words else ""
        said = f"{policy} gets {float(means['achieved'][policy]) / optimum:.0%}{of}"
        largest = str(causes.loc[policy].idxmax())
        lost = float(causes[largest][policy])
        words.append(said + (f" and loses {lost / optimum:.0%} by {in_words(largest)}" if lost > 0 else ""))
    return "; ".join(words)


def price_figures(prices: pd.DataFrame, marks: Sequence[Mark] = ()) -> Iterator[tuple[str, Figure]]:
    """Yield name and figure of the prices of replication 0 over time, with what happened marked."""
    prices = prices[prices["replication"] == 0]
    limited = prices[np.isfinite(prices["budget"]) & (prices["policy"] != "optimum_with_slots")]
    limited = worth(limited, "budget_price")
    if not limited.empty:
        limited = limited.assign(price=limited["budget_price"] * limited["unit"].map(per))
        yield "prices", over_time(limited, of_prices(limited), False, marks)
    slots = worth(prices[prices["slot_price_per_hour"].notna()], "slot_price_per_hour")
    if not slots.empty:
        slots = slots.assign(price=slots["slot_price_per_hour"], unit="slot-hour")
        title = f"In hindsight one more slot-hour is worth most at {worth_most(slots)}"
        yield "slot_prices", over_time(slots, title, True, marks)


def of_prices(prices: pd.DataFrame) -> str:
    """Return where more budget is worth most in hindsight, and which policy's prices rise the farthest above that."""
    hindsight = prices[prices["policy"] == HINDSIGHT[0]]
    others = prices[prices["policy"] != HINDSIGHT[0]]
    words = f"In hindsight more budget is worth most at {worth_most(hindsight)}"
    base = hindsight.groupby("deployment")["price"].mean()
    ratio = others["price"] / others["deployment"].map(base).where(lambda price: price > 0)
    by_policy = ratio.groupby(others["policy"], sort=False).max().dropna()
    if by_policy.empty or not by_policy.max() > 1:
        return words
    return f"{words}; what {by_policy.idxmax()} leaves makes it worth up to {by_policy.max():.2g} times as much"


def worth_most(prices: pd.DataFrame) -> str:
    """Return the deployment of the highest mean price, with it."""
    means = prices.groupby("deployment", sort=False)["price"].mean()
    unit = {"usd": "USD", "tokens": "million tokens"}.get(str(prices["unit"].iloc[0]), str(prices["unit"].iloc[0]))
    return f"{means.idxmax()}, {number(float(means.max()))} of quality per {unit}"


def worth(prices: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return the rows of deployments whose price is not 0 all the time."""
    return prices[prices.groupby("deployment")[column].transform("max") > 0]


def over_time(prices: pd.DataFrame, title: str, same_scale: bool, marks: Sequence[Mark] = ()) -> Figure:
    """Draw ``price`` over ``moment_s``, a panel per deployment and a line per policy; hindsight is dashed black."""
    deployments, policies = prices["deployment"].unique().tolist(), prices["policy"].unique().tolist()
    figure, grid = panels(len(deployments), 2.7, 2.1, columns=3, margin_in=(1.8, 0.8), sharey=same_scale)
    colour = colours(policies)
    for deployment, axes in zip(deployments, grid, strict=True):
        rows = prices[prices["deployment"] == deployment]
        for place, policy in enumerate(policies):
            line = rows[rows["policy"] == policy]
            if policy in HINDSIGHT:
                axes.step(
                    line["moment_s"], line["price"], where="post", color="black", linestyle="--", label=policy, zorder=5
                )
                continue
            axes.plot(
                line["moment_s"],
                line["price"],
                label=policy,
                color=colour[policy],
                markersize=4,
                markevery=3,
                **look(place),
            )
        unit = {"usd": "USD", "tokens": "million tokens"}.get(rows["unit"].iloc[0], rows["unit"].iloc[0])
        axes.set_title(deployment, fontsize="medium")
        axes.set(ylim=(0, 1.08 * max(float((prices if same_scale else rows)["price"].max()), 1e-9)))
        axes.set_ylabel(f"quality per {unit}", fontsize="small")
        begin_s, end_s = float(prices["moment_s"].min()), float(prices["moment_s"].max())
        shade(axes, marks, begin_s, end_s)
    figure.supxlabel("simulated time (s), replication 0", fontsize="medium")
    if not marks:
        headline(figure, title)
    legend_at_right(figure, grid[0])
    name_marks(figure, marks, wrapped(title, figure.get_size_inches()[0]))
    return figure


def occurring(quality: pd.DataFrame) -> list[str]:
    """Return the terms that are not 0 everywhere, in their order; the optimum and what was achieved always."""
    not_0 = set(quality.loc[quality["quality"] != 0, "term"])
    return ["optimum", *(part for part in PARTS if part in not_0 or part == "achieved")]


def in_words(term: str) -> str:
    """Return the name of a term as readers see it."""
    return "estimation error, luck included" if term == "estimation_error_with_luck" else term.replace("_", " ")


def per(unit: str) -> float:
    """Return how many of a unit a price is quoted for: a dollar, or a million tokens."""
    return 1.0 if unit == "usd" else MILLION
