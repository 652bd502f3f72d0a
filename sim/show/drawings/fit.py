"""Draws the figure of fit: latencies measured against simulated."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

TITLES = {
    "end_to_end_s": "end to end (s)",
    "time_to_first_token_s": "time to first token (s)",
    "time_per_output_token_s": "time per output token (s)",
}


def measured_against_simulated(measured: pd.DataFrame, simulated: pd.DataFrame, n_fitted: int) -> Figure:
    """Draw, for each latency, its distribution above and its course over the requests below.

    Parameters
    ----------
    measured, simulated : DataFrame
        A column per latency, a row per request in order of arrival.
    n_fitted : int
        How many of them were fitted; the others, right of the dashed line, are predictions. Distributions are of those.
    """
    figure, axes = plt.subplots(2, len(TITLES), figsize=(13, 7))
    blue, orange = sns.color_palette("colorblind")[0], sns.color_palette("colorblind")[3]
    shares = np.linspace(0, 1, len(measured) - n_fitted)
    for column, (metric, title) in enumerate(TITLES.items()):
        above, below = axes[0, column], axes[1, column]
        for table, label, colour, style in ((measured, "measured", blue, "-"), (simulated, "simulated", orange, "--")):
            values = table[metric].to_numpy()
            above.plot(np.sort(values[n_fitted:]), shares, style, color=colour, label=label, linewidth=2)
            below.plot(values, "o" if label == "measured" else "x", color=colour, label=label, markersize=3.5)
        above.set(xlabel=title, ylabel="share of held-out requests" if column == 0 else "", ylim=(0, 1))
        if n_fitted:
            below.axvline(n_fitted - 0.5, color="black", linestyle="--", linewidth=1)
        below.set(xlabel="request, in order of arrival", ylabel=title, ylim=(0, None))
    axes[0, 0].legend(frameon=False)
    figure.tight_layout()
    return figure


def by_length(latencies: pd.DataFrame) -> Figure:
    """Draw the latencies of a hosted model against the length of the answer, and their distribution.

    Parameters
    ----------
    latencies : DataFrame
        ``output_tokens``, ``measured_latency_s`` and ``simulated_latency_s``, a row per request.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.5))
    blue, orange = sns.color_palette("colorblind")[0], sns.color_palette("colorblind")[3]
    shares = np.linspace(0, 1, len(latencies))
    for kind, colour, marker, style in (("measured", blue, "o", "-"), ("simulated", orange, "x", "--")):
        values = latencies[f"{kind}_latency_s"].to_numpy()
        left.plot(latencies["output_tokens"], values, marker, color=colour, label=kind, markersize=3.5, alpha=0.5)
        right.plot(np.sort(values), shares, style, color=colour, label=kind, linewidth=2)
    left.set(xlabel="output tokens", ylabel="latency (s)", yscale="log")
    right.set(xlabel="latency (s)", ylabel="share of requests", xscale="log", ylim=(0, 1))
    right.legend(frameon=False)
    figure.tight_layout()
    return figure
