"""Reports on fit: measured latencies beside simulated ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from rich.table import Table

from sim.show.drawings.fit import TITLES, by_length, measured_against_simulated
from sim.show.page import Check, Report, Shown

CLOSE = 0.05


def residual_table(residuals: pd.DataFrame) -> Table:
    """Return measured and simulated figures with their errors, on both halves; from the rows of ``fit.csv``."""
    shown = Table(title="simulated over measured", title_justify="left", title_style="bold")
    for column in ("half", "metric", "figure", "measured", "simulated", "error"):
        shown.add_column(column, justify="left" if column in ("half", "metric", "figure") else "right")
    for row in residuals.itertuples():
        numbers = (f"{row.measured:.4g}", f"{row.simulated:.4g}", f"{row.relative_error:+.1%}")
        shown.add_row(str(row.half).replace("_", " "), str(row.metric), str(row.figure), *numbers)
    return shown


def fit_report(folder: Path, manifest: Mapping[str, Any]) -> Report:
    """Return what a fit says: how well the fitted service predicts the requests it was not fitted to."""
    if manifest["config"].get("service") == "hosted":
        return hosted_report(folder, manifest)
    residuals, latencies = pd.read_csv(folder / "fit.csv"), pd.read_csv(folder / "latencies.csv")
    n_fitted = int(latencies["fitted"].sum())
    held_out = residuals[residuals["half"] == "held_out"]
    error = float(held_out["relative_error"].abs().max())
    measured, simulated = (
        latencies[[f"{kind}_{name}" for name in TITLES]].set_axis(list(TITLES), axis=1)
        for kind in ("measured", "simulated")
    )
    requests = Path(manifest["config"]["requests"]).name
    return Report(
        f"Which parameters of a batching service reproduce the {len(latencies):,} requests of {requests}?",
        "Fitted to the first half in order of arrival, judged on the second.",
        f"Those of fleet.yaml: fitted to the first {n_fitted:,} requests, they predict mean and 95th percentile of "
        f"every latency of the other {len(latencies) - n_fitted:,} to within {error:.1%}; one server was measured, so "
        "this has no interval.",
        (residual_table(residuals), parameters(folder)),
        (
            Shown(
                "fit",
                "Measured and simulated latencies: their distribution on the requests held out, and all in order of "
                "arrival; right of the dashed line they are predicted.",
                measured_against_simulated(measured, simulated, n_fitted),
            ),
        ),
        (
            Check(
                error <= CLOSE, f"Every mean and p95 of the half held out is within {CLOSE:.0%} of what was measured."
            ),
            Check(True, "No latency of the half held out was looked at by the fit."),
        ),
    )


def figures_table(figures: pd.DataFrame) -> Table:
    """Return measured and simulated figures of a hosted model with their errors; from the rows of ``fit.csv``."""
    shown = Table(title="simulated against measured", title_justify="left", title_style="bold")
    for column in ("requests", "metric", "figure", "measured", "simulated", "error"):
        shown.add_column(column, justify="left" if column in ("requests", "metric", "figure") else "right")
    for row in figures.itertuples():
        error = f"{row.error:+.3f}" if row.figure == "correlation" else f"{row.error:+.1%}"
        requests = "all" if row.half == "fitted" else "held out"
        shown.add_row(requests, str(row.metric), str(row.figure), f"{row.measured:.4g}", f"{row.simulated:.4g}", error)
    return shown


def hosted_report(folder: Path, manifest: Mapping[str, Any]) -> Report:
    """Return what the fit of a hosted model says: whether latencies, resampled by length, are those measured."""
    figures, latencies = pd.read_csv(folder / "fit.csv"), pd.read_csv(folder / "latencies.csv")
    worst = figures.assign(error=figures["error"].abs()).groupby("half")["error"].max()
    requests = Path(manifest["config"]["requests"]).name
    streamed = "measured_first_token_s" in latencies
    return Report(
        f"Which latencies, by the length of the answer, reproduce the {len(latencies):,} requests of {requests}?",
        "Measured latencies over a line in output tokens, resampled among answers of about the same length.",
        f"Those of fleet.yaml: median, 95th percentile and correlation with output tokens are met to within "
        f"{worst['fitted']:.3f} (times as a share, correlations as a difference). A fit to every other request "
        f"predicts the rest to within {worst['held_out']:.3f}; some of that is the chance of which requests those are.",
        (figures_table(figures),),
        (
            Shown(
                "fit",
                "Measured and simulated latencies of all requests: against the length of the answer, and their "
                "distribution.",
                by_length(latencies),
            ),
        ),
        (
            Check(worst["fitted"] <= CLOSE, f"Every figure of all requests is within {CLOSE} of what was measured."),
            Check(worst["held_out"] <= CLOSE, f"Every figure of the requests held out is within {CLOSE}."),
            Check(streamed, "The time to the first token was measured; without it, it comes with the last."),
        ),
    )


def parameters(folder: Path) -> Table:
    """Return the settings of the fitted service, and which of them were fitted."""
    deployment = yaml.safe_load((folder / "fleet.yaml").read_text())["members"][0]
    shown = Table(title=f"the service, {deployment['replicas']} of it", title_justify="left", title_style="bold")
    shown.add_column("setting")
    shown.add_column("value", justify="right")
    shown.add_column("from")
    for key, value in deployment["service"].items():
        if key != "_target_" and value is not None:
            fitted = f"service.{key}" in deployment["provenance"]
            shown.add_row(key, f"{value:.6g}", "fitted" if fitted else "given")
    return shown
