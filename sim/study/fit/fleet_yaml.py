"""Writes a fitted service as a fleet's YAML, with where its numbers come from. It knows no fitting."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence

import pandas as pd

from sim.study.fit.intervals import Told
from sim.world.services.paged import PagedBatching
from sim.world.services.resampled import Resampled

OPTIONAL = ("per_input_token_s", "starts_at_hour")  # which are 0 where nothing was found
HIGH, MEDIUM = 0.05, 0.20  # largest relative error on the held-out half for that confidence


@dataclasses.dataclass(frozen=True)
class Named:
    """What a user says of a fitted deployment.

    Parameters
    ----------
    name : str
    model : str or None
        The workload's model that it serves; None for the deployment's name, or else the workload's first.
    price_per_hour_usd : float or None
        Of a replica; None for none.
    price_input_usd_per_million, price_output_usd_per_million : float or None
        Of tokens; None for what the workload says.
    """

    name: str
    model: str | None = None
    price_per_hour_usd: float | None = None
    price_input_usd_per_million: float | None = None
    price_output_usd_per_million: float | None = None

    @property
    def prices(self) -> dict[str, float]:
        """The prices there are."""
        found = dataclasses.asdict(self)
        return {name: found[name] for name in found if name.startswith("price_") and found[name] is not None}


def fleet_yaml(
    named: Named,
    service: PagedBatching,
    copies: int,
    told: Mapping[str, Told],
    residuals: pd.DataFrame,
    source: str,
    as_of: str,
) -> str:
    """Return a fleet of one deployment, usable as ``fleet=FILE`` or as ``conf/fleet/NAME.yaml``.

    Parameters
    ----------
    named : Named
    service : PagedBatching
    copies : int
        Its replicas.
    told : mapping of str to Told
        The parameters that were fitted, with their intervals.
    residuals : DataFrame
        Those of ``sim.study.fit.several.Judged``.
    source, as_of : str
    """
    held_out = residuals[residuals["half"] == "held_out"]
    several = held_out["run"].nunique() > 1
    worst = float(held_out["relative_error"].abs().max())
    where = "each run by a fit to the others" if several else "the held-out half"
    lines = [
        (f"{row.run}: " if several else "") + f"{row.metric:<24} {row.figure:<4} {row.relative_error:+.1%}"
        for row in held_out.itertuples()
    ]
    return written(
        f"# Fitted by switchyard fit. Simulated over measured on {where}, whose worst error is {worst:.1%}:",
        lines,
        named,
        copies,
        service,
        {name: (one.low, one.high) for name, one in told.items()},
        [name for name, one in told.items() if not one.is_told],
        Origin(source, as_of, worst, f"worst relative error of a mean or p95 on {where}: {worst:.3f}"),
    )


def hosted_yaml(
    named: Named,
    service: Resampled,
    figures: pd.DataFrame,
    told: Mapping[str, tuple[float, float]],
    source: str,
    as_of: str,
) -> str:
    """Return a fleet of one hosted deployment; parameters as for ``fleet_yaml``, the rest of a ``HostedFit``."""
    held_out = figures[figures["half"] == "held_out"]
    several = held_out["run"].nunique() > 1
    worst = float(held_out["error"].abs().max())
    errors = [
        (f"{row.run}: " if several else "")
        + f"{row.metric:<13} {row.figure:<11} "
        + (f"{row.error:+.3f}" if row.figure == "correlation" else f"{row.error:+.1%}")
        for row in held_out.itertuples()
    ]
    where = (
        "On each run, simulated by a fit to the others"
        if several
        else "On every other request, simulated by a fit to the rest"
    )
    values = {field: value for field, value in dataclasses.asdict(service).items() if value is not None}
    fitted = [field for field, value in values.items() if field not in OPTIONAL or value]
    return written(
        f"# Fitted by switchyard fit service=hosted. {where}:",
        errors,
        named,
        1,
        service,
        {name: told.get(name) for name in fitted},
        [],
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
    named: Named,
    replicas: int,
    service: PagedBatching | Resampled,
    fitted: Mapping[str, tuple[float, float] | None],
    untold: Sequence[str],
    origin: Origin,
) -> str:
    """Return the YAML of a fleet of one deployment, with its errors in front and an origin at every fitted number.

    ``fitted`` has the interval of each of these numbers, None without one; ``untold`` those that the data do not tell.
    """
    kind = type(service)
    lines = [
        title,
        *(f"#   {error}" for error in errors),
        "_target_: scenarios.fleets.Listed",
        f"about: {json.dumps(f'{named.name}: fitted to measured requests')}",
        "size: null",
        "exclude: []",
        "change: null",
        f"any_model: {'true' if named.model is None else 'false'}",
        "members:",
        "  - _target_: sim.deployment.Deployment",
        f"    name: {json.dumps(named.name)}",
        f"    model: {json.dumps(named.model or named.name)}",
        f"    replicas: {replicas}",
        *(f"    {name}: {scalar(price)}" for name, price in named.prices.items()),
        "    service:",
        f"      _target_: {kind.__module__}.{kind.__name__}",
        *(line for key, value in dataclasses.asdict(service).items() for line in setting(key, value)),
        "    provenance:",
    ]
    for parameter, ends in fitted.items():
        is_told = parameter not in untold
        note = origin.note if is_told else f"these requests cannot tell it; {origin.note}"
        lines += [
            f"      service.{parameter}:",
            f"        source: {json.dumps(origin.source)}",
            f"        as_of: {json.dumps(origin.as_of)}",
            f"        confidence: {origin.confidence if is_told else 'low'}",
            *([] if ends is None else [f"        range: [{', '.join(scalar(float(f'{end:.4g}')) for end in ends)}]"]),
            f"        note: {json.dumps(note)}",
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
