"""Tables and figures of an explanation, from its two tables only."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from rich.table import Table

from sim.show.clock import DASHES, MARKERS
from sim.show.plots import height_in, replications
from sim.study.statistics import mean_interval

HINDSIGHT = ("optimum", "optimum_with_slots")
HATCHES = ("", "\\\\", "xx", "..", "//", "")  # for eyes and printers without colour
MILLION = 1e6


def quality_table(quality: pd.DataFrame) -> Table:
    """Return the mean of each term per policy with its 95% half-width; a term that is 0 for all is left out.

    Parameters
    ----------
    quality : DataFrame
        ``policy``, ``replication``, ``term``, ``quality``.
    """
    of = replications(quality)
    title = f"Where the quality went: optimum = terms + achieved, mean of {of}{', +- 95%' if of[0] != '1' else ''}"
    shown = Table(title=title, title_justify="left", title_style="bold")
    shown.add_column("policy", no_wrap=True)
    terms = occurring(quality)
    for term in terms:
        shown.add_column(term.replace("_", " "), justify="right", no_wrap=True)
    for policy, rows in quality.groupby("policy", sort=False):
        cells = []
        for term in terms:
            mean, half_width = mean_interval(rows.loc[rows["term"] == term, "quality"].tolist())
            cells.append(f"{mean:.1f} +- {half_width:.1f}" if half_width > 0 else f"{mean:.1f}")
        shown.add_row(str(policy), *cells)
    return shown


def occurring(quality: pd.DataFrame) -> list[str]:
    """Return the terms that are not 0 everywhere, in their order; the optimum and what was achieved always."""
    return [
        str(term)
        for term, rows in quality.groupby("term", sort=False)
        if term in ("optimum", "achieved") or rows["quality"].any()
    ]


def price_table(prices: pd.DataFrame) -> Table:
    """Return what more of each budget and one more slot-hour are worth, a row per deployment.

    Parameters
    ----------
    prices : DataFrame
        ``policy``, ``replication``, ``moment_s``, ``deployment``, ``unit``, ``budget``, ``budget_price``,
        ``slot_price_per_hour``.
    """
    title = "What more budget is worth in quality: in hindsight, and by what each policy leaves, mean over time"
    shown = Table(title=title, title_justify="left", title_style="bold")
    shown.add_column("deployment", no_wrap=True)
    shown.add_column("one more")
    policies = prices["policy"].unique().tolist()
    for policy in policies:
        shown.add_column("optimum\nwith slots" if policy == "optimum_with_slots" else str(policy), justify="right")
    has_slots = prices["slot_price_per_hour"].notna().any()
    if has_slots:
        shown.add_column("one more\nslot-hour", justify="right")
    for deployment, rows in prices.groupby("deployment", sort=False):
        unit = str(rows["unit"].iloc[0])
        means = rows.groupby("policy")["budget_price"].mean() * per(unit)
        cells = [amount(means[policy]) if np.isfinite(rows["budget"]).all() else "no budget" for policy in policies]
        slot = rows["slot_price_per_hour"].mean()
        shown.add_row(
            str(deployment),
            "dollar" if unit == "usd" else "million tokens",
            *cells,
            *([amount(slot) if np.isfinite(slot) else "-"] if has_slots else []),
        )
    return shown


def amount(value: float) -> str:
    """Return a price as text, to four digits or to whole numbers."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def per(unit: str) -> float:
    """Return how many of a unit a price is quoted for: a dollar, or a million tokens."""
    return 1.0 if unit == "usd" else MILLION


def stacked(quality: pd.DataFrame) -> Figure:
    """Draw the mean terms of each policy on top of what it achieved, up to the optimum; negative ones left of 0."""
    means = quality.pivot_table(index="policy", columns="term", values="quality", sort=False)
    parts = [term for term in reversed(occurring(quality)) if term != "optimum"]
    colours = sns.color_palette("colorblind")
    colour = dict(
        zip(
            ("achieved", "queueing", "admission", "budget_pacing", "exploration", "estimation_error"),
            (colours[7], colours[4], colours[1], colours[2], colours[8], colours[0]),
            strict=True,
        )
    )
    hatch = dict(zip(colour, HATCHES, strict=True))
    figure, axes = plt.subplots(figsize=(9, height_in(len(means)) + 0.6))
    right, left = np.zeros(len(means)), np.zeros(len(means))
    widest = means["optimum"].max()
    for part in parts:
        values = means[part].to_numpy()
        start = np.where(values >= 0, right, left)
        label = part.replace("_", " ")
        axes.barh(
            means.index, values, left=start, color=colour[part], hatch=hatch[part], edgecolor="white", label=label
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
        if end < 0:
            axes.text(end - 0.005 * widest, row, f"{end:.0f}", ha="right", va="center", fontsize="small")
    axes.axvline(widest, color="black", linestyle="--", linewidth=1.2, label="optimum")
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_ylim(len(means) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    lower = "; left of 0: negative terms" if (left < 0).any() else ""
    axes.set(xlabel=f"quality (sum of scores), mean of {replications(quality)}{lower}", ylabel="")
    axes.legend(loc="lower center", bbox_to_anchor=(0.45, 1.0), ncol=4, frameon=False)
    return figure


def price_figures(prices: pd.DataFrame) -> Iterator[tuple[str, Figure]]:
    """Yield name and figure of the prices of replication 0 over time."""
    prices = prices[prices["replication"] == 0]
    limited = prices[np.isfinite(prices["budget"]) & (prices["policy"] != "optimum_with_slots")]
    if not limited.empty:
        limited = limited.assign(price=limited["budget_price"] * limited["unit"].map(per))
        yield "prices", over_time(limited, "what more of each budget is worth", same_scale=False)
    slots = prices[prices["slot_price_per_hour"].notna()]
    if not slots.empty:
        slots = slots.assign(price=slots["slot_price_per_hour"], unit="slot-hour")
        yield "slot_prices", over_time(slots, "what more slots are worth in hindsight", same_scale=True)


def over_time(prices: pd.DataFrame, title: str, same_scale: bool) -> Figure:
    """Draw ``price`` over ``moment_s``, a panel per deployment and a line per policy; hindsight is dashed black."""
    deployments, policies = prices["deployment"].unique().tolist(), prices["policy"].unique().tolist()
    n_columns = min(4, len(deployments))
    n_rows = -(-len(deployments) // n_columns)
    size = (1.0 + 3.0 * n_columns, 0.8 + 2.2 * n_rows)
    figure, grid = plt.subplots(n_rows, n_columns, figsize=size, sharex=True, sharey=same_scale, squeeze=False)
    for axes in grid.ravel()[len(deployments) :]:
        axes.set_axis_off()
    for deployment, axes in zip(deployments, grid.ravel(), strict=False):
        rows = prices[prices["deployment"] == deployment]
        for number, policy in enumerate(policies):
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
                color=sns.color_palette("colorblind")[number % 10],
                linestyle=DASHES[number % len(DASHES)],
                marker=MARKERS[number % len(MARKERS)],
                markersize=4,
                markevery=3,
            )
        unit = {"usd": "USD", "tokens": "million tokens"}.get(rows["unit"].iloc[0], rows["unit"].iloc[0])
        axes.set_title(deployment, fontsize="medium")
        axes.set(ylim=(0, 1.08 * max(float((prices if same_scale else rows)["price"].max()), 1e-9)))
        axes.set_ylabel(f"quality per {unit}", fontsize="small")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    for panel in range(max(0, len(deployments) - n_columns), len(deployments)):  # the lowest of each column
        grid.ravel()[panel].tick_params(axis="x", labelbottom=True)
    figure.supxlabel("simulated time (s), replication 0", fontsize="medium")
    figure.suptitle(title, fontsize="medium")
    figure.tight_layout()
    figure.legend(handles, labels, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, handlelength=3.5)
    return figure
