"""Writes a fitted service as a fleet's YAML, with where its numbers come from. It knows no fitting."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

import pandas as pd

from sim.world.services.paged import PagedBatching
from sim.world.services.resampled import Resampled

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
    price_per_hour_usd: float | None = None,
) -> str:
    """Return a fleet of one deployment, usable as ``fleet=FILE`` or as ``conf/fleet/NAME.yaml``.

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
    price_per_hour_usd : float or None
        Of a replica; None for none.
    """
    held_out = residuals[residuals["half"] == "held_out"]
    worst = float(held_out["relative_error"].abs().max())
    return written(
        f"# Fitted by switchyard fit. Simulated over measured on the held-out half, whose worst error is {worst:.1%}:",
        [f"{row.metric:<24} {row.figure:<4} {row.relative_error:+.1%}" for row in held_out.itertuples()],
        name,
        model,
        copies,
        price_per_hour_usd,
        service,
        fitted,
        Origin(source, as_of, worst, f"worst relative error of a mean or p95 on the held-out half: {worst:.3f}"),
    )


def hosted_yaml(
    name: str,
    model: str,
    service: Resampled,
    figures: pd.DataFrame,
    source: str,
    as_of: str,
    price_per_hour_usd: float | None = None,
) -> str:
    """Return a fleet of one hosted deployment; parameters as for ``fleet_yaml``, ``figures`` of a ``HostedFit``."""
    held_out = figures[figures["half"] == "held_out"]
    worst = float(held_out["error"].abs().max())
    errors = [
        f"{row.metric:<13} {row.figure:<11} "
        + (f"{row.error:+.3f}" if row.figure == "correlation" else f"{row.error:+.1%}")
        for row in held_out.itertuples()
    ]
    return written(
        "# Fitted by switchyard fit service=hosted. On every other request, simulated by a fit to the rest:",
        errors,
        name,
        model,
        1,
        price_per_hour_usd,
        service,
        [field for field, value in dataclasses.asdict(service).items() if value is not None],
        Origin(source, as_of, worst, f"worst error of a percentile or a correlation on requests held out: {worst:.3f}"),
    )


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where fitted numbers come from: the source, its date, the worst error held out, and what to say of it."""

    source: str
    as_of: str
    worst: float
    note: str

    @property
    def confidence(self) -> str:
        """The word for that error."""
        return "high" if self.worst <= HIGH else "medium" if self.worst <= MEDIUM else "low"


def written(
    title: str,
    errors: Sequence[str],
    name: str,
    model: str,
    replicas: int,
    price_per_hour_usd: float | None,
    service: PagedBatching | Resampled,
    fitted: Sequence[str],
    origin: Origin,
) -> str:
    """Return the YAML of a fleet of one deployment, with its errors in front and an origin at every fitted number."""
    kind = type(service)
    lines = [
        title,
        *(f"#   {error}" for error in errors),
        "_target_: scenarios.fleets.Listed",
        f"about: {json.dumps(f'{name}: fitted to measured requests')}",
        "size: null",
        "exclude: []",
        "change: null",
        "members:",
        "  - _target_: sim.deployment.Deployment",
        f"    name: {json.dumps(name)}",
        f"    model: {json.dumps(model)}",
        f"    replicas: {replicas}",
        *([] if price_per_hour_usd is None else [f"    price_per_hour_usd: {scalar(price_per_hour_usd)}"]),
        "    service:",
        f"      _target_: {kind.__module__}.{kind.__name__}",
        *(line for key, value in dataclasses.asdict(service).items() for line in setting(key, value)),
        "    provenance:",
    ]
    for place, parameter in enumerate(fitted):
        if place:
            lines.append(f"      service.{parameter}: *fitted")
            continue
        lines += [
            f"      service.{parameter}: &fitted",
            f"        source: {json.dumps(origin.source)}",
            f"        as_of: {json.dumps(origin.as_of)}",
            f"        confidence: {origin.confidence}",
            f"        note: {json.dumps(origin.note)}",
        ]
    return "\n".join(lines) + "\n"


def setting(key: str, value: object) -> list[str]:
    """Return the lines of one setting of a service: a number, numbers in one line, or a line of numbers each."""
    if not isinstance(value, tuple):
        return [f"      {key}: {scalar(value)}"]  # type: ignore[arg-type]
    if value and isinstance(value[0], tuple):
        return [f"      {key}:", *(f"        - [{', '.join(map(scalar, each))}]" for each in value)]
    return [f"      {key}: [{', '.join(map(scalar, value))}]"]


def scalar(value: float | None) -> str:
    """Return a number as YAML reads it back, with a point in front of an exponent.

    >>> scalar(5e-08), scalar(128), scalar(None)
    ('5.0e-08', '128', 'null')
    """
    if value is None:
        return "null"
    digits, exponent, power = repr(value).partition("e")
    return digits + (".0" if exponent and "." not in digits else "") + exponent + power
