"""Vectors of models that point towards the queries on which they are preferred to others, learned from a history."""

from __future__ import annotations

import numpy as np

from sim.interface import FloatArray, History

MOST_ROWS = 2000  # of the history, evenly spread, from which preferences are learned
STEPS = 30
STEP = 1.0
DIGITS = 9  # to which the vectors are rounded, as their last ones depend on the processor


def preferred(contexts: FloatArray, history: History) -> FloatArray:
    """Return vectors theta (n_deployments, size) of length 1 that explain which model is preferred on which query.

    On every query whose two scores differ the better one is preferred. The vectors minimise, by some steps down the
    gradient, the mean over queries of

        sum over (i preferred to j) of log(1 + exp(cos(x, theta_j) - cos(x, theta_i))),

    the likelihood of Bradley and Terry. A model that is known on no row, or never differs, has the vector 0.

    Parameters
    ----------
    contexts : array (n_history, size)
        Each of length 1.
    history : History
    """
    n = len(contexts)
    rows = np.unique(np.linspace(0, n - 1, min(n, MOST_ROWS)).astype(np.int64))
    x, quality = contexts[rows], history.quality[rows]
    wins = quality[:, :, None] > quality[:, None, :]  # false where one is not known
    theta = np.zeros((quality.shape[1], contexts.shape[1]))
    for _ in range(STEPS):
        score = x @ theta.T
        doubt = np.where(wins, 1.0 / (1.0 + np.exp(score[:, :, None] - score[:, None, :])), 0.0)
        pull = doubt.sum(axis=2) - doubt.sum(axis=1)
        theta = directions(theta + STEP * (pull.T @ x) / max(len(rows), 1))
    return np.round(theta, DIGITS)


def directions(vectors: FloatArray) -> FloatArray:
    """Return vectors (n, size) at length 1; one of nothing stays nothing.

    >>> directions(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    lengths = np.sqrt(np.add.reduce(vectors * vectors, axis=1, keepdims=True))
    return vectors / np.where(lengths > 0, lengths, 1.0)
