"""The figure of validate: how far each simulated figure is from its closed form."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.figure import Figure


def deviations(claims: pd.DataFrame) -> Figure:
    """Draw (simulated - theory) / half-width of every figure, a row per form; the marker says which figure."""
    half_width = (claims["high"] - claims["low"]) / 2
    deviation = ((claims["simulated"] - claims["theory"]) / half_width).replace([np.inf, -np.inf], np.nan)
    drawn = claims.assign(deviation=deviation)
    forms = claims["form"].unique().tolist()
    figure, axes = plt.subplots(figsize=(8, 1.4 + 0.36 * len(forms)))
    axes.axvspan(-1, 1, color="0.92", zorder=0)
    for edge in (-1, 0, 1):
        axes.axvline(edge, color="black", linewidth=0.8, linestyle="-" if edge == 0 else "--", zorder=1)
    sns.scatterplot(
        drawn,
        x="deviation",
        y="form",
        hue="figure",
        style="figure",
        palette=sns.color_palette("colorblind", drawn["figure"].nunique()),
        s=70,
        edgecolor="black",
        alpha=0.85,
        ax=axes,
        zorder=2,
    )
    axes.set(xlabel="(simulated - theory) / half-width of the 95% interval", ylabel="", ylim=(len(forms) - 0.4, -0.6))
    sns.move_legend(axes, "center left", bbox_to_anchor=(1.02, 0.5), title=None, frameon=False)
    return figure
