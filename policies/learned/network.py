"""A small network of two layers, and the method that trains it. It knows no query and no model.

Training multiplies by BLAS on one thread, so that the same history gives the same weights on the same kind of
processor. On another kind predictions differ by about 1e-14 (measured under AVX2 and AVX-512 on two workloads, where no
decision differed). Predictions of trained weights are exact products, each a function of its row alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from threadpoolctl import threadpool_limits

from policies.estimators.exact import product
from sim.interface import FloatArray, IntArray

Weights = list[FloatArray]
"""(dim, width), (width,), (width, n_outputs) and (n_outputs,): weights and constants of both layers."""

Slope = Callable[[Weights, IntArray], Sequence[FloatArray]]
FIRST_DECAY, SECOND_DECAY, SMALLEST = 0.9, 0.999, 1e-8


def drawn(dim: int, width: int, n_outputs: int, rng: np.random.Generator) -> Weights:
    """Return weights to begin with: normal, of variance 2 / dim and 1 / width (He et al. 2015), constants of 0."""
    return [
        rng.normal(0, np.sqrt(2 / dim), (dim, width)),
        np.zeros(width),
        rng.normal(0, np.sqrt(1 / width), (width, n_outputs)),
        np.zeros(n_outputs),
    ]


def forward(weights: Weights, inputs: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return max(0, x W1 + b1) (n, width), and that times W2 + b2 (n, n_outputs)."""
    hidden = np.maximum(inputs @ weights[0] + weights[1], 0.0)
    return hidden, hidden @ weights[2] + weights[3]


def backward(weights: Weights, inputs: FloatArray, hidden: FloatArray, of_outputs: FloatArray) -> Weights:
    """Return the slope of a loss in each of the weights from its slope in the outputs (n, n_outputs)."""
    of_hidden = (of_outputs @ weights[2].T) * (hidden > 0)
    return [inputs.T @ of_hidden, of_hidden.sum(axis=0), hidden.T @ of_outputs, of_outputs.sum(axis=0)]


def exactly(weights: Weights, inputs: FloatArray) -> FloatArray:
    """Return the outputs (n, n_outputs), each row a function of that row alone to the last bit."""
    result: FloatArray = product(np.maximum(product(inputs, weights[0]) + weights[1], 0.0), weights[2]) + weights[3]
    return result


def train(
    weights: Weights,
    slope: Slope,
    n_rows: int,
    rng: np.random.Generator,
    *,
    passes: int,
    batch: int,
    step: float,
    decay: float | Sequence[float | FloatArray] = 0.0,
    grain: float = 0.0,
) -> Weights:
    """Return weights after some passes over the rows in random order, by Adam (Kingma and Ba, arXiv 1412.6980).

    Parameters
    ----------
    weights : list of arrays
    slope : callable
        From the weights and the numbers of the rows of a batch to the slope of the mean loss in each of the weights.
    n_rows : int
    rng : Generator
    passes, batch : int
    step : float
        Adam's; it falls to 0 along a half cosine.
    decay : float or sequence of floats and arrays
        Share of the weights that a step of 1 takes away (Loshchilov and Hutter, arXiv 1711.05101): of all, or of each
        of the arrays.
    grain : float
        Weights are rounded to multiples of it after each step; 0 for not at all. Where a slope is drawn at random,
        training magnifies the last bits of a product until they decide; rounding ends them while they are small.
    """
    weights = [array.copy() for array in weights]
    means, squares = [np.zeros_like(array) for array in weights], [np.zeros_like(array) for array in weights]
    shares = [decay] * len(weights) if isinstance(decay, float) else list(decay)
    n_steps, number = passes * -(-n_rows // batch), 0
    with threadpool_limits(1):
        for _ in range(passes):
            order = rng.permutation(n_rows)
            for start in range(0, n_rows, batch):
                rate = step * 0.5 * (1 + np.cos(np.pi * number / n_steps))
                number += 1
                for k, by in enumerate(slope(weights, order[start : start + batch])):
                    means[k] += (1 - FIRST_DECAY) * (by - means[k])
                    squares[k] += (1 - SECOND_DECAY) * (by * by - squares[k])
                    towards = means[k] / (1 - FIRST_DECAY**number)
                    away = np.sqrt(squares[k] / (1 - SECOND_DECAY**number)) + SMALLEST
                    weights[k] -= rate * (towards / away + shares[k] * weights[k])
                    if grain:
                        np.multiply(np.rint(weights[k] / grain), grain, out=weights[k])
    return weights


def softmax(scores: FloatArray) -> FloatArray:
    """Return exp(s_k) / sum_j exp(s_j) along the last axis; entries of minus infinity get 0."""
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares: FloatArray = raised / raised.sum(axis=-1, keepdims=True)
    return shares
