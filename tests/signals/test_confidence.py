"""The confidences of made-up models: how well they separate right answers from wrong ones."""

import hashlib

import numpy as np
import pytest

from scenarios.workloads.margins import SEPARATION, margins
from scenarios.workloads.synthetic import synthetic
from sim.interface import FloatArray
from sim.workload import Workload


def separation_of(right: FloatArray, confidence: FloatArray) -> float:
    """Return the share of pairs of a right and a wrong answer in which the right one has the larger confidence."""
    wrong = np.sort(confidence[right == 0])
    return float(np.searchsorted(wrong, confidence[right == 1]).mean() / len(wrong))


@pytest.mark.parametrize("separation", [0.5, SEPARATION, 0.9])
def test_the_chance_that_a_right_answer_is_the_surer_is_the_parameter(separation: float) -> None:
    right = np.tile([0.0, 1.0], 20_000)
    confidence = margins(right, separation, np.random.default_rng(1))
    assert separation_of(right, confidence) == pytest.approx(separation, abs=0.01)  # standard error 0.003


def test_accuracy_by_fifths_of_the_margin_is_near_that_of_a_real_small_model() -> None:
    # Qwen-1.8B on 10,000 MMLU questions, right in 47.52% of them (LLM-Uncertainty-Bench): .312 .322 .424 .524 .794.
    right = (np.arange(100_000) < 47_520).astype(np.float64)
    by_margin = right[np.argsort(margins(right, SEPARATION, np.random.default_rng(2)))]
    fifths = by_margin.reshape(5, -1).mean(axis=1)
    np.testing.assert_allclose(fifths, [0.312, 0.322, 0.424, 0.524, 0.794], atol=0.03)


def outcomes_of(workload: Workload) -> str:
    """Return a digest of scores and token counts."""
    digest = hashlib.sha256()
    for rows in (workload.history, workload.test):
        for outcome in (rows.quality, rows.input_tokens, rows.output_tokens):
            digest.update(np.ascontiguousarray(outcome).astype(np.int64).tobytes())
    return digest.hexdigest()


def test_confidences_change_no_outcome_of_the_workload_as_it_was_before_them() -> None:
    before = "0a15320592a9679b270cd396a9efcdde110a0c73d082c28524ac72d423b00664"  # of the version without confidences
    assert outcomes_of(synthetic(n_queries=60, n_history=40, n_models=12, dim=8, seed=3)) == before


def test_the_separation_changes_confidences_alone() -> None:
    one, other = (synthetic(n_queries=30, n_history=20, separation=s).test for s in (0.6, 0.8))
    for name, array in vars(one).items():
        if array is not None:
            assert np.array_equal(array, getattr(other, name)) == (name != "confidence"), name


@pytest.mark.parametrize("separation", [0.4, 1.0, float("nan")])
def test_a_separation_that_no_margins_have_is_refused(separation: float) -> None:
    with pytest.raises(ValueError, match=r"workload\.separation"):
        synthetic(n_queries=2, n_history=2, separation=separation)
