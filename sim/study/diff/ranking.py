"""Computes which of many policies is the best, and how likely that is. It knows values and runs nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from sim.interface import FloatArray
from sim.study.diff.comparison import ROUNDING, welch_difference
from sim.study.output.finished import Finished
from sim.study.statistics import paired_difference

DRAWS = 100_000


def alternatives(studies: Sequence[Finished]) -> dict[str, tuple[Finished, str]]:
    """Return every policy of every study by a name: the policy's, with the study's before it if there are several."""
    return {
        policy if len(studies) == 1 else f"{study.name}/{policy}": (study, policy)
        for study in studies
        for policy in study.policies
    }


def ranking(values: Mapping[str, pd.Series[float]], sign: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return how likely each alternative is the best of all, the best mean first.

    Parameters
    ----------
    values : mapping of str to Series
        A value per replication, indexed by seed and replication. Those that all have are used, as joint draws; if no
        two are common, each alternative is independent of the others and has all of its own.
    sign : {1, -1}
        Whether more or less is better.
    rng : Generator

    Returns
    -------
    DataFrame
        ``alternative``, ``replications``, ``mean``, ``behind`` (how far the mean is worse than the best one),
        ``half_width`` of that 95% interval (as in ``differences``) and ``probability_best``. The best was chosen by
        looking, so that ``behind`` flatters it a little.

    Raises
    ------
    ValueError
        If an alternative has fewer than two replications.

    Notes
    -----
    ``probability_best`` is the posterior probability that the alternative's true mean is the best, by ``DRAWS`` draws.
    For n common replications with means m and covariance S, the true means are a multivariate Student vector with n - 1
    degrees of freedom, location m and scale S / n: for each pair that is the distribution behind the paired Student
    interval. It assumes that replications are independent and jointly normal, or n large, and no knowledge beforehand
    (Chick and Inoue, New procedures to select the best simulated system using common random numbers, Management Science
    47, 2001; the probability of correct selection of Chen and Lee, Stochastic Simulation Optimization, 2011, which
    takes systems as independent). It does not add replications until the choice is safe, as Kim and Nelson do (ACM
    TOMACS 11, 2001). Equals share their draws evenly.
    """
    index = pd.Index([])
    for number, series in enumerate(values.values()):
        index = series.index if number == 0 else index.intersection(series.index)
    paired = len(index) > 1
    samples = [np.asarray(series.loc[index] if paired else series, dtype=np.float64) for series in values.values()]
    if min(map(len, samples)) < 2:
        raise ValueError("an alternative has one replication only; a probability needs replications=2 or more")
    means = np.array([sample.mean() for sample in samples])
    draws = joint_means(np.column_stack(samples), rng) if paired else independent_means(samples, rng)
    best = int(np.argmax(sign * means))
    apart = [
        (paired_difference if paired else welch_difference)(sign * samples[best], sign * sample) for sample in samples
    ]
    gain = sign * draws
    top = gain.max(axis=1, keepdims=True)
    winners = gain >= top - ROUNDING * max(float(np.abs(sample).max()) for sample in samples)
    table = pd.DataFrame(
        {
            "alternative": list(values),
            "replications": [len(sample) for sample in samples],
            "mean": means,
            "behind": [difference for difference, _ in apart],
            "half_width": [half_width for _, half_width in apart],
            "probability_best": (winners / winners.sum(axis=1, keepdims=True)).mean(axis=0),
        }
    )
    return table.sort_values("behind", kind="stable", ignore_index=True)


def joint_means(values: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return draws (DRAWS, d) of the true means of joint samples (n, d)."""
    n = len(values)
    # (n - 1) S = V s^2 V', of rank min(n, d), so that few normal numbers do for many replications.
    _, singular, rows = np.linalg.svd(values - values.mean(axis=0), full_matrices=False)
    normal = rng.standard_normal((DRAWS, len(singular))) @ (singular[:, None] * rows)
    tails = np.sqrt((n - 1) / rng.chisquare(n - 1, DRAWS))[:, None]
    means: FloatArray = values.mean(axis=0) + normal * tails / np.sqrt(n * (n - 1))
    return means


def independent_means(samples: Sequence[FloatArray], rng: np.random.Generator) -> FloatArray:
    """Return draws (DRAWS, d) of the true means of d independent samples."""
    columns = [
        sample.mean() + sample.std(ddof=1) / np.sqrt(len(sample)) * rng.standard_t(len(sample) - 1, DRAWS)
        for sample in samples
    ]
    return np.column_stack(columns)


def rankings(studies: Sequence[Finished], seed: int) -> pd.DataFrame:
    """Return the ranking of all alternatives by each metric with a direction that all have and that is finite.

    Raises
    ------
    ValueError
        If there are fewer than two alternatives, or one has a single replication.
    """
    named = alternatives(studies)
    if len(named) < 2:
        raise ValueError(f"{studies[0].name} has one policy only; give another directory to compare it with")
    tables = []
    for metric in studies[0].metrics:
        sign = next((one for study in studies if metric in study.metrics and (one := study.direction(metric))), 0)
        if sign == 0 or not all(metric in study.metrics for study in studies):
            continue
        values = {name: study.values(policy, metric) for name, (study, policy) in named.items()}
        if all(np.isfinite(series).all() for series in values.values()):
            table = ranking(values, sign, np.random.default_rng(seed))
            table.insert(0, "metric", metric)
            tables.append(table)
    if not tables:
        raise ValueError("there is no metric in common that has a direction and is finite in every replication")
    return pd.concat(tables, ignore_index=True)
