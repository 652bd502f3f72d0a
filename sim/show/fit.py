"""Reports on fit: measured latencies beside simulated ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from rich.table import Table

from sim.show.drawings.fit import TITLES, by_length, measured_against_simulated
from sim.show.page import Check, Report, Shown

CLOSE = 0.05


def residual_table(residuals: pd.DataFrame) -> Table:
    """Return measured and simulated figures with their errors, fitted and held out; from the rows of ``fit.csv``."""
    several = residuals["run"].nunique() > 1
    shown = Table(title="simulated over measured", title_justify="left", title_style="bold")
    texts = (*(("run",) if several else ()), "half", "metric", "figure")
    for column in (*texts, "measured", "simulated", "error"):
        shown.add_column(column, justify="left" if column in texts else "right")
    for row in residuals.itertuples():
        numbers = (f"{row.measured:.4g}", f"{row.simulated:.4g}", f"{row.relative_error:+.1%}")
        words = (*((str(row.run),) if several else ()), str(row.half).replace("_", " "), str(row.metric))
        shown.add_row(*words, str(row.figure), *numbers)
    return shown


def parameter_table(told: pd.DataFrame) -> Table:
    """Return the fitted parameters with their intervals; from the rows of ``parameters.csv``."""
    shown = Table(title="parameters, 95% intervals", title_justify="left", title_style="bold")
    for column in ("parameter", "value", "low", "high"):
        shown.add_column(column, justify="left" if column == "parameter" else "right")
    says = "is_told" in told
    if says:
        shown.add_column("told by the data")
    for row in told.to_dict("records"):
        words = ["yes" if row["is_told"] else "no"] if says else []
        shown.add_row(str(row["parameter"]), *(f"{row[name]:.3g}" for name in ("value", "low", "high")), *words)
    return shown


def tail_table(tails: pd.DataFrame) -> Table:
    """Return quantiles of latencies, measured, of a lognormal law and simulated; from the rows of ``tails.csv``."""
    shown = Table(title="tails, in seconds", title_justify="left", title_style="bold")
    for column in ("metric", "quantile", "measured", "lognormal", "simulated"):
        shown.add_column(column, justify="left" if column in ("metric", "quantile") else "right")
    for row in tails.to_dict("records"):
        numbers = ["" if pd.isna(row[one]) else f"{row[one]:.4g}" for one in ("measured", "lognormal", "simulated")]
        shown.add_row(str(row["metric"]), f"p{100 * row['quantile']:g}", *numbers)
    return shown


def said(words: Sequence[str]) -> str:
    """Return sentences, each with its stop; one that begins with a parameter's name keeps that as it is."""
    begun = [one if "_" in one.split(" ")[0] else f"{one[0].upper()}{one[1:]}" for one in words]
    return " ".join(f"{one}." for one in begun)


def files_of(manifest: Mapping[str, Any]) -> str:
    """Return the names of the files that were fitted."""
    given = manifest["config"]["requests"]
    return ", ".join(Path(path).name for path in ([given] if isinstance(given, str) else given))


def fit_report(folder: Path, manifest: Mapping[str, Any]) -> Report:
    """Return what a fit says: how well the fitted service predicts the requests it was not fitted to."""
    if manifest["config"].get("service") == "hosted":
        return hosted_report(folder, manifest)
    residuals, latencies = pd.read_csv(folder / "fit.csv"), pd.read_csv(folder / "latencies.csv")
    told = pd.read_csv(folder / "parameters.csv")
    n_fitted, n_runs = int(latencies["fitted"].sum()), latencies["run"].nunique()
    held_out = residuals[residuals["half"] == "held_out"].assign(error=lambda rows: rows["relative_error"].abs())
    error = float(held_out["error"].max())
    measured, simulated = (
        latencies[[f"{kind}_{name}" for name in TITLES]].set_axis(list(TITLES), axis=1)
        for kind in ("measured", "simulated")
    )
    words = said(manifest.get("words", ()))
    if n_runs > 1:
        way = "Each run is predicted by a fit to the others; the fit that is written is to all of them."
        by_run = held_out.groupby("run", sort=False)["error"].max()
        each = ", ".join(f"{run} {one:.1%}" for run, one in by_run.items())
        answer = (
            "Those of fleet.yaml. Mean and 95th percentile of every latency of a run are predicted from the other runs "
            f"to within: {each}."
        )
        caption = "all requests in order of the runs, each predicted by a fit to the other runs."
    else:
        way = "Fitted to the first half in order of arrival, judged on the second."
        answer = (
            f"Those of fleet.yaml: fitted to the first {n_fitted:,} requests, they predict mean and 95th percentile of "
            f"every latency of the other {len(latencies) - n_fitted:,} to within {error:.1%}."
        )
        caption = "all in order of arrival; right of the dashed line they are predicted."
    untold = told.loc[~told["is_told"], "parameter"].tolist()
    return Report(
        f"Which parameters of a batching service reproduce the {len(latencies):,} requests of {files_of(manifest)}?",
        way,
        f"{answer} {words}".strip(),
        (residual_table(residuals), parameter_table(told), parameters(folder)),
        (
            Shown(
                "fit",
                f"Measured and simulated latencies: their distribution on the requests held out, and {caption}",
                measured_against_simulated(measured, simulated, n_fitted),
            ),
        ),
        (
            Check(
                error <= CLOSE, f"Every mean and p95 of what was held out is within {CLOSE:.0%} of what was measured."
            ),
            Check(True, "No latency that was held out was looked at by the fit that predicts it."),
            Check(
                None if untold else True,
                f"Not told by the data: {', '.join(untold)}." if untold else "The data tell every parameter.",
            ),
        ),
    )


def figures_table(figures: pd.DataFrame) -> Table:
    """Return measured and simulated figures of a hosted model with their errors; from the rows of ``fit.csv``."""
    shown = Table(title="simulated against measured", title_justify="left", title_style="bold")
    for column in ("requests", "metric", "figure", "measured", "simulated", "error"):
        shown.add_column(column, justify="left" if column in ("requests", "metric", "figure") else "right")
    several = figures["run"].nunique() > 2
    for row in figures.itertuples():
        error = f"{row.error:+.3f}" if row.figure == "correlation" else f"{row.error:+.1%}"
        requests = "all" if row.half == "fitted" else f"held out: {row.run}" if several else "held out"
        shown.add_row(requests, str(row.metric), str(row.figure), f"{row.measured:.4g}", f"{row.simulated:.4g}", error)
    return shown


def hosted_report(folder: Path, manifest: Mapping[str, Any]) -> Report:
    """Return what the fit of a hosted model says: whether latencies, resampled by length, are those measured."""
    figures, latencies = pd.read_csv(folder / "fit.csv"), pd.read_csv(folder / "latencies.csv")
    worst = figures.assign(error=figures["error"].abs()).groupby("half")["error"].max()
    tails, told = pd.read_csv(folder / "tails.csv"), pd.read_csv(folder / "parameters.csv")
    several = figures["run"].nunique() > 2
    words = said(manifest.get("words", ()))
    streamed = "measured_first_token_s" in latencies
    return Report(
        f"Which latencies, by the length of the answer, reproduce the {len(latencies):,} requests of "
        f"{files_of(manifest)}?",
        "Measured latencies over a line in tokens, resampled among answers of about the same length.",
        f"Those of fleet.yaml: median, 95th percentile and correlation with output tokens are met to within "
        f"{worst['fitted']:.3f} (times as a share, correlations as a difference). "
        + ("Fits to the other runs predict each run" if several else "A fit to every other request predicts the rest")
        + f" to within {worst['held_out']:.3f}; some of that is the chance of which requests those are. {words}",
        (figures_table(figures), parameter_table(told), tail_table(tails)),
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
        if key != "_target_" and isinstance(value, int | float):
            fitted = f"service.{key}" in deployment["provenance"]
            shown.add_row(key, f"{value:.6g}", "fitted" if fitted else "given")
    return shown
