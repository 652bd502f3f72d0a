"""Says how surely measured requests tell the parameters of a batching service: intervals, and what cannot be told.

Around the fit, the logarithms of simulated latencies are taken for linear in the logarithms of the parameters. Blocks
of consecutive requests are drawn again with replacement, as requests in one queue share their fate; each draw's
parameters are one step of weighted least squares from the fit. That takes a simulation for each side of each parameter
and no further search. Neither the model nor the search is right to less than 2%, or than what the fit misses, so
parameters whose simulated latencies are within about that of the fit's (root mean square) are in the interval too,
however little chance there was.
A direction in which the latencies do not move has an interval without end, and is said to be one that the data cannot
tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sim.interface import FloatArray
from sim.study.fit.fit import FIRST_TOKEN_WEIGHT, HUBER, Found, simulate
from sim.study.fit.limits import PARAMETERS, Limits
from sim.study.fit.measured import LATENCIES, Measured, latencies

STEP = 0.2  # of a logarithm, to each side: simulated times jump, and a short step would measure the jumps
BLOCKS = 10  # of each run
DRAWS = 400
MODEL = 0.02  # the least relative error of the model and of the search, beside chance
LEVEL = 0.95
FARTHEST = np.log(1e3)  # what is farther off is not known at all
TELLING = 3.0  # an interval that reaches beyond so many times the value, or a share of it, tells little
MATTERS = 0.01  # a parameter that moves no latency by this share when it doubles need not be told
SMALLEST = 1e-9  # of the largest eigenvalue: directions below move nothing


@dataclass(frozen=True)
class Told:
    """What the data tell of one parameter.

    Parameters
    ----------
    name : str
    value, low, high : float
        Its fit and the ends of its interval.
    moves : float
        By what share a latency changes, in the mean over requests and for the latency that changes most, when it is
        doubled.
    """

    name: str
    value: float
    low: float
    high: float
    moves: float

    @property
    def is_told(self) -> bool:
        """Whether the interval is narrow enough to mean something."""
        return self.high <= TELLING * self.value and self.low >= self.value / TELLING


def untold_words(told: Mapping[str, Told]) -> tuple[str, ...]:
    """Return which parameters the data cannot tell, in a sentence for those that matter and one for the others."""
    untold = [one for one in told.values() if not one.is_told]
    matter = [f"{one.name} ({one.low:.2g} to {one.high:.2g})" for one in untold if one.moves >= MATTERS]
    little = [one.name for one in untold if one.moves < MATTERS]
    words = [
        f"these requests cannot tell {', '.join(matter)}: what trades against others or hardly varies"
        if matter
        else "",
        f"nor need they tell what moves no latency by {MATTERS:.0%}: {', '.join(little)}" if little and matter else "",
        f"these requests cannot tell {', '.join(little)}, and need not: no latency moves by {MATTERS:.0%}"
        if little and not matter
        else "",
    ]
    return tuple(one for one in words if one)


def told(
    found: Found, runs: Sequence[Measured], fitted: Sequence[int], limits: Limits, misses: float = 0.0
) -> Mapping[str, Told]:
    """Return what the fitted requests tell of each parameter.

    Parameters
    ----------
    found : Found
        The fit.
    runs : sequence of Measured
    fitted : sequence of int
        How many of the first requests of each were fitted.
    limits : Limits
    misses : float
        The largest relative error of what was fitted.
    """
    in_step = found.service.ranks > 1
    values = np.array([getattr(found.service, name) for name in PARAMETERS], dtype=np.float64)
    logs = np.log(np.maximum(values, 1e-12))

    def simulated(at: FloatArray) -> list[FloatArray]:
        """Return the logarithms of the latencies (n, 3) of the fitted requests of each run."""
        service = limits.service(np.exp(at).tolist(), in_step=in_step)
        return [
            logged(latencies(run, *simulate(service, found.copies, run))[:n])
            for run, n in zip(runs, fitted, strict=True)
        ]

    here = simulated(logs)
    sides = [
        [(above - below) / (2 * STEP) for above, below in zip(simulated(logs + by), simulated(logs - by), strict=True)]
        for by in STEP * np.eye(len(PARAMETERS))
    ]
    normals, sums = [], []
    moved = np.zeros((len(PARAMETERS), len(LATENCIES)))
    for k, (run, n) in enumerate(zip(runs, fitted, strict=True)):
        measured = logged(latencies(run, run.first_token_s, run.last_token_s)[:n])
        slopes = np.stack([side[k] for side in sides], axis=2)  # (n, 3, parameters)
        ok = np.isfinite(measured) & np.isfinite(here[k]) & np.isfinite(slopes).all(axis=2)
        missed = np.where(ok, measured - here[k], 0.0)
        slopes = np.where(ok[:, :, None], slopes, 0.0)
        share = np.array([FIRST_TOKEN_WEIGHT if name == "time_to_first_token_s" else 1.0 for name in LATENCIES])
        weight = share / np.sqrt(1 + (missed / HUBER) ** 2) / np.maximum(ok.sum(axis=0), 1) / share.sum() / len(runs)
        moved = np.maximum(moved, np.abs(slopes).mean(axis=0).T)
        for block in np.array_split(np.arange(n), min(BLOCKS, n)):
            w, x, y = weight[block], slopes[block], missed[block]
            normals.append(np.einsum("nm,nmp,nmq->pq", w, x, x))
            sums.append(np.einsum("nm,nmp,nm->p", w, x, y))
    steps = drawn_steps(np.array(normals), np.array(sums), max(MODEL, misses))
    low, high = np.quantile(steps, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return {
        name: Told(
            name,
            float(values[p]),
            float(values[p] * np.exp(np.clip(low[p], -FARTHEST, 0))),
            float(values[p] * np.exp(np.clip(high[p], 0, FARTHEST))),
            float(np.log(2) * moved[p].max()),
        )
        for p, name in enumerate(PARAMETERS)
    }


def logged(table: pd.DataFrame) -> FloatArray:
    """Return the logarithms of latencies (n, 3)."""
    return np.asarray(np.log(np.maximum(table[list(LATENCIES)].to_numpy(dtype=np.float64), 1e-9)))


def drawn_steps(normals: FloatArray, sums: FloatArray, model: float) -> FloatArray:
    """Return how far each draw of blocks moves the parameters from where all blocks have them (draws, parameters).

    Parameters
    ----------
    normals : array (n_blocks, n_parameters, n_parameters)
        Each block's part of the normal equations' matrix; weights of all blocks add up to 1.
    sums : array (n_blocks, n_parameters)
        Its part of their right side.
    model : float
        The relative error of the model and of the search.
    """
    rng = np.random.default_rng(0)
    centre = solved(normals.sum(axis=0), sums.sum(axis=0))
    values, vectors = np.linalg.eigh(normals.sum(axis=0))
    unmoved = vectors[:, values <= SMALLEST * max(float(values[-1]), 1e-300)]
    found = np.empty((DRAWS, sums.shape[1]))
    for draw in range(DRAWS):
        chosen = rng.integers(len(sums), size=len(sums))
        found[draw] = solved(normals[chosen].sum(axis=0), sums[chosen].sum(axis=0)) - centre
        found[draw] += unmoved @ (FARTHEST * rng.choice([-1.0, 1.0], size=unmoved.shape[1]))
    moves = values > SMALLEST * max(float(values[-1]), 1e-300)
    spread = model / np.sqrt(np.where(moves, values, np.inf))
    return np.asarray(found + (rng.standard_normal(found.shape) * spread) @ vectors.T)


def solved(matrix: FloatArray, right: FloatArray) -> FloatArray:
    """Return the solution of normal equations that is 0 along directions in which nothing moves."""
    values, vectors = np.linalg.eigh(matrix)
    moves = values > SMALLEST * max(float(values[-1]), 1e-300)
    along = vectors.T @ right
    return np.asarray(vectors @ np.where(moves, along / np.where(moves, values, 1.0), 0.0))
