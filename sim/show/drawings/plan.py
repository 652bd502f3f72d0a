"""Draws the figure of plan: each target's metric at every candidate."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from sim.show.drawings.names import write_names
from sim.show.figures import panels
from sim.study.plan.targets import FAILS, MEETS, TIE, Target
from sim.study.plan.wording import limit_of, said

MOST_NAMED = 12  # candidates whose names are written
LOOKS = {MEETS: ("o", "#029e73"), TIE: ("D", "#de8f05"), FAILS: ("X", "#d55e00")}  # shape and colour say the same


def frontier(
    candidates: pd.DataFrame,
    targets: Sequence[Target],
    unit: str,
    ranges: Mapping[Target, Sequence[float | None]] = MappingProxyType({}),
) -> Figure:
    """Draw each target's metric against the candidates' number, a panel each: intervals, limit, verdicts, answer.

    Intervals end where the range of a metric does, such as [0, 1] of a share.
    """
    figure, grid = panels(len(targets), 7.0, 2.6, columns=1, margin_in=(0.0, 0.8), sharey=False)
    for target, axes in zip(targets, grid, strict=True):
        text = str(target)
        for verdict, (marker, colour) in LOOKS.items():
            points = candidates[(candidates[text] == verdict) & candidates[f"{text} mean"].map(math.isfinite)]
            if points.empty and verdict not in candidates[text].tolist():
                continue
            mean = points[f"{text} mean"]
            least, most = ranges.get(target, (None, None))
            low, high = points[f"{text} low"].clip(lower=least), points[f"{text} high"].clip(upper=most)
            ends = [(mean - low).abs(), (high - mean).abs()]
            axes.errorbar(
                points["value"], mean, ends, fmt=marker, color=colour, markersize=7, capsize=3, label=verdict, zorder=3
            )
        answer = candidates[candidates["is_answer"]]
        axes.scatter(
            answer["value"],
            answer[f"{text} mean"],
            s=220,
            facecolors="none",
            edgecolors="black",
            linewidths=1.5,
            label="answer",
            zorder=4,
        )
        axes.axhline(target.limit, color="black", linestyle="--", linewidth=1, label="limit")
        means = candidates[f"{text} mean"].astype(float)
        known = means[means.map(math.isfinite)]
        if len(known) and known.min() > 0 and known.max() > 30 * max(known.min(), abs(target.limit)):
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter("{x:g}")
        words, of = said(target.metric)
        axes.set(ylabel=f"{words} ({of.strip()})" if of else words)
        axes.set_title(f"{words} {limit_of(target)}", loc="left", fontsize="medium")
        axes.margins(x=0.12, y=0.12)
    has_figure = np.isfinite(candidates[[f"{target} mean" for target in targets]].to_numpy(dtype=float)).any(axis=1)
    drawn = candidates.loc[has_figure, "value"]  # without a figure there is no axis to scale
    lowest, highest = drawn.min(), drawn.max()
    if 0 < lowest < highest / 10:
        grid[-1].set_xscale("log")
        grid[-1].xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        grid[-1].xaxis.set_major_formatter("{x:g}")
        grid[-1].xaxis.set_minor_locator(NullLocator())
    grid[-1].set(xlabel=unit)
    handles = {label: handle for axes in grid for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(list(handles.values()), list(handles), loc="outside right upper", frameon=False)
    if candidates["value"].duplicated().any() and len(candidates) <= MOST_NAMED:  # a number does not name them
        telling = max(targets, key=lambda target: (candidates[str(target)] == FAILS).sum())
        for target, axes in zip(targets, grid, strict=True):
            if target != telling:  # names stand once, where candidates are apart
                continue
            seen = candidates[candidates[f"{target} mean"].map(math.isfinite)]
            at = seen[["value", f"{target} mean"]].to_numpy(dtype=float)
            write_names(figure, axes, seen["candidate"].astype(str).tolist(), at, np.empty((0, 2)), fontsize=8)
    return figure
