"""Writes a fitted service as a fleet's YAML, with where its numbers come from. It knows no fitting."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

import pandas as pd

from sim.world.services.paged import PagedBatching

HIGH, MEDIUM = 0.05, 0.20  # largest relative error on the held-out half for that confidence


def fleet_yaml(
    name: str,
    model: str,
    service: PagedBatching,
    copies: int,
    fitted: Sequence[str],
    residuals: pd.DataFrame,
    source: str,
    as_of: str,
) -> str:
    """Return a fleet of one deployment, usable as ``conf/fleet/NAME.yaml``.

    Parameters
    ----------
    name, model : str
        Of the deployment, and of the workload's model that it serves.
    service : PagedBatching
    copies : int
        Its replicas.
    fitted : sequence of str
        Which parameters were fitted.
    residuals : DataFrame
        The table of ``sim.study.fit.fit.table``.
    source, as_of : str
    """
    held_out = residuals[residuals["half"] == "held_out"]
    worst = float(held_out["relative_error"].abs().max())
    confidence = "high" if worst <= HIGH else "medium" if worst <= MEDIUM else "low"
    lines = [
        f"# Fitted by switchyard fit. Simulated over measured on the held-out half, whose worst error is {worst:.1%}:",
        *(f"#   {row.metric:<24} {row.figure:<4} {row.relative_error:+.1%}" for row in held_out.itertuples()),
        "_target_: scenarios.fleets.Listed",
        "members:",
        "  - _target_: sim.deployment.Deployment",
        f"    name: {json.dumps(name)}",
        f"    model: {json.dumps(model)}",
        f"    replicas: {copies}",
        "    service:",
        "      _target_: sim.world.services.paged.PagedBatching",
        *(f"      {key}: {scalar(value)}" for key, value in dataclasses.asdict(service).items()),
        "    provenance:",
    ]
    for place, parameter in enumerate(fitted):
        if place:
            lines.append(f"      service.{parameter}: *fitted")
            continue
        lines += [
            f"      service.{parameter}: &fitted",
            f"        source: {json.dumps(source)}",
            f"        as_of: {json.dumps(as_of)}",
            f"        confidence: {confidence}",
            f'        note: "worst relative error of a mean or p95 on the held-out half: {worst:.3f}"',
        ]
    return "\n".join(lines) + "\n"


def scalar(value: float | None) -> str:
    """Return a number as YAML reads it back, with a point in front of an exponent.

    >>> scalar(5e-08), scalar(128), scalar(None)
    ('5.0e-08', '128', 'null')
    """
    if value is None:
        return "null"
    digits, exponent, power = repr(value).partition("e")
    return digits + (".0" if exponent and "." not in digits else "") + exponent + power
