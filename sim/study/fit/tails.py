"""Sets the tails of measured latencies beside those of a lognormal law and of a fitted service. It knows no service."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from sim.interface import FloatArray
from sim.study.fit.answered import Answered

QUANTILES = (0.5, 0.9, 0.95, 0.99, 0.999)
FEWEST_BEYOND = 5  # requests beyond a quantile, to speak of it
FROM, TO = 0.1587, 0.8413  # one standard deviation of a normal law to each side
HEAVIER, LIGHTER = 1.25, 0.8


def metrics(requests: Answered) -> dict[str, FloatArray]:
    """Return the latencies of requests that have tails: whole, first token, and time per further token."""
    found = {"latency_s": requests.latency_s}
    if requests.first_token_s is not None:
        found["first_token_s"] = requests.first_token_s
        many = requests.output_tokens > 1
        rest_s = (requests.latency_s - requests.first_token_s)[many]
        if many.any():
            found["per_output_token_s"] = rest_s / (requests.output_tokens[many] - 1)
    return found


def tails(measured: Answered, simulated: Mapping[str, FloatArray]) -> pd.DataFrame:
    """Return quantiles of each latency: measured, of a lognormal law, and simulated.

    The law has the median of what was measured, and its spread between the quantiles that are one standard deviation
    from it, so that its tail is a prediction. A quantile with fewer than five requests beyond is left out.

    Parameters
    ----------
    measured : Answered
    simulated : mapping of str to array (n,)
        The latencies of ``metrics`` as the service makes them, those that it knows.

    Returns
    -------
    DataFrame
        Columns ``metric``, ``quantile``, ``measured``, ``lognormal``, ``simulated``.
    """
    rows = []
    for name, values in metrics(measured).items():
        there = values[values > 0]
        if not len(there):
            continue
        logs = np.log(there)
        centre = float(np.median(logs))
        spread = float(np.quantile(logs, TO) - np.quantile(logs, FROM)) / 2
        rows += [
            {
                "metric": name,
                "quantile": q,
                "measured": float(np.quantile(there, q)),
                "lognormal": math.exp(centre + spread * normal_quantile(q)),
                "simulated": float(np.quantile(simulated[name], q)) if name in simulated else math.nan,
            }
            for q in QUANTILES
            if q == QUANTILES[0] or len(there) * (1 - q) >= FEWEST_BEYOND
        ]
    return pd.DataFrame(rows)


def normal_quantile(q: float) -> float:
    """Return the quantile of the standard normal law.

    >>> round(normal_quantile(0.975), 3)
    1.96
    """
    from scipy.special import ndtri  # not for --help

    return float(ndtri(q))


def tail_words(table: pd.DataFrame) -> list[str]:
    """Return of each latency, in a sentence, how its farthest known quantile compares with the lognormal law's."""
    said = []
    for name, rows in table.groupby("metric", sort=False):
        last = rows.iloc[-1]
        if last["quantile"] < 0.95:
            said.append(f"tail of {name}: too few requests to know it")
            continue
        ratio = last["measured"] / last["lognormal"]
        kind = "heavier than" if ratio > HEAVIER else "lighter than" if ratio < LIGHTER else "about that of"
        said.append(
            f"tail of {name}: {kind} a lognormal law (p{100 * last['quantile']:g} {last['measured']:.3g} s, "
            f"{ratio:.2f} times the law's)"
        )
    return said
