"""Estimates by kernel ridge regression whose widths and penalties are chosen by leaving one row out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from threadpoolctl import threadpool_limits

from policies.estimators.exact import ROWS, product, rounded, squared_lengths
from policies.estimators.log_cost import log_costs, smearing
from policies.estimators.neighbours import unit
from policies.estimators.partial import by_known
from sim.errors import check_number
from sim.interface import BoolArray, EmbeddingArray, Estimates, Features, FloatArray, History, IntArray, Predictor

WIDTHS = (0.5, 1.0, 2.0, 4.0)  # gamma of exp(-gamma |x - x'|^2), per mean squared length of the inputs
PENALTIES = 10.0 ** np.arange(-2, 4.5, 0.5)
SOME, FEW = 2000, 300  # rows and landmarks by which the width is chosen: it hardly matters, and all take long
RANK_TOLERANCE = 1e-6  # directions of the kernel weaker than this share of the strongest are rounding
FITS: WeakKeyDictionary[History, dict[KernelRidge, Predictor]] = WeakKeyDictionary()


@dataclass(frozen=True)
class KernelRidge:
    """Quality and log cost as smooth functions of the embedding and the input length.

    Ridge regression with the kernel exp(-gamma |x - x'|^2), where x is the embedding, scaled to length 1 and centred,
    and ``token_weight`` x the standardised log of input tokens. The outcomes of all deployments are turned to their
    principal components first, and each component has its own penalty: what deployments have in common (how hard or
    long a query is) is kept, what only one of them does is shrunk, as far as the history shows no better (after
    Breiman and Friedman 1997, "Predicting multivariate responses"). gamma and penalties minimise the squared error of
    each history row under a fit without it, which has a closed form; gamma is chosen on some of the rows. Costs are
    learned in logs and transformed back with the smearing factor (Duan 1983).

    Parameters
    ----------
    landmarks : int
        A longer history is represented by so many of its rows, evenly spaced (Nystroem).
    token_weight : float
        How much the length of the input counts beside the embedding; 0 for not at all.
    """

    landmarks: int = 1200
    token_weight: float = 0.3

    def fit(self, history: History) -> Predictor:
        """Choose widths and penalties, and keep the weights, for as long as there is this history.

        The world and a policy fit the same estimator to the same history; the second has the fit of the first.

        Raises
        ------
        ValueError
            If the history has fewer than two rows, or a setting is out of range.
        """
        n = len(history.quality)
        if n < 2:
            raise ValueError(f"the history has {n} row; kernel ridge needs at least 2")
        check_number("landmarks", self.landmarks, least=2)
        check_number("token_weight", self.token_weight, least=0)
        fits = FITS.setdefault(history, {})
        if self not in fits:
            fits[self] = by_known(self._fit, history, least=2)
        return fits[self]

    def _fit(self, history: History) -> Predictor:
        n = len(history.quality)
        inputs = Inputs(history.features, self.token_weight)
        x = inputs.of(history.features)
        marks = x[evenly(n, self.landmarks)]
        log_cost, is_free = log_costs(history.cost)
        with threadpool_limits(1):  # so that the last bit does not depend on the machine's cores
            some, few = evenly(n, SOME), evenly(n, FEW)
            gammas = chosen_gammas(x[some], x[few], (history.quality[some], log_cost[some]))
            bases = {gamma: Basis.of(x, marks, gamma) for gamma in set(gammas)}
            quality, cost = (
                regress(bases[gamma], outcome)
                for gamma, outcome in zip(gammas, (history.quality, log_cost), strict=True)
            )
        return Fitted(inputs, marks, quality, cost, smearing(log_cost, cost.left_out, is_free), is_free)


class Inputs:
    """What the kernel compares: centred unit embeddings and standardised log input lengths."""

    def __init__(self, history: Features, token_weight: float) -> None:
        self._centre: EmbeddingArray = unit(history.embeddings).mean(axis=0)
        length = np.log1p(history.input_tokens)
        self._mean = float(length.mean())
        self._scale = token_weight / max(float(length.std()), 1e-9)

    def of(self, features: Features) -> FloatArray:
        """Return the inputs (n, dim + 1), rounded so that what the kernel makes of a row depends on no other."""
        length = (np.log1p(features.input_tokens) - self._mean) * self._scale
        return rounded(np.column_stack([unit(features.embeddings) - self._centre, length]))


class Basis(NamedTuple):
    """The kernel's directions.

    Parameters
    ----------
    gamma : float
    directions : array (n_history, rank)
        Orthonormal values on the history.
    strength : array (rank,)
        Eigenvalues; a penalty shrinks direction r by strength_r / (strength_r + penalty).
    back : array (n_landmarks, rank)
        From coefficients to weights of the landmarks.
    """

    gamma: float
    directions: FloatArray
    strength: FloatArray
    back: FloatArray

    @classmethod
    def of(cls, x: FloatArray, marks: FloatArray, gamma: float) -> Basis:
        """Decompose the kernel of the history, through the landmarks if they are fewer."""
        strength, vectors = strongest(gaussian(marks, marks, gamma))
        if len(marks) == len(x):
            return cls(gamma, vectors, strength, vectors)
        whiten = vectors / np.sqrt(strength)
        mapped = gaussian(x, marks, gamma) @ whiten
        strength, vectors = strongest(mapped.T @ mapped)
        return cls(gamma, mapped @ (vectors / np.sqrt(strength)), strength, whiten @ (vectors * np.sqrt(strength)))


class Regression(NamedTuple):
    """One outcome's fit: kernel, weights (n_landmarks, n_deployments), means, and what leaving each row out gives."""

    gamma: float
    weights: FloatArray
    mean: FloatArray
    error: float
    left_out: FloatArray

    def at(self, x: FloatArray, marks: FloatArray) -> FloatArray:
        """Return predictions (n, n_deployments)."""
        predicted = np.empty((len(x), len(self.mean)))
        for start in range(0, len(x), ROWS):  # a kernel of all rows would not fit the cache
            part = slice(start, start + ROWS)
            predicted[part] = product(gaussian(x[part], marks, self.gamma), self.weights) + self.mean
        return predicted


class Fitted:
    """Fitted regressions of quality and log cost."""

    def __init__(
        self,
        inputs: Inputs,
        marks: FloatArray,
        quality: Regression,
        log_cost: Regression,
        cost_factor: FloatArray,
        is_free: BoolArray,
    ) -> None:
        self._inputs = inputs
        self._marks = marks
        self._quality = quality
        self._log_cost = log_cost
        self._cost_factor = cost_factor
        self._is_free = is_free

    def predict(self, features: Features) -> Estimates:
        """Apply the weights."""
        x = self._inputs.of(features)
        return self._estimates(self._quality.at(x, self._marks), self._log_cost.at(x, self._marks))

    def held_out(self) -> Estimates:
        """Return the estimates of each history row by a fit without it."""
        return self._estimates(self._quality.left_out, self._log_cost.left_out)

    def _estimates(self, quality: FloatArray, log_cost: FloatArray) -> Estimates:
        return Estimates(np.clip(quality, 0.0, 1.0), np.exp(np.where(self._is_free, 0.0, log_cost)) * self._cost_factor)


def evenly(n: int, most: int) -> IntArray:
    """Return the places of at most so many of n rows, evenly spaced."""
    return np.arange(n) if n <= most else np.linspace(0, n - 1, most).astype(np.int64)


def chosen_gammas(x: FloatArray, marks: FloatArray, outcomes: tuple[FloatArray, ...]) -> list[float]:
    """Return the gamma of the least squared error for each outcome (n, n_deployments)."""
    gammas = [width / max(float((x**2).sum(axis=1).mean()), 1e-12) for width in WIDTHS]
    bases = [Basis.of(x, marks, gamma) for gamma in gammas]
    errors = np.array([[regress(basis, outcome).error for outcome in outcomes] for basis in bases])
    return [gammas[best] for best in errors.argmin(axis=0)]


def regress(basis: Basis, outcome: FloatArray) -> Regression:
    """Regress an outcome (n_history, n_deployments), each principal component with the penalty that predicts best."""
    mean = outcome.mean(axis=0)
    _, _, turn = np.linalg.svd(outcome - mean, full_matrices=False)
    components = (outcome - mean) @ turn.T
    projected = basis.directions.T @ components
    shrink = basis.strength[:, None] / (basis.strength[:, None] + PENALTIES)
    kept = 1 - basis.directions**2 @ shrink - 1 / len(outcome)  # of a row's residual, what its own fit leaves
    fitted = basis.directions @ (projected[:, :, None] * shrink[:, None]).reshape(len(projected), -1)
    residual = components[:, :, None] - fitted.reshape(*components.shape, -1)  # (n_history, n_deployments, penalties)
    residual /= np.maximum(kept, 1e-6)[:, None]
    errors = (residual**2).mean(axis=0)
    best = np.argmin(errors, axis=1)
    each = np.arange(components.shape[1])
    weights = basis.back @ (projected / (basis.strength[:, None] + PENALTIES[best]))
    return Regression(
        basis.gamma,
        weights @ turn,
        mean,
        float(errors[each, best].sum()),
        (components - residual[:, each, best]) @ turn + mean,
    )


def gaussian(x: FloatArray, marks: FloatArray, gamma: float) -> FloatArray:
    """Return exp(-gamma |x - x'|^2) of rounded rows (n, n_landmarks), each entry a function of its two rows alone."""
    exponent = x @ marks.T  # exact, as the squared lengths are
    exponent *= -2.0
    exponent += squared_lengths(x)[:, None]
    exponent += squared_lengths(marks)
    np.maximum(exponent, 0.0, out=exponent)
    exponent *= -gamma
    return np.exp(exponent, out=exponent)


def strongest(symmetric: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the eigenvalues and eigenvectors of a positive matrix that are more than rounding."""
    values, vectors = np.linalg.eigh(symmetric)
    keep = values > RANK_TOLERANCE * values[-1]
    return values[keep], vectors[:, keep]
